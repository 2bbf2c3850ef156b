"""A real environment of uv with wheels of a few lines, the data of a tiny subject for it, and the doctor as a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from slowfast_verify import installer, layout

from . import data_folder
from .tiny_wheel import wheel

NEEDS = """
[[dependency]]
name = "alpha"
module = "alpha"
declared = "the test"
[[dependency]]
name = "beta"
module = "beta"
declared = "the test"
"""
SUBJECT = data_folder.SUBJECT.replace("dependency = []\n", "") + NEEDS
KNOWN = """title = "alpha does not divide"
title_zh = "alpha 除以了零"
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
        self.variables = {
            **os.environ,
            "SLOWFAST_VERIFY_DATA": str(data),
            "SLOWFAST_VERIFY_HOME": str(root / "home"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }
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

    def doctor(self, *arguments: str, rung: str = "imports", language: str = "en") -> subprocess.CompletedProcess[str]:
        """Run the command on the environment."""
        spoken = {"SLOWFAST_VERIFY_LANG": language, "PYTHONIOENCODING": "utf-8"}
        argv = [sys.executable, "-m", "slowfast_verify", "doctor", str(self.env), "--subject", "tiny", "--rung", rung, *arguments]
        return subprocess.run(argv, env={**self.variables, **spoken}, capture_output=True, text=True, encoding="utf-8", timeout=300,
                              stdin=subprocess.DEVNULL, check=False)  # fmt: skip

    def frozen(self) -> list[str]:
        """What is installed."""
        return self.uv("pip", "freeze", "--python", str(self.python)).splitlines()

    @property
    def site(self) -> Path:
        """Its site-packages."""
        return next(self.env.glob("[lL]ib/**/site-packages"))

    def put(self, module: str, text: str) -> Path:
        """Replace a module by another text; the wheel's own file may be a hard link."""
        path = self.site / f"{module}.py"
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
