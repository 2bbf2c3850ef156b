"""The Markdown of a job's step summary: what was reached where, each cause once, how to see it again. Records in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .. import causes
from ..collection import Held
from ..harmless import code
from ..record import SEVERITY, Record

CELLS_SHOWN = 200
CAUSES_SHOWN = 50
IN_SHOWN = 20
SIGN = {"failed": "❌", "infrastructure": "🔌", "failed as expected": "☑️"}  # the words beside them say the same
HEAD = {
    "failed": "Failures", "infrastructure": "Infrastructure (says nothing about the cells)", "failed as expected": "Fails as expected"
}  # fmt: skip


def summary(found: Iterable[Held]) -> str:
    """One table, then the causes. A service cuts a summary at one megabyte: what is left out is counted."""
    rows: list[tuple[int, str, str]] = []

    def passing() -> Iterator[Record]:
        for held in found:
            rows.append((SEVERITY.index(held.record.outcome()), held.cell, _row(held)))
            yield held.record

    everything = causes.gather(passing())  # one cell in memory at a time
    lines = ["## slowfast-verify", "", *_table([row for _, _, row in sorted(rows)])]
    for kind in causes.KINDS:
        group = [cause for cause in everything if cause.kind == kind]
        if group:
            lines += ["", f"### {HEAD[kind]}", ""]
        for cause in group[:CAUSES_SHOWN]:
            lines += _cause(cause)
        if len(group) > CAUSES_SHOWN:
            lines.append(f"- and {len(group) - CAUSES_SHOWN} more causes")
    return "\n".join(lines) + "\n"


def _table(rows: list[str]) -> list[str]:
    """The worst first."""
    if not rows:
        return ["No cell was run."]
    more = f"\n{len(rows) - CELLS_SHOWN} more cells, none of them worse than the last one above."
    return ["| cell | outcome | reached | checks | run |", "|---|---|---|---|---|", *rows[:CELLS_SHOWN],
            *([more] if len(rows) > CELLS_SHOWN else [])]  # fmt: skip


def _row(held: Held) -> str:
    record = held.record
    reached = (held.standing or record).reached() or "nothing"
    if held.standing and held.standing.run != record.run:
        reached += f" (verdict of {held.standing.run[:10]} stands)"
    counts = ", ".join(f"{count} {outcome}" for outcome, count in record.tally().items())
    return f"| {code(held.cell)} | {record.outcome()} | {reached} | {counts} | {record.run[:10]} |"


def _cause(cause: causes.Cause) -> list[str]:
    name = f" — {cause.title} (`{cause.id}`)" if causes.described(cause.id) else f" — {code(cause.id)}" if cause.id else ""
    lines = [f"- {SIGN[cause.kind]} **{cause.kind}** at {cause.rung}{name}", f"  - {code(cause.evidence)}"]
    lines += [f"  - fix: {code(step)}" for step in cause.fix]
    cells = list(cause.cells)
    more = f" and {len(cells) - IN_SHOWN} more" if len(cells) > IN_SHOWN else ""
    lines.append(f"  - in {', '.join(map(code, cells[:IN_SHOWN]))}{more}")
    if cause.kind == "failed":
        lines += [f"  - again: {code(command)}" for command in causes.reproduce(cells[0], cause.check)]
    return lines
