"""Which questions are put to a target, and which of them share a process. Runs on the host; observes nothing itself.

Questions come from data: matrices/questions.toml (for every subject) and the `command` tables of a subject. A batch is put to the
target in one process; batches are independent, so that pytest-xdist may put two at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Literal

from pydantic import Field

from . import layout
from .cell import Cell, When
from .data import Row, load
from .question import Question
from .sniff import sniff
from .subject import Subject

Batch = Literal["environment", "imports", "demo"]
BATCHES: tuple[Batch, ...] = ("environment", "imports", "demo")


class AskedOfAll(Row):
    """A question for every subject (or for those of `subjects`); args may contain {fixtures}, {checkout}, {config}.

    seconds_under: {kind of target: its limit there, before its slowness is allowed for}. early: asked before the imports of its batch.
    """

    id: str
    probe: str
    batch: Batch
    args: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 60.0
    seconds_under: dict[str, float] = {}
    memory_mb: int = 6144
    subjects: list[str] = []
    early: bool = False
    when: When = Field(default_factory=dict)


class Questions(Row):
    """matrices/questions.toml."""

    question: list[AskedOfAll]


def inventory_question(subject: Subject) -> Question:
    """The first question of all: what is there, told without importing anything that is not Python's own."""
    args = {
        "packages": subject.modules.packages,
        "dependencies": [{"module": d.module, "distributions": d.distributions} for d in subject.dependency if d.kind == "distribution"],
        "configs": subject.configs,
    }
    return Question(id="inventory", probe="inventory", args=args, seconds=30)


def handed(asked: dict[str, Any]) -> dict[str, str]:
    """{place: path of this machine}: the fixtures and what a person handed in; "" for what nobody did."""
    places = {"fixtures": str(layout.fixtures()), "config": asked.get("config") or "", "checkpoint": asked.get("checkpoint") or ""}
    return {**places, **{f"zoo_{key}": place for key, place in (asked.get("zoo") or {}).items() if key != "reason"}}


def batches(
    subject: Subject,
    inventory: dict[str, Any],
    cell: Cell | None,
    opts: dict[str, str],
    asked: dict[str, Any],
    *,
    shared: bool = True,
    seen: Callable[[str], str] = str,
    kind: str = "",
) -> dict[str, list[Question]]:
    """{batch: questions in order}. `asked` holds what a person handed in: config, checkpoint (paths), and zoo (the files fetched).

    shared: the target sees this machine's files, spelt as `seen` says; else their places stay in the arguments by name, and observe puts
    the paths there.
    """
    places = {name: path and seen(path) for name, path in handed(asked).items() if shared or not path}
    places["checkout"] = inventory.get("checkout") or ""
    given = {name for name, value in asked.items() if value and not (name == "zoo" and "reason" in value)}
    found: dict[str, list[Question]] = {name: [] for name in BATCHES}
    found["imports"] += [
        Question(id=f"import:{name}", probe="import_module", args={"module": name}, seconds=120)
        for name in [*dependency_modules(subject, inventory), *subject_modules(subject, inventory)]
    ]
    found["imports"] += [
        Question(id=f"name:{row.module}.{row.name}", probe="has_name", args={"module": row.module, "name": row.name}, seconds=60)
        for row in subject.required_name
    ]
    asked_of_all: dict[str, list[Question]] = {name: [] for name in BATCHES}
    early: list[Question] = []
    for row in load(layout.matrices() / "questions.toml", Questions).question:
        if (not row.subjects or subject.name in row.subjects) and (cell is None or cell.matches(row.when)):
            args = filled(row.args, places, opts)
            seconds = row.seconds_under.get(kind, row.seconds)
            asked_of = early if row.early else asked_of_all[row.batch]
            asked_of.append(Question(id=row.id, probe=row.probe, args=args, seconds=seconds, memory_mb=row.memory_mb))
    found["environment"] += asked_of_all["environment"]
    found["imports"] = [*early, *found["imports"], *asked_of_all["imports"]]
    for name, command in subject.command.items():
        if not given.issuperset(command.given):
            continue
        args, probe = filled(command.args, places, opts), command.probe
        if "checkpoint" in command.given and (why := sniff(asked["checkpoint"]).unsafe):
            args, probe = {"why": why}, "unopened"  # a pickle runs what it names: nobody opens this one, in the target neither
        found[command.batch].append(Question(id=name, probe=probe, args=args, seconds=command.seconds, memory_mb=command.memory_mb))
    found["demo"] += asked_of_all["demo"]  # last: the first thing imported in that process is what tools/run_net.py imports
    return found


def dependency_modules(subject: Subject, inventory: dict[str, Any]) -> list[str]:
    """The modules of the dependencies, in the order of the data; of an optional one only where a distribution for it is installed."""
    installed = {name.lower().replace("_", "-") for name in inventory["distributions"]}
    return [
        row.module
        for row in subject.dependency
        if row.module and (not row.optional or any(d.lower().replace("_", "-") in installed for d in row.distributions))
    ]


def subject_modules(subject: Subject, inventory: dict[str, Any]) -> list[str]:
    """Every module that was found by walking the subject's packages, but for those that the data skips with a reason."""
    skipped = [skip.module for skip in subject.modules.skip]
    return [name for name in inventory["modules"] if not any(fnmatchcase(name, pattern) for pattern in skipped)]


@cache
def expected_clips() -> dict[str, dict[str, Any]]:
    """The clips that a model answers for; the one for readers is none."""
    table = json.loads((layout.fixtures() / "expected.json").read_text(encoding="utf-8"))["clips"]
    return {name: row for name, row in table.items() if "windows" in row}


def clips_of(subject: Subject) -> dict[str, dict[str, Any]]:
    """Those of them that the subject's demo is shown: none for a subject without one."""
    shown = {clip["name"] for clip in subject.command["demo"].args.get("clips", [])} if "demo" in subject.command else set()
    return {name: row for name, row in expected_clips().items() if name in shown}


def filled(value: Any, places: dict[str, str], opts: dict[str, str]) -> Any:
    """Put places into every text of a nested value; the text "{opts}" alone becomes the cell's SlowFast overrides (a mapping)."""
    if isinstance(value, dict):
        return {key: filled(item, places, opts) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, places, opts) for item in value]
    if value == "{opts}":
        return opts
    if isinstance(value, str):
        for key, place in places.items():
            value = value.replace(f"{{{key}}}", place)
    return value
