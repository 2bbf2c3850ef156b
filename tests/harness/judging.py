"""Helpers of the tests of checks: a check as a function, a probe as a module, doctored answers, and a real cell if one stands."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.ladder import filled
from slowfast_verify.matrix import default
from slowfast_verify.observe import PROBES, Question
from slowfast_verify.subject import subject
from slowfast_verify.target import Target, of_python


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checks(rung: str) -> ModuleType:
    """tests/verify/test_RUNG.py as a module: its checks are functions that take doctored facts."""
    return _module(f"tests.verify.test_{rung}", layout.suites() / f"test_{rung}.py")


def probe(name: str) -> ModuleType:
    """A probe as a module, for what of it needs nothing but this Python."""
    return _module(f"probe_{name}", PROBES / f"{name}.py")


def answers(**facts: Any) -> Callable[[str], Any]:
    """The fixture `facts` with these answers; a colon in a question's id is written as two underscores."""
    return lambda question: facts[question.replace(":", "__")]


def standing(pattern: str) -> Path:
    """The folder of a provisioned cell of this machine, or the test is skipped."""
    found = sorted(path for path in (layout.home() / "cells").glob(pattern) if (path / "cell.json").is_file())
    if not found:
        pytest.skip(f"no provisioned cell {pattern} on this machine")
    return found[0]


def of_cell(cell: Path, path: Path | None = None) -> Target:
    """A cell's Python as a target, with its own PYTHONPATH and `path` before it. Nothing of the cell is touched."""
    kept = json.loads((cell / "cell.json").read_text(encoding="utf-8"))
    search = [str(path) if path else "", kept["variables"].get("PYTHONPATH", "")]
    return of_python(kept["python"]).with_env({**kept["variables"], "PYTHONPATH": os.pathsep.join(entry for entry in search if entry)})


def question_of(cell: Path, name: str, *, id: str = "", **changed: Any) -> Question:
    """A command of the cell's subject as a question, with some of its arguments changed."""
    kept = json.loads((cell / "cell.json").read_text(encoding="utf-8"))
    command = subject(default().cell(kept["cell"]).subject).command[name]
    args = filled(command.args, {"fixtures": str(layout.fixtures()), "checkout": kept["checkout"] or ""}, kept["opts"])
    return Question(id=id or name, probe=command.probe, args={**args, **changed}, seconds=command.seconds, memory_mb=command.memory_mb)


def blocking(folder: Path, module: str) -> Path:
    """A folder for PYTHONPATH with which one module cannot be imported, as if it were not installed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise ModuleNotFoundError('No module named %r' % name, name=name)\n"
        "sys.meta_path.insert(0, Block())\n",
        encoding="utf-8",
    )
    return folder


def verify(target: Target, *arguments: str, records: Path) -> str:
    """What pytest says of an environment when it runs the suites."""
    variables = [f"{name}={value}" for name, value in target.env.items()]
    command = [*arguments, "--target", f"argv:{shlex.join(['env', *variables, *target.argv])}", "--subject", "pyslowfast"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *command, "--record", str(records), "-p", "no:cacheprovider", "-q"],
        cwd=layout.root(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr
