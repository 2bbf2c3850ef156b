"""The front page: the question in two interactions, filters with addresses, the grid of everything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from slowfast_verify import layout
from slowfast_verify.cli import app

from .shown import CELLS, RESOLVED, TOP, Open, left, settled


def test_windows_python_3_10_nvidia_in_two_interactions(open_page: Open) -> None:
    """From the front page: one click shows the command lines, a second copies them. They say that nobody ran them."""
    page = open_page()
    page.get_by_role("link", name=re.compile("Windows · NVIDIA, Python 3.10")).click()  # the first
    settled(page)
    shown = page.inner_text(".recipe pre")
    assert RESOLVED.id in shown and "echo powershell" in shown
    assert "Predicted only" in page.inner_text(".proof")
    page.get_by_role("button", name="Copy").first.click()  # the second
    page.get_by_role("button", name="Copied").first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n").strip() == shown.strip()


def test_the_same_with_the_projects_own_records(chromium: Any, tmp_path: Path) -> None:
    """The page made from reports/evidence and every cell that can exist: the same two interactions, and it says what ran nearest."""
    done = CliRunner().invoke(app, ["report", "render", str(layout.root() / "reports" / "evidence"), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    context = chromium.new_context(locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("link", name=re.compile("^Windows · NVIDIA, Python 3.10")).click()  # the first
    settled(page).get_by_role("button", name="Copy").first.click()  # the second
    page.get_by_role("button", name="Copied").first.wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "py -3.10 -m venv" in copied or "--python 3.10" in copied
    assert "torch==" in copied and "+cu" in copied
    if "never run" in page.inner_text(".verdict"):  # nobody ran it: the page says so, and what did
        assert "Predicted only" in page.inner_text(".proof") and page.locator(".nearest a").count() == 1
    context.close()


def test_a_machine_keeps_its_choices_in_its_address(open_page: Open) -> None:
    """Shell, installer and subject are links; the back button takes them back one by one."""
    page = settled(open_page("#machine=windows/x86_64/nvidia/3.10"))
    page.get_by_role("link", name="cmd").click()
    settled(page)
    assert "form=cmd" in page.url and "echo cmd" in page.inner_text(".recipe pre")
    page.go_back()
    settled(page)
    assert "echo powershell" in page.inner_text(".recipe pre")


def test_the_nearest_that_ran_is_named_where_nothing_ran(open_page: Open) -> None:
    """Somebody whose machine nobody ran on is led to what did run."""
    page = settled(open_page("#machine=macos/arm64/cpu/3.12"))
    assert "never run" in page.inner_text(".verdict")
    assert page.get_attribute(".nearest a", "href") == f"#cell={TOP.id}"


def test_filters_narrow_and_have_addresses(open_page: Open) -> None:
    """A facet leaves what has one of its values, two facets what fits both; the address alone brings the same page again."""
    page = open_page()
    everything = int(left(page).split()[0])
    assert everything == len(CELLS) + 2  # and the run under Wine, and somebody's own environment
    page.get_by_label("Windows", exact=False).first.check(force=True)
    page.wait_for_url("**/*#os=windows")
    assert left(page) == "4 cells"
    page.locator("fieldset[data-facet=runner] label", has_text="under Wine").click()
    page.wait_for_url(re.compile(r"runner="))
    assert left(page) == "1 cell"
    address = page.url.partition("#")[2]
    assert left(open_page(f"#{address}")) == "1 cell"
    page.go_back()
    page.wait_for_function("() => document.getElementById('results-title').textContent === '4 cells'")
    page.get_by_role("button", name="Clear all filters").click()
    page.wait_for_function(f"() => document.getElementById('results-title').textContent === '{everything} cells'")


@pytest.mark.parametrize(
    ("facet", "value", "count"),
    [("python", "3.11", 1), ("torch", "2.1.2", 1), ("accelerator", "cu118", 2), ("installer", "pip", 1),
     ("subject", "pyslowfast@main-as-is", 1), ("state", "failed", 2), ("state", "resolves", 1), ("arch", "arm64", 1),
     ("state", "infrastructure", 0), ("age", "stale", 1)],
)  # fmt: skip
def test_each_facet_filters(open_page: Open, facet: str, value: str, count: int) -> None:
    """Each facet, by its address. The outage hides no verdict: its cell still stands where its last answer put it, and that is old."""
    page = open_page(f"#{facet}={value}")
    assert left(page).split()[0] == str(count)
    assert page.locator("table.cells tbody tr").count() == count


def test_the_count_is_spoken_and_the_focus_stays(open_page: Open) -> None:
    """A filter announces how many cells are left, and the keyboard stays where it was."""
    page = open_page()
    page.focus("fieldset[data-facet=os] input[value=linux]")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('results-title').textContent === '6 cells'")
    page.wait_for_function("() => document.getElementById('live').textContent === '6 cells'")
    assert page.evaluate("document.activeElement.value") == "linux"


def test_the_grid_leads_to_its_cells(open_page: Open) -> None:
    """A square shows the rungs that its cells reached and how many ran; it leads to exactly these cells."""
    page = open_page()
    square = page.get_by_role("link", name=re.compile("Windows binaries under Wine · CPU, 2.4.1"))
    assert "demo" in square.inner_text() and "1 of 1 ran" in square.inner_text()
    square.click()
    page.wait_for_function("() => document.activeElement.id === 'results-title'")
    assert left(page) == "1 cell"
    page.go_back()
    page.get_by_role("link", name="Subject", exact=True).click()
    assert "rows=subject" in page.url
    assert page.locator("table.grid tbody th").first.inner_text() == "PySlowFast main"


def test_a_parent_is_not_green_while_a_child_is_not(open_page: Open) -> None:
    """The square of torch 2.4.1 on Linux holds a known failure and cells that never ran: it shows the known failure."""
    page = open_page()
    square = page.locator("table.grid a", has=page.get_by_text(re.compile(r"^Linux · CPU, 2\.4\.1:")))
    assert square.locator(".tile.s-known").count() == 1
    green = page.locator("table.grid a", has=page.locator(".tile.s-passed:not(.part)"))
    assert [one.inner_text().splitlines()[-1] for one in green.all()] == ["1 of 1 ran"]  # every check of its only cell passed
