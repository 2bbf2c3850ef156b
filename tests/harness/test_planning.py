"""Which cells nox offers, what a plan says before anything starts, and how a whole run ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import interpreter, layout, planning, sources
from slowfast_verify import record as records
from slowfast_verify.matrix import default, runnable
from slowfast_verify.record import CheckResult, Record


def test_plain_run_offers_the_selection() -> None:
    """`nox -s matrix` has a session for each cell of the selection and for no other."""
    assert planning.offered(["nox", "-s", "matrix"]) == default().selection()


@pytest.mark.parametrize("arguments", [["nox", "-s", "matrix", "-k", "torch2"], ["nox", "--keywords=x"]])
def test_filtering_chooses_among_all(arguments: list[str]) -> None:
    """Once somebody filters, every cell that this machine can run is there to choose from."""
    assert planning.offered(arguments) == [cell for cell in default().cells.values() if runnable(cell)]


@pytest.mark.parametrize("session", ["matrix", "recipe"])
def test_a_named_cell_is_offered_alone(session: str) -> None:
    """Whoever names a cell gets a plan of that one; what is handed on to pytest filters nothing here."""
    cell, other = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5", "linux-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5"
    named = ["nox", "-s", f"{session}({cell})", f"{session}({other})", "--", "-k", "decode"]
    assert planning.offered(named) == [found for found in map(default().cell, (cell, other)) if runnable(found)]
    assert set(planning.offered([*named[:3], "matrix"])) == {*planning.offered(named[:3]), *default().selection()}


def test_a_cell_outside_the_stacks_is_offered_by_its_name() -> None:
    """A cell that is drawn up by rule is a session once somebody names it; one that cannot exist is none."""
    cell = "linux-py3.11-torch2.5.1-cpu-uv-pytorchvideo@main"
    assert [found.id for found in planning.offered(["nox", "-s", f"matrix({cell})"])] == ([cell] if runnable(default().cell(cell)) else [])
    assert planning.offered(["nox", "-s", "matrix(linux-py3.7-torch2.5.1-cpu-uv-pytorchvideo@main)"]) == default().selection()


def test_cell_of_another_system_is_skipped_with_its_reason() -> None:
    """A plan names what it skips, and why."""
    (row, *_) = planning.plan_of(["windows-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5"])
    assert row.skipped == "needs windows on x86_64" and row.disk is None


def test_unreachable_source_is_skipped_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell whose repository does not answer is skipped, and the address is named."""
    monkeypatch.setattr(sources, "reachable", lambda address: "no route")
    monkeypatch.setattr(interpreter, "find", lambda version: Path(sys.executable))
    (row,) = planning.plan_of(["linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"])
    assert row.skipped == "source unreachable: https://github.com/facebookresearch/SlowFast"


def test_plan_without_a_runnable_cell_is_no_success() -> None:
    """If no cell can run, the plan ends with exit code 4 and says why."""
    done = subprocess.run(
        [sys.executable, "-m", "slowfast_verify", "plan", "windows-*-pip-*"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 4 and "no cell can run on this machine" in done.stderr


def end_of_run(folder: Path, *earlier: str) -> subprocess.CompletedProcess[str]:
    """The end of a run that began when these records stood already."""
    code = f"from slowfast_verify import closing; closing.close_run({{n: s for n, s in closing.standing().items() if n in {earlier}}})"
    env = {**os.environ, layout.REPORTS_VARIABLE: str(folder)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False)


def put(folder: Path, cell: str, outcome: str) -> None:
    check = CheckResult.model_validate({"id": "imports::a", "rung": "imports", "outcome": outcome, "reason": "source unreachable"})
    records.write(Record(cell=cell, run="2026-11-22T10:00:00Z-0000", suite="test", target={}, checks=[check]), folder / "records")


def test_run_in_which_nothing_was_verified_is_no_success(tmp_path: Path) -> None:
    """Records that are all `not verified` end the run with exit status 4."""
    put(tmp_path, "a", "not verified")
    done = end_of_run(tmp_path)
    assert done.returncode == 4 and "no cell could be verified" in done.stderr


def test_end_of_a_run_shows_its_cells_and_writes_the_report(tmp_path: Path) -> None:
    """The table has the cells of this run, not those of an earlier one; COMPATIBILITY.md has all."""
    put(tmp_path, "earlier", "passed")
    put(tmp_path, "fresh", "passed")
    os.utime(tmp_path / "records" / "fresh.json", (1, 1))  # the clock was set back meanwhile
    done = end_of_run(tmp_path, "earlier")
    table = done.stdout.partition("records and COMPATIBILITY.md")[0]
    assert done.returncode == 0 and "fresh" in table and "earlier" not in table
    assert "earlier" in (tmp_path / "records" / "COMPATIBILITY.md").read_text(encoding="utf-8")


def test_run_without_a_cell_says_nothing(tmp_path: Path) -> None:
    """Where no cell was climbed (nox -l, nox -s lint) the end of the run is silent."""
    done = end_of_run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
