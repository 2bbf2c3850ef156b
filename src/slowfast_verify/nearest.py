"""Which cell is nearest to what somebody asks for, and what differs from it. What counts how much stands in matrices/recipe.toml.

Runs on the host; starts nothing. Called by the `recipe` command and the dashboard.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from . import layout
from . import recipe as recipes
from .cell import Cell, Os
from .data import Row
from .errors import Problem
from .knowledge import RUNGS
from .matrix import Matrix, default
from .recipe import Evidence, Recipe
from .torch_releases import Place
from .wanted import Wanted, capability_of, cuda_of, gpus, kind_of, number, rules

#: What the code asks the costs of; a test holds the data to them.
AXES = ("os", "arch", "subject", "revision", "installer", "installer_kind", "accelerator_kind", "accelerator", "torch_major", "torch_minor",
        "python_minor")  # fmt: skip
PROOFS = ("ran as printed", "verified", "emulated", "resolves", "predicted", "unresolvable", "rung")
#: Axes on which a cell that exists by rule is only looked at where it is as asked.
EXACT = ("os", "arch", "python", "installer", "subject", "revision")
GPU_COSTS = ("no_kernels", "not_native", "driver")


class Difference(Row):
    """One thing that is not as asked. binding: it makes a prediction of what is printed."""

    axis: str
    asked: str
    given: str
    cost: float
    binding: bool

    def words(self) -> str:
        """A line of the list."""
        return f"{self.axis.replace('_', ' ')}: {self.given} instead of {self.asked}"


class Choice(Row):
    """A cell, how far it is from what was asked, and why."""

    cell: Cell
    distance: float
    differences: list[Difference]
    refused: str = ""

    @property
    def binding(self) -> bool:
        """Whether it is another thing than was asked for."""
        return any(row.binding for row in self.differences)


class Answer(Row):
    """The recipe for what was asked, and where it was never run the nearest one that was."""

    wanted: Wanted
    recipe: Recipe
    predicted: bool
    known: list[str]
    nearest_run: Recipe | None = None
    nearest_run_differs: list[str] = []
    refused: list[str] = []


def answer(wanted: Wanted, *, only: str = "", matrix: Matrix | None = None, evidence: Path | None = None) -> Answer:
    """The nearest cell's recipe, or that of the cell `only`; where it never ran, the nearest that did is named beside it."""
    matrix = matrix or default()
    wanted = wanted if wanted.subject else wanted.model_copy(update={"subject": rules().default_subject})
    if wanted.gpu and not wanted.capability:
        wanted = wanted.model_copy(update={"capability": capability_of(wanted.gpu)})
    evidence = evidence or layout.kept() / "evidence"
    choices = [choice_of(cell, wanted, evidence) for cell in _candidates(matrix, wanted, only)]
    ran = [row.cell for row in choices if recipes.evidence_of(row.cell, evidence)]
    shortest = min((row.distance for row in choices), default=0)
    choices.sort(key=lambda row: (row.distance, _from_known(row.cell, ran) if row.distance == shortest else 0, *_newest(row.cell)))
    if not choices:
        raise Problem("there is no cell at all", where="matrices/stacks/", next="slowfast-verify cells", code=3)
    best = next((row for row in choices if row.cell.id == only), None) or choices[0]
    found = recipes.recipe_for(best.cell, evidence=evidence, matrix=matrix)
    found = found.model_copy(update={"differences": [row.words() for row in best.differences]})
    predicted = found.predicted or best.binding
    nearest = next((row for row in choices if recipes.evidence_of(row.cell, evidence)), None) if found.predicted else None
    known = [name for row in rules().system if best.cell.matches(row.when) for name in row.known]
    return Answer(
        wanted=wanted, recipe=found, predicted=predicted, known=known,
        nearest_run=recipes.recipe_for(nearest.cell, evidence=evidence, matrix=matrix) if nearest else None,
        nearest_run_differs=[row.words() for row in nearest.differences] if nearest else [],
        refused=_refused(choices, wanted),
    )  # fmt: skip


