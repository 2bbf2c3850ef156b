"""What changed between two collections: newly red, newly green, another cause, no longer run. Records in, changes out.

Called by `slowfast-verify report diff`; runs on the host; holds the runs of one cell at a time. An outage is none of the four: it says
nothing about a cell, and is told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from . import causes
from .collection import Collection
from .record import ANSWERED, RED, CheckResult, Frozen, Record

Kind = Literal["newly red", "newly green", "changed cause", "no longer run", "infrastructure", "new"]
KINDS: tuple[Kind, ...] = ("newly red", "changed cause", "no longer run", "infrastructure", "newly green", "new")


class Change(Frozen):
    """What became of one check of a cell (check empty: of the whole cell). before, after: outcomes. cause: what it stands for now."""

    kind: Kind
    cell: str
    check: str = ""
    rung: str = ""
    before: str
    after: str
    cause_before: str = ""
    cause: str = ""
    evidence: str = ""


def changes(before: Collection, after: Collection) -> Iterator[Change]:
    """Every change, cell by cell. Compared are the newest runs that say anything about a cell."""
    was, now = set(before.cells), set(after.cells)
    for cell in sorted(was | now):
        old = before.held(cell).standing if cell in was else None
        if cell not in now:
            if old:
                yield Change(kind="no longer run", cell=cell, before=old.outcome(), after="never run")
            continue
        held = after.held(cell)
        if held.standing is None or held.standing.run != held.record.run:
            yield from _silent(cell, old, held.record)
        elif old is None:
            yield Change(kind="new", cell=cell, before="never run", after=held.record.outcome())
            yield from _checks(cell, {}, held.record)
        elif old.run != held.record.run:
            yield from _checks(cell, {check.id: check for check in old.checks}, held.record)


def _silent(cell: str, old: Record | None, new: Record) -> Iterator[Change]:
    """The newest run says nothing about the cell: an outage, or nothing there could be verified."""
    outages = [check for check in new.checks if check.outcome == "infrastructure"]
    said = old.outcome() if old else "never run"
    if outages:
        yield Change(kind="infrastructure", cell=cell, check=outages[0].id, rung=outages[0].rung, before=said, after="infrastructure",
                     evidence=causes.sentence(outages[0]))  # fmt: skip
    elif old:
        yield Change(kind="no longer run", cell=cell, before=said, after=new.outcome(),
                     evidence=next((causes.sentence(check) for check in new.checks), ""))  # fmt: skip


def _checks(cell: str, old: dict[str, CheckResult], new: Record) -> Iterator[Change]:
    there = set()
    for check in new.checks:
        there.add(check.id)
        kind = _kind(old.get(check.id), check)
        if kind:
            yield _change(kind, cell, old.get(check.id), check)
    for name, gone in old.items():
        if name not in there and gone.outcome in ANSWERED:
            yield Change(kind="no longer run", cell=cell, check=name, rung=gone.rung, before=gone.outcome, after="never run",
                         cause_before=gone.knowledge or "")  # fmt: skip


def _kind(was: CheckResult | None, now: CheckResult) -> Kind | None:
    before = was.outcome if was else "never run"
    if now.outcome in RED and before not in RED:
        return "newly red"
    if now.outcome == "passed" and before in (*RED, "failed as expected"):
        return "newly green"
    if was and before in ANSWERED and now.outcome not in ANSWERED:
        return "infrastructure" if now.outcome == "infrastructure" else "no longer run"
    fails = (*RED, "failed as expected")
    if was and before in fails and now.outcome in fails and (causes.mark(was), before) != (causes.mark(now), now.outcome):
        return "changed cause"
    return None


def _change(kind: Kind, cell: str, was: CheckResult | None, now: CheckResult) -> Change:
    return Change(
        kind=kind, cell=cell, check=now.id, rung=now.rung, before=was.outcome if was else "never run", after=now.outcome,
        cause_before=(was.knowledge or "") if was else "", cause=now.knowledge or "",
        evidence="" if now.outcome == "passed" else causes.sentence(now),
    )  # fmt: skip


def told(found: list[Change]) -> Iterator[str]:
    """The changes in lines: each kind, in it each cause or check once, with its cells."""
    for kind in KINDS:
        rows = [change for change in found if change.kind == kind]
        if not rows:
            continue
        yield f"{kind}: {len({row.cell for row in rows})} cells"
        groups: dict[tuple[str, str, str], list[Change]] = {}
        for row in rows:
            groups.setdefault((row.check, row.cause or row.cause_before, row.after), []).append(row)
        for (check, cause, after), same in sorted(groups.items(), key=lambda item: -len(item[1])):
            first = same[0]
            about = f"{check or 'the whole cell'}: {first.before} -> {after}" + (f" [{cause}]" if cause else "")
            yield f"  {about}"
            if first.evidence:
                yield f"    {first.evidence}"
            if cause and kind in ("newly red", "changed cause"):
                yield from (f"    fix: {step}" for step in causes.fix_of(causes.described(cause)))
            yield f"    in: {', '.join(sorted({row.cell for row in same}))}"
