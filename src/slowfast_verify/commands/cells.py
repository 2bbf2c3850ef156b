"""`slowfast-verify cells`: what can exist, what of it the stacks span and runs by default, and what cannot exist and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import USAGE, Problem

if TYPE_CHECKING:
    from ..cell import Cell
    from ..matrix import Matrix

NIGHTLY = "nightly"
Globs = Annotated[list[str] | None, typer.Argument(help="globs over cell ids; none: every cell of the stacks")]


def cells(
    globs: Globs = None,
    everything: Annotated[
        bool, typer.Option("--all", help="those that no stack spans too: they can be resolved, and run if asked")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON document: every cell that can exist, and what cannot with its reason")
    ] = False,
    github: Annotated[bool, typer.Option("--github", help="the jobs of a workflow, for GITHUB_OUTPUT and --plan")] = False,
    round_: Annotated[
        str, typer.Option("--round", metavar="NAME", help="with --github: quick, nightly (without it) or gpu (runners.toml)")
    ] = "",
    plan: Annotated[Path | None, typer.Option(metavar="FILE", help="with --github: keep the whole plan")] = None,
    why: Annotated[str | None, typer.Option("--why", metavar="CELL", help="say whether that cell can exist, and why not")] = None,
) -> None:
    """List every cell that the stacks span, or those that fit a glob."""
    from ..matrix import default

    matrix = default()
    if (round_ or plan) and not github:
        raise Problem("--round and --plan are for the jobs of a workflow", where="slowfast-verify cells", cause="--github is missing",
                      next=f"slowfast-verify cells --github --round {round_ or NIGHTLY}", code=USAGE)  # fmt: skip
    if why is not None:
        raise typer.Exit(_why(why, matrix))
    if github:
        _fan_out(matrix, round_ or NIGHTLY, " ".join(globs or []), plan)
        return
    if as_json:
        typer.echo(document(matrix, globs or ["*"]))
        return
    chosen = {cell.id for cell in matrix.selection()}
    for cell in matrix.select(*(globs or ["*"]), everywhere=everything):
        typer.echo(f"{'*' if cell.id in chosen else ' '} {cell.id}")
    typer.echo("* runs by default: nox -s matrix", err=True)


def _fan_out(matrix: Matrix, name: str, asked: str, file: Path | None) -> None:
    """The chunks go where GitHub reads a step's outputs; without GitHub they are printed."""
    from ..atomic import write_text
    from ..fanout import fan_out

    found = fan_out(matrix, name, asked)
    chunks = json.dumps([chunk.model_dump() for chunk in found.chunks], separators=(",", ":"))
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, found.model_dump_json(indent=1) + "\n")
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as stream:
            stream.write(f"chunks={chunks}\ncount={found.count}\n")
    else:
        typer.echo(chunks)
    for row in found.skipped:
        typer.echo(f"no job: {row.cell}: {row.reason}", err=True)
    typer.echo(f"{found.count} jobs in {len(found.chunks)} matrices of at most 256", err=True)


def document(matrix: Matrix, globs: list[str]) -> str:
    """{cells, excluded, axes}: one line a cell, so that a change can be read in a diff."""
    chosen = {cell.id for cell in matrix.selection()}
    rows = ",\n".join(json.dumps(_row(cell, matrix, cell.id in chosen)) for cell in matrix.select(*globs, everywhere=True))
    space = matrix.space
    excluded = ",\n".join(row.model_dump_json() for row in space.excluded())
    axes = {
        "place": list(space.places), "python": space.axes.python, "torch": space.torches, "accelerator": space.accelerators,
        "installer": space.axes.installer, "subject": space.axes.subject,
    }  # fmt: skip
    return f'{{"axes": {json.dumps(axes)},\n"cells": [\n{rows}\n],\n"excluded": [\n{excluded}\n]}}'


def _row(cell: Cell, matrix: Matrix, chosen: bool) -> dict[str, Any]:
    """A cell's axes; stack: the file that describes it, empty where it is drawn up by rule; here: whether this machine can run it."""
    from ..matrix import runnable

    stack = cell.stack if cell.stack in matrix.stacks else ""
    return {"id": cell.id, **cell.model_dump(exclude={"stack"}), "stack": stack, "selected": chosen, "here": runnable(cell)}


def _why(identifier: str, matrix: Matrix) -> int:
    try:
        cell = matrix.cell(identifier)
    except Problem as problem:
        if "cannot exist" in problem.what or "none can be drawn up" in problem.what:
            typer.echo(f"{identifier}: cannot exist: {problem.cause}")
            return 1
        raise Problem(problem.what, where=problem.where, cause=problem.cause, next=problem.next, code=USAGE) from None
    stack = matrix.stack_of(cell)
    wheels = stack.wheels_of(cell)
    told = f"matrices/stacks/{stack.name}.toml" if stack.name in matrix.stacks else "no stack spans it; its pins follow from its torch"
    typer.echo(f"{identifier}: can exist; {told}; torch: {wheels.note if wheels else ''}")
    return 0
