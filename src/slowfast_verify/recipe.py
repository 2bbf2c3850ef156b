"""What to type for one cell: its steps, how sure they are, and what was seen of it. Pure: reads data and evidence, starts nothing.

Called by the `recipe` command, the dashboard and whoever carries a recipe out. The steps follow the same data as provision.py, phase by
phase, with every version held to the lock of the cell's record (or to what a resolution chose, or only to the stack's pins).
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Literal

from . import layout, resolution
from . import record as records
from .cell import Cell
from .cell import parse as parse_cell
from .data import Row
from .errors import Problem
from .knowledge import RUNGS
from .matrix import Matrix, default
from .recipe_steps import body, needs_git, trio_of
from .record import Record
from .resolution import Resolution, Resolutions
from .script import WINDOWS, Form, commands_in
from .stack import Stack
from .subject import Subject, actions_of

Proof = Literal["ran as printed", "verified", "resolves", "predicted"]
FROM_RECIPE = "recipe"  #: what a record's name ends in where the environment was made by the printed commands
COMPILERS = "a C++ compiler (detectron2 is built against this torch)"


class Evidence(Row):
    """A record that speaks for a recipe. path: of the record, from the project's root; lock: of its lock. runner: how its code ran.

    tried: the record of the run in which the printed commands made the environment, digests: sha256 of those commands by language.
    """

    name: str
    path: str
    lock: str
    date: str
    reached: str
    runner: str
    tried: str = ""
    digests: dict[str, str] = {}


class Block(Row):
    """The commands in one language. proof: of these very commands; digest: sha256 of them without their comments."""

    form: Form
    text: str
    proof: Proof
    digest: str


class Recipe(Row):
    """What to type for one cell. versions: where its pins are from (`lock`, `resolution`, `pins`); needs: what must be there before.

    resolved: the date of the resolution, where the versions are from one; breaks: the known failures that it predicts.
    """

    cell: str
    title: str
    proof: Proof
    evidence: Evidence | None
    versions: Literal["lock", "resolution", "pins"]
    pins: list[str]
    needs: list[str]
    notes: list[str]
    resolved: str = ""
    breaks: list[str] = []
    differences: list[str] = []
    blocks: dict[Form, Block]

    @property
    def predicted(self) -> bool:
        """Whether nobody ever ran this cell."""
        return self.proof in ("predicted", "resolves")


def recipe_for(cell: Cell | str, *, evidence: Path | None = None, matrix: Matrix | None = None, compiler: bool = True) -> Recipe:
    """The recipe of a cell. evidence: the folder of records, default reports/evidence. Raises Problem for a cell that no stack spans.

    compiler False: for a machine without one; compiled parts that recognition does not need are left out (detectron2-compiler-missing).
    """
    matrix = matrix or default()
    cell = matrix.cell(cell) if isinstance(cell, str) else cell
    seen = evidence_of(cell, evidence)
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    pins, versions = _pins(cell, stack, seen, evidence)
    without_compiler = not compiler or cell.os == "windows" or (seen is not None and seen.runner != "native")
    opts = [f"{key} {value}" for key, value in _opts(cell, stack, subject).items()]
    wheels = stack.wheels_of(cell)
    notes = [*([wheels.note] if wheels else []), *([f"add to every command of SlowFast: --opts {' '.join(opts)}"] if opts else [])]
    blocks = {}
    proof: Proof = "verified" if seen else "resolves" if resolves(cell) else "predicted"
    for form in forms_of(cell):
        text = body(cell, stack, subject, pins, form, without_compiler)
        digest = hashlib.sha256(commands_in(text, form).encode()).hexdigest()
        ran = seen is not None and seen.digests.get(form) == digest
        blocks[form] = Block(
            form=form, text=text, proof="ran as printed" if ran else "predicted" if not seen else "verified", digest=digest
        )
    if any(block.proof == "ran as printed" for block in blocks.values()):
        proof = "ran as printed"
    resolved = resolution_of(cell) if versions == "resolution" else None
    return Recipe(
        resolved=resolved.date[:10] if resolved else "",
        breaks=[row.id for row in resolved.predicted] if resolved else [],
        cell=cell.id, title=title_of(cell, subject), proof=proof, evidence=seen, versions=versions, pins=pins,
        needs=_needs(cell, stack, subject, without_compiler), blocks=blocks,
        notes=notes,
    )  # fmt: skip


def title_of(cell: Cell, subject: Subject) -> str:
    """The cell in words."""
    system = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}[cell.os]
    where = system if cell.arch == "x86_64" else f"{system} on {cell.arch}"
    what = subject.title.partition(" (")[0]
    return f"{what} {cell.revision} on {where}, Python {cell.python}, torch {cell.torch} ({cell.accelerator}), through {cell.installer}"


def forms_of(cell: Cell) -> list[Form]:
    """The languages that a cell's commands can be written in."""
    if cell.installer == "conda" and cell.os != "windows":
        return ["conda"]
    if cell.os == "windows":
        return list(WINDOWS)
    return ["bash", "dockerfile"] if cell.os == "linux" else ["bash"]


