"""Files of this machine for a target that may not see them: named in the questions, and packed where they have to travel.

Runs on the host; observe calls it. Arguments name a file by its place ("{fixtures}/clips/up.mp4"), and the runner puts the path there:
this machine's where the target sees it, else one below its own temporary folder. May import the standard library and question.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .question import Question

LIMIT = 64 << 20  # bytes of one file: it travels inside a text that the target's Python compiles
TOO_LARGE = "TooLargeToTravel"
LEFT_BEHIND = ("make", "__pycache__", "README.md")  # of a folder: what only people and the fixtures' own script read


def size_of(path: Path) -> int:
    """Bytes of what would travel."""
    return sum(file.stat().st_size for _, file in _files(path))


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path)
            if file.is_file() and name.parts[0] not in LEFT_BEHIND:
                yield name.as_posix(), file
    else:
        yield "", path


@dataclass(frozen=True)
class Parcel:
    """places: {name: path of this machine}; travels: whether the files go along, or only their paths."""

    places: Mapping[str, str]
    travels: bool

    @cached_property
    def packed(self) -> dict[str, Any] | None:
        """What the runner unpacks: one zip as text, and where in it each place lies."""
        if not (self.travels and self.places):
            return None
        whole, roots = io.BytesIO(), {}
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
            for place, text in self.places.items():
                path = Path(text)
                roots[place] = place if path.is_dir() else f"{place}/{path.name}"
                for name, file in _files(path):
                    archive.write(file, f"{roots[place]}/{name}" if name else roots[place])
        return {"roots": roots, "zip": base64.b64encode(whole.getvalue()).decode("ascii")}

    def refused(self, questions: Iterable[Question]) -> dict[str, str]:
        """{question: why} of those that name a file which is too large to travel."""
        heavy = {name: size for name, path in self.places.items() if self.travels and (size := size_of(Path(path))) > LIMIT}
        return {
            question.id: f"{Path(self.places[name]).name} has {size / 1e6:.0f} MB, and the target does not see the files of this machine: "
            f"at most {LIMIT >> 20} MiB travel there"
            for question in questions
            for name, size in heavy.items()
            if names(question.args, name)
        }


def parcel_for(questions: Iterable[Question], places: Mapping[str, str], *, travels: bool) -> Parcel:
    """The places that the arguments of these questions name, and no others."""
    said = [question.args for question in questions]
    return Parcel({name: path for name, path in places.items() if names(said, name)}, travels)


def names(value: Any, place: str) -> bool:
    """Whether a nested value names the place somewhere."""
    return f"{{{place}}}" in json.dumps(value)
