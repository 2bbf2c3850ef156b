"""Records in, tables out: the terminal's summary and COMPATIBILITY.md. Never imports what makes records.

Every number in what is written here comes from records alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import knowledge
from . import record as records
from .errors import Problem
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


def load(folders: Iterable[Path]) -> tuple[list[Record], list[str]]:
    """The newest record of each cell in the folders, and a sentence for each file that is none."""
    newest: dict[str, Record] = {}
    complaints = []
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                found = records.read(path)
            except Problem as problem:
                complaints.append(str(problem))
                continue
            if found.cell not in newest or newest[found.cell].run < found.run:
                newest[found.cell] = found
    return sorted(newest.values(), key=lambda r: r.cell), complaints


def causes(shown: Iterable[Record]) -> list[tuple[CheckResult, list[str]]]:
    """Each unexpected first cause once, with the cells that it stops, the most frequent first."""
    grouped: dict[tuple[str, str], tuple[CheckResult, list[str]]] = {}
    for record in shown:
        first = record.first_cause()
        if first and first.outcome != "failed as expected":
            message = first.failure.message.split("\n")[0] if first.failure else first.reason or ""
            key = (first.knowledge or message, first.rung)
            grouped.setdefault(key, (first, []))[1].append(record.cell)
    return sorted(grouped.values(), key=lambda item: -len(item[1]))


def known_causes(shown: Iterable[Record]) -> list[tuple[str, str, dict[str, int]]]:
    """[(known failure, rung, {cell: checks that fail for it})] of what failed as expected, in the order of the ladder."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for record in shown:
        for check in record.checks:
            if check.outcome == "failed as expected" and check.knowledge:
                cells = found.setdefault((check.knowledge, check.rung), {})
                cells[record.cell] = cells.get(record.cell, 0) + 1
    ordered = sorted(found.items(), key=lambda item: (knowledge.RUNGS.index(item[0][1]), item[0][0]))
    return [(name, rung, cells) for (name, rung), cells in ordered]


def sentence(check: CheckResult) -> str:
    """One line: what failed, how, and the known failure that it is."""
    if check.failure is None:
        return f"{check.id}: {check.reason or check.outcome}"
    how = f"{check.failure.type}: " if check.failure.type and check.failure.how == "raised" else ""
    step = f" (while: {check.failure.step})" if check.failure.step else ""
    return f"{check.id}: {how}{(check.failure.message.strip() or check.failure.how).splitlines()[0][:300]}{step}"


def reproduce(record: Record, check: CheckResult) -> list[str]:
    """The two commands that show the failure again: the whole cell, and this check alone."""
    if record.cell.startswith("target-"):
        return []
    name = check.id.partition("::")[2].partition("[")[0]
    return [f'nox -s "matrix({record.cell})"', f"pytest tests/verify --cell '{record.cell}' -k {name}"]


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
    """The table cell × rung, then the first cause of each red with the commands that reproduce it."""
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
    expected = known_causes(shown)
    if expected:
        console.print("\nfails as expected:", highlight=False)
    for name, rung, counts in expected:
        where = f"{len(counts)} cell{'s' if len(counts) > 1 else ''}"
        console.print(f"  {rung}: {knowledge.known(name).title} [{name}] in {where}", highlight=False, markup=False)
    for check, stopped in causes(shown):
        record = next(r for r in shown if r.cell == stopped[0])
        console.print()
        word, style = WORD[check.outcome]
        console.print(Text.assemble((f"{word} ", style), f"at {check.rung}: {sentence(check)}"))
        if check.knowledge:
            console.print(f"  known failure {check.knowledge}: {knowledge.known(check.knowledge).title}", highlight=False, markup=False)
        console.print(f"  in: {', '.join(stopped)}", highlight=False, markup=False)
        for command in reproduce(record, check):
            console.print(f"  again: {command}", highlight=False, markup=False, soft_wrap=True)


def markdown(shown: list[Record]) -> str:
    """COMPATIBILITY.md: the table, what was run with what, and each first cause once."""
    rungs = [rung for rung in knowledge.RUNGS if any(record.rungs()[rung] != "never run" for record in shown)]
    lines = [
        "# Compatibility",
        "",
        "Written by `slowfast-verify report` from the records beside it; edit nothing here by hand.",
        "",
        f"{len(shown)} cells. {LEGEND}.",
        "",
        "| cell | " + " | ".join(rungs) + " | reached | date |",
        "|---" * (len(rungs) + 3) + "|",
    ]
    for record in shown:
        words = " | ".join(word_of(record, rung)[0] for rung in rungs)
        date = record.run[:10] + (", carried over" if record.carried_over else "")
        lines.append(f"| `{record.cell}` | {words} | {record.reached() or 'nothing'} | {date} |")
    lines += [
        "",
        "## What was installed",
        "",
        "| cell | Python | torch | torchvision | numpy | machine | workarounds | install s | verify s |",
        "|---" * 9 + "|",
    ]
    for record in shown:
        t, i = record.target, record.installation
        known = ", ".join(f"`{name}`" for name in i.workarounds) if i else ""
        lines.append(
            f"| `{record.cell}` | {t.get('python', '')} | {t.get('torch', '')} | {t.get('torchvision', '')} | {t.get('numpy', '')} "
            f"| {t.get('machine', '')} {t.get('libc', '')} | {known} | {i.seconds if i else ''} | {record.seconds} |"
        )
    lines += ["", "## Failures", ""]
    for check, stopped in causes(shown):
        title = f" — {knowledge.known(check.knowledge).title} (`{check.knowledge}`)" if check.knowledge else ""
        lines.append(f"- **{check.outcome}** at {check.rung}{title}")
        lines.append(f"  - `{sentence(check)}`".replace("\n", " "))
        lines += [f"  - in `{cell}`" for cell in stopped]
    if not causes(shown):
        lines.append("None that was not expected.")
    lines += ["", "## Fails as expected", "", "Each known cause once; the number is how many checks of the cell it explains.", ""]
    for name, rung, cells in known_causes(shown):
        lines.append(f"- {rung}: **{knowledge.known(name).title}** (`{name}`)")
        lines.append(f"  - {knowledge.known(name).explain.cause}")
        lines += [f"  - `{cell}`: {count}" for cell, count in cells.items()]
    lines += ["", "## Not verified", ""]
    reasons: dict[str, set[str]] = {}
    for record in shown:
        for check in record.checks:
            if check.outcome == "not verified":
                reasons.setdefault(check.reason or "no reason given", set()).add(check.id)
    lines += [
        f"- {reason}: {', '.join(f'`{name}`' for name in sorted(names)[:12])}{' …' if len(names) > 12 else ''}"
        for reason, names in sorted(reasons.items())
    ]
    return "\n".join(lines) + "\n"
