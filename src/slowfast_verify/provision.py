"""Builds the environment of a cell, or finds that it already stands. Only ground.py and fix.py call installer.py too. Runs on the host.

An environment belongs to the digest of its inputs (stack, subject, workarounds, interpreter, suite data) and counts only once its
`cell.json` says complete, which is written last: an interrupted one is built again. Two runs never build one cell at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from . import conda, fix, ground, installer, layout, room, sources, system
from .action import Edit
from .atomic import write_text
from .cell import Cell
from .death import ENDED_FROM_OUTSIDE, describe, split_status
from .emulator import emulator_of
from .ending import run_to_end
from .errors import Infrastructure, NotVerifiable, no_room
from .fix import Place
from .foreign import respell
from .ground import Base, base_of
from .index_page import outage_behind
from .inputs import inputs_digest
from .knowledge import Failure, diagnose
from .matrix import Matrix, runs_here
from .record import Provisioned
from .removal import forget
from .scrub import without_secrets
from .subject import Phase, Revision, actions_of
from .wine import windows_path

NOT_COMPILED = r"[/\\](tests?|testing|test_.*|lib2to3)[/\\]"  # a third of all files, and no import of ours comes near them
Say = Callable[[str], None]


class InstallFailed(Exception):
    """The cell cannot be installed: the rung (resolve or install), the known failure if it is one, the log and its last lines."""

    def __init__(self, rung: str, step: str, message: str, known: str | None, log: Path, tail: str) -> None:
        super().__init__(message)
        self.rung, self.step, self.message, self.known, self.log, self.tail = rung, step, message, known, log, tail


def folder_of(cell: Cell) -> Path:
    """Where the cell's environment, checkout and logs lie."""
    return layout.home() / "cells" / cell.id


def addresses(cell: Cell, matrix: Matrix) -> list[str]:
    """The repositories that building the cell asks for, each once."""
    subject = matrix.subjects[cell.subject]
    revision = subject.at(cell.revision)
    texts = [text for phase in subject.phase for text in [*phase.install, phase.build or ""]] + revision.needs
    for _, action in actions_of(revision, matrix.stack_of(cell).workarounds):
        texts += action.install if cell.matches(action.when) else []
    found = [subject.source.git] if subject.source.git else []
    return list(dict.fromkeys([*found, *(hit for text in texts for hit in re.findall(r"git\+(https?://[^@#\s]+)", text))]))


def standing(cell: Cell, matrix: Matrix) -> Provisioned | None:
    """The cell's environment if it stands, is complete and was built from today's inputs."""
    state = folder_of(cell) / "cell.json"
    try:
        found = Provisioned.model_validate_json(state.read_text(encoding="utf-8"))
        base = base_of(cell, fetch=False)
    except (OSError, ValueError, NotVerifiable):
        return None
    if found.inputs != inputs_digest(cell, matrix, base) or not Path(found.python).exists():
        return None
    return found


def provision(cell: Cell, matrix: Matrix, say: Say = print) -> Provisioned:
    """The cell's environment, built if need be.

    Raises NotVerifiable (interpreter missing, source unreachable), Infrastructure (index, network, disk) or InstallFailed.
    """
    if not runs_here(cell) and not emulator_of(cell):
        raise NotVerifiable(f"{cell.id} needs another system", cause="no runner for it here", next="run it on such a machine")
    base = base_of(cell)
    folder = folder_of(cell)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock", timeout=3600):
            found = standing(cell, matrix)
            if found:
                say(f"environment stands ({found.created}), nothing to install")
                return found.model_copy(update={"reused": True})
            return _Builder(cell, matrix, base, folder, say).build()
    except Timeout:
        raise Infrastructure(f"another run has been building {cell.id} for an hour", where=str(folder / "lock")) from None
    except OSError as error:
        if no_room(error):
            raise _disk_full(str(error)) from error
        raise
    except subprocess.SubprocessError as error:  # a short question to the interpreter or the installer
        raise Infrastructure("a tool of the build did not answer", where=str(error)[:300], cause="it was ended, or the machine is busy",
                             next="run the same command again") from error  # fmt: skip


def _disk_full(detail: str) -> Infrastructure:
    return Infrastructure("the disk is full", where=detail, next=f"free space in {layout.home()} (slowfast-verify clean)")


