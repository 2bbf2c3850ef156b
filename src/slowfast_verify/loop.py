"""Break, diagnose, fix, green: one known failure, brought about and mended in a clone of a healthy environment. Runs on the host.

Called by tests/loops (`nox -s loops`). Which environments are healthy stands in matrices/loops.toml; what breaks and mends them in
knowledge/. Nothing is written outside of the clone; what a fix would do to a person's environment it does there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from . import cell as cells
from . import fix, interpreter, knowledge, layout, provision, sources, witness
from .action import Action
from .cell import Cell
from .clone import clone_cell, clone_environment
from .data import Row, load
from .errors import NotVerifiable, Problem
from .fix import Place
from .knowledge import Failure, KnownFailure
from .record import Provisioned

Outcome = Literal["green", "red", "not run"]
RUN_SECONDS = 300.0


class Environment(Row):
    """A healthy environment: a cell of the matrix, or an empty venv of a Python. holds: what a loop in it can count on."""

    cell: str = ""
    python: str = ""
    holds: str


class Need(Row):
    """Something of the machine that some loops need. command: a program on PATH; address: a repository; requirement: what pip must find."""

    title: str
    command: str = ""
    address: str = ""
    requirement: str = ""


class Loops(Row):
    """matrices/loops.toml. command: argument lists that witnesses name as {NAME}."""

    environment: dict[str, Environment]
    need: dict[str, Need]
    command: dict[str, list[str]] = {}


class LoopResult(BaseModel):
    """What became of one loop. fixes: which of the fix's actions were carried out, counted from 1, or `by hand` for an advice followed."""

    model_config = ConfigDict(frozen=True)
    id: str
    environment: str
    needs: list[str] = []
    outcome: Outcome
    reason: str = ""
    fixes: str = ""
    evidence: str = ""
    seconds: float = 0
    created: str = ""


class Failed(Exception):
    """A step of a loop did not end as it must; the message tells which and what was said."""


class _Step(Exception):
    """A command of an action failed: its output."""

    def __init__(self, argv: list[str], status: int, said: str) -> None:
        super().__init__(f"{' '.join(argv)[:300]}: exit status {status}\n{said[-1500:]}")
        self.said = f"$ {' '.join(argv)}\n{said}"


@cache
def loops() -> Loops:
    """The data."""
    return load(layout.matrices() / "loops.toml", Loops)


