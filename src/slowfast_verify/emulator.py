"""How an interpreter of another system runs on this one: Windows' under Wine, aarch64's under qemu-user. Data: matrices/emulators.toml.

Runs on the host. Called by target (argv and variables), matrix and planning (which cells can run here), provision (pins, the Wine prefix).
Starts Wine only to make a prefix and to end what it left; an emulator that is missing, crashes or has a damaged prefix is never the
cell's fault: NotVerifiable or Infrastructure.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

from . import cell as cells
from . import layout
from .atomic import write_text
from .cell import Cell
from .data import Row, load
from .ending import end_group
from .errors import Infrastructure, NotVerifiable
from .question import Observation

Kind = Literal["wine", "qemu"]
KINDS: tuple[Kind, ...] = ("wine", "qemu")
START_SECONDS = 90.0  # a Python that prints one word; 4 s where nothing else runs
SIGN_OF_LIFE = "it starts"


class Variable(Row):
    """A variable that every process under the emulator gets, and why."""

    name: str
    value: str
    reason: str


class Pin(Row):
    """A version that is held under the emulator only, and why."""

    name: str
    spec: str
    reason: str


class Beside(Row):
    """Libraries of a distribution that are put beside the interpreter, where the system itself would have them; when, and why."""

    requirement: str
    when: cells.When
    reason: str


class Tolerance(Row):
    """How far the probabilities of a clip (or `*`) may be from a native Linux cell's where that is more than usual, and why.

    label: whether the label must be the same; of a clip that has none it is whichever of several equals comes first.
    """

    clip: str
    value: float
    label: bool = True
    reason: str


class Machine(Row):
    """A system and a processor."""

    os: cells.Os
    arch: str


class Emulator(Row):
    """One way. os, arch: what it runs; on: where it runs; debian: the packages that bring `commands`; slowness: factor for time limits.

    attempts: how often a question is put whose process dies, hangs or does not start, which may be the emulator's doing.
    """

    kind: Kind
    title: str
    os: cells.Os
    arch: str
    on: Machine
    commands: list[str]
    debian: list[str]
    uv_platform: str
    slowness: float
    attempts: int = 1
    variable: list[Variable] = []
    pin: list[Pin] = []
    tolerance: list[Tolerance] = []
    beside: list[Beside] = []

    def beside_of(self, cell: Cell) -> list[str]:
        """What is put beside the interpreter of this cell."""
        return [row.requirement for row in self.beside if cell.matches(row.when)]

    def variables(self) -> dict[str, str]:
        """{name: value} of every variable."""
        return {row.name: row.value for row in self.variable}

    def fits_here(self) -> bool:
        """Whether this machine's system and processor are the ones that it runs on."""
        return (cells.this_os(), cells.this_arch()) == (self.on.os, self.on.arch)

    def missing(self) -> list[str]:
        """The commands that are not on PATH."""
        return [name for name in self.commands if not shutil.which(name)]

    def require(self) -> None:
        """Raise NotVerifiable, with the line that installs what is missing."""
        if not self.fits_here():
            raise NotVerifiable(f"{self.title}: only on {self.on.os} {self.on.arch}")
        if lost := self.missing():
            raise NotVerifiable(
                f"{self.title}: {', '.join(lost)} is not installed",
                where="PATH",
                cause="this machine never ran such cells",
                next=f"apt-get install --no-install-recommends {' '.join(self.debian)}   (Debian, Ubuntu)",
            )


class Emulators(Row):
    """matrices/emulators.toml."""

    emulator: list[Emulator]


@cache
def all_emulators() -> dict[str, Emulator]:
    """{kind: emulator}; none where the data names none: then cells run natively or not at all."""
    path = layout.matrices() / "emulators.toml"
    return {row.kind: row for row in load(path, Emulators).emulator} if path.exists() else {}


def emulator_of(cell: Cell) -> Emulator | None:
    """What would run the cell on this machine, whether installed or not; None where the cell is native or nothing could."""
    if (cell.os, cell.arch) == (cells.this_os(), cells.this_arch()) or cell.accelerator != "cpu" or cell.installer != "uv":
        return None
    return next((row for row in all_emulators().values() if (row.os, row.arch) == (cell.os, cell.arch) and row.fits_here()), None)


@cache
def version(kind: Kind) -> str:
    """`8.0` of the emulator that is installed; empty where it says nothing."""
    command = {"wine": "wine", "qemu": "qemu-aarch64-static"}[kind]
    try:
        said = subprocess.run(
            [command, "--version"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+(?:\.\d+)+", said)
    return found[0] if found else ""


def label(kind: Kind) -> str:
    """`Windows binaries under Wine 8.0`: what a record says of how a cell ran."""
    return f"{all_emulators()[kind].title} {version(kind)}".strip()


def require_start(kind: str, command: Sequence[str], environ: Mapping[str, str], seconds: float = START_SECONDS) -> None:
    """Raise Infrastructure unless the emulator starts this Python: what it does not start cannot be told good or bad.

    command: the argv of the Python, which reads its program from standard input.
    """
    title = all_emulators()[kind].title
    again = "run it again; where it stays so, take away the folder of the cell" if kind == "wine" else "build its system again"
    try:
        process = subprocess.Popen([*command, "-S", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=dict(environ), start_new_session=True)  # fmt: skip
    except OSError as error:
        raise Infrastructure(f"{title}: {command[0]} cannot be started", where=error.strerror or str(error), next=again) from None
    said, complaint, late = b"", b"", False
    try:
        said, complaint = process.communicate(f"print({SIGN_OF_LIFE!r})\n".encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        end_group(process)
        for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
            with suppress(OSError):  # what it did not read any more
                stream.close()
    if late or process.returncode or SIGN_OF_LIFE.encode() not in said:
        how = f"no sign of life within {seconds:g} s" if late else f"it left with status {process.returncode}"
        last = (complaint.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise Infrastructure(f"{title}: a Python does not start: {how}", cause=last[:300], next=again)


def lost(one: Observation) -> bool:
    """Whether a question has no answer because its process died, hung or never started."""
    return one.how in ("died", "hung", "unreachable")


def whose_fault(kind: str, seen: Sequence[Observation]) -> str | None:
    """Why nobody can be blamed for what became of these questions: under an emulator a process that dies, hangs or never starts may be
    the emulator's doing. None for an answer, an exception, or a native target: those tell of what is under test.
    """
    if kind not in KINDS:
        return None
    for one in seen:
        if lost(one) or one.at_exit:
            step = f" (while: {one.step})" if one.step else ""
            return (
                f"{one.id} {one.how if not one.at_exit else 'died on its way out'} under {label(kind)}: {one.at_exit or one.message}{step}"
            )
    return None


# ---- qemu-user ----------------------------------------------------------------------------------------------------------


def qemu_python(root: Path) -> Path:
    """A script of this machine's own shell that starts the root's Python: children that start `sys.executable` go the same way.

    Without binfmt the kernel runs no aarch64 binary, but a script whose interpreter is this machine's /bin/sh it does run.
    """
    script = root / "python"
    found = sorted(root.glob("usr/bin/python3.*[0-9]"))
    if not found:
        raise Infrastructure("the aarch64 system has no Python", where=str(root), next=f"rm -r {root}, and build it again")
    text = f'#!/bin/sh\nexec qemu-aarch64-static -L "{root}" "{found[-1]}" "$@"\n'
    if not script.exists() or script.read_text(encoding="utf-8") != text:
        write_text(script, text)
        script.chmod(0o755)
    return script
