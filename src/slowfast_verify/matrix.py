"""What exists, and which of it is meant: stacks of pins, the cells they span, and the selection that runs by default.

Data: matrices/stacks/*.toml, matrices/subjects/*.toml, matrices/selection.toml. Runs on the host; imports the models only.
"""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path

from . import by_rule, layout
from . import cell as cells
from .cell import Cell, When
from .data import Row, load
from .emulator import emulator_of
from .errors import Problem, did_you_mean
from .expectation import Expectation
from .knowledge import known
from .space import Space, axes, place_of
from .stack import Stack
from .subject import Subject, all_subjects


class Chosen(Row):
    """A cell of the default selection, and why it is there."""

    cell: str
    reason: str


class Elsewhere(Row):
    """A cell that stands for another system, and why this one. container: as an image, not in the cache."""

    cell: str
    container: bool = False
    reason: str


class Selection(Row):
    """What `nox -s matrix` runs when nobody says which, and what `nox -s elsewhere` does."""

    chosen: list[Chosen]
    elsewhere: list[Elsewhere] = []


class Matrix:
    """All stacks and subjects, cross-checked: whatever refers to nothing is an error with its file and key."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or layout.matrices()
        self.subjects: dict[str, Subject] = all_subjects(self.folder / "subjects") if folder else all_subjects()
        self.stacks = {
            path.stem: load(path, Stack).model_copy(update={"name": path.stem}) for path in sorted((self.folder / "stacks").glob("*.toml"))
        }
        self.cells: dict[str, Cell] = {}
        self._by_rule: dict[str, Stack] = {}
        for stack in self.stacks.values():
            self._expand(stack)
        self._check_subjects()

    def _expand(self, stack: Stack) -> None:
        file = f"matrices/stacks/{stack.name}.toml"
        axes = stack.axes
        mine: list[Cell] = []
        for os, arch, python, accelerator, installer, which in itertools.product(
            axes.os, axes.arch, axes.python, axes.accelerator, axes.installer, axes.subject
        ):
            name, at, revision = which.partition("@")
            if not at or name not in self.subjects:
                raise Problem(
                    f"unknown subject {which!r}",
                    where=f"{file}, key axes.subject",
                    cause=did_you_mean(name, list(self.subjects)) or "it is written name@revision",
                    next=f"write one of {', '.join(self.subjects)} with a revision, or add matrices/subjects/{name}.toml",
                )
            self.subjects[name].at(revision)
            mine.append(
                Cell(os=os, arch=arch, python=python, torch=stack.torch.version, accelerator=accelerator, installer=installer,
                     subject=name, revision=revision, stack=stack.name)
            )  # fmt: skip
        for index, row in enumerate(stack.exclude):
            if not any(cell.matches(row.when) for cell in mine):
                raise _stale(f"{file}, key exclude[{index}].when", row.when)
        mine = [cell for cell in mine if not any(cell.matches(row.when) for row in stack.exclude)]
        for index, expectation in enumerate(stack.expect):
            if not any(cell.matches(expectation.when) for cell in mine):
                raise _stale(f"{file}, key expect[{index}].when", expectation.when)
            known(expectation.cause)
        for index, wheels in enumerate(stack.wheels):
            if not any(cell.matches(wheels.when) for cell in mine):
                raise _stale(f"{file}, key wheels[{index}].when", wheels.when)
        for index, pin in enumerate(stack.pin):
            if pin.known:
                known(pin.known)
            if not any(cell.matches(pin.when) for cell in mine):
                raise _stale(f"{file}, key pin[{index}].when", pin.when)
        for identifier in stack.workarounds:
            known(identifier)
        for cell in mine:
            if stack.wheels_of(cell) is None:
                raise Problem(
                    f"no [[wheels]] row says where torch comes from for {cell.id}",
                    where=f"{file}, key wheels",
                    next="add a [[wheels]] row whose `when` covers it, or an [[exclude]] row with the reason",
                )
            if cell.id in self.cells:
                raise Problem(
                    f"two stacks span the cell {cell.id}",
                    where=f"{file} and matrices/stacks/{self.cells[cell.id].stack}.toml",
                    next="take the value out of one of their axes",
                )
            self.cells[cell.id] = cell

    def _check_subjects(self) -> None:
        everything = list(self.cells.values())
        for subject in self.subjects.values():
            for phase in subject.phase:
                if phase.without_known:
                    known(phase.without_known)
            for index, expectation in enumerate(subject.expect):
                when = {"subject": subject.name, **expectation.when}
                if not any(cell.matches(when) for cell in everything):
                    raise _stale(f"matrices/subjects/{subject.name}.toml, key expect[{index}].when", expectation.when)
                known(expectation.cause)
            for revision in subject.revision:
                for identifier in revision.workarounds:
                    known(identifier)

    @cached_property
    def space(self) -> Space:
        """Every cell that can exist, by rule; most of them are only resolved."""
        return Space(self.subjects, axes(self.folder))

    @cached_property
    def everything(self) -> dict[str, Cell]:
        """{id: cell} of the stacks and of the space; a stack comes first."""
        return {**self.cells, **{cell.id: cell for cell in self.space.cells() if cell.id not in self.cells}}

    def stack_of(self, cell: Cell) -> Stack:
        """The stack that spans the cell, or the one that is drawn up for it by rule."""
        if cell.stack not in self.stacks:
            name = cell.stack or self.space.stack_name(cell.torch, place_of(cell), cell.python)
            if name not in self._by_rule:
                self._by_rule[name] = by_rule.stack(name, self.space, list(self.stacks.values()))
            return self._by_rule[name]
        return self.stacks[cell.stack]

    def expectations(self, cell: Cell) -> list[Expectation]:
        """What is expected to fail in the cell, of its stack and of its subject."""
        rows = [*self.stack_of(cell).expect, *self.subjects[cell.subject].expect]
        return [row for row in rows if cell.matches(row.when)]

    def cell(self, identifier: str) -> Cell:
        """The cell of that id; raises Problem with the nearest one."""
        if identifier in self.cells:
            return self.cells[identifier]
        cell = cells.parse(identifier)
        reason = self.why_not(cell)
        if not reason:
            return cell.model_copy(update={"stack": self.space.stack_name(cell.torch, place_of(cell), cell.python)})
        near = did_you_mean(identifier, list(self.cells))
        raise Problem(
            f"no stack spans the cell {identifier!r}, and none can be drawn up for it",
            where="matrices/stacks/, matrices/space.toml",
            cause=f"{reason}; {near}" if near else reason,
            next="slowfast-verify cells --all lists every cell; add the value to the axes of a stack",
        )

    def why_not(self, cell: Cell) -> str:
        """Why a cell cannot exist by rule; empty where it can."""
        name = f"{cell.subject}@{cell.revision}"
        if cell.installer not in self.space.axes.installer or name not in self.space.axes.subject:
            return f"matrices/space.toml lists no {cell.installer if cell.installer not in self.space.axes.installer else name}"
        return self.space.why_not(place_of(cell), cell.python, cell.torch, cell.accelerator, name)

    def select(self, *globs: str, everywhere: bool = False) -> list[Cell]:
        """Cells whose id fits one of the globs (`linux-*torch2*`); none is a Problem, not an empty run.

        Those of the stacks, and where these have none or everywhere is set, of all that can exist.
        """
        found = [cell for cell in self.cells.values() if any(fnmatchcase(cell.id, glob) for glob in globs)]
        if globs and not any(set(glob) & set("*?[") for glob in globs):
            return list({cell.id: cell for cell in map(self.cell, globs)}.values())  # ids in full: nothing else has to be made
        if everywhere or not found:
            found = [cell for cell in self.everything.values() if any(fnmatchcase(cell.id, glob) for glob in globs)]
        if not found:
            raise Problem(
                f"no cell fits {' '.join(globs)}",
                where="matrices/stacks/",
                cause="; ".join(filter(None, (did_you_mean(glob, list(self.cells)) for glob in globs))) or "the glob is too narrow",
                next="slowfast-verify cells lists every cell",
            )
        return found

    def selection(self) -> list[Cell]:
        """The default selection, in its order, as far as this machine can run it, natively or under an emulator."""
        rows = load(self.folder / "selection.toml", Selection).chosen
        return [cell for cell in (self.cell(row.cell) for row in rows) if runnable(cell)]

    def elsewhere(self) -> list[Elsewhere]:
        """The cells that stand for other systems; a row that names no cell is a Problem."""
        rows = load(self.folder / "selection.toml", Selection).elsewhere
        assert all(self.cell(row.cell) for row in rows)
        return rows


def runs_here(cell: Cell) -> bool:
    """Whether this machine's kernel and processor can run the cell natively."""
    return cell.os == cells.this_os() and cell.arch == cells.this_arch()


def runnable(cell: Cell) -> bool:
    """Whether this machine can run the cell at all: natively, or under an emulator (whether installed or not: plan says)."""
    return runs_here(cell) or emulator_of(cell) is not None


@cache
def default() -> Matrix:
    """The project's own matrix."""
    return Matrix()


def _stale(where: str, when: When) -> Problem:
    shown = ", ".join(f"{key} = {value!r}" for key, value in when.items())
    return Problem(
        f"`when = {{ {shown} }}` matches no cell",
        where=where,
        cause="an axis value is misspelt, or the cells it spoke of are gone",
        next="mend the value, or take the row out",
    )
