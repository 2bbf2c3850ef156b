"""Which rows the dashboard has: every cell that can exist, and every record, each under the name that says how it ran.

Runs on the host; imports cell, record, collection and the models of this package. Keeps one record at a time: a collection may be large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from packaging.version import Version

from .. import cell as cells
from ..cell import Cell
from ..collection import Held
from ..errors import Problem
from ..record import Record
from .standing import TOP, Standing, of_past, standing

AXES = ("os", "arch", "python", "torch", "accelerator", "installer", "subject", "revision", "runner")
FAR = ("subject", "revision", "torch")
NEAR = (*FAR, "os")
_RUNNER = re.compile(r"\+([a-z0-9-]+)$")


@dataclass
class Entry:
    """One row: a cell and how it ran. runs: (run id, standing), the oldest first; verdict: the number of the run that counts.

    kept: what the page tells of the verdict's run and of the newest one, where they differ. predicted: where it only was resolved.
    """

    name: str
    axes: dict[str, str]
    label: str = ""
    runs: list[tuple[str, Standing]] = field(default_factory=list)
    verdict: int = -1
    kept: list[Any] = field(default_factory=list)
    predicted: Standing | None = None
    date: str = ""  # of the resolution
    spanned: bool = True  # a stack or a record speaks of it; others are drawn up by rule


def axes_of(name: str) -> dict[str, str]:
    """The axes that a name tells (`windows-py3.8-...@main+wine`); of a name of another form only the name itself, as its subject."""
    found = _RUNNER.search(name)
    runner = found[1] if found else "native"
    try:
        cell = cells.parse(name[: found.start()] if found else name)
    except Problem:
        return dict.fromkeys(AXES, "") | {"runner": "target"}
    return axes_of_cell(cell) | {"runner": runner}


def axes_of_cell(cell: Cell) -> dict[str, str]:
    """The axes of a cell that nothing emulates."""
    return {axis: str(getattr(cell, axis)) for axis in AXES if axis != "runner"} | {"runner": "native"}


def gather(known: Iterable[Cell], found: Iterable[Held], pack: Callable[[Record], Any]) -> list[Entry]:
    """All rows, ordered by name. `pack` turns a record into what its page shows of it."""
    rows = {cell.id: Entry(cell.id, axes_of_cell(cell), spanned=bool(cell.stack)) for cell in known}
    for held in found:
        row = rows.get(held.cell)
        if row is None:
            row = rows[held.cell] = Entry(held.cell, axes_of(held.cell))
        row.runs = [(past.run, of_past(past)) for past in reversed(held.history)]
        row.runs.append((held.record.run, standing(held.record)))
        row.verdict = len(row.runs) - 1
        if held.standing and held.standing.run != held.record.run:
            row.verdict = next(number for number, (run, _) in enumerate(row.runs) if run == held.standing.run)
            row.kept.append(pack(held.standing))
        row.kept.append(pack(held.record))
        row.label = label_of(held.standing or held.record)
        row.spanned = True
    return [rows[name] for name in sorted(rows)]


def label_of(record: Record) -> str:
    """How the cell ran, in the record's own words (`Windows binaries under Wine 8.0`); "" where it ran natively."""
    runner = str(record.target.get("runner") or "native")
    return "" if runner == "native" else runner


def survived(rows: Iterable[Entry]) -> dict[tuple[str, str], frozenset[str]]:
    """{(subject, revision): the known failures that its runs met and reached the top all the same}."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        standing = row.runs[row.verdict][1] if row.runs else None
        if standing and standing.state in TOP:
            found.setdefault((row.axes["subject"], row.axes["revision"]), set()).update(standing.fails)
    return {key: frozenset(names) for key, names in found.items()}


def advisable(rows: list[Entry]) -> set[str]:
    """The names of the rows that the page may advise: all that a stack or a record speaks of; of the others, which differ in torch only,
    those with a torch that reached the top elsewhere, best on the same system, and of these the newest. There are ten thousand rows, and
    each recipe would cost a millisecond and a hundred bytes. scripts/choose.js ranks rows by the same rule."""  # fmt: skip
    top = [row.axes for row in rows if row.runs and row.runs[row.verdict][1].state in TOP]
    near, far = ({tuple(axes[name] for name in kind) for axes in top} for kind in (NEAR, FAR))
    found, most = set(), dict[tuple[str, ...], tuple[tuple[int, Version], list[str]]]()
    for row in rows:
        if row.spanned:
            found.add(row.name)
            continue
        state = row.predicted.state if row.predicted else ""
        key = (state, *(row.axes[axis] for axis in AXES if axis not in ("torch", "accelerator")), row.axes["accelerator"][:2])
        proven = (tuple(row.axes[name] for name in NEAR) in near) + (tuple(row.axes[name] for name in FAR) in far)
        rank = proven, Version(row.axes["torch"])
        there = most.get(key)
        if there is None or rank > there[0]:
            most[key] = (rank, [row.name])
        elif rank == there[0]:
            there[1].append(row.name)
    return found.union(*(names for _, names in most.values()))
