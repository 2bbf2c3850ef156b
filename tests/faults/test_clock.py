"""A clock that jumps while a question is asked, while cells are climbed, and records that come from the future."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slowfast_verify import report
from slowfast_verify.record import CheckResult, Record, write
from slowfast_verify.target import Target

from ..harness.conftest import Put
from .conftest import Tell
from .ground import Ground

JUMP = """
import time
real, begun = time.time, time.monotonic()
time.time = lambda: real() + ({seconds} if time.monotonic() - begun > 0.4 else 0)
"""


@pytest.fixture
def jumping(here: Target, tmp_path: Path) -> object:
    """`jumping(seconds)`: this Python with a wall clock that jumps 0.4 s after its start."""

    def make(seconds: int) -> Target:
        folder = tmp_path / f"jump{seconds}"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(JUMP.format(seconds=seconds), encoding="utf-8")
        return here.with_env({"PYTHONPATH": str(folder)})

    return make


@pytest.mark.parametrize("seconds", [-86400, 86400], ids=["back", "forward"])
def test_the_clock_of_a_target_jumps(put: Put, jumping: object, seconds: int, tell: Tell) -> None:
    """A question whose time is not up is not called hung, one whose time is up is, and what it took is the time that it took."""
    target = jumping(seconds)  # type: ignore[operator]
    found = put(("fake_answer", {"sleep": 1.0}, {"seconds": 20}), ("fake_hanging", {}, {"seconds": 1.0}), ("fake_answer",), target=target)
    assert [seen.how for seen in found.values()] == ["answered", "hung", "answered"]
    assert 0.9 < found["0"].seconds < 10
    way = "back" if seconds < 0 else "forward"
    tell(f"clock-{way}", f"the clock is set {way} by a day while a question is asked", ends="limits and times are as if nothing had been")


def made(cell: str, run: str, outcome: str) -> Record:
    check = CheckResult.model_validate({"id": "imports::a", "rung": "imports", "outcome": outcome})
    return Record(cell=cell, run=f"{run}T10:00:00Z-0000", suite="s", target={}, checks=[check])


def test_a_record_of_the_future(tmp_path: Path, tell: Tell) -> None:
    """It does not win over one of today for ever, and it is named."""
    write(made("a", "2099-01-01", "passed"), tmp_path / "one")
    write(made("b", "2099-01-01", "passed"), tmp_path / "one")
    write(made("a", "2026-01-01", "failed"), tmp_path / "two")
    shown, complaints = report.load([tmp_path / "one", tmp_path / "two"])
    assert {held.cell: held.record.checks[0].outcome for held in shown} == {"a": "failed"}
    assert len(complaints) == 2
    assert "lies in the future" in complaints[0]
    tell("clock-record", "a record is dated in the future", ends="named, and not taken; one of today wins")


def test_the_clock_is_set_back_between_runs(ground: Ground, tell: Tell) -> None:
    """A record that carries the date of tomorrow is made anew, not carried over from a day that has not been."""
    assert ground.climb()[0] == 0
    ahead = ground.record().model_copy(update={"run": "2099-01-01T10:00:00Z-0000"})
    write(ahead, ground.reports / "records")
    for path in (ground.folder).glob("*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace(ground.record().run, ahead.run), encoding="utf-8")
    argv = [word for word in ground.argv if word != "--fresh"]
    done = subprocess.run(argv, env=ground.environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert ground.record().run < "2099"
    tell("clock-between", "the clock is set back between two runs", ends="the cell is verified anew")