def choice_of(cell: Cell, wanted: Wanted, evidence: Path | None = None) -> Choice:
    """A cell held against what was asked."""
    differences = _differences(cell, wanted)
    refused, gpu = _gpu(cell, wanted)
    proof = _proof(recipes.evidence_of(cell, evidence), cell)
    return Choice(cell=cell, distance=sum(row.cost for row in differences) + gpu + proof, differences=differences, refused=refused)


def _candidates(matrix: Matrix, wanted: Wanted, only: str) -> list[Cell]:
    """The cells of the stacks, and those that exist by rule and are just as asked; all of these where nothing is."""
    found = {cell.id: cell for cell in matrix.cells.values()}
    if only:
        return list({**found, only: matrix.cell(only)}.values())
    as_asked = [cell for cell in _by_rule(matrix, wanted) if cell.id not in found]
    if not as_asked and not any(all(_fits(cell, wanted, axis) for axis in EXACT) for cell in found.values()):
        return list(matrix.everything.values())
    return [*found.values(), *as_asked]


def _fits(cell: Cell, wanted: Wanted, axis: str) -> bool:
    asked = getattr(wanted, axis)
    return not asked or asked == getattr(cell, axis)


def _by_rule(matrix: Matrix, wanted: Wanted) -> Iterator[Cell]:
    """The cells of matrices/space.toml that are as asked; where no installer is asked for, through uv."""
    space, rows = matrix.space, matrix.space.axes
    installer = wanted.installer or rows.installer[0] if rows.installer else ""
    subjects = [name for name in rows.subject if _named(name, wanted)]
    for place in space.places if installer in rows.installer else ():
        os, _, arch = place.partition("-")
        if wanted.os not in ("", os) or wanted.arch not in ("", arch):
            continue
        for torch, release in space.releases.items():
            builds = [build for build in release.builds(cast(Place, place)) if wanted.accelerator in ("", build, kind_of(build))]
            for python, build, subject in itertools.product([wanted.python] if wanted.python else rows.python, builds, subjects):
                if not space.why_not(place, python, torch, build, subject):
                    name, _, revision = subject.partition("@")
                    yield Cell.model_construct(
                        os=cast(Os, os), arch=arch, python=python, torch=torch, accelerator=build, installer=installer, subject=name,
                        revision=revision, stack=space.stack_name(torch, place, python),
                    )  # fmt: skip


def _named(subject: str, wanted: Wanted) -> bool:
    name, _, revision = subject.partition("@")
    return wanted.subject in ("", name) and wanted.revision in ("", revision)


def _from_known(cell: Cell, ran: list[Cell]) -> float:
    """How far a cell is from the nearest that ran: of two that nobody ran, the one that differs less from something known is likelier."""
    near = [Wanted.model_validate(other.model_dump(exclude={"stack"})) for other in ran if other.subject == cell.subject]
    return min((sum(row.cost for row in _differences(cell, one)) for one in near), default=0)


def _newest(cell: Cell) -> tuple[object, ...]:
    """Of equals the newest torch, Python and CUDA, main before what is older."""
    newest = tuple(-part for part in (*number(cell.torch), *number(cell.python), *number(cuda_of(cell.accelerator))))
    return cell.revision != "main", newest, cell.installer != "uv", cell.id


