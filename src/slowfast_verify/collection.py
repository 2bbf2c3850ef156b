"""Many records as one collection: merged by cell and run, one cell in memory at a time. Records in, records out.

On disk a collection is JSON Lines: one record a line, whole, sorted by cell and run, then one line for each thing that was refused.
Whole runs are kept, so merging is a union of sets: the order, the grouping and a second time make no difference. Runs on the host;
called by the `report` commands, the dashboard and the formats. Never imports what makes records.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from .atomic import write_chunks
from .errors import Problem
from .reading import Refused, line, moment, read
from .record import CheckResult, Frozen, Record

STALE_DAYS = 30


class Past(Frozen):
    """An older run of a cell, in short. unlike: {check: (outcome, known failure)} of every check that did not simply pass."""

    run: str
    suite: str
    outcome: str
    reached: str | None
    unlike: dict[str, tuple[str, str | None]]
    checks: frozenset[str]


class Held(Frozen):
    """What a collection knows of one cell. record: the newest run. history: the older ones, the newest first.

    standing: the newest run that says anything about the cell, None if none does: an outage or a machine that could verify nothing
    takes away no verdict.
    """

    record: Record
    standing: Record | None
    history: tuple[Past, ...] = ()

    @property
    def cell(self) -> str:
        """Its name."""
        return self.record.cell

    def since(self, check: CheckResult) -> str:
        """The first run of the unbroken row of runs, up to the newest, in which this check ended as it did, for the same cause.

        Runs that did not answer it are passed over.
        """
        begun = (self.standing or self.record).run
        for past in self.history:
            if check.id not in past.checks:
                continue
            outcome, cause = past.unlike.get(check.id, ("passed", None))
            if outcome in ("infrastructure", "not verified"):
                continue
            if (outcome, cause) != (check.outcome, check.knowledge):
                break
            begun = past.run
        return begun


def past(record: Record) -> Past:
    """A run in short."""
    unlike = {check.id: (check.outcome, check.knowledge) for check in record.checks if check.outcome != "passed"}
    return Past(run=record.run, suite=record.suite, outcome=record.outcome(), reached=record.reached(),
                unlike=unlike, checks=frozenset(check.id for check in record.checks))  # fmt: skip


def stale(record: Record, now: datetime, suite_sha256: str = "") -> Literal["", "age", "suite"]:
    """Why a verdict is stale: `age` (over 30 days), `suite` (another asked other things), or empty. An unknown suite is no other one."""
    if now - moment(record.run) > timedelta(days=STALE_DAYS):
        return "age"
    return "suite" if suite_sha256 and record.suite_sha256 and record.suite_sha256 != suite_sha256 else ""


class Collection:
    """Records of many runs, one of each (cell, run), in the order of cells and runs, spooled to a temporary file.

    Iterating gives a Held for each cell; `refused` is what was not taken, each once, sorted. In memory lie a row of the index for each
    record and the runs of one cell. Use it in a `with`.
    """

    def __init__(self, items: Iterable[Record | Refused]) -> None:
        self._spool = tempfile.TemporaryFile(prefix="slowfast-verify-")  # noqa: SIM115 (open as long as this object)
        self._index: dict[tuple[str, str], tuple[tuple[str, str], int, int]] = {}  # {(cell, run): ((sha256, carried over), offset, length)}
        refused: set[Refused] = set()
        try:
            for item in items:
                refused |= {item} if isinstance(item, Refused) else self._take(item)
        except BaseException:
            self._spool.close()
            raise
        self.refused = sorted(refused, key=lambda item: (item.where, item.why, item.sha256))

    def _take(self, item: Record) -> set[Refused]:
        """Keep a record; returns what contradicts it.

        Of two records that call themselves the same run and say different things the one with the greater digest stays, wherever either
        came from. A verdict that a later run carried over is the same record: the latest notice of it stays.
        """
        text = line(item)
        said = line(item.model_copy(update={"carried_over": None})) if item.carried_over else text
        key, digest = (item.cell, item.run), hashlib.sha256(said).hexdigest()
        rank, there = (digest, item.carried_over or ""), self._index.get(key)
        if there is None or rank > there[0]:
            self._index[key] = (rank, self._spool.seek(0, os.SEEK_END), self._spool.write(text))
        if there is None or there[0][0] == digest:
            return set()
        why = "another record of the same run says something else"
        return {Refused(where=f"{item.cell} {item.run}", why=why, sha256=min(digest, there[0][0]))}

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Self:
        """The merge of everything that lies in these files and folders."""
        return cls(read(paths))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    @cached_property
    def _cells(self) -> dict[str, list[str]]:
        """{cell: its runs, the oldest first}."""
        found: dict[str, list[str]] = {}
        for cell, run in sorted(self._index):
            found.setdefault(cell, []).append(run)
        return found

    @property
    def cells(self) -> list[str]:
        """The names of the cells, sorted."""
        return list(self._cells)

    def __len__(self) -> int:
        """How many cells."""
        return len(self._cells)

    @property
    def runs(self) -> int:
        """How many records."""
        return len(self._index)

    def __iter__(self) -> Iterator[Held]:
        return map(self.held, self._cells)

    def held(self, cell: str) -> Held:
        """What is known of one cell; raises KeyError for one that is not there."""
        *older, newest = self._cells[cell]
        record = self._record(cell, newest)
        standing = record if record.answers() else None
        history = []
        for run in reversed(older):
            found = self._record(cell, run)
            standing = standing or (found if found.answers() else None)
            history.append(past(found))
        return Held(record=record, standing=standing, history=tuple(history))

    def _text(self, cell: str, run: str) -> bytes:
        _, offset, length = self._index[cell, run]
        self._spool.seek(offset)
        return self._spool.read(length)

    def _record(self, cell: str, run: str) -> Record:
        return Record.model_validate_json(self._text(cell, run))

    def lines(self) -> Iterator[bytes]:
        """The collection as it is written: every record, then everything refused, a line each."""
        for cell, runs in self._cells.items():
            yield from (self._text(cell, run) + b"\n" for run in runs)
        yield from (line(item) + b"\n" for item in self.refused)

    def write(self, path: Path) -> None:
        """Write it whole or not at all; raises Problem when the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_chunks(path, self.lines())
        except OSError as error:
            raise Problem(
                "the collection cannot be written", where=f"{path}: {error.strerror}",
                cause="the folder is read-only, belongs to somebody else, or the disk is full", next="name another file",
            ) from error  # fmt: skip
