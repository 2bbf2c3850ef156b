"""Judges what is installed by its metadata alone: `pip check` for any target, without pip, without importing anything there.

Called by the checks of the rung environment, on the inventory (probes/inventory.py) and on the facts of probes/environment.py.
Markers are evaluated with the target's values. Runs on the host; imports packaging and the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from . import layout, torch_pairs
from . import subject as subjects
from .cell import Cell
from .data import Row, load
from .stack import Stack
from .subject import Dependency, Subject

Facts = Mapping[str, Any]
#: What conda calls a distribution that the index calls otherwise.
CONDA_NAMES = {"pytorch": "torch", "pytorch-cpu": "torch", "pytorch-gpu": "torch", "py-opencv": "opencv-python", "opencv": "opencv-python",
               "msgpack-python": "msgpack"}  # fmt: skip


class Unneeded(Row):
    """A requirement that `by` declares and that nothing here uses."""

    by: str
    requirement: str
    reason: str


class Junk(Row):
    """Top-level names that nobody imports, whoever owns them."""

    names: list[str]
    reason: str


class Instead(Row):
    """A required name that no index has, and what to install in its place."""

    requirement: str
    install: str
    reason: str


class Requirements(Row):
    """matrices/requirements.toml."""

    unneeded: list[Unneeded]
    junk: list[Junk]
    instead: list[Instead]

    @property
    def junk_names(self) -> set[str]:
        """All of them."""
        return {name for row in self.junk for name in row.names}


@cache
def allowances() -> Requirements:
    """What is no finding although it looks like one, with reasons."""
    return load(layout.matrices() / "requirements.toml", Requirements)


def installed(inventory: Facts) -> dict[str, Facts]:
    """{canonical name: metadata} of what imports see."""
    found: dict[str, Facts] = {}
    for facts in inventory["distributions"].values():
        found.setdefault(canonicalize_name(facts["name"]), facts)
    return found


def path_of(inventory: Facts, path: str) -> PurePath:
    """A path as the target's system reads it, which need not be the host's."""
    return PureWindowsPath(path) if inventory["system"] == "Windows" else PurePosixPath(path)


def version_of(inventory: Facts, names: Iterable[str]) -> tuple[str, str] | None:
    """(name, version) of the first of these distributions that is installed."""
    there = installed(inventory)
    return next(((name, there[canonicalize_name(name)]["version"]) for name in names if canonicalize_name(name) in there), None)


def allows(specifier: SpecifierSet | str, version: str) -> bool:
    """Whether a version fits; pre-releases that are installed count, a version that is none fits nothing but `any`."""
    wanted = SpecifierSet(specifier) if isinstance(specifier, str) else specifier
    try:
        return wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not str(wanted)


def unmet(inventory: Facts, facts: Facts) -> list[tuple[str, str]]:
    """[(sentence, what to install)]: what an installed distribution requires and what is not there, or not of that version.

    Extras count as soon as anybody asks for them (`moviepy[optional]`), and are followed through. A package of that name that lies
    there without a record (a copied folder, a stand-in) counts as there: its version cannot be told.
    """
    there, markers = installed(inventory), facts["markers"]
    modules = {canonicalize_name(name): row.module.partition(".")[0].lower()
               for one in subjects.all_subjects().values() for row in one.dependency for name in row.distributions}  # fmt: skip
    waived = {(canonicalize_name(row.by), canonicalize_name(row.requirement)) for row in allowances().unneeded}
    instead = {canonicalize_name(row.requirement): row.install for row in allowances().instead}
    unrecorded = {name.lower() for place in facts["entries"] for name, kind in place["offers"].items() if kind != "namespace"}
    queue: list[tuple[str, str]] = [(name, "") for name in there]
    done, found = set(queue), []
    while queue:
        name, extra = queue.pop(0)
        for requirement in _requirements(there[name]):
            if not _concerns(requirement, markers, extra):
                continue
            wanted = canonicalize_name(requirement.name)
            shown = f"{requirement.name}{requirement.specifier}"
            asker = f"{there[name]['name']} {there[name]['version']}"
            if wanted not in there:
                lies_there = {wanted.replace("-", "_"), modules.get(wanted, wanted)} & unrecorded
                if (name, wanted) not in waived and instead.get(wanted) not in there and not lies_there:
                    found.append((f"{asker} requires {shown}, which is not installed", instead.get(wanted, shown)))
                continue
            if not allows(requirement.specifier, there[wanted]["version"]):
                sentence = f"{asker} requires {shown}, but {there[wanted]['name']} {there[wanted]['version']} is installed"
                mate = _mate(name, there["torch"]["version"]) if wanted == "torch" else None  # whoever is torch's partner gives way
                found.append((sentence, mate or instead.get(wanted, shown)))
            for one in requirement.extras:
                if (wanted, one) not in done:
                    done.add((wanted, one))
                    queue.append((wanted, one))
    return list(dict.fromkeys(found))


def import_name(subject: Subject, row: Dependency) -> str:
    """The top-level name that a dependency brings; where its check imports it through another (torch.utils.tensorboard), its own."""
    top = row.module.partition(".")[0]
    others = {name for other in subject.dependency if other is not row for name in other.distributions}
    return row.distributions[0].replace("-", "_") if top in others else top


def absent(subject: Subject, inventory: Facts, facts: Facts) -> list[tuple[str, str]]:
    """[(sentence, what to install)]: what the subject needs and what is neither installed nor on the search path."""
    there = installed(inventory)
    offered = {name for place in facts["entries"] for name, kind in place["offers"].items() if kind != "namespace"}
    found = []
    for row in subject.dependency:
        recorded = any(canonicalize_name(name) in there for name in row.distributions)
        if row.kind == "distribution" and not row.optional and not recorded and import_name(subject, row) not in offered:
            name = row.distributions[0]
            found.append((f"{name} is not installed, and {subject.name} needs it ({row.declared})", name))
    return found


def unrecorded(subject: Subject, inventory: Facts, facts: Facts) -> list[str]:
    """What the subject needs and what lies in a folder for packages without a record that any installer would find."""
    there, conda = installed(inventory), {CONDA_NAMES.get(name, name) for name in facts["conda"] or {}}
    found = []
    for row in subject.dependency:
        top = import_name(subject, row)
        names = {canonicalize_name(name) for name in row.distributions}
        place = next((p for p in facts["entries"] if p["kind"] == "site" and p["offers"].get(top, "namespace") != "namespace"), None)
        if row.kind == "distribution" and place and not names & set(there) and not names & conda:
            found.append(f"{row.distributions[0]} lies in {place['path']} without a record: no installer knows that it is there")
    return found


def _mate(name: str, torch: str) -> str | None:
    if name == "torchvision":
        return torch_pairs.mate_of(torch)
    rows = [row.torchaudio for row in torch_pairs.pairs().pair if row.torch == torch_pairs.public(torch) and row.torchaudio]
    return f"torchaudio=={rows[0]}" if name == "torchaudio" and rows else None


def _requirements(facts: Facts) -> Iterator[Requirement]:
    for line in facts["requires"]:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # metadata of ten years ago; pip says nothing about it either
            continue


def _concerns(requirement: Requirement, markers: dict[str, str], extra: str) -> bool:
    """Without a marker it concerns everybody, and is judged once; with one, whoever the marker is true for because of this extra."""
    if requirement.marker is None:
        return not extra
    if not extra:
        return requirement.marker.evaluate({**markers, "extra": ""})
    with_it = requirement.marker.evaluate({**markers, "extra": extra})
    return with_it and not requirement.marker.evaluate({**markers, "extra": ""})


def unsupported(inventory: Facts) -> list[str]:
    """Distributions that declare (Requires-Python) that they do not run on the target's Python."""
    found = []
    for facts in installed(inventory).values():
        try:
            fits = not facts["python"] or allows(SpecifierSet(facts["python"]), inventory["python"])
        except InvalidSpecifier:
            continue
        if not fits:
            found.append(f"{facts['name']} {facts['version']} is for Python {facts['python']}, and this is {inventory['python']}")
    return found


