"""The cells that stand for other systems on every push (`nox -s elsewhere`), and Debian's packages that they need and this machine lacks.

Runs on the host; called by the noxfile and by the `packages` command. Installs nothing: the packages are for whoever may.
Data: matrices/selection.toml names the cells, matrices/emulators.toml and matrices/containers.toml their packages.
"""

from __future__ import annotations

from . import container, engine
from .cell import this_os
from .emulator import emulator_of
from .errors import NotVerifiable
from .matrix import Elsewhere, Matrix, default


def rows(matrix: Matrix | None = None) -> list[Elsewhere]:
    """The cells of other systems, each with how it is run here."""
    return (matrix or default()).elsewhere()


def arguments(row: Elsewhere) -> list[str]:
    """What follows `slowfast-verify climb` for such a cell."""
    return [row.cell, *(["--container"] if row.container else [])]


def packages(wanted: list[Elsewhere] | None = None) -> list[str]:
    """Debian's packages that these cells need and this machine lacks; none on a system that has no such packages."""
    if this_os() != "linux":
        return []
    found: list[str] = []
    for row in rows() if wanted is None else wanted:
        emulated = emulator_of(default().cell(row.cell))
        if row.container:
            found += _engine()
        elif emulated and emulated.missing():
            found += emulated.debian
    return list(dict.fromkeys(found))


def _engine() -> list[str]:
    """What starts an engine, unless one answers; and what makes a base image where none can be pulled."""
    lost = engine.missing(container.rules().starter.commands)
    if not lost:
        return []
    try:
        engine.client()
    except NotVerifiable:
        return container.rules().starter.debian
    return []
