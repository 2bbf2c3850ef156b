"""Finds the Python of a cell on this machine and hands it on by path; downloads nothing. Runs on the host.

nox and uv look on PATH and in their own folders only; findpython also knows pyenv, asdf, rye, uv, conda and the Windows registry.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import findpython

from .errors import NotVerifiable


@cache
def find(version: str) -> Path:
    """The newest final CPython `3.8` (or `3.8.18`) of this machine; raises NotVerifiable where there is none."""
    parts = [int(part) for part in version.split(".")]
    found = findpython.find(*parts, pre=False, implementation="cpython")
    if found is None:
        raise NotVerifiable(
            f"no Python {version} on this machine",
            where="PATH, pyenv, asdf, uv, conda, the Windows registry",
            cause="the cell needs an interpreter that is not installed; nothing is downloaded unasked",
            next=f"install it, for example: uv python install {version}   or   pyenv install {version}",
        )
    return Path(found.executable)


@cache
def exact_version(python: Path) -> str:
    """`3.8.18` of an interpreter."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
