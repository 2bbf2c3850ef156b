"""Where faults happen: a data root with a tiny stack of hand-made wheels, a home, reports and suites of a test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from slowfast_verify import record as records
from slowfast_verify.record import Provisioned, Record

from ..harness import data_folder
from ..harness.data_folder import append, cell_id, edit
from ..harness.fakes import FAKES
from ..harness.tiny_wheel import index, source_tree

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
NAMES = ("torch", "torchvision", "svta", "svtb")
#: A source that takes its time, with a process of its own below it, as compilers do.
BACKEND = """
import subprocess, zipfile
def build_wheel(folder, *rest, **more):
    subprocess.run(["sleep", "{seconds}"])
    name = "svtsource-1.0-py3-none-any.whl"
    info = "svtsource-1.0.dist-info/"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        archive.writestr("svtsource.py", "")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: svtsource\\nVersion: 1.0\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "svtsource.py,,\\n" + info + "METADATA,,\\n" + info + "WHEEL,,\\n" + info + "RECORD,,\\n")
    return name
"""
SUITE = '''
import pytest
pytestmark = pytest.mark.batch("{batch}")

@pytest.mark.parametrize("number", range(4))
def test_answers(number, facts):
    """It answers."""
    assert facts("{batch}-" + str(number))["cwd"]
'''


class Ground:
    """A data root, a home, reports and an index; `climb()` is the real command on the one cell."""

    def __init__(self, root: Path, *, installer: str = "uv", seconds: float = 0.3) -> None:
        self.root, self.home, self.reports = root, root / "home", root / "reports"
        self.data = data_folder.make(root / "data")
        self.installer = installer
        stack = self.data / "matrices" / "stacks" / "torch-tiny.toml"
        edit(stack, 'python = ["3.11"]', f'python = ["{VERSION}"]')
        edit(stack, 'installer = ["uv"]', f'installer = ["{installer}"]')
        self.address = index(root / "simple", ("torch", "1.0.0"), ("torchvision", "1.0.1"), ("svta", "1.0"), ("svtb", "1.0"))
        source = source_tree(root / "svtsource", BACKEND.format(seconds=seconds))
        append(self.data / "matrices" / "subjects" / "tiny.toml", '[[phase]]\nname = "rest"\ninstall = ["svta", "svtb"]')
        if seconds:
            append(self.data / "matrices" / "subjects" / "tiny.toml", f'[[phase]]\nname = "source"\ninstall = ["{source.as_posix()}"]')
        (self.data / "matrices" / "selection.toml").write_text(f'[[chosen]]\ncell = "{self.id}"\nreason = "it is the only one"\n', "utf-8")
        self._suites()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "SLOWFAST_VERIFY_", "PIP_", "UV_"))},
            "SLOWFAST_VERIFY_DATA": str(self.data),
            "SLOWFAST_VERIFY_HOME": str(self.home),
            "SLOWFAST_VERIFY_REPORTS": str(self.reports),
            "UV_DEFAULT_INDEX": self.address,
            "PIP_INDEX_URL": self.address,
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CACHE_DIR": str(root / "uv-cache"),
            "PIP_CACHE_DIR": str(root / "pip-cache"),
            "UV_HTTP_RETRIES": "0",
            "PIP_RETRIES": "0",
            "NO_PROXY": "127.0.0.1",
        }

    def _suites(self) -> None:
        suites = self.data / "tests" / "verify"
        suites.mkdir(parents=True)
        (suites / "conftest.py").write_text(f"from slowfast_verify import observe\nfrom pathlib import Path\n"
                                            f"observe.SOURCES.append(Path({str(FAKES)!r}))\n", encoding="utf-8")  # fmt: skip
        ini = "[pytest]\naddopts = --strict-markers --import-mode=importlib -p no:cacheprovider\n"
        (suites / "pytest.ini").write_text(ini, encoding="utf-8")
        rows = []
        for batch in ("imports", "demo"):
            (suites / f"test_{batch}.py").write_text(SUITE.format(batch=batch), encoding="utf-8")
            rows += [
                f'[[question]]\nid = "{batch}-{n}"\nprobe = "fake_answer"\nbatch = "{batch}"\nargs = {{ sleep = 0.1 }}\n' for n in range(4)
            ]
        (self.data / "matrices" / "questions.toml").write_text("\n".join(rows), encoding="utf-8")

    @property
    def id(self) -> str:
        return cell_id().replace("py3.11", f"py{VERSION}").replace("-uv-", f"-{self.installer}-")

    @property
    def folder(self) -> Path:
        return self.home / "cells" / self.id

    @property
    def argv(self) -> list[str]:
        return [sys.executable, "-m", "slowfast_verify", "climb", self.id, "--fresh"]

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """The climb, begun."""
        return subprocess.Popen(self.argv, env={**self.environment, **variables}, cwd=self.root, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip

    def climb(self, **variables: str) -> tuple[int, str]:
        """(exit status, what it said) of a climb to its end."""
        process = self.start(**variables)
        said, _ = process.communicate(timeout=180)
        return process.returncode, said

    def record(self) -> Record:
        """The cell's record; raises where there is none, or half of one."""
        return records.read(self.reports / "records" / f"{self.id}.json")

    def outcomes(self) -> set[str]:
        return {check.outcome for check in self.record().checks}

    def fresh(self) -> None:
        """Have the next climb build the environment again."""
        (self.folder / "cell.json").unlink(missing_ok=True)

    # ---- what must hold whatever happened ----------------------------------------------------------------------------------

    def left(self) -> list[psutil.Process]:
        """The processes that work for this ground: they have its home among their variables."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("SLOWFAST_VERIFY_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE
            except psutil.Error:
                continue
            if mine:
                found.append(process)
        return found

    def quiet(self, within: float = 10.0) -> bool:
        """Whether nothing works for this ground any more, at the latest after some seconds."""
        until = time.monotonic() + within
        while self.left():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def must_hold(self, seed: str) -> None:
        """Every record is whole, and an environment that counts as standing is whole."""
        for path in (self.reports / "records").glob("*.json"):
            records.read(path)
        state = self.folder / "cell.json"
        if not state.exists():
            return
        found = Provisioned.model_validate_json(state.read_text(encoding="utf-8"))
        names = [*NAMES, "svtsource"] if any("svtsource" in line for line in found.lock) else list(NAMES)
        code = f"import json, {', '.join(names)}; from importlib import metadata as m; print(json.dumps([m.version(n) for n in {names!r}]))"
        done = subprocess.run([found.python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{seed}: an environment counts as standing and is broken: {done.stderr}"
        assert json.loads(done.stdout)[:2] == ["1.0.0", "1.0.1"], seed
