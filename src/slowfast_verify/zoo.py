"""SlowFast's published weights, the documented clip and its labels: where they are, and how to get one of them whole.

Called by the checkpoint and demo suites when `--zoo` asks for it, and by the command line; runs on the host; may import the
standard library, pydantic, pooch and our data, download, errors, layout and sniff. The facts are in matrices/zoo.toml.

`fetch` raises Infrastructure when the network or the disk failed, NotVerifiable when only a person can download the file, and
Problem when what came is not the file. None of them says anything about the environment under test.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import pooch
from pydantic import Field, StringConstraints, model_validator

from . import layout
from .data import Row, load
from .download import Limits, Resuming, bar, locked
from .errors import PROBLEMS_FOUND, NotVerifiable, Problem, did_you_mean
from .sniff import Sniffed, sniff

MAX_LABELS: Final = 4 << 20
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*(/[A-Za-z0-9][A-Za-z0-9_.+-]*)*$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/\S+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Percent = Annotated[float, Field(gt=0, le=100)]


class Accuracy(Row):
    """In percent, as published."""

    top1: Percent | None = None
    top5: Percent | None = None
    mean_average_precision: Percent | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Accuracy:
        if not self.model_fields_set:
            raise ValueError("an accuracy without a number: give top1, top5 or mean_average_precision")
        return self


class _Published(Row):
    name: Name
    address: Address
    source: str
    sha256: Sha256 | None = None
    note: str = ""
    by_hand: bool = False


class Weights(_Published):
    """A checkpoint. `checkpoint_type` is left out where nothing upstream says it: the sniffer tells once the file is there."""

    config: str
    dataset: str
    accuracy: Accuracy | None = None
    checkpoint_type: Literal["pytorch", "caffe2"] | None = None


class Clip(_Published):
    """A video and the label that a Kinetics model gives it first."""

    top_label: str


class Labels(_Published):
    """A JSON file from label to class index."""

    dataset: str


Entry = Weights | Clip | Labels


class Zoo(Row):
    """matrices/zoo.toml."""

    revision: str
    weights: tuple[Weights, ...]
    clips: tuple[Clip, ...]
    labels: tuple[Labels, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All rows, whatever they are."""
        return (*self.weights, *self.clips, *self.labels)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Zoo:
        names = [entry.name for entry in self.entries]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {twice[0]!r} stands twice")
        return self


@dataclass(frozen=True)
class Fetched:
    """A whole file in the cache; `sniffed` only for weights. The sha256 is for zoo.toml where it is not known yet."""

    path: Path
    sha256: str
    sniffed: Sniffed | None


@cache
def zoo() -> Zoo:
    """The table."""
    return load(layout.matrices() / "zoo.toml", Zoo)


def find(name: str) -> Entry:
    """The entry of that name."""
    known = {entry.name: entry for entry in zoo().entries}
    if name not in known:
        raise Problem(
            f"nothing is published under the name {name!r}",
            where="matrices/zoo.toml",
            cause=did_you_mean(name, list(known)) or "a misspelt name",
            next=f"one of {len(known)} names, for example kinetics400/SLOWFAST_8x8_R50",
        )
    return known[name]


def place(entry: Entry, folder: Path | None = None) -> Path:
    """Where the whole file lies once it is fetched."""
    suffix = Path(entry.address.partition("?")[0]).suffix
    suffix = suffix if suffix in (".pkl", ".pyth", ".mp4", ".json") else ".pyth"
    return (folder or layout.home() / "zoo") / (entry.name + suffix)


def fetch(entry: Entry, folder: Path | None = None, *, show: bool = True, limits: Limits | None = None) -> Fetched:
    """The file of `entry`, from the cache or from its address; whole and checked, or a Problem."""
    limits = limits or Limits()
    path = place(entry, folder)
    lock, part = path.with_name(path.name + ".lock"), path.with_name(path.name + ".part")
    with locked(lock, limits):
        if path.exists() and not _is_good(path, entry):
            path.unlink()
        if entry.by_hand and not path.exists():
            raise NotVerifiable(
                f"{entry.name} can only be downloaded by hand",
                where=entry.address,
                cause="the address is a page with a button, not a file",
                next=f"open it in a browser and save the file as {path}",
            )
        if not path.exists():
            _download(entry, path, part, show, limits)
        return Fetched(path, pooch.file_hash(str(path)), _require_whole(path, entry))


