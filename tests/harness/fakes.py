"""Helpers of the harness tests: questions to fake probes, every Python of the machine, traces of processes."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

import findpython
import psutil
import pytest

from slowfast_verify.observe import Question

FAKES = Path(__file__).parent / "fake_probes"
VERSIONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@cache
def _found(version: str) -> Path | None:
    """A Python of pyenv by its folder, else whatever findpython finds: it starts everything on PATH, which takes seconds."""
    for folder in Path.home().glob(f".pyenv/versions/{version}.*"):
        if (folder / "bin" / "python").exists():
            return folder / "bin" / "python"
    major, minor = version.split(".")
    found = findpython.find(int(major), int(minor), pre=False, implementation="cpython")
    return Path(found.executable) if found else None


def interpreter(version: str) -> Path:
    """The Python of that version, or the test is skipped with the reason."""
    found = _found(version)
    if found is None:
        pytest.skip(f"no Python {version} on this machine")
    return found


def gone(token: str, within: float = 4.0) -> bool:
    """Whether no process with the token in its arguments is left, at the latest after some seconds."""
    until = time.monotonic() + within
    while alive(token):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def alive(token: str) -> list[int]:
    """The processes that carry the token in their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if token in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def questions(*wanted: tuple[Any, ...]) -> list[Question]:
    """Questions 0, 1, 2, ... of (probe, args, limits) triples."""
    return [
        Question(id=str(number), probe=row[0], args=row[1] if len(row) > 1 else {}, **(row[2] if len(row) > 2 else {}))
        for number, row in enumerate(wanted)
    ]
