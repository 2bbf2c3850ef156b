"""`slowfast-verify report render`: the dashboard from records alone. Reads arguments, calls, prints; never imports what makes records."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from .. import layout
from ..errors import Problem

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..resolution import Resolution


def render(
    records: Annotated[list[Path] | None, typer.Argument(metavar="[RECORDS...]", help="folders or files; default reports/evidence")] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="the folder to write; default reports/dashboard")] = None,
) -> None:
    """Write the dashboard: one HTML file that needs no server, from records, what was resolved, and the known failures."""
    from ..collection import Collection
    from ..dashboard import Sources
    from ..dashboard import render as write
    from ..language import chosen, of
    from ..matrix import default
    from ..waiting import waiting

    kept = layout.reports() / "collection.jsonl"  # `nox -s report` keeps earlier runs there
    sources = records or [layout.kept() / "evidence", *([kept] if kept.exists() else [])]
    folder = output or layout.reports() / "dashboard"
    with waiting(of(chosen(), "draws the dashboard", "正在生成仪表板")), Collection.of(sources) as found:
        path = write(
            Sources(
                held=found, cells=default().everything.values(), resolution=resolutions(), recipe=recipes(sources),
                evidence=links(sources, folder), refused=lambda: len(found.refused),
            ),
            folder,
        )  # fmt: skip
        for item in found.refused:
            typer.echo(f"{item.where}: {item.why}", err=True)
        size = path.stat().st_size / 1e6
        typer.echo(f"written: {path}: {found.runs} records of {len(found)} cells, {len(found.refused)} refused; {size:.2f} MB")


def resolutions() -> Callable[[str], Resolution | None]:
    """What was resolved, by cell; nothing where no resolutions are kept."""
    from ..resolution import load
    from ..resolution import path as kept

    return load().of if kept().exists() else lambda cell: None


def recipes(sources: list[Path]) -> Callable[[str], Recipe | None]:
    """What to type for a cell, with the evidence of these records; None for a cell that no stack spans."""
    from ..matrix import default
    from ..recipe import recipe_for

    cells = default().everything
    folder = next((path for path in sources if path.is_dir()), None)

    def recipe(name: str) -> Recipe | None:
        try:
            return recipe_for(cells[name], evidence=folder) if name in cells else None
        except (OSError, Problem):  # a record without its lock beside it proves nothing to type
            return None

    return recipe


def links(sources: list[Path], output: Path) -> Callable[[str], list[str]]:
    """Relative links to a row's record and lock, where they are files of their own that stand beside the output."""
    folders = [path.resolve() for path in sources if path.is_dir()]

    def found(name: str) -> list[str]:
        files = [folder / f"{name}{end}" for folder in folders for end in (".json", ".lock.txt")]
        try:
            return [quote(Path(os.path.relpath(file, output.resolve())).as_posix()) for file in files if file.is_file()]
        except ValueError:  # another drive
            return []

    return found
