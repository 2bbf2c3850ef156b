"""What an examination found, as the doctor writes and reads it: one JSON document, stable under its schema number.

Runs on the host; made by examination.py, shown by told.py, mended by repair.py. Imports pydantic, action and the rungs.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .action import Action

SCHEMA = 2
#: healthy: nothing stands in SlowFast's way. problems: something does. not verified: nothing could be judged.
Word = Literal["healthy", "problems", "not verified"]


class Found(BaseModel):
    """Base of what is written as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Cause(Found):
    """One independent cause and what follows from it.

    id: the known failure, else the first check that shows the cause. evidence: the line that proves it. fix: what to do, a command or a
    sentence each, for this environment's own installer and this machine's own shell. actions: the same as steps that can be carried out;
    empty where only a person can mend it. checks: the checks that show the cause itself; consequences: those that fail because of it;
    unreached: those that were not put to the target because of it.
    title_zh, cause_zh, fix_zh: the same in Chinese, empty where nobody wrote it.
    """

    id: str
    known: bool = False
    rung: str
    title: str
    title_zh: str = ""
    cause: str
    cause_zh: str = ""
    evidence: str
    fix: list[str] = []
    fix_zh: list[str] = []
    actions: list[Action] = []
    checks: list[str] = []
    consequences: list[str] = []
    unreached: list[str] = []


class Note(Found):
    """What could hurt and stops nothing here; own: a fault of the subject's own code, in every environment."""

    id: str
    rung: str
    title: str
    evidence: str
    fix: list[str] = []
    fix_zh: list[str] = []
    checks: list[str] = []
    own: bool = False


class Unverified(Found):
    """Checks that could not be answered here, and why."""

    reason: str
    checks: list[str]


class Examination(Found):
    """The whole document. reached: the last rung without a cause, None where the first one has one; climbed: where it was told to end."""

    schema_version: int = Field(SCHEMA, alias="schema")
    suite: str = ""
    target: dict[str, Any]
    subject: str
    verdict: Word
    reached: str | None = None
    climbed: str = "train"
    seconds: float = 0.0
    rung_seconds: dict[str, float] = {}
    passed: int = 0
    causes: list[Cause] = []
    notes: list[Note] = []
    not_verified: list[Unverified] = []


def as_json(found: Examination) -> str:
    """The document as text: every key of ours is there, also where it is null; of an action only what it does."""
    raw = found.model_dump(mode="json", by_alias=True)
    for cause in raw["causes"]:
        cause["actions"] = [{key: value for key, value in action.items() if value} for action in cause["actions"]]
    return json.dumps(raw, indent=1, ensure_ascii=False)
