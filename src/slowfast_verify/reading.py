"""Records from anywhere, one at a time: files, folders, the lines of a collection; what is no record is named and never raises.

Runs on the host; called by collection and the `report` commands. Imports the record alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from . import record as records
from .errors import Problem
from .record import Frozen, Record

LARGEST = 64 * 1024 * 1024  # bytes of one record; 400 checks with all they may say are under 3 MB
LONGEST_CELL = 200  # characters: it becomes the name of a file, of a page, of an anchor
RUN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)-[\w.]{1,40}", re.ASCII)
AHEAD = timedelta(days=1)  # a clock may be wrong by that much; what is further ahead would be the newest for ever


class Refused(Frozen):
    """Something that is no record, or none of ours: where it lay (no folder of a machine), why it was refused, a digest of what it said."""

    where: str
    why: str
    sha256: str = ""


class RefusedLine(Frozen):
    """A line of a collection that is no record."""

    refused: Refused


def moment(run: str) -> datetime:
    """When a run ended; raises ValueError where its name does not say."""
    found = RUN.fullmatch(run)
    if not found:
        raise ValueError(f"its run is {run[:60]!r}: no moment like 2026-11-23T10:04:11Z-3f9c")
    return datetime.strptime(found.group(1), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def read(paths: Iterable[Path]) -> Iterator[Record | Refused]:
    """Every record in files (.json: one, .jsonl: one a line) and folders (searched through), and what was refused. Never raises for a
    file's content; raises Problem for a path that is not there. Holds one record at a time."""  # fmt: skip
    for path in paths:
        if path.is_dir():
            for file in _files(path):
                yield from _file(file, f"{path.resolve().name}/{file.relative_to(path).as_posix()}")
        elif path.exists():
            yield from _file(path, f"{path.resolve().parent.name}/{path.name}")
        else:
            raise Problem("there are no records there", where=str(path), cause="the name is misspelt, or nothing was climbed yet",
                          next="slowfast-verify climb CELL, or name another folder")  # fmt: skip


def _files(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in sorted(names) if name.endswith((".json", ".jsonl")) and not name.startswith("."))


def _file(path: Path, where: str) -> Iterator[Record | Refused]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            yield Refused(where=where, why="it is no ordinary file")
            return
        with path.open("rb") as stream:
            if path.suffix == ".jsonl":
                yield from _lines(stream, where)
            else:
                yield _one(stream.read(LARGEST + 1), where)
    except OSError as error:
        yield Refused(where=where, why=f"it cannot be read: {error.strerror}")


def _lines(stream: IO[bytes], where: str) -> Iterator[Record | Refused]:
    number = 0
    while line := stream.readline(LARGEST + 1):
        number += 1
        if line.strip():
            yield _one(line, f"{where} line {number}")
        while len(line) > LARGEST and not line.endswith(b"\n"):
            line = stream.readline(LARGEST + 1)


def _one(text: bytes, where: str) -> Record | Refused:
    digest = hashlib.sha256(text.strip()).hexdigest()
    if len(text) > LARGEST:
        return Refused(where=where, why=f"it has more than {LARGEST // 1024**2} MiB", sha256="")
    if text.startswith(b'{"refused":'):
        try:
            return RefusedLine.model_validate_json(text).refused
        except ValidationError as error:
            return Refused(where=where, why=f"not a record: {records.told(error)}", sha256=digest)
    try:
        found = records.parse(text)
        moment_of = moment(found.run)
    except (ValueError, RecursionError) as error:
        why = records.told(error) if isinstance(error, ValueError) else "it is nested without end"
        return Refused(where=where, why=f"not a record: {why}", sha256=digest)
    if len(found.cell) > LONGEST_CELL:
        return Refused(where=where, why=f"not a record: {found.cell[:60]!r}... cannot be the name of a cell", sha256=digest)
    if moment_of > datetime.now(UTC) + AHEAD:
        return Refused(where=where, why=f"not a record: its run lies in the future ({found.run})", sha256=digest)
    return found


def line(item: Record | Refused) -> bytes:
    """One line of a collection, without its end: the same bytes for the same record, however it was written."""
    if isinstance(item, Refused):
        return RefusedLine(refused=item).model_dump_json().encode()
    ordered = item.model_copy(update={"target": dict(sorted(item.target.items()))})
    return ordered.model_dump_json(by_alias=True, exclude_none=True).encode()
