"""The healthy environments that loops stand on: clones of provisioned cells and empty venvs, and what else of the machine a loop may need.

Called by loop.py; runs on the host. Data: matrices/loops.toml. An environment, an emulator or a program that is missing is NotVerifiable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from filelock import FileLock

from . import cell as cells
from . import emulator, ground, interpreter, layout, provision, sources, wine, witness
from .cell import Cell
from .clone import clone_cell, clone_environment
from .data import Row, load
from .errors import NotVerifiable, Problem
from .fix import Place
from .record import Provisioned


class Environment(Row):
    """A healthy environment: a cell of the matrix, or an empty venv of a Python. holds: what a loop in it can count on.

    variables: what its programs get beside the cell's own, until a witness names another language.
    """

    cell: str = ""
    python: str = ""
    variables: dict[str, str] = {}
    holds: str


class Need(Row):
    """Something of the machine that some loops need. command: a program on PATH; address: a repository; requirement: what pip must find."""

    title: str
    command: str = ""
    address: str = ""
    requirement: str = ""


class Loops(Row):
    """matrices/loops.toml. command: argument lists that witnesses name as {NAME}."""

    environment: dict[str, Environment]
    need: dict[str, Need]
    command: dict[str, list[str]] = {}


@cache
def loops() -> Loops:
    """The data."""
    return load(layout.matrices() / "loops.toml", Loops)


def healthy(name: str, folder: Path) -> tuple[Place, Cell]:
    """A clone of the environment of that name, and the cell that it stands for. Raises NotVerifiable where it does not stand."""
    shutil.rmtree(folder, ignore_errors=True)
    table = loops().environment
    if name not in table:
        raise Problem(f"there is no environment {name!r}", where="matrices/loops.toml", cause=f"there are {', '.join(table)}")
    row = table[name]
    if row.cell:
        cell = cells.parse(row.cell)
        found = clone_cell(_standing(cell), folder)
        env = Path(found.env)
        checkout = Path(found.checkout) if found.checkout else None
        variables = {**found.variables, **row.variables}
        place = Place(
            cell.installer, Path(found.python), env, _site(env), checkout, folder, None, variables, dict(found.opts), found.runner
        )
        if found.runner == "wine":
            place.variables["LOCPATH"] = str(wine.languages())
            ground.lay_prefix(folder / "prefix")
            require_start(place)
        return place, cell
    cell = Cell(os=cells.this_os(), arch=cells.this_arch(), python=row.python, torch="0", accelerator="cpu", installer="pip",
                subject=witness.SUBJECT, revision="none")  # fmt: skip
    env = folder / "env"
    python = clone_environment(_bare(row.python), env)
    return Place("pip", python, env, _site(env), None, folder), cell


_SHARED: dict[Path, tuple[Place, Cell]] = {}


def shared(name: str, folder: Path) -> tuple[Place, Cell]:
    """The clone that loops of this process share, made by the first; each gets variables, overrides and an empty folder of its own."""
    if folder not in _SHARED:
        shutil.rmtree(folder, ignore_errors=True)
        _SHARED[folder] = healthy(name, folder)
    place, cell = _SHARED[folder]
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return replace(place, variables=dict(place.variables), opts=dict(place.opts)), cell


def sweep() -> None:
    """Take the shared clones away, when no loop follows."""
    while _SHARED:
        folder, _ = _SHARED.popitem()
        release(folder)
        shutil.rmtree(folder, ignore_errors=True)


def original(name: str) -> Path | None:
    """The folder that clones of this environment share files with, or None where it does not stand."""
    row = loops().environment[name]
    if not row.cell:
        return None
    folder = provision.folder_of(cells.parse(row.cell)) / "env"
    return folder if folder.exists() else None


def _standing(cell: Cell) -> Provisioned:
    """The cell as it was last built: that it is healthy, each loop sees for itself, so inputs that changed since do not matter."""
    try:
        found = Provisioned.model_validate_json((provision.folder_of(cell) / "cell.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if emulated := emulator.emulator_of(cell):
        emulated.require()
    if found is None or not Path(found.python).exists():
        raise NotVerifiable("the environment does not stand", where=cell.id, next=f"slowfast-verify climb {cell.id}")
    return found


def _bare(version: str) -> Path:
    """An empty venv with its pip, made once for all loops of a run."""
    python = interpreter.find(version)
    env = layout.home() / "bare" / interpreter.exact_version(python)
    env.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{env}.lock"):
        if not (env / "complete").exists():
            shutil.rmtree(env, ignore_errors=True)
            done = subprocess.run([str(python), "-m", "venv", str(env)], capture_output=True, text=True, check=False, timeout=300)
            if done.returncode:
                raise NotVerifiable(f"Python {version} makes no environment", where=str(python), cause=(done.stderr or done.stdout)[-300:])
            (env / "complete").touch()
    return env


def _site(env: Path) -> Path:
    (site,) = [*env.glob("lib/python*/site-packages"), *env.glob("Lib/site-packages")]
    return site


@cache
def require(name: str) -> None:
    """Raise NotVerifiable where the machine lacks a need of matrices/loops.toml."""
    table = loops().need
    if name not in table:
        raise Problem(f"there is no need {name!r}", where="matrices/loops.toml", cause=f"there are {', '.join(table)}")
    need = table[name]
    if need.command and not shutil.which(need.command):
        raise NotVerifiable(f"needs {need.title}", cause=f"there is no {need.command} on PATH")
    if need.address:
        sources.require_reachable([need.address])
    if need.requirement and not _pip_finds(need.requirement):
        raise NotVerifiable(f"needs {need.title}", cause=f"pip finds no {need.requirement}", next=f"pip download {need.requirement}")


def _pip_finds(requirement: str) -> bool:
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", requirement]
    return subprocess.run(argv, capture_output=True, check=False, timeout=120).returncode == 0


def runner_of(name: str) -> str:
    """How the programs of that environment run here: `native`, or `Windows binaries under Wine 8.0`."""
    row = loops().environment.get(name)
    emulated = emulator.emulator_of(cells.parse(row.cell)) if row and row.cell else None
    return emulator.label(emulated.kind) if emulated else "native"


def attempts(name: str) -> int:
    """How often a loop in that environment is tried before it is red: what dies or hangs under an emulator may be the emulator's doing."""
    row = loops().environment.get(name)
    emulated = emulator.emulator_of(cells.parse(row.cell)) if row and row.cell else None
    return emulated.attempts if emulated else 1


def require_start(place: Place) -> None:
    """Raise Infrastructure unless the emulator of the place starts its Python."""
    if place.runner == "wine":
        emulator.require_start("wine", place.start, {**os.environ, **wine.wine_variables(place.folder / "prefix")})


@cache
def tidy() -> None:
    """Take away the clones of runs that were killed (a name ends in the number of its run), with what still runs in their Wine prefixes."""
    for folder in (layout.home() / "clones").glob("*-*"):
        number = folder.name.rpartition("-")[2]
        if os.name == "posix" and number.isdigit() and not _lives(int(number)):
            release(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def release(folder: Path) -> None:
    """End what the emulator of a clone left running, also a server that does not listen any more."""
    if (folder / "prefix").is_dir():
        wine.end_server(folder / "prefix")
