"""Every torch, what was released with it, and where its builds lie: matrices/torch-releases.toml.

Read by torch_pairs (who belongs to whom), space (which cells can exist) and release_check (is it still so). Starts nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from packaging.version import Version
from pydantic import Field, model_validator

from . import layout
from .data import Row

Place = Literal["linux-x86_64", "linux-aarch64", "windows-x86_64", "macos-arm64", "macos-x86_64"]
PLACES: tuple[Place, ...] = ("linux-x86_64", "linux-aarch64", "windows-x86_64", "macos-arm64", "macos-x86_64")


class Source(Row):
    """Who says so, and when it was read."""

    text: str
    date: str


class Address(Row):
    """How other builds are asked for: an index (with {build}) or a page of links. local: the version names the build."""

    index: str = ""
    find_links: str = ""
    local: bool
    reason: str


class OnIndex(Row):
    """The wheels of one release on the package index, for one place."""

    python: list[str]
    build: str
    system: str = ""
    without_torchvision: list[str] = []
    without_torchaudio: list[str] = []


class Release(Row):
    """One torch: its partners, its wheels on the package index by place, and the builds that lie elsewhere, by place."""

    torch: str
    torchvision: str
    also: list[str] = []
    torchaudio: str = ""
    date: str = ""
    source: list[str]
    layout: str = ""
    elsewhere: dict[Place, list[str]] = Field(default_factory=dict)
    index: dict[Place, OnIndex] = Field(default_factory=dict)

    def builds(self, place: Place) -> list[str]:
        """The accelerators that this place has a build for, that of the package index first.

        A CUDA build runs on the CPU, and Apple's processors have their GPU in the ordinary wheel (mps, from 1.12 on).
        """
        found: list[str] = []
        if place in self.index:
            found = ["cpu", self.index[place].build]
            if place == "macos-arm64" and Version(self.torch) >= Version("1.12"):
                found.append("mps")
        return list(dict.fromkeys([*found, *self.elsewhere.get(place, [])]))

    def on_index(self, place: Place, build: str) -> bool:
        """Whether the package index's wheel serves this accelerator."""
        return place in self.index and build in ("cpu", "mps", self.index[place].build)


class Pair(Row):
    """Versions that were released together; `also` are further torchvisions for the same torch."""

    torch: str
    torchvision: str
    also: list[str] = []
    torchaudio: str = ""


class Loose(Row):
    """From these versions on the partner asks for a lowest torch only; torchaudio: its first that names none."""

    torchvision: str
    torch: str
    torchaudio: str


class Releases(Row):
    """matrices/torch-releases.toml."""

    older: str
    sources: dict[str, Source]
    layout: dict[str, Address]
    loose: Loose
    pair: list[Pair]
    release: list[Release]

    @model_validator(mode="after")
    def _refers(self) -> Releases:
        for row in self.release:
            for name in row.source:
                if name not in self.sources:
                    raise ValueError(f"torch {row.torch} names a source {name!r} that is not told")
            if row.elsewhere and row.layout not in self.layout:
                raise ValueError(f"torch {row.torch} names a layout {row.layout!r} that is not told")
        versions = [Version(row.torch) for row in self.release]
        if versions != sorted(set(versions)):
            raise ValueError("the releases do not stand in ascending order, each once")
        return self

    def of(self, torch: str) -> Release | None:
        """The release of that version."""
        return next((row for row in self.release if row.torch == torch), None)

    def last_for(self, place: Place) -> str:
        """The newest torch with a wheel on the package index for this place."""
        return next((row.torch for row in reversed(self.release) if place in row.index), "")

    def pairs(self) -> list[Pair]:
        """Who was released with whom, in ascending order; where torchvision names no single torch any more, no row."""
        loose = Version(self.loose.torchvision)
        rows = [Pair(torch=row.torch, torchvision=row.torchvision, also=row.also, torchaudio=row.torchaudio)
                for row in self.release if Version(row.torchvision) < loose]  # fmt: skip
        return [*self.pair, *rows]


def file() -> Path:
    """Where the data lies."""
    return layout.matrices() / "torch-releases.toml"


@cache
def releases() -> Releases:
    """The table."""
    from .data import load

    return load(file(), Releases)
