"""The `slowfast-verify` command. Reads arguments, calls one function, prints its result; a Problem is printed without a traceback."""

from __future__ import annotations

from . import own_path  # isort: skip (first of all: a random.py on PYTHONPATH must not stand for the standard library's here)

import io
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from . import __version__, layout
from .commands.bisect import bisect
from .commands.cells import cells
from .commands.gather import gather
from .commands.issues import issues
from .commands.new import app as new_app
from .commands.packages import packages
from .commands.recipe import recipe
from .commands.releases import releases
from .commands.report import app as report_app
from .commands.resolve import resolve
from .errors import HEALTHY, PROBLEMS_FOUND, TOOL_FAILED, Problem, no_room

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half the start-up, and the same on every code page and width
    help="Is this environment right for PySlowFast, and if not, why?",
)
INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def everywhere(
    lang: Annotated[str, typer.Option(metavar="en|zh", help="language; else SLOWFAST_VERIFY_LANG, else the locale")] = "",
    show_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="version and suite's revision")] = False,
) -> None:
    """Is this environment right for PySlowFast, and if not, why?"""
    if lang:
        from .language import ask_for

        ask_for(lang)


app.command()(recipe)
Globs = Annotated[list[str] | None, typer.Argument(help="globs over cell ids; none: the default selection")]


app.command()(releases)
app.command()(resolve)
app.command()(cells)
app.command()(gather)
app.command()(issues)


@app.command()
def plan(globs: Globs = None) -> None:
    """Say which cells would run here, what they cost, and which would be skipped and why; exit 4 if none can run."""
    from .planning import plan_of, print_plan

    rows = plan_of(globs)
    print_plan(rows)
    if not any(row.skipped is None for row in rows):
        raise Problem(
            "no cell can run on this machine",
            cause="; ".join(sorted({row.skipped or "" for row in rows})),
            next="slowfast-verify cells",
            code=4,
        )


@app.command()
def climb(
    cell: str,
    jobs: Annotated[int, typer.Option(help="batches put to the environment at a time")] = 2,
    evidence: Annotated[bool, typer.Option("--evidence", help="write the record to reports/evidence, which is kept")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="climb again where nothing has changed since the last verdict")] = False,
    container: Annotated[bool, typer.Option("--container", help="build it as an image, and climb in a container")] = False,
    base: Annotated[str, typer.Option(metavar="IMAGE", help="with --container: made from it; debootstrap:bookworm is made here")] = "",
    from_recipe: Annotated[bool, typer.Option("--recipe", help="by the commands that `slowfast-verify recipe` prints")] = False,
    checkout: Annotated[Path | None, typer.Option(metavar="DIR", help="with the code that this git checkout has committed")] = None,
) -> None:
    """Provision one cell, climb the ladder in it, write its record."""
    from . import report
    from .climb import climb as go
    from .matrix import default

    matrix = default()
    folder = layout.reports() / ("evidence" if evidence else "records")
    if base and not container:
        again = f"slowfast-verify climb {cell} --container --base {base}"
        raise Problem("--base is the base of a container's image", where="climb --base", next=again)
    if checkout and (container or from_recipe or evidence):
        raise Problem("--checkout replaces the code of an environment of the cache", where="climb --checkout",
                      next=f"slowfast-verify climb {cell} --checkout {checkout}")  # fmt: skip
    record, code = go(matrix.cell(cell), matrix, folder, jobs=jobs, container=container, base=base, fresh=fresh or evidence,
                      from_recipe=from_recipe, checkout=checkout)  # fmt: skip
    typer.echo(f"{cell}: {report.one_line(record)}")
    raise typer.Exit(code)


@app.command()
def compare(reference: Path, other: Path, tolerance: float = 1e-4) -> None:
    """Say where a record differs from another of the same versions: labels, probabilities, and how far it got."""
    from . import record as records
    from .agreement import differences

    found = differences(records.read(reference), records.read(other), tolerance)
    for line in found:
        typer.echo(line)
    typer.echo(f"{other.stem} {f'differs from {reference.stem}' if found else f'agrees with {reference.stem}'}")
    raise typer.Exit(PROBLEMS_FOUND if found else HEALTHY)


@app.command()
def verify(target: str, subject: str = "pyslowfast", config: str | None = None, checkpoint: str | None = None, jobs: int = 2) -> None:
    """Climb the ladder in an environment that exists; nothing is installed into it."""
    from rich.console import Console

    from . import report
    from .climb import verify_target

    record, code = verify_target(target, subject, config, checkpoint, jobs)
    report.print_summary([record], Console(width=None if sys.stdout.isatty() else 160))
    raise typer.Exit(code)


@app.command()
def sniff(files: list[Path]) -> None:
    """Tell what a checkpoint file really is, without unpickling it: torch zip or legacy, caffe2, HTML, LFS pointer, truncated, damaged."""
    from .sniff import sniff as look

    bad = False
    for file in files:
        found = look(file)
        bad |= found.verdict != "intact"
        typer.echo(f"{file}: {found.kind}, {found.verdict}: {found.detail}" + (f"\n  next: {found.advice}" if found.advice else ""))
    raise typer.Exit(PROBLEMS_FOUND if bad else HEALTHY)


