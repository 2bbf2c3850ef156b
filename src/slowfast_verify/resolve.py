"""The first rung for cells of any system, from any machine: which would resolve, and to what. Called by the command of that name.

Cells with equal questions are asked once; an answer is kept in the cache by the digest of its question, so that an interrupted run goes on
where it stopped and a second run asks nothing. Runs on the host; installs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from . import layout, package_index, prediction, resolver
from .atomic import write_text
from .cell import Cell
from .errors import Problem
from .matrix import Matrix
from .request import Asked, asked, rules
from .resolution import Prediction, Resolution, Resolutions
from .resolver import Answer
from .torch_releases import Place

CHANNELS = "only a conda solver can ask its channels: slowfast-verify climb does, where they can be reached"
KEPT_VERSION = "1"  # raise it when the same question is asked in another way
INSTALLERS = ("uv", "pip")  # what takes from the package index; equal questions, whichever of them asks
OLD_ANSWERS = ("resolves", "conflicts", "no wheel")


@dataclass
class Work:
    """What a run has to do: the question of each cell, the cells of each question, and what is answered already."""

    questions: dict[str, Asked] = field(default_factory=dict)
    cells: dict[str, str] = field(default_factory=dict)  # cell -> digest
    unreachable: dict[str, str] = field(default_factory=dict)  # cell -> why its torch cannot be asked for
    twins: dict[str, str] = field(default_factory=dict)  # cell -> the cell whose versions stand for its own
    answers: dict[str, Answer] = field(default_factory=dict)

    def left(self) -> list[str]:
        """The digests that nobody has answered yet."""
        return [digest for digest in self.questions if digest not in self.answers]


Tick = Callable[[int, int], None]


def folder() -> Path:
    """Where answers and the index's metadata are kept."""
    return layout.home() / "resolve"


def prepare(cells: Iterable[Cell], matrix: Matrix, *, offline: bool = False, refresh: bool = False, system: str = "") -> Work:
    """The questions of these cells, and what the cache answers. refresh: ask again what is known."""
    work = Work()
    asker = (KEPT_VERSION, package_index.address(), *(row.model_dump_json() for row in rules().declared))
    seen: dict[tuple[str, ...], tuple[str, str, Cell | None]] = {}
    for cell in cells:
        if cell.installer not in INSTALLERS:
            work.unreachable[cell.id] = CHANNELS
            continue
        key = (cell.os, cell.arch, cell.python, cell.torch, cell.accelerator, cell.subject, cell.revision, cell.stack)  # not its installer
        if key not in seen:
            question, why = _question(cell, matrix, system, offline)
            twin = _twin(cell, matrix) if why else None
            if twin:
                question, _ = _question(twin, matrix, system, offline)
            digest = question.digest(*asker) if twin or not why else ""
            if digest:
                work.questions[digest] = question
            seen[key] = (digest, why, twin)
        digest, why, twin = seen[key]
        if digest:
            work.cells[cell.id] = digest
        if why:
            work.unreachable[cell.id] = why
        if twin:
            work.twins[cell.id] = twin.model_copy(update={"installer": cell.installer}).id
    for digest in work.questions if not refresh else ():
        answer = kept(digest, any_age=offline)
        if answer:
            work.answers[digest] = answer
    return work


def carry_out(work: Work, *, workers: int = 0, offline: bool = False, tick: Tick | None = None) -> None:
    """Ask what is left, `workers` questions at a time; each answer is kept at once. An interrupt loses the ones under way only."""
    left = work.left()
    metadata = folder() / "index"
    metadata.mkdir(parents=True, exist_ok=True)
    done = len(work.questions) - len(left)
    pending: set[Future[tuple[str, Answer]]] = set()
    with ThreadPoolExecutor(max_workers=max(1, workers or rules().workers)) as pool:
        try:
            for digest in left:
                pending.add(pool.submit(_ask, digest, work.questions[digest], metadata, offline))
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    digest, answer = future.result()
                    work.answers[digest] = answer
                    done += 1
                if tick:
                    tick(done, len(work.questions))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def results(cells: Iterable[Cell], matrix: Matrix, work: Work) -> list[Resolution]:
    """What became of each cell, with its predictions."""
    predicted: dict[tuple[str, ...], list[Prediction]] = {}
    found = []
    for cell in cells:
        digest = work.cells.get(cell.id, "")
        answer = work.answers.get(digest)
        why = work.unreachable.get(cell.id, "")
        if answer is None:
            found.append(Resolution(cell=cell.id, verdict="not verified", reason=why or "it was not asked"))
            continue
        question = work.questions[digest]
        key = (digest, cell.os, cell.arch, cell.accelerator, cell.installer, cell.subject, cell.revision, cell.stack)
        if key not in predicted:
            origins = question.origins
            predicted[key] = prediction.predict(cell, matrix, answer.versions, origins) if answer.verdict == "resolves" else []
        found.append(_result(cell, question, answer, digest, why, work.twins.get(cell.id, ""), predicted[key]))
    return found


