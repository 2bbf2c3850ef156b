"""The Markdown of a job's step summary: what was reached where, each cause once, how to see it again. Records in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterable

from .. import causes
from ..collection import Held
from ..harmless import code
from ..record import SEVERITY

CELLS_SHOWN = 200
CAUSES_SHOWN = 50
IN_SHOWN = 20
SIGN = {"failed": "❌", "infrastructure": "🔌", "failed as expected": "☑️"}  # the words beside them say the same
HEAD = {
    "failed": "Failures", "infrastructure": "Infrastructure (says nothing about the cells)", "failed as expected": "Fails as expected"
}  # fmt: skip


def summary(found: Iterable[Held]) -> str:
    """One table, then the causes. A service cuts a summary at one megabyte: what is left out is counted."""
    shown = list(found)
    lines = ["## slowfast-verify", "", *_table(shown)]
    everything = causes.gather(held.record for held in shown)
    for kind in causes.KINDS:
        group = [cause for cause in everything if cause.kind == kind]
        if group:
            lines += ["", f"### {HEAD[kind]}", ""]
        for cause in group[:CAUSES_SHOWN]:
            lines += _cause(cause)
        if len(group) > CAUSES_SHOWN:
            lines.append(f"- and {len(group) - CAUSES_SHOWN} more causes")
    return "\n".join(lines) + "\n"


def _table(shown: list[Held]) -> list[str]:
    lines = ["| cell | outcome | reached | checks | run |", "|---|---|---|---|---|"]
    worst_first = sorted(shown, key=lambda held: (SEVERITY.index(held.record.outcome()), held.cell))
    for held in worst_first[:CELLS_SHOWN]:
        record = held.record
        reached = (held.standing or record).reached() or "nothing"
        if held.standing and held.standing.run != record.run:
            reached += f" (verdict of {held.standing.run[:10]} stands)"
        counts = ", ".join(f"{count} {outcome}" for outcome, count in record.tally().items())
        lines.append(f"| {code(held.cell)} | {record.outcome()} | {reached} | {counts} | {record.run[:10]} |")
    if len(shown) > CELLS_SHOWN:
        lines.append(f"\n{len(shown) - CELLS_SHOWN} more cells, none of them worse than the last one above.")
    return lines if shown else ["No cell was run."]


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
