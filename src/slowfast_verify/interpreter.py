"""Finds the Python of a cell on this machine and hands it on by path; downloads nothing. Runs on the host.

nox and uv look on PATH and in their own folders only; findpython also knows pyenv, asdf, rye, uv and the Windows registry.
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
    major, minor, patch = (*(int(part) for part in version.split(".")), None)[:3]
    # Asking every interpreter for its version takes seconds; those whose name already says it are asked first.
    found = _named(version) or _slowly(major, minor, patch)
    if found is None:
        raise NotVerifiable(
            f"no Python {version} on this machine",
            where="PATH (an active conda environment is on it), pyenv, asdf, rye, uv, the Windows registry",
            cause="the cell needs an interpreter that is not installed; nothing is downloaded unasked",
            next=f"install it, for example: uv python install {version}   or   pyenv install {version}",
        )
    return Path(found.executable)


def _slowly(major: int | None, minor: int | None, patch: int | None) -> findpython.PythonVersion | None:
    return findpython.find(major, minor, patch, pre=False, implementation="cpython")


def _candidates() -> list[findpython.PythonVersion]:
    """Every interpreter that any provider of findpython knows of, none of them started yet; pyenv's shims lead to others of the list."""
    providers = findpython.Finder().setup_providers()
    return [found for provider in providers for found in provider.find_pythons() if "shims" not in found.executable.parts]


def named(version: str) -> Path | None:
    """The newest final CPython whose file is called `python3.12`, as on every system but Windows: found in half a second, or not at all."""
    found = _named(version)
    return Path(found.executable) if found else None


def _named(version: str) -> findpython.PythonVersion | None:
    major, minor, patch = (*(int(part) for part in version.split(".")), None)[:3]
    wanted = f"python{major}.{minor}"
    calling = [found for found in _candidates() if found.executable.name.removesuffix(".exe") == wanted]
    fitting = [found for found in calling if found.is_valid() and found.matches(major, minor, patch, pre=False, implementation="cpython")]
    newest = max(fitting, key=lambda found: found.version, default=None)
    if newest:
        _said[Path(newest.executable)] = str(newest.version)  # it was asked just now
    return newest


_said: dict[Path, str] = {}


@cache
def exact_version(python: Path) -> str:
    """`3.8.18` of an interpreter."""
    if python in _said:
        return _said[python]
    code = "import platform; print(platform.python_version())"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
