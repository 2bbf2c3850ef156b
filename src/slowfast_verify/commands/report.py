"""`slowfast-verify report`: COMPATIBILITY.md, and merge, diff, query, export, badges, schema. Reads arguments, calls, prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import layout
from ..errors import HEALTHY, PROBLEMS_FOUND, Infrastructure, Problem, did_you_mean, no_room
from .dashboard import render

if TYPE_CHECKING:
    from ..collection import Collection
    from ..reading import Refused
    from ..record import Record

app = typer.Typer(invoke_without_command=True, help="Write COMPATIBILITY.md from records alone; or merge, compare, ask, convert records.")
Sources = Annotated[list[Path] | None, typer.Argument(metavar="[RECORDS...]", help="folders or files of records; default reports/evidence")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document instead of sentences")]
FORMATS = ("junit", "ctrf", "markdown")


@app.callback()
def write(
    context: typer.Context,
    source: Annotated[list[Path] | None, typer.Option("--from", help="folders of records; default reports/evidence")] = None,
    output: Annotated[Path | None, typer.Option(help="the file to write; default reports/COMPATIBILITY.md")] = None,
    check: Annotated[bool, typer.Option(help="write nothing; fail if the file is not what the records say")] = False,
) -> None:
    """Write COMPATIBILITY.md from records alone; or, with a command, merge, compare, ask or convert records."""
    if context.invoked_subcommand:
        return
    from .. import compatibility, report
    from ..record import write_beside

    shown, complaints = report.load(source or [layout.kept() / "evidence"])
    path = output or layout.reports() / "COMPATIBILITY.md"
    text = compatibility.markdown(shown)
    for complaint in complaints:
        typer.echo(complaint, err=True)
    if check:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            raise Problem(f"{path.name} is not what the records say", where=str(path), next="slowfast-verify report", code=PROBLEMS_FOUND)
        return
    write_beside(path, text)
    report.print_summary([held.record for held in shown])
    typer.echo(f"written: {path}")


app.command()(render)


@app.command()
def merge(
    sources: Sources = None,
    output: Annotated[Path | None, typer.Option(help="the collection to write (JSON Lines); none: only say what would be in it")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="leave with exit status 1 if anything was refused")] = False,
) -> None:
    """Merge records into one collection: one of each run, the runs of a cell side by side, and by name whatever is no record."""
    with _collection(sources) as found:
        if output:
            found.write(output)
        written = f"written: {output}: " if output else ""
        typer.echo(f"{written}{found.runs} records of {len(found)} cells, {len(found.refused)} refused")
        raise typer.Exit(PROBLEMS_FOUND if strict and found.refused else HEALTHY)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="a folder or file of records")],
    after: Annotated[Path | None, typer.Argument(help="a later one; or name one collection and --since")] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="compare a collection with what it was then: 2026-11-20")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what is newly red, newly green, fails for another cause, or is no longer run. Exit 1 if anything is newly red."""
    from .. import difference
    from ..collection import Collection
    from ..reading import read

    if (after is None) == (not since):
        raise Problem("two collections are compared, or one with what it was", where="report diff",
                      next="slowfast-verify report diff OLD NEW   or   slowfast-verify report diff RECORDS --since 2026-11-20")  # fmt: skip
    earlier = _until(read([before]), _day(since)) if since else read([before])
    with Collection(earlier) as old, Collection.of([after or before]) as new:
        _tell_refused([*old.refused, *new.refused])
        found = list(difference.changes(old, new))
    if as_json:
        typer.echo(json.dumps([change.model_dump() for change in found], indent=1, ensure_ascii=False))
    else:
        for text in difference.told(found):
            typer.echo(text)
        typer.echo(f"{len(found)} changes" if found else "nothing changed")
    raise typer.Exit(PROBLEMS_FOUND if any(change.kind == "newly red" for change in found) else HEALTHY)


