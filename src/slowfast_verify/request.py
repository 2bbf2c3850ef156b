"""What building a cell asks of a package index: requirements, limits, and what comes from git beside it; from the cell's own data.

Called by resolver and resolve. Runs on the host, starts nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from . import layout
from .cell import Cell
from .data import Row, load
from .matrix import Matrix
from .space import PlaceRow, place_of
from .stack import Stack
from .subject import Phase, actions_of


class Declared(Row):
    """A distribution whose requirements are taken from here, because its file or its repository cannot be asked without building it."""

    name: str
    requires: list[str]
    reason: str


class GitSource(Row):
    """A repository that cells install from: what it calls itself there, and what it requires."""

    address: str
    name: str
    version: str
    requires: list[str]
    compiled: bool
    reason: str


class Names(Row):
    """Distributions of one kind, and why."""

    name: list[str]
    reason: str


class Rules(Row):
    """matrices/resolve.toml."""

    fresh_hours: float
    workers: int
    seconds: float
    written: str
    declared: list[Declared]
    git: list[GitSource]
    pure: list[Names]
    compiled: list[Names]


class Asked(Row):
    """One question to the resolver; equal questions have equal digests, whichever cells they came from.

    requirements, limits: as an installer reads them. alone: distributions that are installed without what they require.
    origins: {distribution: git address}. index, find_links: where torch lies if not on the package index.
    """

    platform: str
    python: str
    system: str
    requirements: list[str]
    limits: list[str]
    alone: list[str] = []
    origins: dict[str, str] = {}
    compiled_origins: list[str] = []
    index: str = ""
    find_links: str = ""

    def digest(self, *more: str) -> str:
        """A digest of everything that decides the answer but for what the index offers."""
        text = json.dumps([self.model_dump(), *more], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def rules() -> Rules:
    """The table."""
    return load(layout.matrices() / "resolve.toml", Rules)


def asked(cell: Cell, matrix: Matrix, system: str = "") -> Asked:
    """The question for a cell, for its place's usual system or another version of it (`glibc 2.17`, `macOS 12.0`)."""
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    revision = subject.at(cell.revision)
    wheels = stack.wheels_of(cell)
    assert wheels  # the matrix refuses a cell without
    place = matrix.space.places[place_of(cell)]
    system = system or place.system
    requirements: list[str] = []
    alone: list[str] = []
    origins: dict[str, str] = {}
    for phase in subject.phase:
        if cell.matches(phase.when):
            requirements += trio(cell, stack) if phase.trio else []
            _read([word.replace("{version}", revision.version or "") for word in phase.install], requirements, alone, origins)
            _built(phase, requirements, origins)
    for _, action in actions_of(revision, stack.workarounds):
        if cell.matches(action.when):
            _read(action.install, requirements, alone, origins)
    for row in subject.dependency:
        if row.kind == "distribution" and row.minimum and not row.optional and row.distributions:
            requirements.append(f"{row.distributions[0]}>={row.minimum}")
    for name, address in origins.items():
        source = _source(address)
        requirements += source.requires if source and name not in alone else []
    trio_lines = trio(cell, stack)
    return Asked(
        platform=platform_of(place, system), python=cell.python, system=system, requirements=list(dict.fromkeys(requirements)),
        limits=[*trio_lines, *([f"torch{wheels.also.replace(',', '', 1)}"] if wheels.also else []),
                *(f"{pin.name}{pin.spec}" for pin in stack.pin if cell.matches(pin.when))],
        alone=sorted(set(alone)), origins=origins,
        compiled_origins=[name for name, address in origins.items() if (source := _source(address)) and source.compiled],
        index="" if wheels.index == "default" else wheels.index, find_links=wheels.find_links,
    )  # fmt: skip


def trio(cell: Cell, stack: Stack) -> list[str]:
    """torch and its partners, exactly."""
    wheels = stack.wheels_of(cell)
    local = wheels.local if wheels else ""
    there = {"torch": stack.torch.version, "torchvision": stack.torch.torchvision, "torchaudio": stack.torch.torchaudio}
    return [f"{name}=={version}{local}" for name, version in there.items() if version]


def platform_of(place: PlaceRow, system: str) -> str:
    """uv's name of a place with that version of its system."""
    return place.platform.replace("{_}", system.rpartition(" ")[2].replace(".", "_"))


def _read(words: list[str], requirements: list[str], alone: list[str], origins: dict[str, str]) -> None:
    """Take an installer's arguments apart: options, requirements, and those that name a repository."""
    without = "--no-deps" in words
    for word in words:
        if word.startswith("-") or "{" in word:
            continue
        name, address = _parsed(word)
        if not name:
            continue  # a file or a bare address, which no index is asked for
        if address:
            origins[name] = address
        else:
            requirements.append(word)
        alone += [name] if without else []


@cache
def _parsed(word: str) -> tuple[str, str]:
    """(name, address) of a requirement; empty where it is none. A few dozen words make up the questions of thousands of cells."""
    try:
        requirement = Requirement(word)
    except InvalidRequirement:
        return "", ""
    return canonicalize_name(requirement.name), requirement.url or ""


def _built(phase: Phase, requirements: list[str], origins: dict[str, str]) -> None:
    if phase.build and (source := _source(phase.build)):
        origins[source.name] = phase.build


def _source(address: str) -> GitSource | None:
    """What resolve.toml declares of a repository, found by its address without the commit."""
    plain = address.removeprefix("git+").split("@")[0].removesuffix(".git")
    return next((row for row in rules().git if row.address == plain), None)


def declared_version(address: str) -> str:
    """The version that a repository's code calls itself; empty where nothing is declared."""
    found = _source(address)
    return found.version if found else ""


def is_pure(name: str) -> bool:
    """Whether building it from source compiles nothing; one that nobody listed is taken to need a compiler."""
    return any(name in row.name for row in rules().pure)
