"""A cell's environment with another state of its subject: a clone in which the checkout moves and nothing is installed. Runs on the host.

Called by bisection.py (one commit after another) and by `climb --checkout` (the working copy of a fork). The cell itself is read only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import fix, ground, layout
from .action import Action
from .atomic import write_text
from .cell import Cell
from .clone import clone_cell
from .emulator import emulator_of
from .errors import NotVerifiable, Problem
from .fix import Place
from .matrix import Matrix
from .record import Provisioned, Record
from .sources import outage_in
from .subject import actions_of

STATE = "cell.json"
RUNNER = "checkout"  # behind the + of its records' names: they say nothing of the cell's own revision


def stand(cell: Cell, found: Provisioned, folder: Path) -> Provisioned:
    """The clone of a cell that stands, in `folder`; one that is there and was made from the same cell is taken again.

    Raises NotVerifiable for a cell whose code is no checkout or that runs under an emulator.
    """
    if found.checkout is None or emulator_of(cell):
        reason = "runs under an emulator" if emulator_of(cell) else "comes from a package index, not from git"
        raise NotVerifiable(
            f"{cell.id} {reason}: there is no checkout to move", next="name a cell of this system whose subject is a checkout"
        )
    try:
        kept = Provisioned.model_validate_json((folder / STATE).read_text(encoding="utf-8"))
        if (kept.inputs, kept.created) == (found.inputs, found.created):
            return kept
    except (OSError, ValueError):
        pass  # none yet, or one that was interrupted while it was made
    shutil.rmtree(folder, ignore_errors=True)
    made = clone_cell(found, folder)
    write_text_of(made, folder / STATE)
    return made


def move(made: Provisioned, cell: Cell, matrix: Matrix, commit: str) -> list[str]:
    """Put the clone's checkout on a commit that its repository has, with the cell's edits; returns a sentence for each that does not fit.

    Raises Problem (an outage as what it is) when git cannot.
    """
    assert made.checkout
    checkout = Path(made.checkout)
    for cache in checkout.rglob("__pycache__"):  # of equal size and second, the old bytecode would be taken for the new code's
        shutil.rmtree(cache, ignore_errors=True)
    git(checkout, "checkout", "--quiet", "--force", "--detach", commit)
    place = Place(cell.installer, Path(made.python), Path(made.env), ground.site_of(Path(made.python)), checkout, checkout.parent)
    told = []
    revision = matrix.subjects[cell.subject].at(cell.revision)
    for identifier, action in actions_of(revision, matrix.stack_of(cell).workarounds):
        for edit in action.edit if cell.matches(action.when) else []:
            try:
                fix.carry_out(Action(edit=[edit]), place, _nothing, identifier)
            except (Problem, OSError) as problem:
                told.append(f"the edit of {edit.file} for {identifier} does not fit this commit: {str(problem).splitlines()[0]}")
    return told


def take(made: Provisioned, source: Path) -> str:
    """Fetch the commit that a working copy has checked out into the clone's repository; returns its forty digits."""
    assert made.checkout
    if not (source / ".git").exists():
        raise Problem("the folder is no git checkout", where=str(source), next="name the top folder of a clone of the subject")
    wanted = git(source, "rev-parse", "--verify", "HEAD").strip()
    git(Path(made.checkout), "fetch", "--quiet", "--update-shallow", str(source.resolve()), wanted)
    return wanted


def with_checkout(cell: Cell, matrix: Matrix, found: Provisioned, source: Path, say: Callable[[str], None]) -> Path:
    """The cell's environment with the code of a working copy; returns the file that describes it (record.Provisioned).

    What the working copy has committed is taken, nothing else, and nothing is installed: the environment stays the cell's.
    """
    folder = layout.home() / "checkouts" / cell.id
    made = stand(cell, found, folder)
    commit = take(made, source)
    for line in move(made, cell, matrix, commit):
        say(f"  {line}")
    say(f"  the code is {commit[:7]} of {source}, the environment that of {cell.id}")
    if git(source, "status", "--porcelain", "--untracked-files=no").strip():
        say("  what is not committed there is not verified")
    return write_text_of(made.model_copy(update={"runner": RUNNER}), folder / "with-checkout.json")


def without_expectations(record: Record) -> Record:
    """The record of a working copy: what is expected to fail in the cell's own revision and passes here is somebody's work, no error."""
    checks = [
        check.model_copy(update={"outcome": "passed", "knowledge": None}) if check.outcome == "passed unexpectedly" else check
        for check in record.checks
        if not (check.outcome == "passed unexpectedly" and check.reason)  # an expectation with *, which is no check
    ]
    return record.model_copy(update={"checks": checks})


def write_text_of(made: Provisioned, path: Path) -> Path:
    """Write the description of an environment; returns its path."""
    write_text(path, made.model_dump_json(indent=1))
    return path


def git(folder: Path, *arguments: str) -> str:
    """What a git command in a folder says; raises Problem, for an outage the one that says so."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, env=env, timeout=600, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        said = done.stderr.strip()
        raise outage_in(said) or Problem(f"git {arguments[0]} failed", where=str(folder), cause=said[-500:], code=3)
    return done.stdout


def _nothing(label: str, argv: list[str]) -> None:
    raise AssertionError(f"{label} wants to run {argv}: only edits are carried out here")
