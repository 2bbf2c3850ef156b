"""Rows as columns, and what their pages show as compressed blocks: small enough for one file. Runs on the host; imports the models only.

What the front page needs (axes, standings, dates) is plain JSON, each column with its list of distinct values. What one cell's page
needs is packed with the details of its neighbours into blocks that the browser unpacks when somebody opens the page.
"""

from __future__ import annotations

import base64
import json
import zlib
from calendar import timegm
from collections.abc import Hashable, Iterable, Sequence
from time import strptime
from typing import Any

from ..record import RUNGS, CheckResult, Record
from ..report import reproduce
from .entries import AXES, Entry
from .standing import LETTERS, NEVER, STATES, Standing

BLOCK = 100  # rows
MESSAGE_SHOWN = 2000  # characters
TAIL_SHOWN = 1500
FACT_SHOWN = 300


class Distinct:
    """Values with a number each; the same value has the same number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        """The number of a value, which is a new one where the value is."""
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
        return found


class Tables:
    """What the details of all rows share: the ids of checks, which checks a run had, and texts."""

    def __init__(self) -> None:
        self.checks = Distinct()
        self.sets = Distinct()
        self.texts = Distinct()
        self.lines = Distinct()

    def detail(self, record: Record) -> dict[str, Any]:
        """What a cell's page shows of one run. A letter for each check, in order; only what did not pass is told in words."""
        found: dict[str, Any] = {
            "run": shown(record.run, FACT_SHOWN),
            "suite": shown(record.suite, FACT_SHOWN),
            "seconds": record.seconds,
            "checks": self.sets.number(tuple(self.checks.number((check.id, check.rung)) for check in record.checks)),
            "outcomes": "".join(LETTERS[check.outcome] for check in record.checks),
            "times": ",".join(_brief(check.seconds) for check in record.checks),
            "target": self.texts.number(json.dumps(_facts(record.target), ensure_ascii=False)),
        }
        told = {str(n): row for n, check in enumerate(record.checks) if (row := self._told(check))}
        if told:
            found["told"] = told
        again = commands_of(record)
        if again:
            found["again"] = again
        if record.installation:
            i = record.installation
            found["installed"] = [i.installer, i.seconds, i.step_seconds, i.workarounds, i.created]
        return found

    def _told(self, check: CheckResult) -> list[Any]:
        """[known failure, reason, how, type, message, step, signal, stderr], texts as numbers, cut behind the last that is there."""
        how = check.failure
        if check.outcome == "passed" and not how:
            return []
        parts: list[Any] = [check.knowledge or 0, check.reason or 0]
        if how:
            message = shown(how.message, MESSAGE_SHOWN)
            parts += [how.how, how.type or 0, message or 0, how.step or 0, how.signal or 0, tail(how.stderr_tail, TAIL_SHOWN) or 0]
        while parts and not parts[-1]:
            parts.pop()
        return [part and self.texts.number(shown(part, MESSAGE_SHOWN + 100)) + 1 for part in parts]

    def shared(self) -> dict[str, Any]:
        """The tables themselves."""
        return {"checks": self.checks.values, "sets": self.sets.values, "texts": self.texts.values, "lines": self.lines.values}


def columns(rows: Sequence[Entry], failures: Sequence[str]) -> dict[str, Any]:
    """The front page's part of all rows."""
    number = {name: index for index, name in enumerate(failures)}
    axes = {axis: Distinct() for axis in AXES}
    labels, ladders, fails = Distinct(), Distinct(), Distinct()
    ladders.number("-" * len(RUNGS))
    labels.number("")
    fails.number(())
    of: dict[str, list[int]] = {axis: [] for axis in AXES}
    kept: dict[str, list[Any]] = {
        key: [] for key in ("state", "reached", "stop", "cause", "when", "label", "ladder", "fails", "known", "open")
    }
    names, histories = {}, {}
    for index, row in enumerate(rows):
        for axis in AXES:
            of[axis].append(axes[axis].number(row.axes[axis]))
        if not row.axes["os"]:
            names[index] = row.name
        run, now = row.runs[row.verdict] if row.runs else (row.date, row.predicted)
        standing: Standing = now or NEVER
        kept["state"].append(STATES.index(standing.state))
        kept["reached"].append(_rung(standing.reached))
        kept["stop"].append(_rung(standing.stop))
        kept["cause"].append(number.get(standing.cause, -1))
        kept["when"].append(seconds_of(run))
        kept["label"].append(labels.number(row.label))
        kept["ladder"].append(ladders.number(standing.ladder))
        kept["fails"].append(fails.number(tuple(number[name] for name in standing.fails if name in number)))
        kept["known"].append(standing.known)
        kept["open"].append(standing.unverified)
        if len(row.runs) > 1:
            histories[index] = [_past(run, past, number) for run, past in row.runs]
    return {
        "rows": len(rows),
        "axes": {axis: [axes[axis].values, of[axis]] for axis in AXES},
        "names": names,
        "histories": histories,
        "labels": labels.values,
        "ladders": ladders.values,
        "sets": fails.values,
        **kept,
    }


def details(rows: Iterable[Entry], extras: Iterable[dict[str, Any]]) -> list[str]:
    """The blocks: for each row its runs that are told in full, and what `extras` adds to it (recipe, resolution)."""
    blocks, open_block = [], []
    for row, extra in zip(rows, extras, strict=True):
        open_block.append({"runs": row.kept, **extra} if row.kept or extra else 0)
        if len(open_block) == BLOCK:
            blocks.append(squeezed(open_block))
            open_block = []
    return [*blocks, squeezed(open_block)] if open_block else blocks


def commands_of(record: Record) -> list[str]:
    """The commands that show a run again: of its first cause; where nothing is wrong, of the last check that passed."""
    first = record.first_cause()
    passed = [check for check in record.checks if check.outcome == "passed"]
    check = first or (passed[-1] if passed else None)
    return reproduce(record, check) if check else []


def squeezed(value: Any) -> str:
    """A value as the text that DecompressionStream("deflate") and JSON.parse turn back into it."""
    return base64.b64encode(
        zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), 9)
    ).decode()


def seconds_of(run: str) -> int:
    """When a run was, in seconds of 1970, from its id (`2026-11-22T22:41:51Z-cee1`); 0 where the id tells no time."""
    try:
        return timegm(strptime(run[:20], "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0


def shown(text: str, limit: int) -> str:
    """A text of a record, cut where it is too long for a page; the record has all of it."""
    return text if len(text) <= limit else f"{text[:limit]}\n[... {len(text) - limit} more characters in the record]"


def tail(text: str, limit: int) -> str:
    """The end of a text: what a process said last."""
    return text if len(text) <= limit else f"[... {len(text) - limit} more characters in the record]\n{text[-limit:]}"


def _brief(seconds: float) -> str:
    """Seconds to the hundredth, without a superfluous zero."""
    return f"{seconds:.2f}".rstrip("0").rstrip(".").removeprefix("0") or "0"


def _facts(target: dict[str, Any]) -> dict[str, Any]:
    return {shown(str(key), 80): shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), FACT_SHOWN)
            for key, value in list(target.items())[:40]}  # fmt: skip


def _past(run: str, past: Standing, number: dict[str, int]) -> list[Any]:
    return [run, STATES.index(past.state), _rung(past.reached), _rung(past.stop), number.get(past.cause, -1)]


def _rung(name: str) -> int:
    return RUNGS.index(name) if name in RUNGS else -1
