"""Records in, tables out: what the terminal shows. Never imports what makes records.

Every number in what is printed here comes from records alone. COMPATIBILITY.md is made by compatibility.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import causes, knowledge
from . import record as records
from .causes import Cause, sentence
from .collection import Collection, Held
from .language import chosen, of
from .record import CheckResult, Record

TABLE_WIDTH = 150  # below it the table would cut its words off: one cell after another is told instead
#: outcome -> (word in a table, style). The word carries the meaning; the colour only repeats it.
WORD = {
    "passed": ("ok", "green"),
    "failed": ("FAIL", "bold red"),
    "failed as expected": ("known", "yellow"),
    "passed unexpectedly": ("STALE", "bold red"),
    "not verified": ("n/v", "dim"),
    "infrastructure": ("infra", "magenta"),
    "never run": ("-", "dim"),
    "stale": ("old", "dim"),
}
LEGEND = (
    "ok: every check passed · ok+n: passed, n checks not verified here · known: fails for a known cause, as expected · FAIL: fails · "
    "STALE: an expectation no longer comes true · infra: index, network or disk · n/v: not verified · -: never run"
)


def word_of(record: Record, rung: str) -> tuple[str, str]:
    """What a table shows for one rung: a word and its style. A rung with checks that were not verified is `ok+n`, not plain ok."""
    checks = [check for check in record.checks if check.rung == rung]
    outcome = records.worst(check.outcome for check in checks)
    word, style = WORD[outcome]
    if outcome == "not verified" and any(check.outcome == "passed" for check in checks):
        return f"ok+{sum(check.outcome == 'not verified' for check in checks)}", "cyan"
    if outcome in ("failed", "failed as expected"):
        return f"{word} {sum(check.outcome == outcome for check in checks)}/{len(checks)}", style
    return word, style


def load(folders: Iterable[Path]) -> tuple[list[Held], list[str]]:
    """What is known of each cell in the folders, and a sentence for each file that is no record."""
    with Collection.of(folders) as found:
        return list(found), [f"{item.where}: {item.why}" for item in found.refused]


def reproduce(record: Record, check: CheckResult) -> list[str]:
    """The commands that show the failure again: the whole cell, and this check alone."""
    return causes.reproduce(record.cell, check.id)


def carried_notice(record: Record) -> str:
    """What is said of a verdict that a later run kept, because nothing had changed."""
    return f"carried over from {record.run[:20]}: same inputs, same suite, same machine (--fresh climbs it again)"


def one_line(record: Record) -> str:
    """How far the cell got, and what stopped it, in one line."""
    words = [f"{rung} {word_of(record, rung)[0]}" for rung, outcome in record.rungs().items() if outcome != "never run"]
    first = record.first_cause()
    return ", ".join(words) + (f"; first cause: {sentence(first)}" if first else "")


def _table(shown: list[Record], rungs: list[str]) -> Table:
    """cell × rung, a word each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("cell", overflow="fold")
    short = {"environment": "environ.", "distributed": "distrib.", "checkpoint": "checkpt."}
    for rung in rungs:
        table.add_column(short.get(rung, rung), no_wrap=True)
    table.add_column("reached")
    for record in shown:
        table.add_row(record.cell, *(Text(*word_of(record, rung)) for rung in rungs), record.reached() or "nothing")
    return table


def print_summary(shown: list[Record], console: Console | None = None) -> None:
    """The table cell × rung, then each cause once with its cells, its fix and the commands that reproduce it."""
    console = console or Console()
    rungs = [rung for rung in knowledge.RUNGS if any(record.rungs()[rung] != "never run" for record in shown)]
    if console.width >= TABLE_WIDTH:
        console.print(_table(shown, rungs))
    else:
        for record in shown:
            console.print(f"{record.cell}: reached {record.reached() or 'nothing'}", highlight=False, markup=False, style="bold")
            words = [Text.assemble(f"{rung} ", word_of(record, rung)) for rung in rungs if record.rungs()[rung] != "never run"]
            console.print(Text("  ") + Text(" · ").join(words))
    console.print(Text(LEGEND, style="dim"))
    for record in shown:
        if record.carried_over:
            console.print(f"{record.cell}: {carried_notice(record)}", highlight=False, markup=False, style="dim")
    found = causes.gather(shown)
    expected = [cause for cause in found if cause.kind == "failed as expected"]
    if expected:
        console.print("\nfails as expected:", highlight=False)
    for cause in expected:
        where = f"{len(cause.cells)} cell{'s' if len(cause.cells) > 1 else ''}"
        console.print(f"  {cause.rung}: {_title(cause)} [{cause.id}] in {where}", highlight=False, markup=False)
    for cause in found:
        if cause.kind != "failed as expected":
            print_cause(cause, console)


def _title(cause: Cause) -> str:
    return of(chosen(), cause.title, cause.title_zh)


def print_cause(cause: Cause, console: Console) -> None:
    """One cause: what was printed, which known failure it is, in which cells, what mends it, and how to see it again."""
    word, style = WORD[cause.kind]
    console.print()
    console.print(Text.assemble((f"{word} ", style), f"at {cause.rung}: {cause.evidence}"))
    if cause.id:
        console.print(f"  known failure {cause.id}: {_title(cause)}", highlight=False, markup=False)
    console.print(f"  in: {', '.join(cause.cells)}", highlight=False, markup=False)
    for step in cause.fix:
        console.print(f"  fix: {step}", highlight=False, markup=False, soft_wrap=True)
    for command in causes.reproduce(next(iter(cause.cells)), cause.check):
        console.print(f"  again: {command}", highlight=False, markup=False, soft_wrap=True)
