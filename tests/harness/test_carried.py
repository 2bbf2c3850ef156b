"""A verdict is carried over only where nothing changed: each thing that counts is changed once and seen to count."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from slowfast_verify import carried, compatibility, provenance, report
from slowfast_verify.collection import Held
from slowfast_verify.provenance import run_id
from slowfast_verify.reading import moment
from slowfast_verify.record import SCHEMA, CheckResult, Outcome, Provisioned, Record

CELL = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"


def record(outcome: Outcome = "passed") -> Record:
    check = CheckResult(id="imports::module_imports[torch]", rung="imports", outcome=outcome)
    return Record(schema=SCHEMA, cell=CELL, run=run_id(), suite="abc", target={"kind": "venv"}, checks=[check])


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provisioned:
    """An environment of two folders and a file each, as carried.py sees one."""
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    (tmp_path / "cells" / CELL).mkdir(parents=True)
    site, checkout = tmp_path / "env" / "lib" / "python3.8" / "site-packages", tmp_path / "src" / "slowfast" / "slowfast"
    for folder in (site / "torch", checkout):
        folder.mkdir(parents=True)
    (site / "six.py").write_text("1")
    (checkout / "models.py").write_text("1")
    env, src = str(tmp_path / "env"), str(tmp_path / "src" / "slowfast")
    return Provisioned(cell=CELL, inputs="1", python="", env=env, checkout=src, variables={}, opts={}, workarounds=[], lock=[],
                       created="2026-11-22T10:00:00Z", seconds=1, step_seconds={})  # fmt: skip


def test_an_unchanged_cell_keeps_its_verdict_and_says_since_when(standing: Provisioned) -> None:
    """The record comes back as it was, with the time of the carrying beside the time of the verdict."""
    made = record()
    carried.keep(standing, made, carried.state_of(standing))
    found = carried.carried_over(standing)
    assert found and found.carried_over and found.model_copy(update={"carried_over": None}) == made
    held = Held(record=found, standing=found)
    assert made.run[:20] in report.carried_notice(found) and found.run[:10] + ", carried over" in compatibility.markdown([held])


def installed(standing: Provisioned) -> None:
    (Path(standing.env) / "lib" / "python3.8" / "site-packages" / "new.dist-info").mkdir()


def edited(standing: Provisioned) -> None:
    path = Path(standing.checkout or "") / "slowfast" / "models.py"
    os.utime(path, ns=(1, 1))


def module_edited(standing: Provisioned) -> None:
    os.utime(Path(standing.env) / "lib" / "python3.8" / "site-packages" / "six.py", ns=(1, 1))


@pytest.mark.parametrize("change", [installed, edited, module_edited])
def test_what_somebody_changed_in_the_environment_ends_it(standing: Provisioned, change: Callable[[Provisioned], None]) -> None:
    """An install, an edit of a module and an edit of the checkout each show."""
    carried.keep(standing, record(), carried.state_of(standing))
    change(standing)
    assert carried.carried_over(standing) is None


def test_other_inputs_another_build_and_another_suite_end_it(standing: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell's inputs, the day it was built, the suite's files and what the machine hides from torch all count."""
    carried.keep(standing, record(), carried.state_of(standing))
    assert carried.carried_over(standing.model_copy(update={"inputs": "2"})) is None
    assert carried.carried_over(standing.model_copy(update={"created": "2026-11-23T10:00:00Z"})) is None
    with monkeypatch.context() as changed:
        changed.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
        assert carried.carried_over(standing) is None
    monkeypatch.setattr(carried, "suite_state", lambda: "another")
    assert carried.carried_over(standing) is None


def test_a_file_of_the_suite_is_part_of_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed check, expectation or probe makes another suite of it."""
    for name in provenance.JUDGING:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "knowledge" / "x.toml").write_text("1")
    monkeypatch.setattr(provenance.layout, "root", lambda: tmp_path)
    before = provenance.suite_state.__wrapped__()
    assert provenance.suite_state.__wrapped__() == before
    (tmp_path / "knowledge" / "x.toml").write_text("12")
    assert provenance.suite_state.__wrapped__() != before


def test_thirty_days_end_it_and_so_does_a_clock_that_was_moved_back(standing: Provisioned) -> None:
    """Nothing older than thirty days is carried over, and nothing from the future."""
    made = record()
    carried.keep(standing, made, carried.state_of(standing))
    then = moment(made.run)
    assert carried.carried_over(standing, then + timedelta(days=29))
    assert carried.carried_over(standing, then + timedelta(days=31)) is None
    assert carried.carried_over(standing, then - timedelta(seconds=1)) is None


@pytest.mark.parametrize("outcome", carried.UNSURE)
def test_a_red_or_unsure_record_is_made_again(standing: Provisioned, outcome: Outcome) -> None:
    """What failed once is worth another look: such a record is not kept, and takes away an older one."""
    carried.keep(standing, record(), carried.state_of(standing))
    carried.keep(standing, record(outcome), carried.state_of(standing))
    assert carried.carried_over(standing) is None


def test_a_damaged_note_is_no_verdict(standing: Provisioned) -> None:
    """Half a file, or one of another version, means to climb."""
    carried.keep(standing, record(), carried.state_of(standing))
    path = Path(standing.env).parent / "cells" / CELL / "verified.json"
    path.write_text(path.read_text()[:-20])
    assert carried.carried_over(standing) is None
