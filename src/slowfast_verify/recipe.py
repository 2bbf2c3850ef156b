"""What to type for one cell: its steps, how sure they are, and what was seen of it. Pure: reads data and evidence, starts nothing.

Called by the `recipe` command, the dashboard and whoever carries a recipe out. The steps follow the same data as provision.py, phase by
phase, with every version held to the lock of the cell's record (or to what a resolution chose, or only to the stack's pins).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from . import layout, resolution, sources
from . import record as records
from .cell import Cell
from .cell import parse as parse_cell
from .data import Row
from .errors import Problem
from .knowledge import RUNGS, known
from .matrix import Matrix, Stack, default
from .mending import absolute, edits, mending
from .record import Record
from .resolution import Resolution
from .script import ENV, WINDOWS, Do, Form, Places, Say, Step, Variable, Write, commands_in, written
from .subject import Phase, Subject, actions_of

Proof = Literal["ran as printed", "verified", "resolves", "predicted"]
PINS = "slowfast-pins.txt"
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


def recipe_for(cell: Cell | str, *, evidence: Path | None = None, matrix: Matrix | None = None) -> Recipe:
    """The recipe of a cell. evidence: the folder of records, default reports/evidence. Raises Problem for a cell that no stack spans."""
    matrix = matrix or default()
    cell = matrix.cell(cell) if isinstance(cell, str) else cell
    seen = evidence_of(cell, evidence)
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    pins, versions = _pins(cell, stack, seen, evidence)
    without_compiler = cell.os == "windows" or (seen is not None and seen.runner != "native")
    notes = [f"{key} {value}" for key, value in _opts(cell, stack, subject).items()]
    blocks = {}
    proof: Proof = "verified" if seen else "resolves" if versions == "resolution" else "predicted"
    for form in forms_of(cell):
        body = _body(cell, stack, subject, pins, form, without_compiler)
        digest = hashlib.sha256(commands_in(body, form).encode()).hexdigest()
        ran = seen is not None and seen.digests.get(form) == digest
        blocks[form] = Block(
            form=form, text=body, proof="ran as printed" if ran else "predicted" if not seen else "verified", digest=digest
        )
    if any(block.proof == "ran as printed" for block in blocks.values()):
        proof = "ran as printed"
    resolved = resolution_of(cell) if versions == "resolution" else None
    return Recipe(
        resolved=resolved.date[:10] if resolved else "",
        breaks=[f"{known(row.id).title} [{row.id}]" for row in resolved.predicted] if resolved else [],
        cell=cell.id, title=title_of(cell, subject), proof=proof, evidence=seen, versions=versions, pins=pins,
        needs=_needs(cell, stack, subject, without_compiler), blocks=blocks,
        notes=[f"add to every command of SlowFast: --opts {' '.join(notes)}"] if notes else [],
    )  # fmt: skip


def title_of(cell: Cell, subject: Subject) -> str:
    """The cell in words."""
    system = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}[cell.os]
    where = system if cell.arch == "x86_64" else f"{system} on {cell.arch}"
    what = subject.title.partition(" (")[0]
    return f"{what} {cell.revision} on {where}, Python {cell.python}, torch {cell.torch} ({cell.accelerator}), through {cell.installer}"


def forms_of(cell: Cell) -> list[Form]:
    """The languages that a cell's commands can be written in."""
    if cell.installer == "conda":
        return ["conda"]
    if cell.os == "windows":
        return list(WINDOWS)
    return ["bash", "dockerfile"] if cell.os == "linux" else ["bash"]


# ---- what was seen of it --------------------------------------------------------------------------------------------------


def evidence_of(cell: Cell, folder: Path | None = None) -> Evidence | None:
    """The record that says most of a cell: native before emulated, the one that climbed highest, the newest; and which scripts ran."""
    found = all_evidence(folder or layout.reports() / "evidence").get(cell.id, [])
    if not found:
        return None
    best = max(found, key=lambda row: (row.runner == "native", _height(row.reached), not row.digests, row.date))
    tried = [row for row in found if row.digests]
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
    try:
        return resolution.load().of(cell.id)
    except Problem:  # none are kept: what the pins say is all there is
        return None


