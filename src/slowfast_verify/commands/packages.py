"""The `packages` command: what apt-get has to install before the default cells, and those of other systems, can be climbed."""

from __future__ import annotations

import typer


def packages() -> None:
    """Name Debian's packages that `nox -s matrix` and `nox -s elsewhere` need and this machine lacks; nothing if all are there."""
    from .. import system
    from ..elsewhere import packages as missing
    from ..errors import NotVerifiable
    from ..interpreter import find
    from ..matrix import default

    matrix, found = default(), []
    for cell in matrix.selection():
        try:
            find(cell.python)
        except NotVerifiable:  # without its Python it is not climbed, whatever else is there
            continue
        found += system.packages(system.lacking(cell, matrix))
    if found := list(dict.fromkeys([*found, *missing()])):
        typer.echo(" ".join(found))