def run_loop(identifier: str) -> LoopResult:
    """Run one loop to its end. A missing environment, program or source gives the outcome `not run` and its reason."""
    row = knowledge.known(identifier)
    assert row.witness, f"{identifier} has no witness"
    begun = time.monotonic()
    common = {"id": identifier, "environment": row.witness.environment, "needs": row.witness.needs,
              "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}  # fmt: skip
    light = leaves_no_trace(row)
    folder = layout.home() / "clones" / (f"shared-{row.witness.environment}-{os.getpid()}" if light else f"{identifier}-{os.getpid()}")
    outcome: Outcome = "red"
    told: dict[str, str]
    try:
        for need in row.witness.needs:
            require(need)
        place, cell = shared(row.witness.environment, folder) if light else healthy(row.witness.environment, folder)
        told, outcome = _turn(row, place, cell), "green"
    except NotVerifiable as problem:
        told, outcome = {"reason": str(problem)}, "not run"
    except (Failed, Problem) as problem:
        told = {"reason": str(problem)}
    finally:
        shutil.rmtree(folder / "tmp" if light else folder, ignore_errors=True)
    return LoopResult.model_validate({**common, **told, "outcome": outcome, "seconds": round(time.monotonic() - begun, 1)})


def _turn(row: KnownFailure, place: Place, cell: Cell) -> dict[str, str]:
    """The loop itself; what it tells of the way. Raises Failed."""
    assert row.witness
    commands = loops().command
    before = witness.look(row, row.witness, place, commands)
    said = _break(row, place, cell)
    if before.red and not said and row.reproduce:
        raise Failed(f"the witness is red before anything was broken:\n{before.said[-2000:]}")
    broken = witness.look(row, row.witness, place, commands) if row.reproduce else before
    if not broken.red:
        raise Failed("the reproduction breaks nothing: the witness stays green")
    names = knowledge.diagnose(Failure(text=said)) if said else broken.names
    if names != row.id:
        raise Failed(f"diagnose names {names}, not {row.id}, for:\n{(said or broken.said)[-3000:]}")
    evidence = _evidence(row, said or broken.said)
    fixes = _mend(row, place, cell, commands)
    return {"fixes": fixes, "evidence": evidence}


def _break(row: KnownFailure, place: Place, cell: Cell) -> str:
    """Carry out the reproduction; returns what its failing commands printed."""
    said = ""
    for action in row.reproduce:
        if cell.matches(action.when):
            try:
                fix.carry_out(action, place, _runner(place), "reproduce")
            except _Step as step:
                said += step.said
    return said


def _mend(row: KnownFailure, place: Place, cell: Cell, commands: dict[str, list[str]]) -> str:
    """Carry out the fix until the witness is green; returns which actions it took. Raises Failed."""
    assert row.witness
    by_hand = row.witness.by_hand
    steps = [("by hand", action) for action in by_hand if cell.matches(action.when)]
    steps = steps or [(str(n), action) for n, action in enumerate(row.fix, 1) if does(action) and cell.matches(action.when)]
    if not steps:
        raise Failed("no action of its fix can be carried out here: all are advice")
    carried, last = [], "the fix changes nothing"
    for name, action in steps:
        try:
            fix.carry_out(action, place, _runner(place), "fix")
        except _Step as step:
            raise Failed(f"fix {name} cannot be carried out: {step}") from None
        carried.append(name)
        seen = witness.look(row, row.witness, place, commands)
        if not seen.red:
            return " + ".join(dict.fromkeys(carried))
        last = seen.said
    raise Failed(f"the witness stays red after fix {' + '.join(carried)}:\n{last[-3000:]}")


def does(action: Action) -> bool:
    """Whether an action changes something; an advice alone does not."""
    return any(getattr(action, name) for name in ("install", "uninstall", "env", "edit", "opts", "file", "remove", "run"))


def _runner(place: Place) -> fix.Runner:
    def run(label: str, argv: list[str]) -> None:
        status, said = witness.ran(argv, place, RUN_SECONDS)
        if status:
            raise _Step(argv, status, said)

    return run


def _evidence(row: KnownFailure, said: str) -> str:
    """The line of what was said that the signature knows."""
    from .matching import place as found_at

    for signature in row.signature:
        if knowledge.matches(signature, Failure(text=said)):
            start, _ = found_at(signature, said)
            return said[said.rfind("\n", 0, start) + 1 :].partition("\n")[0].strip()[:200]
    return ""


def healthy(name: str, folder: Path) -> tuple[Place, Cell]:
    """A clone of the environment of that name, and the cell that it stands for. Raises NotVerifiable where it does not stand."""
    shutil.rmtree(folder, ignore_errors=True)
    table = loops().environment
    if name not in table:
        raise Problem(f"there is no environment {name!r}", where="matrices/loops.toml", cause=f"there are {', '.join(table)}")
    row = table[name]
    if row.cell:
        cell = cells.parse(row.cell)
        found = clone_cell(_standing(cell), folder)
        env = Path(found.env)
        checkout = Path(found.checkout) if found.checkout else None
        place = Place(cell.installer, Path(found.python), env, _site(env), checkout, folder, None, dict(found.variables), dict(found.opts))
        return place, cell
    cell = Cell(os=cells.this_os(), arch=cells.this_arch(), python=row.python, torch="0", accelerator="cpu", installer="pip",
                subject=witness.SUBJECT, revision="none")  # fmt: skip
    env = folder / "env"
    python = clone_environment(_bare(row.python), env)
    return Place("pip", python, env, _site(env), None, folder), cell


def leaves_no_trace(row: KnownFailure) -> bool:
    """Whether everything that the loop does ends with it: variables, overrides, files in {tmp}. Such loops share a clone."""
    assert row.witness
    for action in [*row.reproduce, *row.fix, *row.witness.by_hand]:
        if action.install or action.uninstall or action.edit or action.remove or action.run:
            return False
        if any(not file.path.startswith("{tmp}/") or file.link_to for file in action.file):
            return False
    return True


_SHARED: dict[Path, tuple[Place, Cell]] = {}


def shared(name: str, folder: Path) -> tuple[Place, Cell]:
    """The clone that loops of this process share, made by the first; each gets variables, overrides and an empty folder of its own."""
    if folder not in _SHARED:
        shutil.rmtree(folder, ignore_errors=True)
        _SHARED[folder] = healthy(name, folder)
    place, cell = _SHARED[folder]
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return replace(place, variables=dict(place.variables), opts=dict(place.opts)), cell


def sweep() -> None:
    """Take the shared clones away, when no loop follows."""
    while _SHARED:
        shutil.rmtree(_SHARED.popitem()[0], ignore_errors=True)


def original(name: str) -> Path | None:
    """The folder that clones of this environment share files with, or None where it does not stand."""
    row = loops().environment[name]
    if not row.cell:
        return None
    folder = provision.folder_of(cells.parse(row.cell)) / "env"
    return folder if folder.exists() else None


def _standing(cell: Cell) -> Provisioned:
    """The cell as it was last built: that it is healthy, each loop sees for itself, so inputs that changed since do not matter."""
    try:
        found = Provisioned.model_validate_json((provision.folder_of(cell) / "cell.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found is None or not Path(found.python).exists():
        raise NotVerifiable("the environment does not stand", where=cell.id, next=f"slowfast-verify climb {cell.id}")
    return found


def _bare(version: str) -> Path:
    """An empty venv with its pip, made once for all loops of a run."""
    python = interpreter.find(version)
    env = layout.home() / "bare" / interpreter.exact_version(python)
    env.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{env}.lock"):
        if not (env / "complete").exists():
            shutil.rmtree(env, ignore_errors=True)
            done = subprocess.run([str(python), "-m", "venv", str(env)], capture_output=True, text=True, check=False, timeout=300)
            if done.returncode:
                raise NotVerifiable(f"Python {version} makes no environment", where=str(python), cause=(done.stderr or done.stdout)[-300:])
            (env / "complete").touch()
    return env


def _site(env: Path) -> Path:
    (site,) = [*env.glob("lib/python*/site-packages"), *env.glob("Lib/site-packages")]
    return site


@cache
def require(name: str) -> None:
    """Raise NotVerifiable where the machine lacks a need of matrices/loops.toml."""
    table = loops().need
    if name not in table:
        raise Problem(f"there is no need {name!r}", where="matrices/loops.toml", cause=f"there are {', '.join(table)}")
    need = table[name]
    if need.command and not shutil.which(need.command):
        raise NotVerifiable(f"needs {need.title}", cause=f"there is no {need.command} on PATH")
    if need.address:
        sources.require_reachable([need.address])
    if need.requirement and not _pip_finds(need.requirement):
        raise NotVerifiable(f"needs {need.title}", cause=f"pip finds no {need.requirement}", next=f"pip download {need.requirement}")


def _pip_finds(requirement: str) -> bool:
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", requirement]
    return subprocess.run(argv, capture_output=True, check=False, timeout=120).returncode == 0