@app.command()
def query(
    asked: Annotated[
        list[str] | None, typer.Argument(metavar="[FILTER...]", help="os=linux python=3.8|3.10 outcome=failed, or a glob")
    ] = None,
    source: Annotated[list[Path] | None, typer.Option("--from", help="folders or files of records; default reports/evidence")] = None,
    passes: Annotated[str, typer.Option("--passes-in", metavar="FILTER", help="with --fails-in: passes in these cells")] = "",
    fails: Annotated[str, typer.Option("--fails-in", metavar="FILTER", help="and fails in those")] = "",
    expected_for: Annotated[int | None, typer.Option(metavar="DAYS", help="failed as expected for more than so many days")] = None,
    never_ran: Annotated[bool, typer.Option("--never-ran", help="cells that ran nowhere, checks that no cell answered")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a collection: which cells and checks are as a filter says, what passes here and fails there, what never ran anywhere."""
    from .. import query as queries
    from ..provenance import suite_sha256

    now, wanted = datetime.now(UTC), " ".join(asked or ["*"])
    if bool(passes) != bool(fails):
        raise Problem("--passes-in and --fails-in belong together", where="report query",
                      next="slowfast-verify report query --passes-in 'os=linux' --fails-in 'os=windows'")  # fmt: skip
    with _collection(source) as found:
        if passes:
            answers: Iterable[object] = queries.passes_and_fails(found, passes, fails, now)
        elif never_ran:
            from ..matrix import default

            cells, checks = queries.never_ran(found, [cell.id for cell in default().select("*") if queries.fits(cell.id, wanted, now)])
            answers = [{"cell": cell} for cell in cells] + [{"check": check} for check in checks]
        elif expected_for is not None:
            answers = queries.expected_for(found, expected_for, now, wanted)
        else:
            answers = queries.search(found, wanted, now, suite_sha256())
        _print(answers, as_json)


def _print(answers: Iterable[object], as_json: bool) -> None:
    from ..query import shown

    rows = [answer if isinstance(answer, dict) else answer.model_dump() for answer in answers]  # type: ignore[attr-defined]
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(shown(row))
    typer.echo(f"{len(rows)} found", err=True)


@app.command()
def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="junit, ctrf or markdown (a job's step summary)")],
    sources: Sources = None,
    output: Annotated[Path | None, typer.Option(help="the file to write; default standard output")] = None,
) -> None:
    """Write the newest record of each cell in a form that other tools read."""
    from ..atomic import write_chunks
    from ..formats.ctrf import ctrf
    from ..formats.junit import junit
    from ..formats.summary import summary

    if form not in FORMATS:
        raise Problem(f"there is no format {form!r}", where="report export", cause=did_you_mean(form, list(FORMATS)),
                      next=f"one of {', '.join(FORMATS)}")  # fmt: skip
    with _collection(sources) as found:
        newest = (held.record for held in found)
        pieces = junit(newest) if form == "junit" else ctrf(newest) if form == "ctrf" else iter([summary(found)])
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece.encode())
            sys.stdout.flush()
            return
        with _writing(output):
            write_chunks(output, (piece.encode() for piece in pieces))
        typer.echo(f"written: {output}", err=True)


@app.command()
def badges(
    sources: Sources = None,
    output: Annotated[Path, typer.Option(help="the folder to write them to")] = Path("badges"),
    goal: Annotated[str, typer.Option(help="the rung that a cell should reach")] = "demo",
) -> None:
    """Write an SVG badge for every cell and for every value of every axis."""
    from ..atomic import write_text
    from ..formats.badge import badges as made
    from ..provenance import suite_sha256
    from ..record import RUNGS

    if goal not in RUNGS:
        raise Problem(
            f"there is no rung {goal!r}", where="--goal", cause=did_you_mean(goal, list(RUNGS)), next=f"one of {', '.join(RUNGS)}"
        )
    with _collection(sources) as found, _writing(output):
        count = 0
        for name, text in made(found, datetime.now(UTC), goal, suite_sha256()):
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
            count += 1
        typer.echo(f"written: {count} badges to {output}")


@app.command()
def schema(
    check: Annotated[bool, typer.Option("--check", help="write nothing; fail if a schema is not what the models say")] = False,
) -> None:
    """Write the JSON Schemas of records and of the doctor's document from the models: reports/schema."""
    from ..schema import drifted, write_all

    folder = layout.root() / "reports" / "schema"
    if check:
        if names := drifted(folder):
            raise Problem("a schema is not what the models say", where=f"{folder}: {', '.join(names)}",
                          cause="a model changed: a key that is new, gone or of another type needs a new schema number as well",
                          next="slowfast-verify report schema", code=PROBLEMS_FOUND)  # fmt: skip
        return
    typer.echo("\n".join(f"written: {path}" for path in write_all(folder)))


@contextmanager
def _collection(sources: list[Path] | None) -> Iterator[Collection]:
    """The records of these places, with what was refused told on standard error."""
    from ..collection import Collection

    with Collection.of(sources or [layout.kept() / "evidence"]) as found:
        _tell_refused(found.refused)
        yield found


def _tell_refused(refused: Iterable[Refused]) -> None:
    from ..harmless import line

    for item in refused:
        typer.echo(f"refused: {line(item.where)}: {line(item.why)}", err=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if no_room(error):
            raise Infrastructure("that cannot be written: the disk is full", where=f"{path}: {error.strerror}",
                                 cause="what was there before is as it was", next="free space, or name another: --output",
                                 code=PROBLEMS_FOUND) from error  # fmt: skip
        raise Problem(
            "that cannot be written", where=f"{path}: {error.strerror}",
            cause="the folder does not exist, is read-only, or the disk is full", next="name another: --output",
        ) from error  # fmt: skip


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Problem(f"{text!r} is no date", where="--since", next="write it like 2026-11-20 or 2026-11-20T14:00") from None


def _until(items: Iterable[Record | Refused], last: datetime) -> Iterator[Record | Refused]:
    """What was there at that moment."""
    from ..reading import Refused, moment

    return (item for item in items if isinstance(item, Refused) or moment(item.run) <= last)
