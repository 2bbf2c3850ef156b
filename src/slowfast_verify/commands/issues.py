"""`slowfast-verify issues`: one issue for each new cause in the records of a fan-out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..errors import Problem


def issues(
    records: Annotated[list[Path], typer.Argument(help="folders or files of records")],
    repository: Annotated[str, typer.Option(envvar="GITHUB_REPOSITORY", help="owner/name")] = "",
    address: Annotated[str, typer.Option(envvar="GITHUB_API_URL", help="of the REST interface")] = "https://api.github.com",
    run: Annotated[str, typer.Option(envvar="RUN_ADDRESS", help="the address of the workflow's run, for people")] = "",
) -> None:
    """Open an issue for each new cause, bring those that are open up to date; the token is read from GITHUB_TOKEN."""
    from ..collection import Collection
    from ..tracker import Tracker, bring_up_to_date

    token = os.environ.get("GITHUB_TOKEN", "")
    if not (repository and token):
        missing = "GITHUB_TOKEN" if repository else "GITHUB_REPOSITORY"
        raise Problem(
            f"{missing} is not set", cause="the command is meant for a workflow", next="GITHUB_REPOSITORY=owner/name GITHUB_TOKEN=..."
        )
    with Collection.of(records) as found:
        done = bring_up_to_date(Tracker(address, repository, token), (held.record for held in found), run)
    for row in done:
        typer.echo(f"{row.deed}{f' #{row.number}' if row.number else ''}: {row.title}")
    typer.echo(f"{len(done)} causes that nobody expects")
