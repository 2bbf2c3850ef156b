"""A data root, a cell that stands (this Python) and suites of a test's own: what the plugin is run on for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from slowfast_verify import record as records
from slowfast_verify.record import Provisioned, Record

from . import data_folder
from .data_folder import append, cell_id, edit
from .fakes import FAKES

DIGEST = """
import sys
from slowfast_verify import ground, matrix, provision
cell = matrix.default().cell(sys.argv[1])
print(provision.inputs_digest(cell, matrix.default(), ground.base_of(cell)))
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
