"""The `packages` command: what apt-get has to install before the cells of other systems can be climbed."""

from __future__ import annotations

import typer


def packages() -> None:
    """Name Debian's packages that `nox -s elsewhere` needs and this machine lacks; nothing if all are there."""
    from ..elsewhere import packages as missing

    if found := missing():
        typer.echo(" ".join(found))
