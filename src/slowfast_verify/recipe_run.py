"""Carries out a printed recipe as it stands, in a fresh folder, so that the ladder can be climbed in what came out. Runs on the host.

The commands are those that `slowfast-verify recipe --cell ID --shell bash` prints; nothing is added between them. What a recipe needs (its
installer, its Python) is put on PATH, as a person would have it there. Called by climb.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from . import installer, interpreter, layout, sources
from .atomic import write_text
from .cell import Cell
from .ending import run_to_end
from .errors import NotVerifiable
from .knowledge import Failure, diagnose
from .matrix import Matrix, runs_here
from .provision import InstallFailed, addresses
from .recipe import FROM_RECIPE
from .record import Provisioned
from .script import ENV, Form, commands_in
from .subject import actions_of

FORM: Form = "bash"
STARTED = 'set -e; . ./recipe.sh; exec {python} -c \'import json, os; json.dump(dict(os.environ), open("variables.json", "w"))\''
OWN = ("PATH", "PWD", "OLDPWD", "SHLVL", "_", "VIRTUAL_ENV")
Say = Callable[[str], None]


def carry_out(cell: Cell, matrix: Matrix, say: Say = print) -> Path:
    """Run the cell's recipe in a folder of its own; returns the file that describes what stands there (record.Provisioned).

    Raises NotVerifiable (another system, no bash, no such Python, a source unreachable), Infrastructure or InstallFailed.
    """
    if not runs_here(cell) or not shutil.which("bash"):
        raise NotVerifiable(f"the recipe of {cell.id} is not for this machine", cause="its commands are written for its own system's shell",
                            next=f"slowfast-verify recipe --cell {cell.id}")  # fmt: skip
    if cell.installer not in installer.INSTALLERS:
        raise NotVerifiable(f"the recipe of {cell.id} needs {cell.installer}", next=f"slowfast-verify recipe --cell {cell.id}")
    sources.require_reachable(addresses(cell, matrix))
    folder = layout.home() / "recipes" / cell.id
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=3600):
        shutil.rmtree(folder)
        (folder / "logs").mkdir(parents=True)
        return _run(cell, matrix, folder, say)


def _run(cell: Cell, matrix: Matrix, folder: Path, say: Say) -> Path:
    script = printed(cell)
    write_text(folder / "recipe.sh", script)
    env = {
        **installer.environment(cell.installer),
        "PATH": os.pathsep.join([str(_tools(cell, folder)), os.environ.get("PATH", os.defpath)]),
    }
    say(f"  carries out {folder / 'recipe.sh'}")
    begun, log = time.monotonic(), folder / "logs" / "recipe.log"
    with log.open("wb") as stream:
        status = run_to_end(["bash", "-xc", STARTED.format(python=f"{ENV}/bin/python")], stream, env, folder=str(folder))
    seconds = round(time.monotonic() - begun, 1)
    say(f"  recipe: {'done' if status == 0 else f'exit status {status}'} in {seconds} s")
    if status:
        raise _failure(log, status)
    python = folder / ENV / "bin" / "python"
    after = json.loads((folder / "variables.json").read_text(encoding="utf-8"))
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    revision = subject.at(cell.revision)
    checkout = folder / subject.source.git.rstrip("/").rpartition("/")[2] if subject.source.git else None
    actions = [(name, action) for name, action in actions_of(revision, stack.workarounds) if cell.matches(action.when)]
    made = Provisioned(
        cell=cell.id, inputs="", runner=FROM_RECIPE, python=str(python), env=str(folder / ENV),
        checkout=str(checkout) if checkout else None,
        variables={key: value for key, value in after.items() if env.get(key) != value and key not in OWN},
        opts={key: value for _, action in actions for key, value in action.opts.items()},
        workarounds=list(dict.fromkeys(name for name, _ in actions)),
        lock=_lock(cell, python, checkout, f"{cell.subject} @ git+{subject.source.git}@{revision.commit}"),
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), seconds=seconds, step_seconds={"recipe": seconds},
        scripts={FORM: hashlib.sha256(commands_in(script, FORM).encode()).hexdigest()},
    )  # fmt: skip
    state = folder / "cell.json"
    write_text(state, made.model_dump_json(indent=1))
    return state


def printed(cell: Cell, form: Form = FORM) -> str:
    """What the command prints for the cell, to the letter."""
    argv = [sys.executable, "-m", "slowfast_verify", "recipe", "--cell", cell.id, "--shell", form]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def _tools(cell: Cell, folder: Path) -> Path:
    """A folder with what the recipe needs, under the names by which its commands call it."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / f"python{cell.python}").symlink_to(interpreter.find(cell.python))
    if cell.installer == "uv":
        (tools / "uv").symlink_to(installer.uv())
    return tools


def _lock(cell: Cell, python: Path, checkout: Path | None, address: str) -> list[str]:
    listing = subprocess.run(installer.freeze(cell.installer, python), capture_output=True, text=True, check=True,
                             env=installer.environment(cell.installer), timeout=120).stdout  # fmt: skip
    lines = [address if checkout and str(checkout) in line else line for line in listing.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _failure(log: Path, status: int) -> Exception:
    text = log.read_text(encoding="utf-8", errors="replace")
    outage = sources.outage_in(text)
    if outage:
        return outage
    step = next((line[2:] for line in reversed(text.splitlines()) if line.startswith("+ ")), "the recipe")
    last = next((line.strip() for line in reversed(text.splitlines()) if "error" in line.lower()), f"exit status {status}")
    conflict = re.search(r"No solution found|ResolutionImpossible|No matching distribution|conflicting dependencies", text)
    tail = "\n".join(text.splitlines()[-40:])
    return InstallFailed("resolve" if conflict else "install", step[:200], last[:500], diagnose(Failure(text=text[-200_000:])), log, tail)


def clean() -> list[str]:
    """Take away what recipes made; returns the ids of the cells."""
    gone = []
    for folder in sorted(path for path in (layout.home() / "recipes").glob("*") if path.is_dir()):
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(f"{folder.name} (from its recipe)")
    return gone
