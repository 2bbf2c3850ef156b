"""What one run found in one target: the only source of every table, badge and page. Records in, records out.

Never imports observe, target or provision: a report can be made where nothing can be run.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .atomic import write_text
from .errors import Problem
from .knowledge import RUNGS

SCHEMA = 1
Outcome = Literal["passed", "failed", "failed as expected", "passed unexpectedly", "not verified", "infrastructure", "never run", "stale"]
#: The worst first: what a parent with several children shows. Only `passed` is green.
SEVERITY: tuple[str, ...] = (
    "failed", "passed unexpectedly", "infrastructure", "failed as expected", "not verified", "stale", "never run", "passed",
)  # fmt: skip
RED = ("failed", "passed unexpectedly")
MESSAGE_KEPT = 4000


class Frozen(BaseModel):
    """Base of what is written as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Provisioned(Frozen):
    """An environment that stands: where, from which inputs, with which variables. Local to a machine, never part of a record."""

    cell: str
    inputs: str
    runner: str = "native"  # or the kind of emulator (matrices/emulators.toml), `docker`, or `recipe`: made by printed commands
    python: str
    env: str
    checkout: str | None
    variables: dict[str, str]
    opts: dict[str, str]
    workarounds: list[str]
    lock: list[str]
    created: str
    seconds: float
    step_seconds: dict[str, float]
    scripts: dict[str, str] | None = None
    reused: bool = False


class FailureDetail(Frozen):
    """How a check failed. how: raised, died, hung, memory, unreachable, or judged (the facts were not as they should be)."""

    how: str
    type: str | None = None
    message: str = ""
    step: str | None = None
    signal: str | None = None
    stderr_tail: str = ""


class CheckResult(Frozen):
    """One check in one target; id is `rung::name[parameter]`, seconds those of the observation it judges."""

    id: str
    rung: str
    outcome: Outcome
    seconds: float = 0.0
    failure: FailureDetail | None = None
    knowledge: str | None = None
    reason: str | None = None


class Installation(Frozen):
    """How the environment came to be: with what, which workarounds, and where the time went (seconds per step).

    scripts: {language: sha256 of its commands} where it was made by a recipe's printed commands (recipe.py).
    """

    installer: str
    workarounds: list[str]
    seconds: float
    step_seconds: dict[str, float]
    created: str
    scripts: dict[str, str] | None = None


class Record(Frozen):
    """One run in one target. `target` holds facts about it (kind, python, libc, gpu, lock_sha256), nothing personal."""

    schema_version: int = Field(SCHEMA, alias="schema")
    cell: str
    run: str
    suite: str
    target: dict[str, Any]
    installation: Installation | None = None
    checks: list[CheckResult]
    predictions: dict[str, list[tuple[str, float]]] | None = None  # {clip: [(label, probability) of each window]}
    seconds: float = 0.0

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def rungs(self) -> dict[str, str]:
        """{rung: outcome}, each the worst of its checks; `never run` where there are none."""
        return {rung: worst(check.outcome for check in self.checks if check.rung == rung) for rung in RUNGS}

    def reached(self) -> str | None:
        """How far the cell got: the last rung of which a check passed, up to the first that is red or of which none passed.

        A rung whose checks all fail for a known cause stops the climb; one where some do (a broken config among a hundred) does not, and
        its word in every table says how many.
        """
        last = None
        for rung, outcome in self.rungs().items():
            passed = any(check.rung == rung and check.outcome == "passed" for check in self.checks)
            if outcome in ("failed", "passed unexpectedly", "infrastructure") or (outcome == "failed as expected" and not passed):
                break
            if passed:
                last = rung
        return last

    def first_cause(self) -> CheckResult | None:
        """The first check, in the order of the ladder, that is not as it should be."""
        bad = [check for check in self.checks if check.outcome in ("failed", "passed unexpectedly", "infrastructure", "failed as expected")]
        unexpected = [check for check in bad if check.outcome != "failed as expected"] or bad
        return min(unexpected, key=lambda check: RUNGS.index(check.rung)) if unexpected else None


def name_of(cell: str, runner: str) -> str:
    """What a record of the cell is called: one that ran under an emulator never takes the place of a native one."""
    return cell if runner == "native" else f"{cell}+{runner}"


def worst(outcomes: Any) -> str:
    """The outcome that a parent shows: its worst child's; `never run` without children."""
    present = set(outcomes)
    return next((outcome for outcome in SEVERITY if outcome in present), "never run")


def scrub(text: str, places: dict[str, str]) -> str:
    """Take paths of this machine and passwords in addresses out of a text; places: {path: the word that stands for it}."""
    for path, word in sorted(places.items(), key=lambda item: -len(item[0])):
        if path:
            text = text.replace(path, word)
    text = re.sub(r"(?<=://)(?!git@)[^/\s@]+@", "***@", text)
    return re.sub(r"/tmp/[\w.-]*(?:probe|pytest)[\w.-]*", "{tmp}", text)


def write(record: Record, folder: Path) -> Path:
    """Write a record whole or not at all; returns its path. Raises Problem when the folder cannot be written."""
    path = folder / f"{record.cell}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, record.model_dump_json(by_alias=True, indent=1, exclude_none=True) + "\n")
    except OSError as error:
        raise Problem(
            f"the record of {record.cell} cannot be written",
            where=f"{folder}: {error.strerror}",
            cause="the folder is read-only, belongs to somebody else, or the disk is full",
            next="make it writable, or name another: SLOWFAST_VERIFY_REPORTS=DIR",
        ) from error
    return path


def read(path: Path) -> Record:
    """Read a record; raises Problem that names the file when it is none of ours, cut off, or of another version."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except (ValidationError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"msg": str(error), "loc": ()}
        raise Problem(
            "not a record of this version",
            where=f"{path}: {'.'.join(map(str, first['loc']))} {first['msg']}",
            next="take the file away, or write it again: slowfast-verify climb CELL",
        ) from None


def lock_digest(lock: list[str]) -> str:
    """sha256 of a lock's lines."""
    return hashlib.sha256("\n".join(lock).encode()).hexdigest()
