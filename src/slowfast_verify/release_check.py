"""Is matrices/torch-releases.toml still what the package index says? `slowfast-verify releases --check`. Runs on the host.

Judges file names, tags and yanked marks; what lies on other indexes is asked whether it answers, and is not verified where it does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from . import package_index
from .data import Row
from .errors import Infrastructure
from .torch_releases import OnIndex, Place, Release, Releases, releases
from .wheel_tags import lowest, place_of, system_of

FIRST = "1.8"


class Wheels(Row):
    """What a listing has of one version in one place: the Pythons by their own wheel, whether one wheel serves all, the oldest system."""

    python: list[str]
    all_pythons: bool = False
    system: str = ""


class Compared(Row):
    """changed: one sentence for each difference. unverified: {address: why it was not asked}. asked: the number of builds compared."""

    changed: list[str]
    unverified: dict[str, str]
    builds: int
    unverified_builds: int


def wheels(listing: dict[str, Any]) -> dict[str, dict[Place, Wheels]]:
    """{version: {place: wheels}} of a listing; yanked files and free-threaded builds are left out."""
    tags: dict[str, dict[Place, set[Tag]]] = defaultdict(lambda: defaultdict(set))
    for entry in listing["files"]:
        if entry.get("yanked") or not str(entry["filename"]).endswith(".whl"):
            continue
        try:
            _, version, _, found = parse_wheel_filename(entry["filename"])
        except InvalidWheelFilename:
            continue
        for tag in found:
            place = place_of(tag.platform)
            if place and not (tag.abi.startswith("cp") and tag.abi.endswith("t")):
                tags[str(version)][place].add(tag)
    return {version: {place: _told(rows) for place, rows in places.items()} for version, places in tags.items()}


def _told(tags: set[Tag]) -> Wheels:
    own = {tag.interpreter for tag in tags if tag.interpreter.startswith("cp") and tag.abi != "abi3"}
    python = sorted((f"{name[2]}.{name[3:]}" for name in own), key=Version)
    everywhere = any(tag.interpreter.startswith("py3") or tag.abi == "abi3" for tag in tags)
    return Wheels(python=python, all_pythons=everywhere, system=lowest([system_of(tag.platform) for tag in tags]))


def compare(table: Releases, torch: dict[str, Any], vision: dict[str, Any], audio: dict[str, Any]) -> list[str]:
    """One sentence for each place where the table and the listings differ."""
    found, visions, audios = wheels(torch), wheels(vision), wheels(audio)
    changed = []
    for version in sorted(found, key=Version):
        if Version(version) >= Version(FIRST) and not table.of(version):
            changed.append(f"torch {version} is on the index and not in the table")
    for row in table.release:
        if row.index and row.torch not in found:
            changed.append(f"torch {row.torch} is in the table and no longer on the index")
            continue
        for name, version, listed in (("torchvision", row.torchvision, visions), ("torchaudio", row.torchaudio, audios)):
            if row.index and version and version not in listed:
                changed.append(f"{name} {version}, told for torch {row.torch}, is not on the index")
        for place in {**row.index, **found.get(row.torch, {})}:
            changed += _place(row, place, found.get(row.torch, {}).get(place), visions, audios)
    return changed


def _place(row: Release, place: Place, there: Wheels | None, visions: dict[str, Any], audios: dict[str, Any]) -> list[str]:
    told: OnIndex | None = row.index.get(place)
    if told is None or there is None:
        return [
            f"torch {row.torch}, {place}: {'wheels on the index, none in the table' if there else 'in the table, no wheel on the index'}"
        ]
    pairs = [("Pythons", told.python, there.python), ("oldest system", told.system, there.system)]
    for name, version, listed, lacks in (
        ("torchvision", row.torchvision, visions, told.without_torchvision),
        ("torchaudio", row.torchaudio, audios, told.without_torchaudio),
    ):
        if version:
            partner: Wheels = listed.get(version, {}).get(place, Wheels(python=[]))
            missing = [] if partner.all_pythons else sorted(set(there.python) - set(partner.python), key=Version)
            pairs.append((f"Pythons without {name} {version}", lacks, missing))
    return [
        f"torch {row.torch}, {place}, {what}: the table says {_said(old)}, the index {_said(new)}" for what, old, new in pairs if old != new
    ]


def _said(value: Sequence[str]) -> str:
    return (value if isinstance(value, str) else ", ".join(value)) or "nothing"


def check() -> Compared:
    """Ask the index, and the others whether they answer. Raises Infrastructure where the package index does not."""
    table = releases()
    changed = compare(table, *(package_index.listing(name) for name in ("torch", "torchvision", "torchaudio")))
    elsewhere: dict[str, int] = defaultdict(int)
    for row in table.release:
        for builds in row.elsewhere.values():
            for build in builds:
                layout = table.layout[row.layout]
                elsewhere[layout.find_links or layout.index.format(build=build) + "/torch/"] += 1
    dead: dict[str, str] = {}
    unverified: dict[str, str] = {}
    for place in elsewhere:
        host = place.split("/")[2]
        if host not in dead:
            dead[host] = package_index.answers(place) or ""
        if dead[host]:
            unverified[place] = f"{host} cannot be reached from here ({dead[host]})"
    for place in [place for place in elsewhere if place not in unverified]:
        changed += _elsewhere(table, place)
    return Compared(
        changed=changed, unverified=unverified, builds=sum(len(row.index) for row in table.release),
        unverified_builds=sum(elsewhere[place] for place in unverified),
    )  # fmt: skip


def _elsewhere(table: Releases, place: str) -> list[str]:
    """An index for one build that answers: which of the table's versions it lacks."""
    if not place.endswith("/torch/"):
        return []  # a page of links: thousands of names in HTML
    try:
        names = package_index.names(place)
    except Infrastructure as problem:
        return [f"{place}: {problem.what}"]
    build = place.split("/")[-3]
    told = [row.torch for row in table.release
            if row.layout and table.layout[row.layout].index.format(build=build) + "/torch/" == place
            and any(build in builds for builds in row.elsewhere.values())]  # fmt: skip
    lacking = [version for version in told if not any(name.startswith(f"torch-{version}") for name in names)]
    return [f"torch {version} is told for {place} and not listed there" for version in lacking]