def _height(rung: str) -> int:
    return RUNGS.index(rung) if rung else -1


def _pins(cell: Cell, stack: Stack, seen: Evidence | None, folder: Path | None) -> tuple[list[str], Literal["lock", "resolution", "pins"]]:
    """Requirements that hold every step: of the record's lock what is from an index; else what a resolution chose; else the pins."""
    if seen:
        path = (folder or layout.reports() / "evidence") / f"{seen.name}.lock.txt"
        lines = path.read_text(encoding="utf-8").split("\n")
        return [line for line in lines if re.fullmatch(r"[\w.-]+==\S+", line)], "lock"
    resolved = resolution_of(cell)
    if resolved and resolved.verdict == "resolves":
        return [f"{name}=={version}" for name, version in sorted(resolved.versions.items()) if name not in resolved.origins], "resolution"
    trio = [f"{name}=={version}" for name, version in _trio(cell, stack).items()]
    return [*trio, *(f"{pin.name}{pin.spec}" for pin in stack.pin if cell.matches(pin.when))], "pins"


def _trio(cell: Cell, stack: Stack) -> dict[str, str]:
    """{distribution: version} of torch and what belongs to it, as the wheels of this accelerator call themselves."""
    wheels, torch = stack.wheels_of(cell), stack.torch
    local = wheels.local if wheels else ""
    rows = {"torch": torch.version, "torchvision": torch.torchvision, "torchaudio": torch.torchaudio}
    return {name: version + local for name, version in rows.items() if version}


def _opts(cell: Cell, stack: Stack, subject: Subject) -> dict[str, str]:
    """What SlowFast's own command line gains."""
    every = actions_of(subject.at(cell.revision), stack.workarounds)
    return {key: value for _, action in every if cell.matches(action.when) for key, value in action.opts.items()}


def _needs(cell: Cell, stack: Stack, subject: Subject, without_compiler: bool) -> list[str]:
    found = [f"Python {cell.python}"] if cell.installer != "conda" else []
    found += [cell.installer] if cell.installer != "pip" else []
    actions = actions_of(subject.at(cell.revision), stack.workarounds)
    if subject.source.git or any("git+" in word for _, action in actions for word in action.install):
        found.append("git")
    if not without_compiler and any(phase.build for phase in subject.phase):
        found.append(COMPILERS)
    return found


# ---- the steps ------------------------------------------------------------------------------------------------------------


def _body(cell: Cell, stack: Stack, subject: Subject, pins: list[str], form: Form, without_compiler: bool) -> str:
    steps = steps_of(cell, stack, subject, pins, without_compiler)
    places = Places(python=cell.python, windows=cell.os == "windows", checkout=_checkout(subject), conda=cell.installer == "conda")
    if form == "dockerfile":
        setup = ["RUN apt-get update && apt-get install --yes --no-install-recommends git g++"] if len(_git(subject, stack, cell)) else []
        setup += ["RUN pip install uv"] if cell.installer == "uv" else []
        text = written(steps, places, form, f"python:{cell.python}-slim-bookworm")
        head, _, rest = text.partition("WORKDIR")
        return head + "".join(f"{line}\n" for line in setup) + "WORKDIR" + rest
    return written(steps, places, form)


def _git(subject: Subject, stack: Stack, cell: Cell) -> list[str]:
    return [need for need in _needs(cell, stack, subject, False) if need == "git"]


def _checkout(subject: Subject) -> str:
    return (subject.source.git or "checkout").rstrip("/").rpartition("/")[2].removesuffix(".git")