def twice(inventory: Facts, facts: Facts) -> list[str]:
    """Distributions with two records: side by side in one folder, one outside an isolated environment that hides its own, or an
    installed copy that hides a checkout. What building an editable installation leaves in its checkout is no second record.
    """
    records: dict[str, list[tuple[str, PurePath]]] = {}
    checkouts = [path_of(inventory, row["home"]) for row in facts["editable"].values()]
    real = {place["path"]: place["real"] for place in facts["entries"]}
    for row in inventory["distributions"].values():
        for version, record in [(row["version"], row["path"]), *((other["version"], other["path"]) for other in row["hidden"])]:
            path = path_of(inventory, record)
            if path_of(inventory, real.get(str(path.parent), str(path.parent))) not in checkouts:
                records.setdefault(canonicalize_name(row["name"]), []).append((version, path))
    found = []
    prefix = path_of(inventory, inventory["prefix"])
    for name, rows in records.items():
        first, folder = rows[0][0], rows[0][1].parent
        for version, path in rows[1:]:
            if path.parent == folder:
                found.append(f"{name} is recorded twice in {folder}: {first} and {version}")
            elif facts["isolated"] and prefix in path.parents and prefix not in folder.parents:
                found.append(f"{name} {first} of {folder} hides the environment's own {name} {version}")
            elif path.suffix == ".egg-info" and path.parent.name not in ("site-packages", "dist-packages"):
                found.append(f"{name} {first} of {folder} hides the checkout {path.parent}")
    return found