@app.command()
def doctor(
    target: Annotated[str | None, typer.Argument(help="interpreter, folder, conda:NAME, docker:IMAGE ...; none: the active one")] = None,
    subject: Annotated[str, typer.Option(help="whose installation it is")] = "pyslowfast",
    rung: Annotated[str, typer.Option(help="climb no further: environment, imports, compute, distributed ... train")] = "train",
    config: Annotated[str | None, typer.Option(metavar="YAML", help="a SlowFast YAML of yours to check as well")] = None,
    checkpoint: Annotated[str | None, typer.Option(metavar="FILE", help="a checkpoint of yours to check as well")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of sentences")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="carry out the fixes, after asking; goes back if nothing improves")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the commands that --fix would run")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="with --fix: do not ask")] = False,
    share: Annotated[Path | None, typer.Option(metavar="FILE", help="write a report for a bug tracker: no names, paths, tokens")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="write the findings as SARIF 2.1.0, scrubbed like --share")] = None,
    from_report: Annotated[Path | None, typer.Option(metavar="FILE", help="tell what a shared report says; examine nothing")] = None,
) -> None:
    """Examine an environment that exists, name the one thing that is wrong and what mends it; installs nothing unless told to."""
    import time

    began = time.monotonic()
    from . import consultation

    if from_report is not None:
        if target or config or checkpoint or fix or dry_run or share or sarif:
            raise Problem(
                "--from-report only reads", where="doctor --from-report", next=f"slowfast-verify doctor --from-report {from_report}"
            )
        raise typer.Exit(consultation.exit_code(consultation.tell_again(from_report, as_json=as_json)))
    order = consultation.order_of(target, subject, rung, config, checkpoint, began)
    if fix or dry_run:
        from . import repair

        raise typer.Exit(repair.run(order, dry_run=dry_run, yes=yes, as_json=as_json))
    raise typer.Exit(consultation.exit_code(consultation.hold(order, as_json=as_json, share=share, sarif=sarif)))


@app.command()
def diagnose(
    logs: Annotated[list[str] | None, typer.Argument(metavar="[LOG...|-]", help="files of output; - or nothing: standard input")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a log, one a line")] = False,
    chinese: Annotated[bool, typer.Option("--zh", help="explain in Chinese")] = False,
) -> None:
    """Say what a log shows: cause, evidence, fix. Exit 1 if something was found, 0 if nothing is known about it."""
    from . import diagnosis, log
    from .language import chosen, of
    from .waiting import waiting

    if not logs and sys.stdin.isatty():
        raise Problem("no log was given", next="COMMAND 2>&1 | slowfast-verify diagnose -   or   slowfast-verify diagnose FILE", code=2)
    found, failed = False, None
    for name in logs or ["-"]:
        try:
            with waiting(of(chosen(chinese), f"reads {name}", f"正在读取 {name}")) if log.is_long(name) else nullcontext():
                held = log.read(name)
                answer = diagnosis.diagnose(held)
        except Problem as problem:  # the other logs are answered all the same
            failed = problem
            print(problem, file=sys.stderr)
            continue
        found |= bool(answer.diagnoses or answer.needs)
        if as_json:
            print(answer.as_json())
        else:
            print(
                (f"== {name}\n" if len(logs or []) > 1 else "")
                + (diagnosis.printed(answer, language=chosen(chinese)) if held.text.strip() else diagnosis.nothing_in_it(chosen(chinese)))
            )
    raise typer.Exit(failed.code if failed else PROBLEMS_FOUND if found else HEALTHY)


@app.command()
def explain(identifier: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Tell everything about one known failure."""
    from .explain import story
    from .language import chosen

    print(story(identifier, language=chosen()))


@app.command()
def fixtures(
    output: Annotated[Path | None, typer.Option(help="default: the fixtures folder itself")] = None, only: str | None = None
) -> None:
    """Make every fixture again from nothing, in the cell that the data names (about 15 minutes on two cores)."""
    from .making import make_fixtures

    raise typer.Exit(make_fixtures(output or layout.fixtures(), only))


@app.command()
def clean(everything: Annotated[bool, typer.Option("--all", help="those of the default selection too")] = False) -> None:
    """Take away environments that this suite built."""
    from .image import clean as remove_images
    from .matrix import default
    from .recipe_run import clean as remove_tried
    from .removal import clean as remove

    keep = set() if everything else {cell.id for cell in default().selection()}
    gone = [*remove(keep), *remove_images(keep), *remove_tried()]
    typer.echo("\n".join(gone) or "nothing to take away")


@app.command()
def version() -> None:
    """Print the version and the suite's revision."""
    from .provenance import suite_revision

    typer.echo(f"slowfast-verify {__version__} ({suite_revision()})")


app.command()(packages)
app.command()(bisect)
app.add_typer(report_app, name="report")
app.add_typer(new_app, name="new")


def main() -> None:
    """The console script: a Problem becomes its four lines and its exit code, an interrupt one line, anything else exit code 3."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # evidence in Chinese on a terminal that knows ASCII only
    assert own_path  # imported for what it does
    for stream in (sys.stdout, sys.stderr):  # a path that the terminal's encoding cannot show must not end the report
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)  # with this, typer returns the code of an Exit, and INTERRUPTED for Ctrl-C
        if code == INTERRUPTED:
            print("interrupted: nothing half-written was kept; run the same command again to go on", file=sys.stderr)
        sys.exit(code if isinstance(code, int) else HEALTHY)
    except Problem as problem:
        print(str(problem), file=sys.stderr)
        sys.exit(problem.code)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage error of click
            error.show()
            sys.exit(error.exit_code)
        if no_room(error):
            print(f"the disk is full\n  where: {error}\n  next: free space (slowfast-verify clean), run the same again", file=sys.stderr)
            sys.exit(PROBLEMS_FOUND)
        import traceback

        traceback.print_exc()
        print("  this is a fault of slowfast-verify itself: please report it with the lines above", file=sys.stderr)
        sys.exit(TOOL_FAILED)
