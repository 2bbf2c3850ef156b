"""Which environment a person means: the one named, else the active one. Runs on the host; starts nothing.

The environment that this tool itself runs in is never taken unasked: what is right for it says nothing about SlowFast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import target as targets
from .errors import Problem

INTERPRETERS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")
ON_PATH = {"posix": ("python", "python3"), "nt": ("python.exe", "python3.exe", "py.exe")}


def target_of(text: str | None, environ: Mapping[str, str] | None = None) -> targets.Target:
    """The target that is meant; raises Problem where nothing is, or where only the tool's own environment is there.

    A folder or a path counts also where its interpreter is a broken link: that is for the doctor to find out.
    """
    if text is None:
        return _active(os.environ if environ is None else environ)
    path = Path(text).expanduser()
    if path.is_dir():
        found = interpreter_in(path)
        if found is None and (path / "pyvenv.cfg").is_file():
            found = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")  # deleted: its absence is the finding
        if found is not None:
            return targets.of_python(_absolute(found))
    elif os.path.lexists(path) and (os.sep in text or "/" in text):
        return targets.of_python(_absolute(path))
    return targets.parse(text)


def _absolute(path: Path) -> Path:
    """Absolute, with no link followed: a virtual environment's interpreter is one."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps `..`)


def interpreter_in(folder: Path) -> Path | None:
    """The interpreter of an environment's folder, which may be a link that leads nowhere."""
    return next((folder / name for name in INTERPRETERS if os.path.lexists(folder / name)), None)


def is_own(python: Path) -> bool:
    """Whether an interpreter is of the environment that this tool runs in."""
    home = python.parent.parent if python.parent.name in ("bin", "Scripts") else python.parent
    mine = Path(sys.prefix)
    return home.resolve() == mine.resolve() or (sys.prefix == sys.base_prefix and python.resolve() == Path(sys.executable).resolve())


def _active(environ: Mapping[str, str]) -> targets.Target:
    own: list[str] = []
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        folder = environ.get(variable)
        if folder:
            python = interpreter_in(Path(folder)) or Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            if not is_own(python):
                return targets.of_python(_absolute(python))
            own.append(f"{variable} ({folder})")
    for python in _on_path(environ):
        if not is_own(python):
            return targets.of_python(python, kind="python")
        own.append(str(python))
    raise Problem(
        "no environment is active" + (" but this tool's own" if own else ""),
        where=", ".join(dict.fromkeys(own)) or "VIRTUAL_ENV, CONDA_PREFIX and PATH name no Python",
        cause="the environment of SlowFast was not activated in this shell",
        next="name it: slowfast-verify doctor DIR   (its folder or its python; conda:NAME, docker:IMAGE, container:ID, ssh:HOST work too)",
    )


def _on_path(environ: Mapping[str, str]) -> Iterator[Path]:
    """Every interpreter on PATH in order; of Windows's store aliases, which are files of no bytes, none."""
    for folder in environ.get("PATH", "").split(os.pathsep):
        for name in ON_PATH.get(os.name, ON_PATH["posix"]):
            python = Path(folder or ".") / name
            if folder and os.path.lexists(python) and not python.is_dir() and not (os.name == "nt" and _is_alias(python)):
                yield python


def _is_alias(python: Path) -> bool:
    try:
        return python.stat().st_size == 0
    except OSError:
        return True
