"""What one run found in one target: the only source of every table, badge and page. Records in, records out.

Never imports observe, target or provision: a report can be made where nothing can be run.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from . import __version__
from .atomic import write_text
from .errors import PROBLEMS_FOUND, Infrastructure, Problem, no_room
from .harmless import STEERING
from .knowledge import RUNGS as RUNGS  # whoever reads records needs the order of the ladder
from .scrub import without_secrets

SCHEMA: Literal[2] = 2
Outcome = Literal["passed", "failed", "failed as expected", "passed unexpectedly", "not verified", "infrastructure", "never run", "stale"]
#: The worst first: what a parent with several children shows. Only `passed` is green.
SEVERITY: tuple[str, ...] = (
    "failed", "passed unexpectedly", "infrastructure", "failed as expected", "not verified", "stale", "never run", "passed",
)  # fmt: skip
RED = ("failed", "passed unexpectedly")
#: What answers the question that a run was made for; the others say that it stays open.
ANSWERED = ("passed", "failed", "failed as expected", "passed unexpectedly")
#: Where a check came to its end: while the environment was built, while the target was asked, while its facts were judged.
Phase = Literal["provision", "observe", "judge"]
MESSAGE_KEPT = 4000


def _told(value: Any) -> Any:
    """A text of a target's, without what would steer the terminal or turn the page that it is shown on."""
    return STEERING.sub("", value) if isinstance(value, str) else value


Told = Annotated[str, AfterValidator(_told)]


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
    type: Told | None = None
    message: Told = ""
    step: Told | None = None
    signal: Told | None = None
    stderr_tail: Told = ""


class CheckResult(Frozen):
    """One check in one target; id is `rung::name[parameter]`, seconds those of the observation it judges."""

    id: Told
    rung: str = Field(pattern=f"^(?:{'|'.join(RUNGS)})$")
    outcome: Outcome
    phase: Phase | None = None
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    failure: FailureDetail | None = None
    knowledge: str | None = None
    reason: Told | None = None


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


class Host(Frozen):
    """The machine that judged, without a name or a user: operating system, processor, Python; ci: which service lent it, or empty."""

    os: str
    machine: str
    python: str
    ci: str = ""


class Record(Frozen):
    """One run in one target. `target` holds facts about it (kind, python, libc, gpu, lock_sha256), nothing personal.

    run: `2026-11-23T10:04:11Z-3f9c`, when it ended (UTC) and a word drawn by lot. suite: the commit of the suite; suite_sha256: a digest
    of what it asks and judges, the same for commits that differ elsewhere; tool: name and version. Empty where an older tool wrote it.
    """

    schema_version: Literal[2] = Field(SCHEMA, alias="schema")
    cell: Annotated[str, Field(pattern=r"^\w[\w.@+-]*$", max_length=240)]  # it becomes a file's name, and comes out of files of others
    run: str
    suite: str
    suite_sha256: str = ""
    tool: str = ""
    host: Host | None = None
    target: dict[Told, Annotated[Any, AfterValidator(_told)]]
    installation: Installation | None = None
    checks: list[CheckResult]
    predictions: dict[str, list[tuple[str, float]]] | None = None  # {clip: [(label, probability) of each window]}
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    carried_over: str | None = None  # when a later run found nothing changed and kept this verdict; `run` stays the day of the verdict

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def rungs(self) -> dict[str, str]:
        """{rung: outcome}, each the worst of its checks; `never run` where there are none."""
        outcomes: dict[str, set[str]] = {rung: set() for rung in RUNGS}
        for check in self.checks:
            outcomes[check.rung].add(check.outcome)
        return {rung: worst(found) for rung, found in outcomes.items()}

    def outcome(self) -> str:
        """The run in one word: its worst check's."""
        return worst(check.outcome for check in self.checks)

    def answers(self) -> bool:
        """Whether the run says anything about the cell: something failed, or something was answered and no outage cut it short."""
        found = {check.outcome for check in self.checks}
        return bool(found & set(RED)) or ("infrastructure" not in found and bool(found & set(ANSWERED)))

    def tally(self) -> dict[str, int]:
        """{outcome: checks}, the worst first, without zeros."""
        found = [check.outcome for check in self.checks]
        return {outcome: found.count(outcome) for outcome in SEVERITY if outcome in found}

    def reached(self) -> str | None:
        """How far the cell got: the last rung of which a check passed, up to the first that is red or of which none passed.

        A rung whose checks all fail for a known cause stops the climb; one where some do (a broken config among a hundred) does not, and
        its word in every table says how many.
        """
        last = None
        some = {check.rung for check in self.checks if check.outcome == "passed"}
        for rung, outcome in self.rungs().items():
            passed = rung in some
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
    """Take paths of this machine, tokens and passwords out of a text; places: {path: the word that stands for it}.

    A path is known in each of its spellings: also as a Windows program under Wine writes it (`Z:\\home\\me`), quoted once more or not.
    """
    for path, word in sorted(places.items(), key=lambda item: -len(item[0])):
        if len(path) > 1:  # a home of "/" says nothing
            spelt = r"(?:/|\\{1,2})".join(re.escape(part) for part in re.split(r"[/\\]", path))
            text = re.sub(rf"(?:\b[A-Za-z]:)?{spelt}", word.replace("\\", r"\\"), text)
    return re.sub(r"/tmp/[\w.-]*(?:probe|pytest)[\w.-]*", "{tmp}", without_secrets(text))


