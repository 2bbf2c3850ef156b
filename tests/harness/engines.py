"""A container engine for the tests that need a real one: whatever answers here, or one that the session was told to start."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import container, engine
from slowfast_verify.errors import NotVerifiable

BASE = "debootstrap:bookworm"


@functools.cache
def _base() -> str:
    try:
        engine.client()
        return engine.base_image(BASE)
    except NotVerifiable as problem:
        return f"\0{problem.what}: {problem.where or problem.cause}"


def base_or_skip() -> str:
    """A small Debian that a real engine has; without an engine the test is not verified, and says why."""
    found = _base()
    if found.startswith("\0"):
        pytest.skip(f"not verified: {found[1:]}")
    return found


def ours() -> list[Any]:
    """The containers of ours that the engine has, running or not."""
    return list(engine.client().containers.list(all=True, filters={"label": container.LABEL}))


def run_python(text: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own, so that what it leaves behind at its end can be looked at."""
    return subprocess.run([sys.executable, "-c", text, *arguments], capture_output=True, text=True, timeout=300, check=False, **more)


def listing(path: Path) -> set[str]:
    """The names of the files below a folder."""
    return {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
