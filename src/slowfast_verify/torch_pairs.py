"""Which torchvision belongs to which torch, and which compiler to which: matrices/torch-releases.toml and matrices/toolchains.toml.

Called by the checks of the rung environment. Runs on the host; imports packaging, data and layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from . import layout
from .data import Row, load
from .torch_releases import Loose, Pair, releases

Facts = Mapping[str, Any]


class Pairs(Row):
    """Who belongs to whom, drawn from matrices/torch-releases.toml."""

    loose: Loose
    pair: list[Pair]


class Gcc(Row):
    """The lowest GCC that compiles an extension for these torches, and who says so."""

    torch: str
    minimum: str
    source: str


class Toolchains(Row):
    """matrices/toolchains.toml."""

    gcc: list[Gcc]
    nvcc_refuses_gcc: dict[str, str]


@cache
def pairs() -> Pairs:
    """The table."""
    table = releases()
    return Pairs(loose=table.loose, pair=table.pairs())


@cache
def toolchains() -> Toolchains:
    """The table."""
    return load(layout.matrices() / "toolchains.toml", Toolchains)


def public(version: str) -> str:
    """`1.8.0` of `1.8.0+cu111`."""
    return Version(version).public


def mates(torch: str) -> list[str]:
    """The torchvisions of a torch; [] where the table knows none."""
    rows = [row for row in pairs().pair if row.torch == public(torch)]
    return [version for row in rows for version in (row.torchvision, *row.also)]


def is_pair(torch: str, torchvision: str, requires: list[str]) -> bool | None:
    """Whether the two were released together: torchvision's own word first, then the table; None where neither says it."""
    for line in requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.name == "torch" and requirement.specifier:
            return requirement.specifier.contains(Version(public(torch)), prereleases=True)
    loose = pairs().loose
    if Version(torchvision) >= Version(loose.torchvision):
        return Version(torch) >= Version(loose.torch)
    if mates(torch):
        return public(torchvision) in mates(torch)
    known = {version for row in pairs().pair for version in (row.torchvision, *row.also)}
    return False if public(torchvision) in known else None


def mate_of(torch: str) -> str:
    """The requirement for the torchvision of a torch, as an installer reads it."""
    if mates(torch):
        return f"torchvision=={mates(torch)[0]}"
    loose = pairs().loose
    return f"torchvision>={loose.torchvision}" if Version(torch) >= Version(loose.torch) else "torchvision"


def cuda_of_local(version: str) -> str | None:
    """`cu132` of `2.15.0+cu132`, `cpu` of `2.4.1+cpu`, None without a local part that says it."""
    found = re.search(r"\+.*?(cpu|cu\d+|rocm[\d.]+|xpu)", version or "")
    return found.group(1) if found else None


def of_one_build(torch: Facts, vision: Facts) -> bool | None:
    """Whether torch and torchvision are built alike: by the local part of their versions, or by the CUDA code in torchvision's operators.

    None where neither tells: torchvision has no operators to look into.
    """
    builds = [cuda_of_local(row["version"]) for row in (torch, vision)]
    if None not in builds and builds[0] != builds[1]:
        return False
    if vision["cuda_code"] is None or torch.get("hip"):
        return None if None in builds else True
    return bool(vision["cuda_code"]) == bool(torch["cuda"])


def gcc_minimum(torch: str | None, declared: str) -> tuple[str, str]:
    """(lowest GCC, who says so): the subject's own bound, or torch's where that is higher."""
    for row in toolchains().gcc if torch else []:
        if SpecifierSet(row.torch).contains(Version(public(torch or "")), prereleases=True) and Version(row.minimum) > Version(
            declared or "0"
        ):
            return row.minimum, f"torch {torch}: {row.source}"
    return declared, "the subject"


def version_in(text: str) -> str | None:
    """The first dotted number of what a command says of itself, or a bare one on a line of its own; None without any."""
    found = re.search(r"(?<![\d.])\d+(?:\.\d+)+", text) or re.search(r"^\d+$", text.strip(), re.MULTILINE)
    return found.group(0) if found else None