def predicted_anew(kept: Resolutions, matrix: Matrix) -> list[Resolution]:
    """What is kept, with the predictions of today's knowledge; cells that can no longer exist are left out. Asks nothing."""
    memory: dict[tuple[str, ...], list[Prediction]] = {}
    found = []
    for identifier in kept.ids():
        cell, row = matrix.everything.get(identifier), kept.of(identifier)
        if cell is None or row is None:
            continue
        if row.versions:
            key = (row.digest, row.twin, cell.os, cell.arch, cell.accelerator, cell.installer, cell.subject, cell.revision, cell.stack)
            if key not in memory:
                memory[key] = prediction.predict(cell, matrix, row.versions, row.origins)
            row = row.model_copy(update={"predicted": memory[key]})
        found.append(row)
    return found


def _result(cell: Cell, question: Asked, answer: Answer, digest: str, why: str, twin: str, predicted: list[Prediction]) -> Resolution:
    common = answer.model_dump(exclude={"verdict", "reason"})
    reason = answer.reason
    if why:
        rest = (
            "the rest resolves as told"
            if answer.verdict == "resolves"
            else f"beside the package index's torch it {answer.verdict}: {reason}"
        )
        reason = f"{why}; {rest}"
    return Resolution(
        cell=cell.id, verdict="not verified" if why else answer.verdict, reason=reason, origins=question.origins, level=question.system,
        twin=twin, predicted=predicted, digest=digest[:16], **common,
    )  # fmt: skip


def _question(cell: Cell, matrix: Matrix, system: str, offline: bool) -> tuple[Asked, str]:
    """The question of a cell, and why it cannot be asked: its torch lies on an index that does not answer."""
    question = _asked(
        matrix, cell.os, cell.arch, cell.python, cell.torch, cell.accelerator, cell.subject, cell.revision, cell.stack, system
    )
    place = question.index or question.find_links
    if not place:
        return question, ""
    said = "the network was not asked" if offline else _answers(urlsplit(place).netloc, place)
    return question, f"this torch is only on {place}: {said}" if said else ""


@cache
def _answers(host: str, place: str) -> str:
    """Why a host does not answer; empty where it does. One question a host: all its indexes stand or fall together."""
    assert host
    said = package_index.answers(place if place.endswith(".html") else f"{place}/torch/")
    return f"cannot be reached from here ({said})" if said else ""


@cache
def _asked(matrix: Matrix, os: str, arch: str, python: str, torch: str, accelerator: str, subject: str, revision: str, stack: str,
           system: str) -> Asked:  # fmt: skip
    cell = Cell(os=os, arch=arch, python=python, torch=torch, accelerator=accelerator, installer="uv", subject=subject,
                revision=revision, stack=stack)  # fmt: skip
    return asked(cell, matrix, system)


def _twin(cell: Cell, matrix: Matrix) -> Cell | None:
    """The same cell with the package index's own build of torch: what it brings beside torch is what this one would get."""
    release = matrix.space.releases.get(cell.torch)
    there = release.index.get(cast(Place, f"{cell.os}-{cell.arch}")) if release else None
    if there is None:
        return None
    twin = cell.model_copy(update={"accelerator": "cpu" if cell.accelerator == "cpu" else there.build})
    twin = twin if twin.accelerator != cell.accelerator else cell.model_copy(update={"accelerator": "cpu"})
    try:
        return matrix.cell(twin.id)
    except Problem:
        return None


def _ask(digest: str, question: Asked, metadata: Path, offline: bool) -> tuple[str, Answer]:
    answer = resolver.resolve(question, metadata, offline)
    if answer.verdict in OLD_ANSWERS or "requires can be told only" in answer.reason:
        path = _path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, answer.model_dump_json())
    return digest, answer


def kept(digest: str, any_age: bool = False) -> Answer | None:
    """What was answered within the time that the data allows; None where nothing was, or its file is damaged."""
    path = _path(digest)
    try:
        if not any_age and time.time() - path.stat().st_mtime > rules().fresh_hours * 3600:
            return None
        return Answer.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None


def _path(digest: str) -> Path:
    return folder() / "answers" / digest[:2] / f"{digest}.json"
