"""What a cell that runs natively takes from the machine itself, and no installer brings: a C++ compiler, libraries of the system.

Runs on the host; called by planning, provision and the `packages` command. Starts a Python that tries to load each library, and the
cell's own to look for its headers. Installs nothing. Data: matrices/system.toml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache

from . import interpreter, layout
from .cell import Cell
from .data import Row, load
from .errors import NotVerifiable
from .matrix import Matrix, runs_here
from .subject import Subject

LOADS = "import ctypes, sys\nfor name in sys.argv[1:]:\n    try:\n        ctypes.CDLL(name)\n    except OSError:\n        print(name)"
HEADERS = "import os, sys, sysconfig\nprint(os.path.exists(os.path.join(sysconfig.get_path('include'), sys.argv[1])))"
SECONDS = 60


class Library(Row):
    """A library of the system, the distributions whose wheels load it, and Debian's package that has it."""

    name: str
    needed_by: list[str]
    debian: str
    reason: str


class Compiler(Row):
    """The commands of which one must be there, the header that must lie in the cell's Python, and Debian's packages that bring both."""

    commands: list[str]
    header: str
    debian: list[str]
    reason: str


class Needs(Row):
    """matrices/system.toml."""

    compiler: Compiler
    library: list[Library]


class Lack(Row):
    """Something that is not there: what, for which part of the cell, Debian's packages that bring it, and whether it is for compiling."""

    what: str
    wanted_for: str
    debian: list[str]
    compiler: bool = False


@cache
def needs() -> Needs:
    """What may be needed at all."""
    return load(layout.matrices() / "system.toml", Needs)


def lacking(cell: Cell, matrix: Matrix) -> list[Lack]:
    """What this machine lacks for building and running the cell; nothing for one that does not run natively on Linux, or through conda."""
    if cell.os != "linux" or not runs_here(cell) or cell.installer == "conda":
        return []
    subject = matrix.subjects[cell.subject]
    built = [phase.name for phase in subject.phase if phase.build and cell.matches(phase.when)]
    return [*(_compiler(cell, built[0]) if built else []), *_libraries(cell, subject)]


def require(cell: Cell, matrix: Matrix) -> None:
    """Raise NotVerifiable where the machine lacks something for the cell."""
    if lost := lacking(cell, matrix):
        raise NotVerifiable(
            f"this machine lacks {', '.join(row.what for row in lost)}",
            where=f"for {', '.join(dict.fromkeys(row.wanted_for for row in lost))}",
            cause="a slim system or a container: no installer of Python brings what belongs to the system",
            next=f"as root: {command(lost)}   (Debian, Ubuntu)",
        )  # fmt: skip


def command(lost: Iterable[Lack]) -> str:
    """The line that installs what is lacking."""
    return f"apt-get install --no-install-recommends {' '.join(packages(lost))}"


def packages(lost: Iterable[Lack]) -> list[str]:
    """Debian's packages that bring what is lacking, each once."""
    return list(dict.fromkeys(name for row in lost for name in row.debian))


def _compiler(cell: Cell, phase: str) -> list[Lack]:
    rules = needs().compiler
    debian = [name.format(python=cell.python) for name in rules.debian]
    if not os.environ.get("CXX") and not any(map(shutil.which, rules.commands)):
        return [Lack(what="a C++ compiler", wanted_for=phase, debian=debian, compiler=True)]
    try:
        python = str(interpreter.find(cell.python))
    except NotVerifiable:  # which is told by itself
        return []
    if _headers(python, rules.header):
        return []
    return [Lack(what=f"{rules.header} of Python {cell.python}", wanted_for=phase, debian=debian, compiler=True)]


@cache
def _headers(python: str, header: str) -> bool:
    done = subprocess.run([python, "-c", HEADERS, header], capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout.strip() != "False"


def _libraries(cell: Cell, subject: Subject) -> list[Lack]:
    installed = {word for phase in subject.phase if cell.matches(phase.when) for word in phase.install}
    rows = [(row, next((name for name in row.needed_by if name in installed), "")) for row in needs().library]
    lost = _unloadable(tuple(row.name for row, _ in rows))
    return [Lack(what=row.name, wanted_for=wanted, debian=[row.debian]) for row, wanted in rows if wanted and row.name in lost]


@cache
def _unloadable(names: tuple[str, ...]) -> frozenset[str]:
    """Those that this machine's own loader does not find, asked in a process of its own: libraries do things when they are loaded."""
    done = subprocess.run([sys.executable, "-c", LOADS, *names], capture_output=True, text=True, timeout=SECONDS, check=False)
    return frozenset(done.stdout.split()) if done.returncode == 0 else frozenset()
