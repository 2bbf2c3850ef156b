"""Whose installation is verified: sources, revisions, dependencies, modules, names that must exist, commands. Data: matrices/subjects/.

Imports pydantic, data, action, expectation, layout.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from . import layout
from .action import Action, Edit
from .cell import When
from .data import Row, load
from .errors import Problem, did_you_mean
from .expectation import Expectation

#: What git is given to fetch from: never an option, never a transport that runs a command (`ext::`).
Address = Annotated[str, Field(pattern=r"^(https?|ssh|git|file)://[^\s-]\S*$")]


class Source(Row):
    """Where the code comes from: a git address (with what of it is checked out), or a distribution of the package index."""

    git: Address | None = None
    sparse: list[str] = []
    reason: str = ""
    distribution: str | None = None


class Revision(Row):
    """A state of the source: a commit (forty hexadecimal digits) or a released version.

    `workarounds` are the known failures whose fix it needs.
    """

    name: str
    commit: str | None = None
    version: str | None = None
    date: str = ""
    note: str = ""
    workarounds: list[str] = []
    needs: list[str] = []

    @model_validator(mode="after")
    def _one(self) -> Revision:
        if (self.commit is None) == (self.version is None):
            raise ValueError("a revision has either a commit or a version")
        if self.commit is not None and not re.fullmatch(r"[0-9a-f]{40}", self.commit):
            raise ValueError("a commit is written with its forty digits: hosts refuse to serve an abbreviated one")
        return self


class Dependency(Row):
    """Something that the subject needs. kind: a distribution, a compiler, or a command.

    declared names the document that asks for it, or says that none does. module is what is imported (empty: nothing is).
    """

    name: str
    kind: Literal["distribution", "compiler", "command"] = "distribution"
    distribution: list[str] = []
    module: str = ""
    minimum: str = ""
    declared: str
    optional: bool = False
    when: When = Field(default_factory=dict)
    reason: str = ""

    @property
    def distributions(self) -> list[str]:
        """The distributions that can provide it, the first the usual one."""
        return self.distribution or ([self.name] if self.kind == "distribution" else [])


class Skip(Row):
    """A module that is not imported by the check (or a glob over modules), and why."""

    module: str
    reason: str


class Modules(Row):
    """Which modules must import: every module of these packages, found by walking them, but for the ones named with a reason."""

    packages: list[str]
    skip: list[Skip] = []


class RequiredName(Row):
    """A name that must exist in a module: an import alone does not show its absence."""

    module: str
    name: str
    reason: str


class Phase(Row):
    """A step of the installation, in order. `checkout` puts the sources there; `do` are actions; a workaround may take its place.

    build names a source that is compiled against the torch of the cell: the wheel is kept and reused for the same torch and Python.
    without_compiler are edits of that source which leave its compiled parts out, for a system whose compiler is not there, and
    without_known is the known failure of which that is the workaround.
    """

    name: str
    install: list[str] = []
    build: Annotated[str, Field(pattern=r"^git\+(https?|ssh|file)://[^\s-]\S*@[0-9a-f]{40}$")] | None = None
    without_compiler: list[Edit] = []
    without_known: str = ""
    checkout: bool = False
    editable: bool = False
    trio: bool = False
    when: When = Field(default_factory=dict)
    reason: str = ""


class Command(Row):
    """A question of this subject alone: its probe, the batch whose process it shares, and its arguments with {checkout} and {fixtures}.

    It is asked only where a person handed in all that `given` names.
    """

    probe: str
    batch: Literal["environment", "imports", "demo"]
    args: dict[str, Any] = {}
    seconds: float = 240.0
    memory_mb: int = 6144
    given: list[Literal["config", "checkpoint", "zoo"]] = []


class Subject(Row):
    """One subject, as its file describes it; its name is the file's."""

    name: str = ""
    title: str
    python: str
    source: Source
    revision: list[Revision]
    dependency: list[Dependency]
    modules: Modules
    required_name: list[RequiredName] = []
    phase: list[Phase]
    command: dict[str, Command] = {}
    configs: list[str] = []
    env: dict[str, str] = {}
    expect: list[Expectation] = []

    def at(self, name: str) -> Revision:
        """The revision of that name."""
        for revision in self.revision:
            if revision.name == name:
                return revision
        names = [revision.name for revision in self.revision]
        raise Problem(
            f"{self.name} has no revision {name!r}",
            where=f"matrices/subjects/{self.name}.toml",
            cause=did_you_mean(name, names) or f"it has {', '.join(names)}",
            next=f"add a [[revision]] to matrices/subjects/{self.name}.toml",
        )


@cache
def all_subjects(folder: Path | None = None) -> dict[str, Subject]:
    """{name: subject}, by file name."""
    folder = folder or layout.matrices() / "subjects"
    return {path.stem: load(path, Subject).model_copy(update={"name": path.stem}) for path in sorted(folder.glob("*.toml"))}


def subject(name: str) -> Subject:
    """The subject of that name; raises Problem with the nearest one."""
    table = all_subjects()
    if name not in table:
        raise Problem(
            f"there is no subject {name!r}",
            where=str(layout.matrices() / "subjects"),
            cause=did_you_mean(name, list(table)) or f"there are {', '.join(table)}",
            next=f"write matrices/subjects/{name}.toml",
        )
    return table[name]


def actions_of(revision: Revision, stack_workarounds: list[str]) -> list[tuple[str, Action]]:
    """[(known failure, action)] of every workaround that provisioning applies, in order and once each."""
    from .knowledge import known

    ordered = list(dict.fromkeys([*stack_workarounds, *revision.workarounds]))
    return [(identifier, action) for identifier in ordered for action in known(identifier).fix]
