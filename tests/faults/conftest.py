"""What the faults share: a ground of their own, a small disk, and the results of a run as data (`nox -s faults` sets FAULTS_RESULTS)."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.fault_table import KEY, Result, keep

from ..harness.conftest import here, hurried, put, pytest_configure, token  # noqa: F401 (fixtures)
from ..harness.scripted_site import Site, site
from .ground import Ground

Tell = Callable[..., None]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A ground with uv; nothing of it may be left running."""
    found = Ground(tmp_path)
    yield found
    for process in found.left():
        process.kill()


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """`tell("host-killed", "the host is killed", times=50, seed=7, ends="...")`: a row of the fault list, if the test passes."""
    return lambda name, what, *, times=1, ends, seed=None: record_property(
        KEY, {"id": name, "what": what, "times": times, "ends": ends, "seed": seed}
    )


@pytest.fixture
def dice() -> tuple[int, random.Random]:
    """A seed, printed by whoever fails, and what it gives; FAULTS_SEED repeats one."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    return seed, random.Random(seed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """`small_disk(kilobytes)` is a file system of that size, gone at the end."""
    mounted: list[Path] = []

    def mount(kilobytes: int) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"not verified: no small file system can be mounted here ({done.stderr.strip()})")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


@pytest.fixture
def web() -> Iterator[Site]:
    """A server whose answers are scripted."""
    with site() as server:
        yield server


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Keep a row for each test that ran, where the session asks for it: one that broke told nothing, and is a row all the same."""
    rows = []
    for outcome, word in (("passed", "held"), ("failed", "broke"), ("error", "broke"), ("skipped", "not verified")):
        for report in terminalreporter.stats.get(outcome, []):
            if outcome == "passed" and report.when != "call":
                continue
            test = report.nodeid.rpartition("/")[2]
            told = [value for key, value in getattr(report, "user_properties", []) if key == KEY]
            if told:
                rows += [Result(**value, outcome=word, seconds=round(report.duration, 1), test=test) for value in told]
            elif outcome != "passed":  # what passes and tells nothing is a counter-example, no fault
                why = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else "what must hold did not"
                rows.append(Result(id=test, what=test, ends=why, outcome=word, seconds=round(report.duration, 1), test=test))
    if rows and os.environ.get("FAULTS_RESULTS"):
        path = Path(os.environ["FAULTS_RESULTS"])
        keep(rows, path, anew=bool(os.environ.get("FAULTS_ANEW")))
        terminalreporter.write_line(f"written: {path} ({len(rows)} faults)")
