"""What went wrong in many records, each cause once: its cells, what it printed, what mends it. Records in, causes out.

Called by the tables, the formats and the `report` commands; runs on the host. Never imports what makes records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from . import knowledge
from .errors import Problem
from .harmless import line
from .instructions import steps
from .knowledge import KnownFailure
from .record import RED, CheckResult, Frozen, Record

Kind = Literal["failed", "infrastructure", "failed as expected"]
KINDS: tuple[Kind, ...] = ("failed", "infrastructure", "failed as expected")  # what needs somebody first
_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+")


class Cause(Frozen):
    """One cause. id: the known failure, or empty. cells: {cell: checks that fail for it}. evidence: one check, how it failed, in a line.

    check: the id of that check, in the first of the cells. fix: a command or a sentence each; empty where nobody knows one.
    """

    kind: Kind
    id: str
    title: str
    title_zh: str = ""
    cause: str
    rung: str
    check: str
    evidence: str
    cells: dict[str, int]
    fix: list[str]


@dataclass
class _Group:
    check: CheckResult
    cells: dict[str, int] = field(default_factory=dict)


def described(identifier: str | None) -> KnownFailure | None:
    """The known failure of that id; None where there is none of that name: a record may come from another version of the suite."""
    try:
        return knowledge.known(identifier) if identifier and _ID.fullmatch(identifier) else None
    except Problem:
        return None


def title_of(identifier: str) -> str:
    """A known failure's title, or its id where nothing here has that id."""
    found = described(identifier)
    return found.title if found else identifier


def sentence(check: CheckResult) -> str:
    """One line: what failed, how, and at which step."""
    if check.failure is None:
        return line(f"{check.id}: {line(check.reason or check.outcome)}", 600)
    how = f"{check.failure.type}: " if check.failure.type and check.failure.how == "raised" else ""
    step = f" (while: {check.failure.step})" if check.failure.step else ""
    return line(f"{check.id}: {how}{line(check.failure.message) or check.failure.how}{step}", 600)


def kind_of(check: CheckResult) -> Kind | None:
    """Which kind of cause a check speaks of; None for what is as it should be and for what could not be verified."""
    if check.outcome in RED:
        return "failed"
    return check.outcome if check.outcome in ("infrastructure", "failed as expected") else None


def mark(check: CheckResult) -> str:
    """What two failures of one cause have in common: the known failure, or what was said, its numbers aside."""
    if check.knowledge:
        return check.knowledge
    said = check.failure.message if check.failure else check.reason or ""
    kind = check.failure.type if check.failure else ""
    return f"{check.rung} {kind or ''} {_VARYING.sub('#', line(said))}"


def gather(records: Iterable[Record]) -> list[Cause]:
    """Each cause once: failures first, then outages, then what is expected; within these the most frequent first.

    Of failures that nobody knows, a record gives one a rung: the others mostly follow from it.
    """
    groups: dict[tuple[Kind, str, str], _Group] = {}
    for record in records:
        first: dict[tuple[Kind, str], str] = {}
        for check in record.checks:
            kind = kind_of(check)
            if kind is None:
                continue
            name = mark(check)
            if not check.knowledge and first.setdefault((kind, check.rung), name) != name:
                continue
            cells = groups.setdefault((kind, name, check.rung), _Group(check)).cells
            cells[record.cell] = cells.get(record.cell, 0) + 1
    found = [_cause(kind, group) for (kind, _, _), group in groups.items()]
    return sorted(found, key=lambda c: (KINDS.index(c.kind), -len(c.cells), knowledge.RUNGS.index(c.rung), c.id, c.evidence))


def _cause(kind: Kind, group: _Group) -> Cause:
    check, known = group.check, described(group.check.knowledge)
    return Cause(
        kind=kind, id=check.knowledge or "", title=known.title if known else line(check.knowledge or ""), rung=check.rung, check=check.id,
        title_zh=known.title_zh if known else "",
        cause=known.explain.cause if known else "", evidence=sentence(check), cells=group.cells, fix=fix_of(known),
    )  # fmt: skip


def fix_of(known: KnownFailure | None) -> list[str]:
    """What mends a known failure, a command or a sentence each, with the system or installer that it is for."""
    told = [step for action in known.fix for step in steps(action)] if known else []
    return [f"{step.text} ({step.for_})" if step.for_ else step.text for step in told]


def reproduce(cell: str, check: str) -> list[str]:
    """The two commands that show a failure again: the whole cell, and this check alone; none for somebody's own environment."""
    if cell.startswith("target-"):
        return []
    id_, _, runner = cell.rpartition("+")
    name = check.partition("::")[2].partition("[")[0]
    whole = id_ if id_ and "@" in id_ else cell  # `+wine` says how it ran; the cell's own name says where it runs again
    if id_ and runner == "docker":
        return [f"slowfast-verify climb {whole} --container"]
    if id_ and runner == "checkout":
        return [f"slowfast-verify climb {whole} --checkout DIR"]
    only = [f"pytest tests/verify --cell '{whole}' -k {name}"] if re.fullmatch(r"\w+", name, re.ASCII) else []
    return [f'nox -s "matrix({whole})"', *only]
