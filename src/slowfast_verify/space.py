"""Every cell that can exist, by rule: matrices/space.toml times matrices/torch-releases.toml. Made lazily; most cells are only resolved.

Read by matrix, which asks here for a cell that no stack spans. why_not is the one judge of what can exist; the listing of what is
excluded comes from it too. Runs on the host, starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import cast

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pydantic import Field

from . import layout
from .cell import Cell, Os, When
from .data import Row, load
from .subject import Subject
from .torch_releases import OnIndex, Place, Release, Releases, releases


class PlaceRow(Row):
    """Where people sit: the system's version that is resolved for, and how uv names it."""

    name: Place
    system: str
    platform: str
    reason: str


class TorchRow(Row):
    """Torches that span cells, and why these."""

    version: list[str]
    reason: str


class EraPin(Row):
    """A version that cells of some torches are held to; `known` is the failure that it avoids."""

    name: str
    spec: str
    torch: str = ""
    when: When = Field(default_factory=dict)
    reason: str
    known: str = ""


class EraWorkaround(Row):
    """A known failure whose fix cells of some torches get."""

    known: str
    torch: str = ""
    reason: str


class Room(Row):
    """What building such a cell takes: megabytes on the disk, minutes."""

    build: str
    torch: str = ""
    megabytes: int
    minutes: float
    reason: str


class Axes(Row):
    """matrices/space.toml."""

    python: list[str]
    python_reason: str
    installer: list[str]
    subject: list[str]
    place: list[PlaceRow]
    torch: list[TorchRow]
    pin: list[EraPin]
    workaround: list[EraWorkaround]
    room: list[Room]


class Excluded(Row):
    """A set of combinations that cannot exist, and why. `when` is as in a stack's [[exclude]]."""

    when: dict[str, str]
    reason: str


@cache
def axes(folder: Path | None = None) -> Axes:
    """The table; a folder without one spans nothing."""
    path = (folder or layout.matrices()) / "space.toml"
    if folder and not path.exists():
        return Axes(python=[], python_reason="", installer=[], subject=[], place=[], torch=[], pin=[], workaround=[], room=[])
    return load(path, Axes)


def within(torch: str, spec: str) -> bool:
    """Whether a torch is in a range; an empty range has all."""
    return not spec or SpecifierSet(spec).contains(Version(torch), prereleases=True)


def place_of(cell: Cell) -> str:
    """`linux-x86_64` of a cell."""
    return f"{cell.os}-{cell.arch}"