def write(record: Record, folder: Path, lock: list[str] | None = None) -> Path:
    """Write a record whole or not at all, without secrets, its lock beside it; returns its path.

    Raises Problem where the folder cannot be written, Infrastructure where the disk is full.
    """
    if lock:
        write_beside(folder / f"{record.cell}.lock.txt", without_secrets("\n".join(lock)) + "\n", f"the record of {record.cell}")
    text = _without_secrets(record).model_dump_json(by_alias=True, indent=1, exclude_none=True)
    return write_beside(folder / f"{record.cell}.json", text + "\n", f"the record of {record.cell}")


def write_beside(path: Path, text: str, what: str = "") -> Path:
    """Write a file of the folder of records (a lock, a report), whole or not at all. Raises Problem as `write` does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        if no_room(error):
            raise Infrastructure(f"{what or path.name} cannot be written: the disk is full", where=f"{path.parent}: {error.strerror}",
                                 cause="what was there before is as it was; nothing half-written is left",
                                 next="free space (slowfast-verify clean), or name another place: SLOWFAST_VERIFY_REPORTS=DIR",
                                 code=PROBLEMS_FOUND) from error  # fmt: skip
        raise Problem(f"{what or path.name} cannot be written", where=f"{path.parent}: {error.strerror}",
                      cause="the folder is read-only, or belongs to somebody else",
                      next="make it writable, or name another: SLOWFAST_VERIFY_REPORTS=DIR") from error  # fmt: skip
    return path


def _without_secrets(record: Record) -> Record:
    """The last gate before a file that people publish: no token, no password, whoever printed it."""
    checks = []
    for check in record.checks:
        failure = check.failure
        if failure:
            told = {name: without_secrets(text) for name in ("message", "step", "stderr_tail") if (text := getattr(failure, name))}
            failure = failure.model_copy(update=told)
        checks.append(check.model_copy(update={"failure": failure, "reason": check.reason and without_secrets(check.reason)}))
    target = {key: without_secrets(value) if isinstance(value, str) else value for key, value in record.target.items()}
    return record.model_copy(update={"checks": checks, "target": target})


def read(path: Path) -> Record:
    """Read a record; raises Problem that names the file when it is none of ours, cut off, or of another version."""
    try:
        return parse(path.read_bytes())
    except (ValidationError, ValueError) as error:
        raise Problem(
            "not a record of this version",
            where=f"{path}: {told(error)}",
            next="take the file away, or write it again: slowfast-verify climb CELL",
        ) from None


def parse(text: bytes) -> Record:
    """A record from its JSON, of this schema or of an older one; raises ValueError (pydantic's included) for anything else."""
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        if not any(row["loc"] == ("schema",) for row in error.errors(include_input=False, include_url=False)):
            raise
    raw = from_json(text)
    number = raw.get("schema")
    if type(number) is not int or number not in UPGRADES:
        reads = ", ".join(map(str, [*UPGRADES, SCHEMA]))
        raise ValueError(f"its schema is {str(number)[:40]!r}, and slowfast-verify {__version__} reads {reads}")
    return Record.model_validate({**UPGRADES[number](raw), "schema": SCHEMA})


def told(error: ValueError) -> str:
    """The first thing that is wrong, in one line."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:200]} {first['msg']}".strip()


def _from_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 had no phases: they follow from the rung and from how a check failed."""

    def with_phase(check: Any) -> Any:
        if not isinstance(check, dict):
            return check  # the model says what is wrong with it
        failure = check.get("failure")
        how = failure.get("how") if isinstance(failure, dict) else "judged"
        phase = "judge" if how == "judged" and check.get("outcome") != "infrastructure" else "observe"
        return {**check, "phase": "provision" if check.get("rung") in ("resolve", "install") else phase}

    checks = raw.get("checks")
    return {**raw, "checks": [with_phase(check) for check in checks] if isinstance(checks, list) else checks}


#: {older schema: what makes the next one of it}. A schema that is in neither is refused by its number.
UPGRADES = {1: _from_1}


def lock_digest(lock: list[str]) -> str:
    """sha256 of a lock's lines."""
    return hashlib.sha256("\n".join(lock).encode()).hexdigest()
