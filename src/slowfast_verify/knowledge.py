"""Known failures: signature, cause, fix, how to reproduce. Matches what was observed against them.

Runs on the host; called by the plugin (expectations, first causes), by provision (workarounds) and later by diagnose and doctor.
Imports pydantic, data, action, layout.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from . import layout
from .action import Action
from .data import Row, load
from .errors import Problem, did_you_mean
from .matching import Failure, matches, ranked

__all__ = ["RUNGS", "Failure", "KnownFailure", "Signature", "all_known", "diagnose", "known", "matches"]

RUNGS = ("resolve", "install", "environment", "imports", "compute", "distributed", "config", "checkpoint", "decode", "demo", "train")


class Signature(Row):
    """All given keys must match. type: the exception's name. message, text: regular expressions for the message, for anything said.

    signal: the name of the signal that ended the process. finding: the name of a check's finding.
    not_text: an expression that must not occur (a look-alike's words). Expressions are searched with ^ and $ at every line.
    unshown: why no text of this project shows the signature; a signature without it must match a text.
    """

    type: str | None = None
    message: str | None = None
    text: str | None = None
    not_text: str | None = None
    signal: str | None = None
    finding: str | None = None
    unshown: str = ""

    @field_validator("message", "text", "not_text")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value


class Explain(Row):
    """Why it happens, in English and in Chinese."""

    cause: str
    cause_zh: str


class Example(Row):
    """What the failure printed. origin: the run of ours that printed it, or `reported: owner/repository#number`."""

    text: str
    origin: str

    @property
    def ours(self) -> bool:
        """Whether a run of ours printed it."""
        return not self.origin.startswith("reported:")


class NearMiss(Row):
    """A text one step away from the failure. id: the known failure that it is, or empty where it is none."""

    text: str
    id: str = ""


class DeadEnd(Row):
    """What people try and what does not help, with the reason; the same in Chinese."""

    tried: str
    tried_zh: str = ""
    why: str
    why_zh: str = ""


class Witness(Row):
    """What shows a reproduced failure, and its absence once it is mended: exactly one of check, python and command.

    environment: the healthy environment that is broken (a name in matrices/loops.toml). check: glob over check ids, judged in the clone.
    python: a program for the clone's Python; command: an argv. Both end with another status than 0, or print what the signature matches.
    needs: what the machine must have (index, git, compiler). seconds: the time limit. by_hand: where the fix is advice, what following it
    means for this reproduction (download that file again, mend that line): the loop carries it out in the fix's place and says so.
    locales: further languages of the system (LC_ALL) in which the broken environment is looked at and what it says is diagnosed.
    """

    environment: str = "classic"
    check: str = ""
    python: str = ""
    command: list[str] = []
    needs: list[str] = []
    seconds: float = 120
    by_hand: list[Action] = []
    locales: list[str] = []

    @model_validator(mode="after")
    def _one(self) -> Witness:
        if sum(map(bool, (self.check, self.python, self.command))) != 1:
            raise ValueError("a witness has exactly one of check, python and command")
        return self


class Elsewhere(Row):
    """A second loop of a known failure, in another environment: what breaks it there, and what shows it."""

    reproduce: list[Action] = []
    witness: Witness


class KnownFailure(Row):
    """One known failure. Its id is the file's name.

    title, title_zh: what is wrong, in one sentence, in English and in Chinese (every key in _zh says the same as the one without).
    generic: a rule for a whole class of failures, which stands back where a specific one matches. consequence_of: known failures that
    bring this one about: where one of them matches as well, it comes first. applies: {axis or distribution: what must hold of it}, read
    by prediction.py; provided: what must be so beside that, which no version tells: such a failure is not predicted. unsure: what the
    signature cannot tell, and how to find out. unreproduced: why `reproduce` is empty: what a machine would need to show the failure.
    elsewhere: loops in other environments.
    """

    id: str = ""
    title: str
    title_zh: str
    rung: str
    seen_in: list[str] = []
    signature: list[Signature]
    generic: bool = False
    consequence_of: list[str] = []
    applies: dict[str, str] = Field(default_factory=dict)
    provided: str = ""
    explain: Explain
    unsure: str = ""
    unsure_zh: str = ""
    fix: list[Action] = []
    dead_end: list[DeadEnd] = []
    reproduce: list[Action] = []
    witness: Witness | None = None
    elsewhere: list[Elsewhere] = []
    unreproduced: str = ""
    example: Example | None = None
    near_miss: list[NearMiss] = []

    @field_validator("rung")
    @classmethod
    def _known_rung(cls, value: str) -> str:
        if value not in RUNGS:
            raise ValueError(f"{did_you_mean(value, list(RUNGS))}the rungs are {', '.join(RUNGS)}")
        return value


class Ask(Row):
    """What to ask where a log shows that something is wrong and not what: one fact that would decide between known failures.

    fact: the question. command: prints the answer (command_zh: where it is a sentence).
    between: the known failures that it decides between. knowledge/asks/, one file each.
    """

    id: str = ""
    fact: str
    fact_zh: str
    command: str
    command_zh: str = ""
    between: list[str]
    signature: list[Signature]
    example: Example


@cache
def all_asks(folder: Path | None = None) -> dict[str, Ask]:
    """{id: question}, by file name."""
    folder = folder or layout.knowledge() / "asks"
    return {path.stem: load(path, Ask).model_copy(update={"id": path.stem}) for path in sorted(folder.glob("*.toml"))}


@cache
def all_known(folder: Path | None = None) -> dict[str, KnownFailure]:
    """{id: known failure}, by file name."""
    folder = folder or layout.knowledge()
    return {path.stem: load(path, KnownFailure).model_copy(update={"id": path.stem}) for path in sorted(folder.glob("*.toml"))}


def known(identifier: str) -> KnownFailure:
    """The known failure of that id; raises Problem with the nearest id. Reads one file: reading all takes longer than a doctor may."""
    found = _one(identifier)
    if found is None:
        table = all_known()
        raise Problem(
            f"there is no known failure {identifier!r}",
            where=str(layout.knowledge()),
            cause=did_you_mean(identifier, list(table)) or "the file is missing",
            next=f"write knowledge/{identifier}.toml or mend the name",
        )
    return found


@cache
def _one(identifier: str) -> KnownFailure | None:
    path = layout.knowledge() / f"{identifier}.toml"
    return load(path, KnownFailure).model_copy(update={"id": identifier}) if path.is_file() else None


def diagnose(failure: Failure) -> str | None:
    """The id of the known failure that this is, or None: of all signatures that match, the one that says most."""
    from .index import index  # it is built from what this module reads

    table = index()
    found = ranked(table.candidates(table.known, failure), lambda row: row.rules, failure)
    return found[0].id if found else None
