"""`doctor --fix` on real throw-away environments: what it mends stays mended, and what does not help is taken back to the same list."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import installer, layout

from .tiny_wheel import wheel

SUBJECT = """title = "a tiny subject"
homepage = "https://example.org"
python = ">=3.6"
[source]
distribution = "tiny"
[[revision]]
name = "one"
version = "1.0"
[modules]
packages = []
[[phase]]
name = "torch"
trio = true
[[dependency]]
name = "alpha"
module = "alpha"
declared = "the test"
[[dependency]]
name = "beta"
module = "beta"
declared = "the test"
"""
KNOWN = """title = "alpha does not divide"
rung = "imports"
[[signature]]
type = "ZeroDivisionError"
[explain]
cause = "one is divided by zero"
cause_zh = "除以零"
[[fix]]
install = ["{fix}"]
"""


class Bench:
    """An environment of uv with tiny wheels in it, the data of a tiny subject, and the command."""

    def __init__(self, root: Path) -> None:
        self.root, self.wheels, self.env = root, root / "wheels", root / "an env 环境"
        data = root / "data"
        shutil.copytree(layout.matrices(), data / "matrices")
        shutil.rmtree(data / "matrices" / "subjects")
        (data / "matrices" / "subjects").mkdir()
        (data / "matrices" / "subjects" / "tiny.toml").write_text(SUBJECT, encoding="utf-8")
        (data / "matrices" / "questions.toml").write_text(
            '[[question]]\nid = "environment"\nprobe = "environment"\nbatch = "environment"\n'
            '[[question]]\nid = "wholeness"\nprobe = "wholeness"\nbatch = "environment"\n'
            '[[question]]\nid = "machine"\nprobe = "machine"\nbatch = "environment"\nargs = { commands = {} }\n', encoding="utf-8",
        )  # fmt: skip
        (data / "knowledge").mkdir()
        (data / "fixtures").symlink_to(layout.fixtures(), target_is_directory=True)
        (data / "tests").symlink_to(layout.suites().parent, target_is_directory=True)
        self.data = data
        self.variables = {**os.environ, "SLOWFAST_VERIFY_DATA": str(data), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels)}
        for name in ("PYTHONPATH", "UV_FIND_LINKS", "PIP_CONFIG_FILE"):
            self.variables.pop(name, None)
        for name, version, *requires in (("alpha", "1.0"), ("alpha", "2.0"), ("beta", "1.0", "alpha<2"), ("gamma", "1.0")):
            wheel(self.wheels, name, version, *requires)
        self.uv("venv", "--quiet", "--python", sys.executable, str(self.env))
        self.python = next(path for path in (self.env / "bin/python", self.env / "Scripts/python.exe") if path.exists())

    def uv(self, *arguments: str) -> str:
        """What uv prints."""
        return subprocess.run([installer.uv(), *arguments], env=self.variables, capture_output=True, text=True, check=True).stdout

    def install(self, *names: str) -> None:
        """Put wheels there without looking at what they require."""
        self.uv(
            "pip", "install", "--quiet", "--python", str(self.python), "--no-index", "--find-links", str(self.wheels), "--no-deps", *names
        )

    def know(self, fix: str) -> None:
        """A known failure whose fix installs this."""
        (self.data / "knowledge" / "alpha-does-not-divide.toml").write_text(KNOWN.format(fix=fix), encoding="utf-8")

    def doctor(self, *arguments: str, rung: str = "imports") -> subprocess.CompletedProcess[str]:
        """Run the command on the environment."""
        argv = [sys.executable, "-m", "slowfast_verify", "doctor", str(self.env), "--subject", "tiny", "--rung", rung, *arguments]
        return subprocess.run(argv, env=self.variables, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False)

    def frozen(self) -> list[str]:
        """What is installed."""
        return self.uv("pip", "freeze", "--python", str(self.python)).splitlines()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_healthy_environment_takes_no_fix(bench: Bench) -> None:
    """Nothing to mend: nothing is done, and the exit status is 0."""
    bench.install("alpha==1.0", "beta")
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "healthy" in done.stdout
    assert not (bench.env / ".slowfast-verify").exists()


def test_a_version_that_does_not_fit_is_mended(bench: Bench) -> None:
    """alpha 2 beside a beta that wants alpha<2: the dry run prints the command and changes nothing, the fix brings alpha 1."""
    bench.install("alpha==2.0", "beta")
    dry = bench.doctor("--dry-run")
    assert dry.returncode == 1, dry.stdout + dry.stderr
    command = next(line for line in dry.stdout.splitlines() if line.startswith("uv pip install --python "))
    assert "'alpha<2'" in command
    assert str(bench.python) in command
    assert bench.frozen() == ["alpha==2.0", "beta==1.0"]
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bench.frozen() == ["alpha==1.0", "beta==1.0"]
    assert "mended: version:alpha" in done.stderr
    kept = next((bench.env / ".slowfast-verify").glob("*/frozen.txt"))
    assert kept.read_text(encoding="utf-8").splitlines() == ["alpha==2.0", "beta==1.0"]


def test_two_owners_of_one_import_are_mended(bench: Bench) -> None:
    """Two distributions with different files of one name: one goes, the other is whole again."""
    bench.install("alpha==1.0", "beta")
    site = next(bench.env.glob("[lL]ib/**/site-packages"))
    info = site / "alpha_headless-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha-headless\nVersion: 1.0\n", encoding="utf-8")
    rows = ["alpha.py,sha256=x,1", *(f"{info.name}/{name},," for name in ("METADATA", "RECORD", "INSTALLER"))]
    (info / "RECORD").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (info / "INSTALLER").write_text("uv\n", encoding="utf-8")
    found = json.loads(bench.doctor("--json").stdout)
    assert [cause["rung"] for cause in found["causes"]] == ["environment"], found
    assert "alpha-headless" in found["causes"][0]["evidence"]
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bench.frozen() == ["alpha==1.0", "beta==1.0"], done.stderr
    assert "1.0" in (site / "alpha.py").read_text(encoding="utf-8")


def test_a_fix_that_does_not_help_is_taken_back(bench: Bench) -> None:
    """The known fix installs gamma and alpha still fails: gamma is gone afterwards, and every file is what it was."""
    bench.install("alpha==1.0", "beta")
    broken = next(bench.env.glob("[lL]ib/**/site-packages")) / "alpha.py"
    broken.unlink()
    broken.write_text("1 / 0\n", encoding="utf-8")
    bench.know("gamma")
    before = bench.frozen()
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nothing improved" in done.stderr
    assert "taken back" in done.stderr
    assert bench.frozen() == before == ["alpha==1.0", "beta==1.0"]
    assert broken.read_text(encoding="utf-8") == "1 / 0\n"
    assert not (bench.env / ".slowfast-verify").exists()


def test_a_fix_that_cannot_be_carried_out_is_taken_back(bench: Bench) -> None:
    """The known fix names what no index has: the environment stays as it was, and what the installer said is told."""
    bench.install("alpha==1.0", "beta")
    broken = next(bench.env.glob("[lL]ib/**/site-packages")) / "alpha.py"
    broken.unlink()
    broken.write_text("1 / 0\n", encoding="utf-8")
    bench.know("nobody-has-this==9")
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cannot be carried out" in done.stderr
    assert "nobody-has-this" in done.stderr
    assert bench.frozen() == ["alpha==1.0", "beta==1.0"]


def test_nothing_is_changed_unasked(bench: Bench) -> None:
    """Without --yes and without a terminal to answer at, the command refuses and changes nothing."""
    bench.install("alpha==2.0", "beta")
    done = bench.doctor("--fix")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--yes" in done.stderr
    assert bench.frozen() == ["alpha==2.0", "beta==1.0"]
