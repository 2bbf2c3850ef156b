"""The pytest face, run for real on a cell of the test's own: fake probes, a stub subject, this Python as its environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slowfast_verify import record as records

from .data_folder import edit
from .plugin_ground import EXPECTED, Ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    made = Ground(tmp_path_factory.mktemp("plugin"))
    made.stand()
    return made


@pytest.fixture
def fresh(ground: Ground) -> Ground:
    """The same without what earlier runs left."""
    shutil.rmtree(ground.reports, ignore_errors=True)
    for path in ground.count.parent.glob("count-*"):
        path.unlink()
    return ground


@pytest.mark.parametrize("workers", [[], ["-n", "2", "--dist", "loadgroup"]], ids=["alone", "xdist"])
def test_every_outcome_comes_out_and_nothing_is_asked_twice(fresh: Ground, workers: list[str]) -> None:
    """Each outcome is in the record under its own name, alone and under xdist alike, and each batch is put to the target once."""
    done = fresh.run("--cell", fresh.id, "-q", *workers)
    assert done.returncode == 1, done.stdout + done.stderr
    record = fresh.record()
    assert {check.id: check.outcome for check in record.checks if check.rung not in ("resolve", "install")} == EXPECTED
    assert (fresh.asked("imports"), fresh.asked("demo")) == (1, 1)
    by_id = {check.id: check for check in record.checks}
    assert by_id["imports::known"].knowledge == "divides-by-zero"
    assert by_id["imports::unexpected"].knowledge == "divides-by-zero"
    assert by_id["demo::*"].knowledge == "divides-by-zero"
    assert by_id["imports::skipped"].reason == "needs a GPU"
    assert by_id["imports::not_verifiable"].reason == "needs two GPUs"
    assert "the index does not answer" in (by_id["imports::outage"].reason or "")
    crash = by_id["imports::crash"].failure
    assert crash
    assert (crash.how, crash.signal, crash.step) == ("died", "SIGSEGV", "die by SEGV")
    hang = by_id["imports::hang"].failure
    assert hang
    assert hang.how == "hung"
    judged = by_id["imports::judged"].failure
    assert judged
    assert (judged.how, judged.message.splitlines()[0]) == ("judged", "the pid is not zero")
    assert record.cell == fresh.id
    assert "no check failed for divides-by-zero" in done.stdout
    assert f"record: {fresh.reports}" in done.stdout
    assert [path.name for path in (fresh.reports / "records").iterdir() if path.suffix == ".json"] == [f"{fresh.id}.json"]
    text = (fresh.reports / "records" / f"{fresh.id}.json").read_text(encoding="utf-8")
    for personal in (str(Path.home()) + "/", str(fresh.home), "/tmp/verify-", "/tmp/probe-"):
        assert personal not in text


@pytest.mark.parametrize("arguments", [["-k", "good"], ["-m", "batch", "-k", "runs"], ["--maxfail=1"]], ids=["-k", "-m", "--maxfail"])
def test_part_of_a_run_is_no_record(fresh: Ground, arguments: list[str]) -> None:
    """A run of some checks only, or one that stopped early, is not kept as the cell's record."""
    fresh.run("--cell", fresh.id, "-q", *arguments)
    assert not (fresh.reports / "records").exists()


def test_one_check_by_its_name_is_no_record(fresh: Ground) -> None:
    """The same for a file or a check that is named."""
    argv = [sys.executable, "-m", "pytest", f"{fresh.suites / 'test_imports.py'}::test_good", "-c", str(fresh.suites / "pytest.ini"), "-q"]
    done = subprocess.run(
        [*argv, "--cell", fresh.id], env=fresh.environment, cwd=fresh.suites, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    assert not (fresh.reports / "records").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "ls", "--subject", "tiny"], "the target gives no answer: "),
        (["--target", "/nonesuch/python"], "there is no such target"),
        (["--target", sys.executable, "--subject", "tiny", "--config", "nonesuch.yaml"], "there is no such file: nonesuch.yaml"),
        (["--cell", "nonesuch"], "'nonesuch' is not the id of a cell"),
        ([], "tests/verify needs an environment to verify"),
    ],
)
def test_a_mistake_ends_in_one_message(fresh: Ground, arguments: list[str], words: str) -> None:
    """A target that is no Python, a misspelt name: pytest's usage error, without a traceback, and no record."""
    done = fresh.run("-q", *arguments)
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stderr.count(words) == 1
    assert "next: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not fresh.reports.exists()


def test_a_cell_that_does_not_stand_is_told(fresh: Ground) -> None:
    """A cell that was never built ends in the command that builds it."""
    state = fresh.home / "cells" / fresh.id / "cell.json"
    state.rename(state.with_suffix(".away"))
    try:
        done = fresh.run("--cell", fresh.id)
    finally:
        state.with_suffix(".away").rename(state)
    assert done.returncode == 4
    assert "does not stand" in done.stderr
    assert f"slowfast-verify climb {fresh.id}" in done.stderr


def test_a_target_without_a_cell_is_verified_too(fresh: Ground) -> None:
    """An environment that somebody has: no expectations, a record named after it."""
    done = fresh.run("--target", sys.executable, "--subject", "tiny", "-q")
    assert done.returncode == 1
    (path,) = (fresh.reports / "records").glob("*.json")
    assert path.name.startswith("target-tiny-")
    found = {check.id: check.outcome for check in records.read(path).checks}
    assert found["imports::known"] == "failed"
    assert found["imports::unexpected"] == "passed"


def test_reports_that_cannot_be_written_end_in_one_message(fresh: Ground) -> None:
    """A file in the place of reports/ is told, with the exit code of a failed tool."""
    fresh.reports.write_text("a file", encoding="utf-8")
    try:
        done = fresh.run("--cell", fresh.id, "-q")
    finally:
        fresh.reports.unlink()
    assert done.returncode == 3
    assert done.stdout.count("cannot be written") == 1
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("workers", [[], ["-n", "2", "--dist", "loadgroup"]], ids=["alone", "xdist"])
def test_an_interrupted_run_is_no_record(fresh: Ground, workers: list[str]) -> None:
    """Ctrl-C in the middle: pytest says so, no record is written, and nothing is left running."""
    questions = fresh.data / "matrices" / "questions.toml"
    before = questions.read_text(encoding="utf-8")
    edit(questions, "sleep = 0.3", "sleep = 40")
    try:
        argv = fresh.argv("--cell", fresh.id, "-q", *workers)
        process = subprocess.Popen(
            argv,
            env=fresh.environment,
            cwd=fresh.suites,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        until = time.monotonic() + 30
        while not fresh.asked("demo") and time.monotonic() < until:
            time.sleep(0.05)
        assert fresh.asked("demo")
        time.sleep(1.5 if workers else 0)  # the other batch ends meanwhile
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
        out, _ = process.communicate(timeout=30)
    finally:
        questions.write_text(before, encoding="utf-8")
    assert process.returncode == 2, out
    assert time.monotonic() - begun < 15
    assert not (fresh.reports / "records").exists()