class _Builder:
    """One build of one cell, step by step; each step's output is kept in logs/."""

    def __init__(self, cell: Cell, matrix: Matrix, base: Base, folder: Path, say: Say) -> None:
        self.cell, self.matrix, self.base, self.folder, self.say = cell, matrix, base, folder, say
        self.stack, self.subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
        self.digest = inputs_digest(cell, matrix, base)
        self.wheels = self.stack.wheels_of(cell)
        assert self.wheels  # the matrix refuses a cell without
        self.revision: Revision = self.subject.at(cell.revision)
        self.actions = [row for row in actions_of(self.revision, self.stack.workarounds) if cell.matches(row[1].when)]
        self.logs = folder / "logs"
        self.number = 0
        self.left_out: list[str] = []
        self.addresses: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def build(self) -> Provisioned:
        self._room()
        sources.require_reachable(addresses(self.cell, self.matrix))
        system.require(self.cell, self.matrix)
        forget(self.folder)
        self.logs.mkdir(parents=True)
        begun = time.monotonic()
        env = self.folder / "env"
        inside = ground.lay(self.cell, self.base, self.folder, self._run, self.wheels)
        checkout = self.folder / "src" / self.cell.subject if self.subject.source.git else None
        self.place = Place(self.cell.installer, inside, env, ground.site_of(inside), checkout, self.folder, self._constraints())
        self.place.variables.update(self.subject.env)
        for phase in self.subject.phase:
            if self.cell.matches(phase.when) and (not phase.checkout or checkout):
                self._phase(phase)
        for identifier, action in self.actions:
            if not action.edit:
                fix.carry_out(action, self.place, self._run, f"workaround {identifier}")
        variables = {key: self.place.fill(value) for key, value in self.place.variables.items()}
        if self.base.runner == "wine":
            self.place.variables = {key: ";".join(map(windows_path, value.split(os.pathsep))) for key, value in variables.items()}
            variables = self.place.variables
            if checkout:
                respell(self.place.site, checkout)
        compiler = ground.compiler_of(self.base, self.cell, inside)
        if compiler:
            argv = [str(compiler), "-m", "compileall", "-q", "-j", "0", "-x", NOT_COMPILED, str(self.place.site)]
            self._run("compile bytecode", argv, may_fail=True)
        lock = self._lock()
        found = Provisioned(
            cell=self.cell.id, inputs=self.digest, runner=self.base.runner, python=str(inside), env=str(env),
            checkout=str(checkout) if checkout else None, variables=variables, opts=self.place.opts,
            workarounds=list(dict.fromkeys([*(name for name, _ in self.actions), *self.left_out])), lock=lock,
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), seconds=round(time.monotonic() - begun, 1),
            step_seconds=self.seconds,
        )  # fmt: skip
        write_text(self.folder / "cell.json", found.model_dump_json(indent=1))
        return found

    def _room(self) -> None:
        if missing := room.lack(room.demand(self.cell, self.matrix)):
            raise _disk_full(missing)

    def _constraints(self) -> Path:
        """The pins as a constraints file for every step: what the first step chose, no later one replaces."""
        torch, wheels = self.stack.torch, self.wheels
        assert wheels
        trio = {"torch": torch.version + wheels.local, "torchvision": torch.torchvision + wheels.local}
        if torch.torchaudio:
            trio["torchaudio"] = torch.torchaudio + (wheels.local if wheels.local else "")
        lines = [f"{name}=={version}{wheels.also if name == 'torch' else ''}" for name, version in trio.items()]
        lines += [f"{pin.name}{pin.spec}" for pin in self.stack.pin if self.cell.matches(pin.when)]
        emulated = emulator_of(self.cell)
        lines += [f"{pin.name}{pin.spec}" for pin in emulated.pin] if emulated else []
        path = self.folder / "constraints.txt"
        write_text(path, "\n".join(lines) + "\n")
        return path

    def _phase(self, phase: Phase) -> None:
        if phase.checkout:
            assert self.place.checkout and self.subject.source.git and self.revision.commit
            self._checkout(self.subject.source.git, self.revision.commit, self.place.checkout, self.subject.source.sparse)
            for identifier, action in self.actions:
                if action.edit:
                    self.say(f"  {phase.name}: edit for {identifier}")
                    fix.carry_out(action, self.place, self._run, f"workaround {identifier}")
        if phase.trio and not (self.wheels and self.wheels.channels):  # a conda environment is made with them in it
            self._install(phase.name, [*self._where(), *self._trio(), *phase.install])
        elif phase.install:
            self._install(phase.name, phase.install)
        if phase.build:
            self._build(phase)
        if phase.editable:
            self._install(phase.name, ["--no-deps", "--editable", str(self.place.checkout)])
            self.addresses[str(self.place.checkout)] = f"git+{self.subject.source.git}@{self.revision.commit}"

    def _trio(self) -> list[str]:
        assert self.place.constraints
        names = ("torch==", "torchvision==", "torchaudio==")
        return [line for line in self.place.constraints.read_text(encoding="utf-8").splitlines() if line.startswith(names)]

    def _where(self) -> list[str]:
        assert self.wheels
        index = ["--index-url", self.wheels.index] if self.wheels.index != "default" else []
        return [*index, *(["--find-links", self.wheels.find_links] if self.wheels.find_links else [])]

    def _install(self, label: str, arguments: list[str]) -> None:
        filled = [self.place.fill(argument.replace("{version}", self.revision.version or "")) for argument in arguments]
        self._run(label, installer.install(self.cell.installer, self.place.python, filled, self.place.constraints))

    def _checkout(self, address: str, commit: str, folder: Path, sparse: list[str]) -> None:
        for argv in sources.checkout_commands(address, commit, folder, sparse):
            self._run("check out", argv)

    def _build(self, phase: Phase) -> None:
        """Compile a source against this torch. The wheel is kept per source, torch and Python: installers' own caches know no torch.

        Under an emulator nothing is compiled: the edits that the data names leave the compiled parts out.
        """
        assert phase.build
        label, source = phase.name, phase.build
        address, _, commit = source.removeprefix("git+").rpartition("@")
        pure = phase.without_compiler if self.base.runner != "native" else []
        self.left_out += [phase.without_known] if pure and phase.without_known else []
        key = hashlib.sha256(f"{source} {self._made_against(pure)}".encode()).hexdigest()[:16]
        kept = layout.home() / "wheels" / key
        with FileLock(_made(layout.home() / "wheels") / f"{key}.lock"):
            if not list(kept.glob("*.whl")):
                fresh = self.folder / "src" / f"{label}-wheel"
                tree = self.folder / "src" / label
                self._checkout(address, commit, tree, [])
                for edit in pure:
                    fix.replace_in(tree, edit)
                self._run(f"{label} (compile)", installer.wheel(self.cell.installer, self.place.python, str(tree), fresh))
                shutil.rmtree(tree, ignore_errors=True)
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(kept, ignore_errors=True)
                shutil.move(fresh, kept)
        (wheel,) = kept.glob("*.whl")
        self._install(label, ["--no-deps", str(wheel)])
        self.addresses[str(wheel)] = source

    def _made_against(self, pure: list[Edit]) -> str:
        """What a wheel depends on beside its source: this torch and this Python, or only the edits that leave all compiled parts out."""
        if pure:
            return json.dumps([edit.model_dump() for edit in pure])
        argv = [str(self.place.python), "-c", "import torch; print(torch.__version__)"]
        return f"{subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()} {self.base.exact}"

    def _lock(self) -> list[str]:
        argv = installer.freeze(self.cell.installer, self.place.python)
        done = subprocess.run(
            argv, capture_output=True, text=True, env=installer.environment(self.cell.installer), timeout=120, check=False
        )
        if done.returncode:
            log = self.logs / "lock.log"
            write_text(log, done.stdout + done.stderr)
            raise self._failure("list what is installed", log, done.returncode, argv)
        lines = []
        for line in conda.locked(self.place.env, done.stdout.splitlines()):
            for path, address in self.addresses.items():
                if path in line:
                    name = line.partition(" @ ")[0] if " @ " in line else self.cell.subject
                    line = f"{name} @ {address}"
            if line and not line.startswith("#"):
                lines.append(without_secrets(line))
        write_text(self.folder / "lock.txt", "\n".join(lines) + "\n")
        return lines

    def _run(self, label: str, argv: list[str], may_fail: bool = False) -> None:
        self.number += 1
        log = self.logs / f"{self.number:02d}-{re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-')}.log"
        begun = time.monotonic()
        with log.open("wb") as stream:
            stream.write(f"$ {' '.join(argv)}\n".encode())
            stream.flush()
            # In a folder of ours: `python -m pip` would find a json.py in the one that a person stands in.
            status = run_to_end(argv, stream, installer.environment(self.cell.installer), folder=str(self.logs))
        self.seconds[label] = round(self.seconds.get(label, 0) + time.monotonic() - begun, 1)
        self.say(f"  {label}: {'done' if status == 0 else f'exit status {status}'} in {time.monotonic() - begun:.1f} s")
        if status and not may_fail:
            raise self._failure(label, log, status, argv)

    def _failure(self, label: str, log: Path, status: int, argv: list[str]) -> Exception:
        text = log.read_text(encoding="utf-8", errors="replace")
        behind = partial(outage_behind, text, argv, installer.environment(self.cell.installer), installer.pip_settings())
        if outage := sources.outage_in(text) or behind():
            return outage
        if status in ENDED_FROM_OUTSIDE:
            return Infrastructure(f"{label}: the installer was {describe(*split_status(status))}", where=str(log),
                                  cause="somebody ended it, or the system did when memory ran out",
                                  next="run the same command again: what was begun is built anew")  # fmt: skip
        conflict = re.search(r"No solution found|ResolutionImpossible|No matching distribution|conflicting dependencies", text)
        known = diagnose(Failure(text=text[-200_000:]))
        last = next((line.strip() for line in reversed(text.splitlines()) if "error" in line.lower()), f"exit status {status}")
        tail = "\n".join(text.splitlines()[-40:])
        return InstallFailed("resolve" if conflict else "install", label, last[:500], known, log, tail)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
