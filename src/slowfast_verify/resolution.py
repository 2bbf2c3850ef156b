"""What resolving a cell said, without installing it: the first rung, for a cell of any system. Kept in reports/resolve.json.

Written by resolve.py; read by recipe, report and dashboard. Runs on the host, starts nothing; imports pydantic, data and errors.
The file holds every distinct answer once, with its versions as numbers into one list of packages, and for each cell which it is.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from . import layout
from .data import Row
from .errors import Problem

Verdict = Literal["resolves", "conflicts", "no wheel", "not verified"]
SCHEMA = 2


class Prediction(Row):
    """A known failure (id, rung) that the cell will meet; why: the versions that meet it.

    by: its `applies` holds for what came out, or an `[[expect]]` row says that such cells fail.
    """

    id: str
    rung: str
    why: str
    by: Literal["applies", "expect"] = "applies"


class Resolution(Row):
    """What became of one cell.

    verdict: resolves; conflicts; no wheel (for this system at `level`); not verified.
    reason: one sentence, why it is no other verdict; empty where the cell resolves.
    versions: {distribution: version} by normalized name. origins: {distribution: git address} of those that are on no index.
    sources_only: no wheel fits, and building needs a compiler there; pure_sources: no wheel, but nothing is compiled either.
    declared: distributions whose requirements were taken from matrices/resolve.toml because their files could not be asked.
    level: the system's version that was asked for (`glibc 2.31`, `macOS 14.0`); needs: the lowest that these wheels run on.
    twin: the cell whose versions these are, where this cell's own torch is on an index that could not be reached.
    predicted: what will break after installing. digest: of all inputs. date: UTC, to the second. seconds: what the resolver took.
    """

    cell: str
    verdict: Verdict
    reason: str = ""
    versions: dict[str, str] = {}
    origins: dict[str, str] = {}
    sources_only: list[str] = []
    pure_sources: list[str] = []
    declared: list[str] = []
    level: str = ""
    needs: str = ""
    twin: str = ""
    predicted: list[Prediction] = []
    digest: str = ""
    date: str = ""
    seconds: float = 0.0


class Resolutions:
    """All that a file holds; a cell is unpacked when it is asked for."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.date: str = document["date"]
        self.resolver: str = document["resolver"]
        self._document = document
        self._cells: dict[str, dict[str, list[int]]] = document["cells"]

    def ids(self) -> list[str]:
        """The ids of all cells that were asked, in the order of the file."""
        return [f"{place}-{rest}" for place, row in self._cells.items() for rest in row]

    def __len__(self) -> int:
        return sum(map(len, self._cells.values()))

    def of(self, cell: str) -> Resolution | None:
        """What became of the cell of that id; None where it was never asked."""
        place, rest = split(cell)
        numbers = self._cells.get(place, {}).get(rest)
        if numbers is None:
            return None
        case, predicted = numbers
        told = dict(self._document["cases"][case])
        answer = dict(self._document["answers"][told.pop("answer")])
        versions = dict(self._document["packages"][index].split("==", 1) for index in answer.pop("versions", []))
        origins = self._document["origins"][answer.pop("origins", 0)]
        twin = told.pop("twin", "")
        return Resolution(
            cell=cell, versions=versions, origins=origins, twin=_with_accelerator(cell, twin) if twin else "",
            predicted=[self._document["predictions"][index] for index in self._document["together"][predicted]], **answer, **told,
        )  # fmt: skip


def _with_accelerator(cell: str, accelerator: str) -> str:
    """The same cell with another accelerator."""
    place, rest = split(cell)
    return f"{place.rpartition('-')[0]}-{accelerator}-{rest}"


def split(cell: str) -> tuple[str, str]:
    """`linux-py3.8-torch1.8.0-cpu` and `uv-pyslowfast@main` of an id."""
    parts = cell.split("-")
    at = next((number for number, part in enumerate(parts) if part.startswith("torch")), 0) + 2
    return "-".join(parts[:at]), "-".join(parts[at:])


class _Numbers:
    """Values as lines of JSON, each once, in the order in which they came."""

    def __init__(self, *first: Any) -> None:
        self.lines: dict[str, int] = {}
        for value in first:
            self.of(value)

    def of(self, value: Any) -> int:
        """The number of a value."""
        return self.lines.setdefault(json.dumps(value, ensure_ascii=False, separators=(",", ":")), len(self.lines))


def pack(found: list[Resolution], date: str, resolver: str) -> str:
    """The file's text: each distinct answer, case and prediction once and on a line of its own, so that a change can be read in a diff.

    answers: versions and what follows from them. cases: an answer with its verdict and reason. together: which predictions go with a cell.
    cells: {place: {rest of the id: [case, together]}}.
    """
    names = sorted({f"{name}=={version}" for row in found for name, version in row.versions.items()})
    number = {name: index for index, name in enumerate(names)}
    answers, cases, origins, predictions, together = _Numbers(), _Numbers(), _Numbers({}), _Numbers(), _Numbers([])
    cells: dict[str, dict[str, list[int]]] = {}
    for row in found:
        answer = row.model_dump(exclude={"cell", "versions", "verdict", "reason", "twin", "predicted", "origins"}, exclude_defaults=True)
        if row.origins:
            answer["origins"] = origins.of(row.origins)
        if row.versions:
            answer["versions"] = sorted(number[f"{name}=={version}"] for name, version in row.versions.items())
        case: dict[str, Any] = {"answer": answers.of(answer), "verdict": row.verdict}
        case |= {"reason": row.reason} if row.reason else {}
        case |= {"twin": split(row.twin)[0].rpartition("-")[2]} if row.twin else {}
        told = [predictions.of(what.model_dump(exclude_defaults=True)) for what in row.predicted]
        place, rest = split(row.cell)
        cells.setdefault(place, {})[rest] = [cases.of(case), together.of(told)]
    head = json.dumps({"schema": SCHEMA, "date": date, "resolver": resolver, "packages": names}, ensure_ascii=False)
    lists = {"origins": origins, "answers": answers, "cases": cases, "predictions": predictions, "together": together}
    text = ""
    for name, rows in lists.items():
        body = ",\n".join(rows.lines)
        text += f'"{name}": [\n{body}\n],\n'
    places = ",\n".join(f"{json.dumps(place)}:{json.dumps(row, separators=(',', ':'))}" for place, row in cells.items())
    return f'{head[:-1]},\n{text}"cells": {{\n{places}\n}}}}\n'


def path() -> Path:
    """Where the project keeps its resolutions."""
    return layout.kept() / "resolve.json"


@cache
def load(file: Path | None = None) -> Resolutions:
    """The kept resolutions; raises Problem where there are none or the file is of another kind."""
    file = file or path()
    again = "slowfast-verify resolve --keep"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem("no resolutions are kept yet", where=str(file), next=again) from None
    except ValueError as error:
        raise Problem(f"not valid JSON: {error}", where=str(file), cause="the file was edited or cut", next=again) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise Problem("the file was written by another version of the suite", where=str(file), next=again)
    return Resolutions(document)
