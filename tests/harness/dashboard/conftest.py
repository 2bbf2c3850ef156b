"""A real Chromium, and the dashboard in it, from a file. Not verified where no Chromium is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from slowfast_verify.collection import Collection
from slowfast_verify.dashboard import Sources, render

from .. import browser
from ..dashboard_records import HARM, check, climbed, record, whole_rung
from .shown import BROKEN, CELLS, KNOWN, NOW, OUTAGE, TOP, WINE, Open, recipe, resolution


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a dashboard with a cell of every kind."""
    records = [
        record(TOP.id, climbed(config="failed as expected"), "2025-11-22T10:00:00Z-0001"),
        record(TOP.id, climbed(demo="failed"), "2025-10-02T10:00:00Z-0000"),
        record(BROKEN.id, whole_rung("imports", "failed", "missing-torch", "No module named 'torch'"), "2025-11-21T10:00:00Z-0002"),
        record(BROKEN.id, climbed(), "2025-11-01T10:00:00Z-0003"),
        record(KNOWN.id, whole_rung("imports", "failed as expected", "vision-fair-import"), "2025-11-21T11:00:00Z-0004"),
        record(OUTAGE.id, climbed(), "2025-10-01T10:00:00Z-0005"),
        record(OUTAGE.id, whole_rung("install", "infrastructure"), "2025-11-22T11:00:00Z-0006"),
        record(f"{WINE.id}+wine", climbed("demo", compute="not verified"), "2025-11-20T10:00:00Z-0007",
               target={"kind": "wine", "runner": "Windows binaries under Wine 8.0"}),
        record("target-harm", [check("imports", f"module[{name}]", "failed", message=text) for name, text in HARM.items()],
               "2025-11-20T10:00:00Z-0008", target={"kind": HARM["markup"], "runner": HARM["markup"]}),
    ]  # fmt: skip
    with Collection(records) as found:
        path = render(
            Sources(held=found, cells=CELLS, resolution=resolution, recipe=recipe, now=NOW.timestamp()),
            tmp_path_factory.mktemp("dashboard"),
        )
    return path.as_uri()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser for all tests of this folder."""
    if browser.missing():
        pytest.skip(f"not verified: {browser.missing()}")
    with browser.started() as running:
        yield running


@pytest.fixture
def open_page(chromium: Any, dashboard: str) -> Iterator[Open]:
    """Opens the dashboard at an address; fails the test if the page raised or asked anything of the network."""
    contexts, complaints = [], []

    def open_it(hash: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.clock.set_fixed_time(NOW)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
        page.goto(dashboard + hash)
        page.wait_for_selector("h1")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not complaints
