"""Questions put to a collection: which cells and checks are as described. Records in, rows out; one cell in memory at a time.

Called by `slowfast-verify report query`; runs on the host. A filter is `key=value` terms with blanks between them, all of which must
hold: `os=linux python=3.8|3.10 outcome=failed`; a value may be a glob, and != means none of them. A term without = is a glob over names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from . import causes
from . import cell as cells
from .collection import Collection, Held, stale
from .errors import Problem, did_you_mean
from .harmless import line
from .reading import moment
from .record import ANSWERED, CheckResult, Frozen, Record

AXES = ("os", "arch", "python", "torch", "accelerator", "installer", "subject", "revision", "runner")
OF_CELL = ("cell", *AXES, "reached", "suite", "stale", "state")
OF_CHECK = ("check", "rung", "outcome", "cause", "phase", "type", "signal")


class Row(Frozen):
    """One answer: a cell, or a check in a cell. since: the first run of the row of runs that ended so. days: whole days since then."""

    cell: str
    run: str = ""
    outcome: str
    reached: str | None = None
    stale: str = ""
    check: str = ""
    rung: str = ""
    cause: str = ""
    since: str = ""
    days: int | None = None
    evidence: str = ""


class Difference(Frozen):
    """A check that passes wherever it was answered in one group of cells and fails in another."""

    check: str
    passes_in: list[str]
    fails_in: list[str]
    cause: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Term:
    """One condition of a filter."""

    key: str
    values: tuple[str, ...]
    wanted: bool = True

    def fits(self, value: str) -> bool:
        """Whether the value is as wanted. Brackets are part of a check's name: only * and ? are special."""
        return any(fnmatchcase(value, wanted.replace("[", "[[]")) for wanted in self.values) == self.wanted


class Filter:
    """A filter, read; raises Problem for a key that is none."""

    def __init__(self, text: str) -> None:
        terms = [_term(word) for word in text.split()] if "=" in text else [Term("cell", (text.strip() or "*",))]
        self.of_cell = [term for term in terms if term.key in OF_CELL]
        self.of_check = [term for term in terms if term.key in OF_CHECK]

    def takes(self, held: Held, now: datetime, suite: str = "") -> bool:
        """Whether the cell is as described."""
        return all(term.fits(_of_cell(held, term.key, now, suite)) for term in self.of_cell)

    def checks(self, record: Record) -> Iterator[CheckResult]:
        """The checks that are as described."""
        return (check for check in record.checks if all(term.fits(_of_check(check, term.key)) for term in self.of_check))


def _term(word: str) -> Term:
    key, mark, value = word.partition("=")
    if not mark:
        return Term("cell", (word,))
    wanted = not key.endswith("!")
    key = key.removesuffix("!")
    if key not in (*OF_CELL, *OF_CHECK):
        raise Problem(f"there is no key {key!r} to filter by", where=f"the filter {word!r}",
                      cause=did_you_mean(key, [*OF_CELL, *OF_CHECK]) or f"the keys are {', '.join((*OF_CELL, *OF_CHECK))}",
                      next="slowfast-verify report query RECORDS 'os=linux outcome=failed'")  # fmt: skip
    return Term(key, tuple(value.split("|")), wanted)


@cache
def axes_of(name: str) -> dict[str, str]:
    """The axes that a cell's name tells, `runner` among them; none for somebody's own environment."""
    id_, plus, runner = name.rpartition("+")
    try:
        cell = cells.parse(id_ if plus else name)
    except Problem:
        return {}
    return {axis: getattr(cell, axis) for axis in AXES if axis != "runner"} | {"runner": runner if plus else "native"}


def _of_cell(held: Held, key: str, now: datetime, suite: str) -> str:
    if key in AXES:
        return axes_of(held.cell).get(key, "")
    record = held.standing or held.record
    if key == "stale":
        return stale(record, now, suite) or "no"
    return {"cell": held.cell, "reached": record.reached() or "nothing", "suite": record.suite, "state": held.record.outcome()}[key]


def _of_check(check: CheckResult, key: str) -> str:
    if key == "cause":
        return check.knowledge or ""
    if key in ("type", "signal"):
        return str(getattr(check.failure, key) or "") if check.failure else ""
    return str({"check": check.id, "rung": check.rung, "outcome": check.outcome, "phase": check.phase or ""}[key])


