"""The suites without pytest, as `climb` puts them, on the plugin's own ground: the same record, judged while the answers come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from slowfast_verify.question import Observation
from slowfast_verify.record import Record
from slowfast_verify.sitting import Sitting
from slowfast_verify.target import of_python

from .data_folder import edit
from .fakes import FAKES
from .plugin_ground import EXPECTED, Ground

CLIMB = """
import sys
from pathlib import Path
from slowfast_verify import cli, observe
observe.SOURCES.append(Path(sys.argv.pop(1)))
cli.main()
"""


def argv(ground: Ground) -> list[str]:
    return [sys.executable, "-c", CLIMB, str(FAKES), "climb", "--fresh", ground.id]


def climb(ground: Ground, *words: str) -> subprocess.CompletedProcess[str]:
    """`slowfast-verify climb` on the ground's cell."""
    return subprocess.run(
        [*argv(ground), *words], env=ground.environment, cwd=ground.data, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    made = Ground(tmp_path_factory.mktemp("sitting"))
    made.stand()
    return made


def told(record: Record) -> dict[str, tuple[str | None, ...]]:
    """What a record says of each check, but for what differs from run to run."""
    found = {}
    for check in record.checks:
        failure = check.failure
        how = (failure.how, failure.type, failure.signal, failure.step) if failure else (None,) * 4
        found[check.id] = (check.outcome, check.knowledge, check.reason, check.phase, *how)
    return found


def test_the_record_is_that_of_pytest(ground: Ground) -> None:
    """Every outcome, reason, known failure and way of failing is the same in both, and each batch is put once."""
    done = climb(ground)
    assert done.returncode == 1, done.stdout + done.stderr
    ours = ground.record()
    assert (ground.asked("imports"), ground.asked("demo")) == (1, 1)
    assert {check.id: check.outcome for check in ours.checks if check.rung not in ("resolve", "install")} == EXPECTED
    assert ground.run("--cell", ground.id, "-q").returncode == 1
    assert told(ours) == told(ground.record())
    log = (ground.home / "cells" / ground.id / "logs" / "verify.log").read_text(encoding="utf-8")
    assert "failed: imports::judged" in log
    assert "the pid is not zero" in log
    assert "no check failed for divides-by-zero" in log


def test_no_batch_at_a_time_is_one(ground: Ground) -> None:
    """--jobs 0 waits for nobody."""
    done = climb(ground, "--jobs", "0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert {check.id for check in ground.record().checks} > set(EXPECTED)


def test_a_target_that_gives_no_answer_is_told_and_is_no_record(ground: Ground) -> None:
    """An interpreter that is no Python: one message with the next command, exit status 3, the record of before stays as it is."""
    state = ground.home / "cells" / ground.id / "cell.json"
    before = state.read_text(encoding="utf-8")
    kept = {path: path.read_bytes() for path in (ground.reports / "records").glob("*")}
    state.write_text(json.dumps({**json.loads(before), "python": "/bin/ls"}), encoding="utf-8")
    try:
        done = climb(ground)
    finally:
        state.write_text(before, encoding="utf-8")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "wrote no record" in done.stdout + done.stderr
    assert "the target gives no answer" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert {path: path.read_bytes() for path in (ground.reports / "records").glob("*")} == kept


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_ends_it_and_what_it_started(ground: Ground) -> None:
    """In the middle of a question: exit status 130 at once, no record, and the target's process is gone."""
    questions = ground.data / "matrices" / "questions.toml"
    before = questions.read_text(encoding="utf-8")
    edit(questions, "sleep = 0.3", "sleep = 40")
    for path in ground.count.parent.glob("count-*"):
        path.unlink()
    for path in (ground.reports / "records").glob("*"):
        path.unlink()
    try:
        process = subprocess.Popen(argv(ground), env=ground.environment, cwd=ground.data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, start_new_session=True)  # fmt: skip
        until = time.monotonic() + 30
        while not ground.asked("demo") and time.monotonic() < until:
            time.sleep(0.05)
        assert ground.asked("demo")
        pid = int(Path(f"{ground.count}-demo").read_text(encoding="utf-8").split()[0])
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        questions.write_text(before, encoding="utf-8")
    assert process.returncode == 130, out
    assert time.monotonic() - begun < 15
    assert "Traceback" not in out
    assert list((ground.reports / "records").glob("*.json")) == []
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


@pytest.fixture
def sitting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sitting:
    """One without a target: its answers are given by hand."""
    made = Sitting("pytorchvideo", None, of_python(sys.executable), tmp_path, {}, {}, None)
    monkeypatch.setattr(made, "batch_of", lambda question: "imports")
    return made


def test_an_answer_is_handed_on_while_its_batch_is_being_put(sitting: Sitting) -> None:
    """Who asks for one waits for that one, not for the batch."""
    threading.Timer(0.1, lambda: sitting.final(Observation(id="first", how="answered", facts={"a": 1}))).start()
    assert sitting.ask("first").facts == {"a": 1}


def test_who_asks_for_the_last_gets_it_when_the_batch_is_over(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is never told to be final stands in the batch itself."""
    last = Observation(id="last", how="answered", facts={}, at_exit="killed by SIGSEGV")
    monkeypatch.setattr(sitting, "observations", lambda batch: {"last": last})
    threading.Timer(0.1, lambda: sitting.over("imports")).start()
    assert sitting.ask("last").at_exit == "killed by SIGSEGV"
