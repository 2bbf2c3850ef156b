"""What the harness tests share: fake probes as targets' questions, traces of processes, this Python with and without fork."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from slowfast_verify import observe as observing
from slowfast_verify import target as targets
from slowfast_verify.observe import Observation, observe
from slowfast_verify.target import Target

from .fakes import FAKES, questions
from .scripted_site import Site, site

Put = Callable[..., dict[str, Observation]]
_COUNTER = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("harness", deadline=None)  # a busy machine is no failure
    settings.load_profile("harness")
    if FAKES not in observing.SOURCES:
        observing.SOURCES.append(FAKES)


@pytest.fixture
def here() -> Target:
    """The Python that runs the tests, as a target."""
    return targets.of_python(sys.executable)


@pytest.fixture
def put(here: Target) -> Put:
    """`put(("fake_raising", {"how": "zero"}), ...)` puts fake probes to this Python; the ids are 0, 1, 2, ..."""

    def work(*wanted: tuple[Any, ...], target: Target | None = None, **more: Any) -> dict[str, Observation]:
        return observe(target or here, questions(*wanted), **more)

    return work


@pytest.fixture
def token() -> str:
    """A number of seconds that no other process sleeps for: it marks what a probe leaves behind."""
    return f"{100000 + os.getpid()}.{next(_COUNTER):06d}"


@pytest.fixture
def without_fork(here: Target, tmp_path: Path) -> Target:
    """This Python as Windows has it: without fork, so that the runner answers and watches in one process."""
    folder = tmp_path / "sitecustomize"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import os\nif hasattr(os, 'fork'):\n    del os.fork\n", encoding="utf-8")
    return here.with_env({"PYTHONPATH": str(folder)})


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has answered is given two seconds to leave, not twenty."""
    real = observing.program

    def program(*arguments: Any) -> bytes:
        text = real(*arguments)
        assert text.count(b"EXIT_SECONDS = 20 ") == 1
        return text.replace(b"EXIT_SECONDS = 20 ", b"EXIT_SECONDS = 1 ")

    monkeypatch.setattr(observing, "program", program)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server of published files on this machine; no proxy stands before it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with site() as server:
        yield server