# ---- what was seen of it --------------------------------------------------------------------------------------------------


def evidence_of(cell: Cell, folder: Path | None = None) -> Evidence | None:
    """The record that says most of a cell: native before emulated, the one that climbed highest, the newest; and which scripts ran."""
    found = all_evidence(folder or layout.kept() / "evidence").get(cell.id, [])
    if not found:
        return None
    tried = [row for row in found if row.digests]
    if len(found) == 1 and not tried:
        return found[0]
    best = max(found, key=lambda row: (row.runner == "native", _height(row.reached), not row.digests, row.date))
    digests = {form: digest for row in tried for form, digest in row.digests.items()}
    return best.model_copy(update={"digests": digests, "tried": tried[-1].path if tried else ""})


@cache
def all_evidence(folder: Path) -> dict[str, list[Evidence]]:
    """{cell: its records}. A file that is no record says nothing, and whoever writes the report complains about it."""
    table: dict[str, list[Evidence]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found = records.read(path)
            cell = parse_cell(found.cell.partition("+")[0]).id
        except Problem:
            continue
        table.setdefault(cell, []).append(_evidence(found, path))
    return table


def _evidence(found: Record, path: Path) -> Evidence:
    root = layout.root()
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return Evidence(
        name=found.cell, path=shown, lock=re.sub(r"\.json$", ".lock.txt", shown), date=found.run[:10], reached=found.reached() or "",
        runner=str(found.target.get("runner", "native")),
        digests=dict(found.installation.scripts) if found.installation and found.installation.scripts else {},
    )  # fmt: skip


def resolution_of(cell: Cell) -> Resolution | None:
    """What resolving the cell said, where anybody asked."""
    kept = _resolutions()
    return kept.of(cell.id) if kept else None


def resolves(cell: Cell) -> bool:
    """Whether these very versions, torch's build among them, were seen to fit together."""
    found = resolution_of(cell)
    return found is not None and found.verdict == "resolves"


@cache
def _resolutions() -> Resolutions | None:
    try:
        return resolution.load()
    except Problem:  # none are kept: what the pins say is all there is
        return None


def _height(rung: str) -> int:
    return RUNGS.index(rung) if rung else -1


def _pins(cell: Cell, stack: Stack, seen: Evidence | None, folder: Path | None) -> tuple[list[str], Literal["lock", "resolution", "pins"]]:
    """Requirements that hold every step: of the record's lock what is from an index; else what a resolution chose; else the pins."""
    if seen:
        path = (folder or layout.kept() / "evidence") / f"{seen.name}.lock.txt"
        if not path.exists():
            raise Problem(
                "a record that is kept has no lock beside it", where=str(path), cause="the record was copied without it",
                next=f"slowfast-verify climb {cell.id} --evidence, or take {seen.name}.json away",
            )  # fmt: skip
        lines = path.read_text(encoding="utf-8").split("\n")
        return [line for line in lines if re.fullmatch(r"[\w.-]+==\S+", line)], "lock"
    resolved = resolution_of(cell)
    trio = trio_of(cell, stack)
    if resolved and resolved.versions:
        # of a twin, whose torch is another build, everything counts but torch and the libraries that came with it
        beside = {} if not resolved.twin else dict.fromkeys(name for name in resolved.versions if name.startswith(("nvidia-", "triton")))
        chosen = {**{name: version for name, version in resolved.versions.items() if name not in beside}, **trio}
        return [f"{name}=={version}" for name, version in sorted(chosen.items()) if name not in resolved.origins], "resolution"
    return [
        *(f"{name}=={version}" for name, version in trio.items()),
        *(f"{pin.name}{pin.spec}" for pin in stack.pin if cell.matches(pin.when)),
    ], "pins"


def _opts(cell: Cell, stack: Stack, subject: Subject) -> dict[str, str]:
    """What SlowFast's own command line gains."""
    every = actions_of(subject.at(cell.revision), stack.workarounds)
    return {key: value for _, action in every if cell.matches(action.when) for key, value in action.opts.items()}


def _needs(cell: Cell, stack: Stack, subject: Subject, without_compiler: bool) -> list[str]:
    found = [f"Python {cell.python}"] if cell.installer != "conda" else []
    found += [cell.installer] if cell.installer != "pip" else []
    found += ["git"] if needs_git(cell, stack, subject) else []
    if not without_compiler and any(phase.build for phase in subject.phase):
        found.append(COMPILERS)
    return found
