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
from slowfast_verify.record import Provisioned, Record

from . import data_folder
from .data_folder import append, cell_id, edit
from .fakes import FAKES

DIGEST = """
import sys
from slowfast_verify import interpreter, matrix, provision
cell = matrix.default().cell(sys.argv[1])
print(provision.inputs_digest(cell, matrix.default(), interpreter.find(cell.python)))
"""
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
CONFTEST = """
from pathlib import Path
from slowfast_verify import observe
observe.SOURCES.append(Path({fakes!r}))
"""
IMPORTS = '''
import pytest
from slowfast_verify.errors import Infrastructure, NotVerifiable
pytestmark = pytest.mark.batch("imports")

def test_good(facts):
    """It answers."""
    assert facts("good")["given"] == {}

def test_crash(facts):
    """It dies."""
    facts("crash")

def test_hang(facts):
    """It hangs."""
    facts("hang")

def test_known(facts):
    """It divides by zero, as expected."""
    facts("divides")

@pytest.mark.parametrize("name", ["a", "b", "good"])
def test_many(name, facts):
    """Some divide by zero, as expected."""
    facts("good" if name == "good" else "divides")

def test_another_cause(facts):
    """It fails, but for another cause than the one expected."""
    facts("crash")

def test_unexpected(facts):
    """It is expected to fail, and passes."""
    facts("good")

def test_judged(facts):
    """Its facts are not as they should be."""
    assert facts("good")["pid"] == 0, "the pid is not zero"

def test_skipped():
    """It cannot be verified here."""
    pytest.skip("needs a GPU")

def test_not_verifiable(ask):
    """Likewise, in our own words."""
    raise NotVerifiable("needs two GPUs")

def test_no_such_question(facts):
    """A question that is not put to this subject."""
    facts("nonesuch")

def test_outage():
    """The network is to blame."""
    raise Infrastructure("the index does not answer")

def test_known_unasked():
    """It fails without a question."""
    assert False, "nobody was asked"
'''
DEMO = '''
import pytest
pytestmark = pytest.mark.batch("demo")

@pytest.mark.parametrize("number", range(6))
def test_runs(number, facts):
    """Several checks judge one observation."""
    assert facts("slow")["cwd"]
'''
EXPECTED = {
    "demo::*": "passed unexpectedly",
    **{f"demo::runs[{n}]": "passed" for n in range(6)},
    "imports::another_cause": "failed",
    "imports::crash": "failed",
    "imports::good": "passed",
    "imports::hang": "failed",
    "imports::judged": "failed",
    "imports::known": "failed as expected",
    "imports::known_unasked": "failed",
    "imports::many[a]": "failed as expected",
    "imports::many[b]": "failed as expected",
    "imports::many[good]": "passed",
    "imports::no_such_question": "not verified",
    "imports::not_verifiable": "not verified",
    "imports::outage": "infrastructure",
    "imports::skipped": "not verified",
    "imports::unexpected": "passed unexpectedly",
}


class Ground:
    """A data root, a cell that stands (this Python), and suites of a test's own."""

    def __init__(self, root: Path) -> None:
        self.data = data_folder.make(root / "data")
        self.reports = root / "reports"
        self.suites = self.data / "tests" / "verify"
        self.count = root / "count"
        self.stack = self.data / "matrices" / "stacks" / "torch-tiny.toml"
        edit(self.stack, 'python = ["3.11"]', f'python = ["{VERSION}"]')
        self.suites.mkdir(parents=True)
        (self.suites / "conftest.py").write_text(CONFTEST.format(fakes=str(FAKES)), encoding="utf-8")
        (self.suites / "test_imports.py").write_text(IMPORTS, encoding="utf-8")
        (self.suites / "test_demo.py").write_text(DEMO, encoding="utf-8")
        ini = "[pytest]\naddopts = --strict-markers --import-mode=importlib -p no:cacheprovider\nfilterwarnings = error\n"
        (self.suites / "pytest.ini").write_text(
            ini + "    ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning\n", encoding="utf-8"
        )
        count = str(self.count).replace("\\", "/")
        (self.data / "matrices" / "questions.toml").write_text(
            f'[[question]]\nid = "good"\nprobe = "fake_answer"\nbatch = "imports"\nargs = {{ count = "{count}-imports" }}\n\n'
            '[[question]]\nid = "crash"\nprobe = "fake_dying"\nbatch = "imports"\nargs = { how = "SEGV" }\n\n'
            '[[question]]\nid = "divides"\nprobe = "fake_raising"\nbatch = "imports"\nargs = { how = "zero" }\n\n'
            '[[question]]\nid = "hang"\nprobe = "fake_hanging"\nbatch = "imports"\nseconds = 0.3\n\n'
            f'[[question]]\nid = "slow"\nprobe = "fake_answer"\nbatch = "demo"\nargs = {{ count = "{count}-demo", sleep = 0.3 }}\n',
            encoding="utf-8",
        )
        for check in ("imports::known", "imports::unexpected", "imports::many*", "demo::*", "imports::another_cause"):
            append(self.stack, f'[[expect]]\ncheck = "{check}"\ncause = "divides-by-zero"\n')
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "SLOWFAST_VERIFY_"))},
            "SLOWFAST_VERIFY_DATA": str(self.data),
            "SLOWFAST_VERIFY_HOME": str(root / "home"),
            "SLOWFAST_VERIFY_REPORTS": str(self.reports),
        }
        self.home = root / "home"

    def stand(self) -> None:
        """Make the cell stand: as if this Python had been built for it."""
        digest = subprocess.run(
            [sys.executable, "-c", DIGEST, self.id], env=self.environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()
        made = Provisioned(
            cell=self.id, inputs=digest, python=sys.executable, env=sys.prefix, checkout=None, variables={}, opts={}, workarounds=[],
            lock=["tiny==1.0"], created="2026-01-01T00:00:00Z", seconds=1.0, step_seconds={},
        )  # fmt: skip
        folder = self.home / "cells" / self.id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cell.json").write_text(made.model_dump_json(), encoding="utf-8")

    @property
    def id(self) -> str:
        return cell_id().replace("py3.11", f"py{VERSION}")

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", str(self.suites), "-c", str(self.suites / "pytest.ini"), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*arguments), env=self.environment, cwd=self.suites, capture_output=True, text=True, timeout=120, check=False
        )

    def record(self) -> Record:
        return records.read(self.reports / "records" / f"{self.id}.json")

    def asked(self, batch: str) -> int:
        path = Path(f"{self.count}-{batch}")
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


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
