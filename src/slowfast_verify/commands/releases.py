"""`slowfast-verify releases`: the table of torch releases, and whether the package index still agrees with it."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import HEALTHY, PROBLEMS_FOUND


def releases(
    check: Annotated[bool, typer.Option("--check", help="compare the table with the package index and say what changed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """List every torch with its partners, Pythons and builds; with --check, exit 1 if the package index says something else."""
    if not check:
        from ..torch_releases import releases as table

        if as_json:
            typer.echo(table().model_dump_json(indent=1))
            return
        _print()
        return
    from ..release_check import check as compare

    found = compare()
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
    else:
        for line in found.changed:
            typer.echo(line)
        reasons = sorted(set(found.unverified.values()))
        typer.echo(
            f"{found.builds} builds on the package index compared: {f'{len(found.changed)} differences' if found.changed else 'as told'}"
        )
        if found.unverified:
            typer.echo(f"not verified: {found.unverified_builds} builds on {len(found.unverified)} other indexes: {'; '.join(reasons)}")
        if found.changed:
            typer.echo("  next: mend matrices/torch-releases.toml", err=True)
    raise typer.Exit(PROBLEMS_FOUND if found.changed else HEALTHY)


def _print() -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    from ..torch_releases import PLACES
    from ..torch_releases import releases as table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("torch", "torchvision", "torchaudio", *PLACES, "elsewhere"):
        shown.add_column(name, overflow="fold")
    for row in table().release:
        cells = []
        for place in PLACES:
            there = row.index.get(place)
            cells.append(f"{there.python[0]}-{there.python[-1].removeprefix('3')} {there.build}".replace("-.", "-3.") if there else "")
        shown.add_row(row.torch, row.torchvision, row.torchaudio, *cells, " ".join(row.elsewhere.get("linux-x86_64", [])))
    Console(width=None if sys.stdout.isatty() else 180).print(shown)