def steps_of(cell: Cell, stack: Stack, subject: Subject, pins: list[str], without_compiler: bool) -> list[Step]:
    """The steps in order: an empty environment, the pins, the phases of the subject, the workarounds, the variables."""
    revision = subject.at(cell.revision)
    actions = [action for _, action in actions_of(revision, stack.workarounds) if cell.matches(action.when)]
    number = iter(range(1, 100))
    steps: list[Step] = [Do(argv=_make(cell)), Write(path=PINS, text="\n".join(pins) + "\n")]
    for phase in subject.phase:
        if not cell.matches(phase.when):
            continue
        if phase.checkout and subject.source.git and revision.commit:
            steps += _fetch(subject.source.git, revision.commit, "{checkout}", subject.source.sparse)
            for action in (action for action in actions if action.edit):
                steps += mending(action, cell.installer, next(number), _install(cell, action.install))
        steps += _phase(phase, cell, stack, revision.version or "", without_compiler, number)
    for action in (action for action in actions if not action.edit):
        steps += mending(action, cell.installer, next(number), _install(cell, action.install))
    own = [Variable(name=key, values=[absolute(value)]) for key, value in subject.env.items()]
    return [*(step for step in steps if not isinstance(step, Variable)), *_joined([*own, *(s for s in steps if isinstance(s, Variable))])]


def _joined(variables: list[Variable]) -> list[Step]:
    """Each variable once: of PYTHONPATH the later goes before the earlier, any other takes its place; an empty value takes it away."""
    table: dict[str, list[str]] = {}
    for row in variables:
        filled = [value for value in row.values if value]
        table[row.name] = [*filled, *(table.get(row.name, []) if row.name == "PYTHONPATH" else [])]
    return [Variable(name=name, values=values) for name, values in table.items() if values]


def _make(cell: Cell) -> list[str]:
    if cell.installer == "uv":
        return ["uv", "venv", "--python", cell.python, ENV]
    return [*(["py", f"-{cell.python}"] if cell.os == "windows" else [f"python{cell.python}"]), "-m", "venv", ENV]


def _install(cell: Cell, arguments: list[str]) -> list[str]:
    """The command that installs, held to the pins; nothing for no arguments."""
    if not arguments:
        return []
    if cell.installer == "uv":
        return ["uv", "pip", "install", "--python", ENV, "--constraint", PINS, *arguments]
    return ["{python}", "-m", "pip", "install", "--constraint", PINS, *arguments]


def _phase(phase: Phase, cell: Cell, stack: Stack, version: str, without_compiler: bool, number: Iterator[int]) -> list[Step]:
    steps: list[Step] = []
    wanted = [word.replace("{version}", version) for word in phase.install]
    if phase.trio:
        wheels = stack.wheels_of(cell)
        assert wheels  # the matrix refuses a cell without
        where = ["--index-url", wheels.index] if wheels.index != "default" else []
        where += ["--find-links", wheels.find_links] if wheels.find_links else []
        wanted = [*where, *(f"{name}=={number}" for name, number in _trio(cell, stack).items()), *wanted]
    if wanted:
        steps.append(Do(argv=_install(cell, wanted)))
    if phase.build:
        address, _, commit = phase.build.removeprefix("git+").rpartition("@")
        #: an installer's cache of wheels knows no torch: what was compiled against another one would be taken from it
        fresh = ["--no-deps", "--no-build-isolation", "--no-cache-dir"]
        if without_compiler and phase.without_compiler:
            steps += [*_fetch(address, commit, phase.name, []), Say(text=f"{phase.name} without its compiled part")]
            steps += edits([edit.model_copy(update={"file": f"{phase.name}/{edit.file}"}) for edit in phase.without_compiler], next(number))
            steps.append(Do(argv=_install(cell, [*fresh, f"./{phase.name}"])))
        else:
            steps.append(Do(argv=_install(cell, [*fresh, phase.build])))
    if phase.editable:
        steps.append(Do(argv=_install(cell, ["--no-deps", "--editable", "./{checkout}"])))
    return steps


def _fetch(address: str, commit: str, folder: str, sparse: list[str]) -> list[Step]:
    return [Do(argv=argv) for argv in sources.checkout_commands(address, commit, Path(folder), sparse)]
