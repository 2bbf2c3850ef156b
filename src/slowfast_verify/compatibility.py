"""Records in, COMPATIBILITY.md out. Never imports what makes records; every number in it comes from records alone.

The same records give the same text on every day: ages are told by the dashboard and by `slowfast-verify report query`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import knowledge
from .causes import Cause, gather
from .collection import Held
from .harmless import code, plain
from .record import Record
from .report import LEGEND, word_of

NAMES_SHOWN = 12


def markdown(shown: list[Held]) -> str:
    """The table, what was run with what, and each cause once with its cells and its fix."""
    rungs = [rung for rung in knowledge.RUNGS if any(held.record.rungs()[rung] != "never run" for held in shown)]
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
    for held in shown:
        words = " | ".join(word_of(held.record, rung)[0] for rung in rungs)
        date = held.record.run[:10] + (", carried over" if held.record.carried_over else "")
        lines.append(f"| `{held.cell}` | {words} | {_reached(held)} | {date} |")
    found = gather(held.record for held in shown)
    lines += [*_installed(shown), *_unexpected(found), *_outages(found), *_expected(found), *_unverified(held.record for held in shown)]
    return "\n".join(lines) + "\n"


def _reached(held: Held) -> str:
    """How far the cell got; where the newest run says nothing about it, what the last one said that did."""
    if held.standing is None or held.standing.run == held.record.run:
        return held.record.reached() or "nothing"
    return f"{held.standing.reached() or 'nothing'} ({held.standing.run[:10]})"


def _installed(shown: Iterable[Held]) -> Iterator[str]:
    yield from ("", "## What was installed", "")
    yield "| cell | Python | torch | torchvision | numpy | machine | workarounds | install s | verify s |"
    yield "|---" * 9 + "|"
    for record in (held.record for held in shown):
        t, i = record.target, record.installation
        known = ", ".join(code(name) for name in i.workarounds) if i else ""
        yield (
            f"| `{record.cell}` | {fact(t, 'python')} | {fact(t, 'torch')} | {fact(t, 'torchvision')} | {fact(t, 'numpy')} "
            f"| {fact(t, 'machine')} {fact(t, 'libc')} | {known} | {i.seconds if i else ''} | {record.seconds} |"
        )


def fact(facts: Mapping[str, Any], name: str) -> str:
    """A fact of the target in a table's cell."""
    return plain(str(facts.get(name, "")), 80)


def _unexpected(found: Iterable[Cause]) -> Iterator[str]:
    yield from ("", "## Failures", "")
    failed = [cause for cause in found if cause.kind == "failed"]
    for cause in failed:
        yield f"- **failed** at {cause.rung}" + (f" — {cause.title} (`{cause.id}`)" if cause.id else "")
        yield f"  - {code(cause.evidence)}"
        yield from (f"  - fix: {code(step)}" for step in cause.fix)
        yield from (f"  - in `{cell}`" for cell in cause.cells)
    if not failed:
        yield "None that was not expected."


def _outages(found: Iterable[Cause]) -> Iterator[str]:
    """Only where there is one: the index, the network or the disk, not the cells."""
    outages = [cause for cause in found if cause.kind == "infrastructure"]
    if outages:
        yield from ("", "## Infrastructure", "", "These say nothing about the cells; their last verdict stands.", "")
    for cause in outages:
        yield f"- {cause.rung}: {code(cause.evidence)}"
        yield from (f"  - in `{cell}`" for cell in cause.cells)


def _expected(found: Iterable[Cause]) -> Iterator[str]:
    yield from ("", "## Fails as expected", "", "Each known cause once; the number is how many checks of the cell it explains.", "")
    expected = [cause for cause in found if cause.kind == "failed as expected"]
    for cause in sorted(expected, key=lambda cause: (knowledge.RUNGS.index(cause.rung), cause.id)):
        yield f"- {cause.rung}: **{cause.title}** (`{cause.id}`)"
        yield f"  - {cause.cause}"
        yield from (f"  - fix: {code(step)}" for step in cause.fix)
        yield from (f"  - `{cell}`: {count}" for cell, count in cause.cells.items())


def _unverified(records: Iterable[Record]) -> Iterator[str]:
    yield from ("", "## Not verified", "")
    reasons: dict[str, set[str]] = {}
    for record in records:
        for check in record.checks:
            if check.outcome == "not verified":
                reasons.setdefault(check.reason or "no reason given", set()).add(check.id)
    for reason, names in sorted(reasons.items()):
        shown = ", ".join(code(name) for name in sorted(names)[:NAMES_SHOWN])
        yield f"- {plain(reason)}: {shown}{' …' if len(names) > NAMES_SHOWN else ''}"
