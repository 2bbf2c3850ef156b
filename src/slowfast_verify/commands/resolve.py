"""`slowfast-verify resolve`: which cells would resolve, asked from here for any system; verdicts, versions and predictions."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import HEALTHY, PROBLEMS_FOUND, USAGE, Problem

if TYPE_CHECKING:
    from ..matrix import Matrix
    from ..resolution import Resolution, Verdict

WORDS: tuple[Verdict, ...] = ("resolves", "conflicts", "no wheel", "not verified")


def resolve(
    globs: Annotated[list[str] | None, typer.Argument(help="globs over cell ids; none: every cell that can exist")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a cell, one a line")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="answer from what was fetched before; ask no network")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="ask again what is known already")] = False,
    system: Annotated[str, typer.Option("--system", help="another version of the system: 'glibc 2.17', 'macOS 13.0'")] = "",
    workers: Annotated[int, typer.Option(help="questions put at a time; 0: as matrices/resolve.toml says")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="write reports/resolve.json, which recipe and the dashboard read")] = False,
    output: Annotated[Path | None, typer.Option(help="with --keep: another file")] = None,
    repredict: Annotated[bool, typer.Option("--repredict", help="ask nothing; hold what is kept against today's knowledge/")] = False,
    check: Annotated[bool, typer.Option("--check", help="write nothing; fail if --repredict would change what is kept")] = False,
) -> None:
    """Say of each cell whether it resolves, to which versions, and what is known to break after installing; installs nothing."""
    from .. import resolution, resolver
    from ..matrix import default
    from ..resolve import carry_out, prepare, results

    matrix = default()
    if repredict or check:
        raise typer.Exit(_repredict(matrix, check))
    cells = matrix.select(*(globs or ["*"]), everywhere=True)
    if system:
        _check_system(system)
        if keep:
            raise Problem("--keep keeps the usual systems alone", where="resolve --system --keep", next="leave one of them out", code=USAGE)
        cells = [cell for cell in cells if matrix.space.places[f"{cell.os}-{cell.arch}"].system.split()[0] == system.split()[0]]
    begun = time.monotonic()
    work = prepare(cells, matrix, offline=offline, refresh=refresh, system=system)
    fresh = len(work.left())
    with _bar(len(work.questions), len(work.questions) - fresh) as tick:
        carry_out(work, workers=workers, offline=offline, tick=tick)
    found = results(cells, matrix, work)
    if keep:
        file = output or resolution.path()
        file.parent.mkdir(parents=True, exist_ok=True)
        from ..atomic import write_text

        write_text(file, resolution.pack(found, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), resolver.name()))
    if as_json:
        for row in found:
            print(row.model_dump_json(exclude_defaults=True))
    else:
        _print(found, len(work.questions), fresh, time.monotonic() - begun)
    told = {row.verdict for row in found}
    raise typer.Exit(PROBLEMS_FOUND if told & {"conflicts", "no wheel"} else 4 if told == {"not verified"} else HEALTHY)


def _repredict(matrix: Matrix, check: bool) -> int:
    from .. import resolution
    from ..atomic import write_text
    from ..resolve import predicted_anew

    kept = resolution.load()
    found = predicted_anew(kept, matrix)
    text = resolution.pack(found, kept.date, kept.resolver)
    stale = resolution.path().read_text(encoding="utf-8") != text
    if check:
        if stale:
            raise Problem(
                "what was predicted for the kept cells is not what knowledge/ and matrices/ say today",
                where=str(resolution.path()), next="slowfast-verify resolve --repredict", code=PROBLEMS_FOUND,
            )  # fmt: skip
        return HEALTHY
    write_text(resolution.path(), text)
    typer.echo(f"{len(found)} cells: {'predictions rewritten' if stale else 'nothing changed'}")
    return HEALTHY


def _check_system(system: str) -> None:
    import re

    if not re.fullmatch(r"(glibc 2\.\d+|macOS \d+\.\d+)", system):
        raise Problem(
            f"{system!r} is no version of a system", where="resolve --system", next="write 'glibc 2.17' or 'macOS 13.0'", code=USAGE
        )


class _bar:  # noqa: N801
    """A progress bar on a terminal's standard error; nothing where it is piped."""

    def __init__(self, total: int, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self.task = self.progress.add_task("resolving", total=total, completed=done)

    def __enter__(self) -> _bar:
        self.progress.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        self.progress.update(self.task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self.progress.stop()


def _print(found: list[Resolution], questions: int, fresh: int, seconds: float) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    if len(found) <= 40:
        for row in found:
            console.print(Text(f"{row.verdict:13}{row.cell}"))
            for line in lines(row):
                console.print(Text(f"  {line}"))
    else:
        for row in found:
            if row.verdict in ("conflicts", "no wheel"):
                console.print(Text(f"{row.verdict:13}{row.cell}: {row.reason}"))
        reasons = Counter(row.reason.split("; ")[0].split(" (")[0] for row in found if row.verdict == "not verified")
        for reason, number in reasons.most_common(8):
            console.print(Text(f"not verified {number} cells: {reason}"))
    counted = Counter(row.verdict for row in found)
    told = ", ".join(f"{counted[word]} {'resolve' if word == 'resolves' else word}" for word in WORDS if counted[word])
    broken = sum(1 for row in found if row.predicted)
    per = f", {seconds / fresh:.2f} s each" if fresh else ""
    console.print(Text(f"{len(found)} cells: {told}; {broken} will meet a known failure after installing"))
    console.print(Text(f"{questions} distinct resolutions, {fresh} of them asked now in {seconds:.1f} s{per}"))


def lines(row: Resolution) -> list[str]:
    """What is told of one cell beneath its verdict."""
    told = [row.reason] if row.reason else []
    if row.versions:
        shown = [
            f"{name} {row.versions[name]}"
            for name in ("torch", "torchvision", "numpy", "pillow", "av", "opencv-python")
            if name in row.versions
        ]
        told.append(f"{len(row.versions)} distributions: {', '.join(shown)}{f'; for {row.level}' if row.level else ''}")
    if row.needs and row.verdict != "no wheel":
        told.append(f"its wheels need {row.needs}")
    if row.sources_only:
        told.append(f"only as source, a compiler is needed there: {', '.join(row.sources_only)}")
    if row.declared:
        told.append(f"requirements taken from matrices/resolve.toml: {', '.join(row.declared)}")
    told += [f"will break: {what.rung}: {what.id} ({what.why})" for what in row.predicted if what.by == "applies"]
    upstream = [f"{what.rung}: {what.id}" for what in row.predicted if what.by == "expect"]
    return [*told, f"and as upstream left it: {', '.join(upstream)}"] if upstream else told
