"""Which cells a workflow climbs on which machines, in matrices that GitHub accepts; and which jobs came back with nothing.

Called by `cells --github` (before the jobs) and `gather` (after them). Runs on the host; starts nothing. Data: matrices/runners.toml.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from . import layout
from . import record as records
from .cell import Cell, When
from .data import Row, load
from .errors import Problem, did_you_mean
from .matrix import Matrix
from .provenance import stamp
from .record import CheckResult, Frozen, Record

TABLE = "matrices/runners.toml"


class Runner(Row):
    """The machine for the cells that fit; label: what GitHub calls it."""

    when: When
    label: str
    reason: str


class Round(Row):
    """Cells that are climbed together. minutes: after which a job is ended."""

    name: str
    cells: list[str]
    minutes: int = Field(gt=0, le=360)
    reason: str


class Runners(Row):
    """matrices/runners.toml."""

    at_most: int = Field(gt=0, le=256)
    at_most_reason: str
    runner: list[Runner]
    round: list[Round]


class Job(Frozen):
    """One job of the matrix: a cell, the machine's label, the Python that the cell needs, the minutes after which it is ended."""

    cell: str
    runner: str
    python: str
    minutes: int


class Chunk(Frozen):
    """One matrix. name: part of what a person sees."""

    name: str
    jobs: list[Job]


class Skipped(Frozen):
    """A cell that no job is planned for, and why."""

    cell: str
    reason: str


class FanOut(Frozen):
    """What a run of the workflow will do."""

    round: str
    count: int
    chunks: list[Chunk]
    skipped: list[Skipped]


def runners() -> Runners:
    """matrices/runners.toml; raises Problem for what it gets wrong."""
    return load(layout.matrices() / "runners.toml", Runners)


def fan_out(matrix: Matrix, round_name: str, asked: str = "", table: Runners | None = None) -> FanOut:
    """The jobs of a round; asked: cells or globs, separated by blanks, in the place of the round's own.

    Raises Problem for an unknown round and for globs that no cell fits: a run of nothing must not be green.
    """
    table = table or runners()
    chosen = next((row for row in table.round if row.name == round_name), None)
    if chosen is None:
        names = [row.name for row in table.round]
        raise Problem(
            f"there is no round {round_name!r}", where=TABLE, cause=did_you_mean(round_name, names), next=f"one of {', '.join(names)}"
        )
    cells: dict[str, Cell] = {}
    for glob in asked.split() or chosen.cells:
        found = [matrix.cell(glob)] if not set(glob) & set("*?[") else matrix.select(glob)
        cells |= {cell.id: cell for cell in found}
    jobs, skipped = [], []
    for cell in cells.values():
        label = next((row.label for row in table.runner if cell.matches(row.when)), None)
        if label is None:
            skipped.append(Skipped(cell=cell.id, reason=f"{TABLE} has no runner for {cell.os} on {cell.arch}"))
        else:
            jobs.append(Job(cell=cell.id, runner=label, python=cell.python, minutes=chosen.minutes))
    if not jobs:
        raise Problem(
            "no cell has a runner", where=TABLE, cause="; ".join(sorted({row.reason for row in skipped})), next="add a [[runner]] row"
        )
    parts = [jobs[start : start + table.at_most] for start in range(0, len(jobs), table.at_most)]
    chunks = [Chunk(name=f"{number} of {len(parts)}", jobs=part) for number, part in enumerate(parts, 1)]
    return FanOut(round=round_name, count=len(jobs), chunks=chunks, skipped=skipped)


def read(path: Path) -> FanOut:
    """The plan that was written before the jobs."""
    try:
        return FanOut.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Problem("that is no plan of jobs", where=f"{path}: {str(error).splitlines()[0]}",
                      next="slowfast-verify cells --github --plan FILE") from None  # fmt: skip


def stand_ins(plan: FanOut, folder: Path) -> list[str]:
    """Write a record for each planned cell that left none in the folder; returns their ids.

    It says infrastructure: a machine that vanished, or a job that ran out of time or memory, tells nothing of its cell.
    """
    arrived = {path.stem.partition("+")[0] for path in folder.rglob("*.json")}
    silent = [job for chunk in plan.chunks for job in chunk.jobs if job.cell not in arrived]
    for job in silent:
        reason = f"its job on {job.runner} ended without a record: cancelled, out of time or memory, or the machine was lost"
        check = CheckResult(id="install::job_left_a_record", rung="install", phase="provision", outcome="infrastructure", reason=reason)
        record = Record(cell=job.cell, target={"kind": "none", "runner": job.runner}, checks=[check], **stamp())
        records.write(record, folder)
    return [job.cell for job in silent]