def search(found: Collection, wanted: str, now: datetime, suite: str = "") -> Iterator[Row]:
    """Cells as described; where the filter speaks of checks, the checks of their newest runs."""
    asked = Filter(wanted)
    for held in found:
        if not asked.takes(held, now, suite):
            continue
        record, old = held.record, stale(held.standing or held.record, now, suite)
        if not asked.of_check:
            standing = held.standing or record
            yield Row(cell=held.cell, run=record.run, outcome=record.outcome(), reached=standing.reached(), stale=old)
        for check in asked.checks(record) if asked.of_check else ():
            yield row_of(held, record, check, now, old)


def row_of(held: Held, record: Record, check: CheckResult, now: datetime, old: str) -> Row:
    """One check of one cell as an answer."""
    since = held.since(check)
    return Row(cell=held.cell, run=record.run, outcome=check.outcome, stale=old, check=check.id, rung=check.rung, since=since,
               cause=check.knowledge or "", days=(now - moment(since)).days,
               evidence="" if check.outcome == "passed" else causes.sentence(check))  # fmt: skip


def expected_for(found: Collection, days: int, now: datetime, wanted: str = "*") -> Iterator[Row]:
    """Checks that have failed as expected, for the same cause, for more than so many days: somebody should mend them, or say why not."""
    asked = Filter(wanted)
    for held in found:
        record = held.standing
        if record is None or not asked.takes(held, now):
            continue
        for check in asked.checks(record):
            if check.outcome == "failed as expected" and now - moment(held.since(check)) > timedelta(days=days):
                yield row_of(held, record, check, now, stale(record, now))


def passes_and_fails(found: Collection, passes: str, fails: str, now: datetime) -> list[Difference]:
    """Checks that pass wherever they were answered in the cells of one filter, and fail in cells of the other."""
    left, right = Filter(passes), Filter(fails)
    passed: dict[str, list[str]] = {}
    spoilt: set[str] = set()
    failed: dict[str, tuple[CheckResult, list[str]]] = {}
    for held in found:
        record = held.standing
        if record is None:
            continue
        if left.takes(held, now):
            for check in left.checks(record):
                if check.outcome == "passed":
                    passed.setdefault(check.id, []).append(held.cell)
                elif check.outcome in ANSWERED:
                    spoilt.add(check.id)
        if right.takes(held, now):
            for check in right.checks(record):
                if check.outcome in ANSWERED and check.outcome != "passed":
                    failed.setdefault(check.id, (check, []))[1].append(held.cell)
    return [
        Difference(check=name, passes_in=passed[name], fails_in=where, cause=check.knowledge or "", evidence=causes.sentence(check))
        for name, (check, where) in sorted(failed.items())
        if name in passed and name not in spoilt
    ]


def never_ran(found: Collection, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """(cells of `known` about which no run says anything, checks that no cell has answered)."""
    ran: set[str] = set()
    answered: set[str] = set()
    asked: set[str] = set()
    for held in found:
        asked |= {check.id for check in held.record.checks}
        if held.standing:
            ran.add(held.cell.rpartition("+")[0] or held.cell)
            answered |= {check.id for check in held.standing.checks if check.outcome in ANSWERED}
    return sorted(set(known) - ran), sorted(asked - answered)


def fits(cell: str, wanted: str, now: datetime) -> bool:
    """Whether a cell of which nothing is known but its name is as described; what only a run could tell fits nothing."""
    empty = Record(cell=cell, run="1970-01-01T00:00:00Z-never", suite="", target={}, checks=[])
    return Filter(wanted).takes(Held(record=empty, standing=None), now)


def shown(row: dict[str, Any]) -> str:
    """An answer in one line."""
    if "passes_in" in row:
        cause = f" [{row['cause']}]" if row["cause"] else ""
        return f"{line(row['check'])}: passes in {len(row['passes_in'])}, fails in {', '.join(row['fails_in'])}{cause}\n  {row['evidence']}"
    if "outcome" not in row:
        return f"{'cell' if 'cell' in row else 'check'} {line(row.get('cell') or row['check'])}"
    parts = [row["cell"], line(row["check"]), row["outcome"]]
    parts += [f"reached {row['reached'] or 'nothing'}"] if not row["check"] else []
    parts += [f"[{line(row['cause'])}]"] if row["cause"] else []
    parts += [f"since {row['since'][:10]} ({row['days']} days)"] if row["since"] else [f"run {row['run'][:10]}"]
    parts += [f"stale: {row['stale']}"] if row["stale"] else []
    return "  ".join(part for part in parts if part)