class Space:
    """The axes, the releases and the subjects, and what follows from them."""

    def __init__(self, subjects: dict[str, Subject], rows: Axes | None = None, table: Releases | None = None) -> None:
        self.subjects = subjects
        self.axes = rows or axes()
        self.table = table or releases()
        self.places: dict[str, PlaceRow] = {row.name: row for row in self.axes.place}
        self.torches = [version for row in self.axes.torch for version in row.version]
        self.torches.sort(key=Version)
        self._subjects: dict[tuple[str, str], str] = {}

    @cached_property
    def releases(self) -> dict[str, Release]:
        """{torch: its release}, of the torches that span cells."""
        found = {torch: self.table.of(torch) for torch in self.torches}
        missing = [torch for torch, row in found.items() if row is None]
        assert not missing, f"matrices/space.toml names torch {missing}, matrices/torch-releases.toml does not"
        return {torch: row for torch, row in found.items() if row}

    @cached_property
    def accelerators(self) -> list[str]:
        """Every build that any of these torches has anywhere."""
        found = {build for row in self.releases.values() for place in self.places for build in row.builds(place)}  # type: ignore[arg-type]
        return sorted(found, key=lambda build: (build.rstrip("0123456789."), Version("0" + build.lstrip("abcdefghijklmnopqrstuvwxyz"))))

    def why_not(self, place: str, python: str, torch: str, accelerator: str, subject: str) -> str:
        """Why this combination cannot exist; empty where it can. The first reason, the plainest one."""
        release = self.releases.get(torch)
        if release is None:
            return f"torch {torch} spans no cells: matrices/space.toml names the last patch release of every minor version"
        if place not in self.places:
            return f"no torch is published for {place}"
        return (
            self._no_place(release, place)
            or self._no_python(release, place, python)
            or self._no_build(release, place, accelerator)
            or self._no_subject(python, subject)
        )

    def _no_place(self, release: Release, place: str) -> str:
        if place in release.index:
            return ""
        newest = self.table.last_for(place)  # type: ignore[arg-type]
        if Version(release.torch) > Version(newest):
            return f"torch {release.torch} has no wheel for {place}: {newest} was the last"
        return f"torch {release.torch} has no wheel for {place}"

    def _no_python(self, release: Release, place: str, python: str) -> str:
        there: OnIndex = release.index[place]  # type: ignore[index]
        if python not in there.python:
            return f"torch {release.torch} has wheels for Python {', '.join(there.python)} on {place}, none for {python}"
        if python in there.without_torchvision:
            return f"torchvision {release.torchvision}, torch {release.torch}'s partner, has no wheel for Python {python} on {place}"
        return ""

    def _no_build(self, release: Release, place: str, accelerator: str) -> str:
        builds = release.builds(place)  # type: ignore[arg-type]
        if accelerator in builds:
            return ""
        if place.startswith("macos") and accelerator.startswith(("cu", "rocm")):
            return "no torch since 1.8 is built for CUDA or ROCm on macOS"
        if accelerator.startswith("rocm") and place != "linux-x86_64":
            return "PyTorch publishes ROCm builds for Linux on x86_64 alone"
        if accelerator == "mps":
            return "mps is the GPU of Apple's own processors, used since torch 1.12"
        return f"torch {release.torch} is published for {', '.join(builds)} on {place}, not for {accelerator}"

    def _no_subject(self, python: str, subject: str) -> str:
        if (python, subject) not in self._subjects:
            self._subjects[python, subject] = self._judged(python, subject)
        return self._subjects[python, subject]

    def _judged(self, python: str, subject: str) -> str:
        row = self.subjects[subject.partition("@")[0]]
        if SpecifierSet(row.python).contains(Version(python + ".99")):
            return ""
        return f"{row.title} needs Python {row.python}"

    def cells(self) -> Iterator[Cell]:
        """Every cell that can exist, in the order of the axes."""
        for place in self.places:
            os, arch = place.split("-", 1)
            for torch, release in self.releases.items():
                for python in self.axes.python:
                    for accelerator in release.builds(place):  # type: ignore[arg-type]
                        for subject in self.axes.subject:
                            if self.why_not(place, python, torch, accelerator, subject):
                                continue
                            name, _, revision = subject.partition("@")
                            for installer in self.axes.installer:
                                yield Cell.model_construct(
                                    os=cast(Os, os), arch=arch, python=python, torch=torch, accelerator=accelerator, installer=installer,
                                    subject=name, revision=revision, stack=self.stack_name(torch, place, python),
                                )  # fmt: skip

    def excluded(self) -> Iterator[Excluded]:
        """What cannot exist, in the fewest words: each combination outside the cells fits at least one row, and no cell fits any."""
        subject = self.axes.subject[0]
        for place in self.places:
            where = dict(zip(("os", "arch"), place.split("-", 1), strict=True))
            for torch, release in self.releases.items():
                if reason := self._no_place(release, place):
                    yield Excluded(when={**where, "torch": torch}, reason=reason)
                    continue
                for python in self.axes.python:
                    if reason := self._no_python(release, place, python):
                        yield Excluded(when={**where, "torch": torch, "python": python}, reason=reason)
                for accelerator in self.accelerators:
                    if reason := self._no_build(release, place, accelerator):
                        yield Excluded(when={**where, "torch": torch, "accelerator": accelerator}, reason=reason)
        for python in self.axes.python:
            for subject in self.axes.subject:
                if reason := self._no_subject(python, subject):
                    yield Excluded(when={"python": python, "subject": subject}, reason=reason)

    def stack_name(self, torch: str, place: str, python: str) -> str:
        """The name of the stack that is drawn up for such cells: torchaudio is left out where it has no wheel."""
        there = self.releases[torch].index[place]  # type: ignore[index]
        return f"by-rule-{torch}" + ("-without-torchaudio" if python in there.without_torchaudio else "")

    def room(self, torch: str, build: str) -> Room:
        """What a cell with this build takes."""
        return next(row for row in self.axes.room if fnmatchcase(build, row.build) and within(torch, row.torch))
