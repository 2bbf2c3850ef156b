"""What a run will do, before it does it: which cells, how much disk, how long, what is skipped and why. Runs on the host."""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from . import aarch64, conda_env, interpreter, layout, provision, room, sources, system
from .cell import Cell
from .emulator import emulator_of
from .errors import NotVerifiable, Problem
from .matrix import Matrix, default, runnable
from .room import Demand


@dataclass(frozen=True)
class Planned:
    """One cell of a plan. skipped: why, None for one that runs; standing: it is built; disk: None if nothing is to do."""

    cell: Cell
    disk: Demand | None
    minutes: float
    standing: bool
    skipped: str | None


def offered(arguments: list[str]) -> list[Cell]:
    """The cells that nox offers as sessions: the default selection, those named in full, or where somebody filters all that can run here.

    nox plans whatever is offered before it runs the first: a named cell must not wait for the plan of every other.
    """
    matrix = default()
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments  # what follows is pytest's
    named = []
    for identifier in (found[1] for word in words if (found := re.fullmatch(r"(?:matrix|recipe)\((.+)\)", word))):
        with suppress(Problem):  # no such cell: nox says that there is no such session
            named.append(matrix.cell(identifier))
    if any(word in ("-k", "--keywords") or word.startswith("--keywords=") for word in words):
        more = list(matrix.cells.values())
    else:
        more = [] if named and not {"matrix", "recipe"} & set(words) else matrix.selection()
    return list({cell.id: cell for cell in [*named, *more] if runnable(cell)}.values())


def plan_of(globs: list[str] | None) -> list[Planned]:
    """A row for each cell that is meant, runnable here or not."""
    matrix = default()
    cells = matrix.select(*globs) if globs else matrix.selection()
    told: dict[tuple[str, ...], bool] = {}
    return [_planned(cell, matrix, told) for cell in cells]


def _planned(cell: Cell, matrix: Matrix, told: dict[tuple[str, ...], bool]) -> Planned:
    wheels = matrix.stack_of(cell).wheels_of(cell)
    skipped = _obstacle(cell, matrix)
    standing = skipped is None and provision.standing(cell, matrix) is not None
    if skipped is None and not standing and (lost := system.lacking(cell, matrix)):
        skipped = f"this machine lacks {', '.join(row.what for row in lost)}: {system.command(lost)}"
    disk = None if standing or skipped else room.demand(cell, matrix, told)
    return Planned(cell, disk, 1.0 if standing or not wheels else wheels.minutes, standing, skipped)


def _obstacle(cell: Cell, matrix: Matrix) -> str | None:
    if not runnable(cell):
        return f"needs {cell.os} on {cell.arch}"
    emulated = emulator_of(cell)
    try:
        if emulated:
            emulated.require()
            if emulated.kind == "qemu":
                aarch64.offer(cell.python)
        elif cell.installer == "conda":
            conda_env.backend()
        else:
            interpreter.find(cell.python)
    except NotVerifiable as problem:
        return f"{problem.what}: {problem.next}" if emulated else problem.what
    for address in provision.addresses(cell, matrix):
        if sources.reachable(address):
            return f"source unreachable: {address}"
    return None


def print_plan(rows: list[Planned]) -> None:
    """The plan as a table, with its sums and the free disk."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("cell", "disk MB", "minutes", "note"):
        table.add_column(name, overflow="fold")
    for row in rows:
        note = f"skipped: {row.skipped}" if row.skipped else "environment stands" if row.standing else "to be built"
        table.add_row(
            row.cell.id, "" if row.skipped else str(row.disk.megabytes if row.disk else 0), "" if row.skipped else f"{row.minutes:g}", note
        )
    console.print(table)
    running = [row for row in rows if row.skipped is None]
    free = shutil.disk_usage(room.existing(layout.home())).free // 1_000_000
    disk = room.together([row.disk for row in running if row.disk])
    console.print(
        f"{len(running)} of {len(rows)} cells run here: at most {disk} MB of disk, the installer's cache included, and "
        f"{sum(row.minutes for row in running):g} minutes (what that cache holds costs neither); "
        f"{free} MB of disk are free at {layout.home()}",
        highlight=False,
    )