def example(folder: Path | None = None, *, show: bool = True, limits: Limits | None = None) -> dict[str, str]:
    """The files of the documented example as {weights, clip, labels}; {reason} where they are not to be had."""
    names = {"weights": "kinetics400/SLOWFAST_8x8_R50", "clip": "clips/archery", "labels": "labels/kinetics400"}
    found = {}
    for key, name in names.items():
        try:
            fetched = fetch(find(name), folder, show=show, limits=limits)
            if fetched.sniffed and fetched.sniffed.unsafe:
                return {"reason": f"{name} was not opened: {fetched.sniffed.unsafe}"}
            found[key] = str(fetched.path)
        except Problem as problem:
            return {"reason": f"{name}: {problem.what}"}
    return found


def _download(entry: Entry, path: Path, part: Path, show: bool, limits: Limits) -> None:
    known = f"sha256:{entry.sha256}" if entry.sha256 else None
    pooch.get_logger().setLevel(logging.WARNING)  # it would print the address and the hash of every file
    with bar(entry.name, show) as report:
        downloader = Resuming(part, lambda file: _require_whole(file, entry), report, limits)
        try:
            pooch.retrieve(entry.address, known, fname=path.name, path=path.parent, downloader=downloader)
        except ValueError as error:
            raise Problem(
                f"{entry.name} is not the file that was published: its checksum differs",
                where=entry.address,
                cause=f"it was replaced upstream, or changed on its way ({str(error)[:200]})",
                next="try another network; if upstream replaced it, mend sha256 in matrices/zoo.toml",
                code=PROBLEMS_FOUND,
            ) from None


def _is_good(path: Path, entry: Entry) -> bool:
    if entry.sha256 and pooch.file_hash(str(path)) != entry.sha256:
        return False
    try:
        _require_whole(path, entry)
    except Problem:
        return False
    return True


def _require_whole(path: Path, entry: Entry) -> Sniffed | None:
    """Look inside: a server that answers 200 may still have sent a login page, or half of the file."""
    sniffed = sniff(path)
    if sniffed.kind in ("web page", "git lfs pointer", "empty", "missing"):
        wrong = sniffed.detail
    elif isinstance(entry, Weights):
        wrong = "" if sniffed.verdict == "intact" and sniffed.checkpoint_type else f"{sniffed.verdict}: {sniffed.detail}"
    else:
        wrong = _wrong_with_clip(path) if isinstance(entry, Clip) else _wrong_with_labels(path)
    if wrong:
        raise Problem(
            f"what was downloaded as {entry.name} is not it: {wrong}",
            where=entry.address,
            cause="a proxy, a login page or a connection that was cut; nothing was kept",
            next=f"curl -fIL {entry.address}",
            code=PROBLEMS_FOUND,
        )
    return sniffed if isinstance(entry, Weights) else None


def _wrong_with_clip(path: Path) -> str:
    """The boxes of an MP4 file name their lengths: together they are the file."""
    seen: list[bytes] = []
    try:
        seen.extend(_boxes(path))
    except EOFError:
        return "the video is cut off"
    if seen[:1] != [b"ftyp"]:
        return "no MP4 video"
    return "" if b"moov" in seen else "the video has no index"


def _boxes(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at < size:
            file.seek(at)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            length = int.from_bytes(header[8:16], "big") if length == 1 else length or size - at
            yield header[4:8]
            if length < 8 or at + length > size:
                raise EOFError
            at += length


def _wrong_with_labels(path: Path) -> str:
    try:
        with path.open("rb") as file:
            labels = json.loads(file.read(MAX_LABELS))
    except (ValueError, RecursionError):
        return "no whole JSON file"
    whole = isinstance(labels, dict) and bool(labels) and all(isinstance(i, int) for i in labels.values())
    return "" if whole else "no table from label to class index"