def mixed_ownership(inventory: Facts, conda: Mapping[str, str] | None) -> list[str]:
    """Distributions that conda has on record and that pip or uv installed over it."""
    if conda is None:
        return []
    there, found = installed(inventory), []
    for name, version in sorted(conda.items()):
        facts = there.get(canonicalize_name(CONDA_NAMES.get(name, name)))
        if facts and facts["installer"] in ("pip", "uv"):
            found.append(
                f"{facts['name']}: conda has {name} {version} on record, {facts['installer']} installed {facts['version']} over it"
            )
    return found


def broken_pins(inventory: Facts, cell: Cell, stack: Stack) -> list[str]:
    """Sentences on what is installed where the cell's stack pins something else."""
    wheels, torch = stack.wheels_of(cell), stack.torch
    local = wheels.local if wheels else ""
    trio = {"torch": torch.version, "torchvision": torch.torchvision, "torchaudio": torch.torchaudio}
    pins = {name: (f"=={version}{local}", "the stack's torch") for name, version in trio.items() if version}
    pins |= {pin.name: (pin.spec, pin.reason) for pin in stack.pin if cell.matches(dict(pin.when))}
    found = []
    for name, (spec, reason) in pins.items():
        seen = version_of(inventory, [name])
        if seen and not allows(spec, seen[1]):
            found.append(f"{name} {seen[1]} is installed, where {stack.name} pins {name}{spec} ({reason}): a later step replaced it")
        elif not seen and name in ("torch", "torchvision"):
            found.append(f"{name} is not installed, where {stack.name} pins {name}{spec}")
    return found


def install_command(inventory: Facts, *arguments: str, verb: str = "install") -> str:
    """The command that installs into the target (or, with another verb, takes away), with the installer that made it."""
    there = installed(inventory)
    torch = there.get("torch") or next(iter(inventory["distributions"].values()), {"installer": "pip"})
    quoted = " ".join(f"'{argument}'" if set(argument) & set("<>=!~;[ ") else argument for argument in arguments)
    if torch["installer"] == "uv" or "pip" not in there:
        return f"uv pip {verb} --python {inventory['executable']} {quoted}"
    return f"{inventory['executable']} -m pip {verb} {quoted}"
