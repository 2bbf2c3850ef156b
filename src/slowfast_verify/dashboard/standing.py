"""Where a cell stands: one word for a run as a whole, one letter for each rung. Runs on the host; imports record and collection.

The words keep apart what must not be mixed: a rung that could not be looked at is never passed, an outage is neither green nor red, and
what was only resolved or predicted never ran.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .. import record as records
from ..collection import Past
from ..record import RUNGS, Record

#: What is said of a cell as a whole, the strongest first. `reached`: up to its last rung, with known failures or open checks.
STATES: tuple[str, ...] = (
    "passed", "reached", "known", "failed", "unexpected", "infrastructure", "unverified", "resolves", "predicted", "conflicts", "nowheel",
    "unresolved", "never",
)  # fmt: skip
RAN = STATES[:7]
#: States of which a percentage is made. An outage and what could not be looked at are in neither half of the fraction.
JUDGED = STATES[:5]
TOP = STATES[:2]
#: outcome -> letter of a check or of a whole rung.
LETTERS = {
    "passed": "p", "failed": "f", "failed as expected": "k", "passed unexpectedly": "u", "not verified": "n", "infrastructure": "i",
    "never run": "-", "stale": "s",
}  # fmt: skip
_OF_RESOLUTION = {"resolves": "resolves", "conflicts": "conflicts", "no wheel": "nowheel", "not verified": "unresolved"}


@dataclass(frozen=True)
class Standing:
    """One run (or one resolution) in short. reached, stop: rungs or "". ladder: a letter for each rung. cause: a known failure or "".

    fails: every known failure that the run met. known, unverified: how many checks failed as expected, and were not verified.
    """

    state: str
    reached: str
    stop: str
    ladder: str
    cause: str
    fails: tuple[str, ...]
    known: int
    unverified: int


def standing(record: Record) -> Standing:
    """Where a run left its cell."""
    return _of([(check.rung, check.outcome, check.knowledge or "") for check in record.checks], record.reached() or "")


def of_past(run: Past) -> Standing:
    """Where an older run had left its cell."""
    rows = ((name.partition("::")[0], *run.unlike.get(name, ("passed", None))) for name in sorted(run.checks))
    return _of([(rung, outcome, cause or "") for rung, outcome, cause in rows], run.reached or "")


def _of(rows: list[tuple[str, str, str]], reached: str) -> Standing:
    """rows: (rung, outcome, known failure) of each check."""
    by_rung: dict[str, Counter[str]] = {rung: Counter() for rung in RUNGS}
    for rung, outcome, _ in rows:
        by_rung[rung][outcome] += 1
    total = sum(by_rung.values(), Counter[str]())
    state, stop = _state(by_rung, [rung for rung in RUNGS if by_rung[rung]], reached, total)
    blamed = {"known": "failed as expected", "failed": "failed", "unexpected": "passed unexpectedly"}.get(state)
    cause = next((cause for rung, outcome, cause in rows if rung == stop and outcome == blamed), "")
    fails = tuple(sorted({cause for _, outcome, cause in rows if cause and outcome != "passed"}))
    letters = "".join(letter(by_rung[rung]) for rung in RUNGS)
    return Standing(state, reached, stop, letters, cause, fails, total["failed as expected"], total["not verified"])


def _state(by_rung: dict[str, Counter[str]], present: list[str], reached: str, total: Counter[str]) -> tuple[str, str]:
    for outcome, state in (("failed", "failed"), ("passed unexpectedly", "unexpected"), ("infrastructure", "infrastructure")):
        if total[outcome]:
            return state, next(rung for rung in present if by_rung[rung][outcome])
    for rung in present:
        if by_rung[rung]["failed as expected"] and not by_rung[rung]["passed"]:
            return "known", rung
    if not present or reached != present[-1]:
        after = present[present.index(reached) + 1 :] if reached else present
        return "unverified", after[0] if after else ""
    return ("passed" if set(+total) == {"passed"} else "reached"), ""


def letter(outcomes: Counter[str]) -> str:
    """One rung in one letter: its worst outcome; K or P where other checks of it passed and the rest fails as expected, or is open."""
    worst = records.worst(outcome for outcome, count in outcomes.items() if count)
    mixed = {"failed as expected": "K", "not verified": "P"}
    return mixed[worst] if worst in mixed and outcomes["passed"] else LETTERS[worst]


def of_resolution(verdict: str, predicted: Iterable[tuple[str, str]], survived: frozenset[str] = frozenset()) -> Standing:
    """Where a cell stands that was only resolved. predicted: (known failure, rung) of what it will meet, by its data.

    survived: those with which the same code reached the top elsewhere; they are told, and are no reason to expect a failure.
    """
    order = sorted(predicted, key=lambda row: RUNGS.index(row[1]) if row[1] in RUNGS else len(RUNGS))
    stopping = [row for row in order if row[0] not in survived]
    state = _OF_RESOLUTION.get(verdict, "unresolved")
    cause, stop = "", ""
    if state == "resolves" and stopping:
        state, (cause, stop) = "predicted", stopping[0]
    return Standing(state, "", stop, "-" * len(RUNGS), cause, tuple(sorted({name for name, _ in order})), 0, 0)


NEVER = Standing("never", "", "", "-" * len(RUNGS), "", (), 0, 0)