def _differences(cell: Cell, wanted: Wanted) -> list[Difference]:
    costs = {row.name: row for row in rules().axis}
    found = []

    def differs(axis: str, asked: str, given: str, shown: str = "", steps: int = 1) -> None:
        row = costs[axis]
        cost = min(row.cost * (steps if row.each else 1), row.most)
        found.append(Difference(axis=shown or axis, asked=asked, given=given, cost=cost, binding=row.binding))

    for axis in ("os", "arch", "subject", "revision"):
        asked, given = getattr(wanted, axis), getattr(cell, axis)
        if asked and asked != given:
            differs(axis, asked, given)
    if wanted.installer and wanted.installer != cell.installer:
        differs(
            "installer_kind" if "conda" in (wanted.installer, cell.installer) else "installer",
            wanted.installer,
            cell.installer,
            "installer",
        )
    if wanted.accelerator and wanted.accelerator != cell.accelerator:
        if kind_of(wanted.accelerator) != kind_of(cell.accelerator):
            differs("accelerator_kind", wanted.accelerator, cell.accelerator, "accelerator")
        elif cuda_of(wanted.accelerator):
            differs("accelerator", wanted.accelerator, cell.accelerator)
    for axis, name in (("torch", "torch"), ("python", "Python")):
        asked, given = number(getattr(wanted, axis)), number(getattr(cell, axis))
        size = len(asked) if axis == "torch" else 2
        if asked and asked[:size] != given[:size]:
            major = asked[0] != given[0]
            differs(
                "torch_major" if major else f"{axis}_minor", getattr(wanted, axis), getattr(cell, axis), name,
                1 if major else max(1, abs(asked[1] - given[1])),
            )  # fmt: skip
    return found


def _gpu(cell: Cell, wanted: Wanted) -> tuple[str, float]:
    """(why the build is none for this GPU or driver, what that costs); nothing for a cell without CUDA."""
    cuda = cuda_of(cell.accelerator)
    costs = {row.name: row.cost for row in rules().gpu_cost}
    row = next((row for row in gpus().capability if row.name == wanted.capability), None)
    what = f"{wanted.gpu or 'the GPU'} (sm_{wanted.capability.replace('.', '')})"
    if not cuda:
        return "", 0
    if row and (number(cuda) < number(row.runs_from) or (row.until and number(cuda) > number(row.until))):
        wants = f"CUDA {row.runs_from} or newer" + (f", {row.until} or older" if row.until else "")
        return f"no kernels for {what} in them, it needs {wants}", costs["no_kernels"]
    if wanted.driver and (need := driver_for(cuda, wanted.os or cell.os)) and number(wanted.driver) < number(need):
        return f"they need a driver of {need} or newer, and this one is {wanted.driver}", costs["driver"]
    if row and number(cuda) < number(row.native_from):
        return f"they run on {what} by kernels of an older GPU; CUDA {row.native_from} or newer knows it", costs["not_native"]
    return "", 0


def driver_for(cuda: str, system: str) -> str:
    """The oldest driver for a CUDA release; empty where the table has none."""
    fitting = [row for row in gpus().driver if number(row.cuda) <= number(cuda)]
    best = max(fitting, key=lambda row: number(row.cuda), default=None)
    return (best.windows if system == "windows" else best.linux) if best else ""


def _proof(seen: Evidence | None, cell: Cell) -> float:
    costs = {row.name: row.cost for row in rules().proof}
    if seen is None:
        resolved = recipes.resolution_of(cell)
        if resolved is None or resolved.verdict == "not verified":
            return costs["predicted"]
        return costs["resolves"] if resolved.verdict == "resolves" else costs["unresolvable"]
    short = max(0, RUNGS.index("demo") - (RUNGS.index(seen.reached) if seen.reached else -1))
    way = "emulated" if seen.runner not in ("native", "container") else "ran as printed" if seen.tried else "verified"
    return costs[way] + short * costs["rung"]


def _refused(choices: list[Choice], wanted: Wanted) -> list[str]:
    """The builds that were passed over for the sake of the GPU or its driver, each reason once."""
    reasons: dict[str, set[str]] = {}
    for row in choices:
        if row.refused and _same_place(row.cell, wanted):
            reasons.setdefault(row.refused, set()).add(row.cell.accelerator)
    return [f"{', '.join(sorted(builds))}: {reason}" for reason, builds in reasons.items()]


def _same_place(cell: Cell, wanted: Wanted) -> bool:
    return cell.os == (wanted.os or cell.os) and cell.arch == (wanted.arch or cell.arch) and bool(cuda_of(cell.accelerator))
