"""`slowfast-verify gather`: after the jobs of a fan-out, which of them came back with nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def gather(
    plan: Annotated[Path, typer.Argument(help="what `cells --github --plan FILE` wrote before the jobs")],
    records: Annotated[Path, typer.Argument(help="the folder with the records of all jobs")],
) -> None:
    """Say which planned cells left no record, and write what stands for them: an outage, not a verdict."""
    from .. import fanout

    planned = fanout.read(plan)
    records.mkdir(parents=True, exist_ok=True)
    silent = fanout.stand_ins(planned, records)
    for cell in silent:
        typer.echo(f"no record: {cell}")
    for row in planned.skipped:
        typer.echo(f"no job: {row.cell}: {row.reason}")
    typer.echo(f"{planned.count - len(silent)} of {planned.count} jobs left a record")
