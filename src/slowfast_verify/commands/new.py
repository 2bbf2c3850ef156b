"""`slowfast-verify new`: drafts of what people add to the project's data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import Problem

app = typer.Typer(no_args_is_help=True, help="Make a draft of something to add.")


@app.callback()
def _group() -> None:
    """Make a draft of something to add."""


@app.command()
def failure(
    log: Annotated[str, typer.Argument(metavar="LOG", help="a file of output; - for standard input")],
    identifier: Annotated[str, typer.Option("--id", metavar="ID", help="its name; none: made of what the log says")] = "",
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="where ID.toml is written")] = Path(),
) -> None:
    """Turn a log into a draft of a known failure, with its test texts; refuses a log that is known already."""
    import re

    from .. import log as logs
    from ..atomic import write_text
    from ..draft import MARK, draft

    if identifier and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", identifier):
        raise Problem(f"{identifier!r} is no id", cause="an id is lower-case words joined by hyphens", next="--id video-has-no-frames")
    found = draft(logs.read(log), identifier)
    path = folder / f"{found.id}.toml"
    if path.exists():
        raise Problem(f"there is {path} already", next=f"slowfast-verify new failure {log} --id ANOTHER-NAME")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, found.text)
    typer.echo(f"{path}: a draft; {found.marks} places say {MARK!r}")
    typer.echo("then, in a checkout:")
    if folder.resolve().name != "knowledge":
        typer.echo(f"  mv {path} knowledge/")
    typer.echo(f"  slowfast-verify diagnose {log}          # must name {found.id}")
    typer.echo(f"  pytest -q -n0 tests/harness/test_knowledge.py -k {found.id}")
    typer.echo("  python -m slowfast_verify.reference     # the page of its rung")
    typer.echo("  pytest -q tests/harness/test_knowledge.py   # takes it nobody else's example?")
