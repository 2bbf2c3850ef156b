"""Tells tox of every cell of the matrices and of the Pythons of this machine; loaded by tox, holds no list of its own.

`tox run -e CELL`, `tox run -m LABEL` (an axis' value, such as torch1.8.0 or uv, or `selection`), `tox run -f linux py3.8 cpu`. A cell's
environment belongs to the suite, as under nox: tox makes none, and asks `slowfast-verify climb` with the Python that runs tox.
Where the suite is not installed beside tox there are no cells, only the suite's own tests.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from tox.config.loader.memory import MemoryLoader
from tox.config.types import Command
from tox.execute.local_sub_process import LocalSubProcessExecutor
from tox.plugin import impl
from tox.tox_env.errors import Skip
from tox.tox_env.installer import Installer
from tox.tox_env.runner import RunToxEnv

if TYPE_CHECKING:
    from tox.config.sets import ConfigSet, EnvConfigSet
    from tox.execute import Outcome
    from tox.execute.api import Execute
    from tox.session.state import State
    from tox.tox_env.api import ToxEnv
    from tox.tox_env.package import Package
    from tox.tox_env.register import ToxEnvRegister

    from slowfast_verify.cell import Cell
    from slowfast_verify.matrix import Matrix

NOTHING_VERIFIED = 4


class Nothing(Installer["Suite", object]):
    """Installs nothing: that is the suite's business."""

    def _register_config(self) -> None: ...

    def installed(self) -> list[str]:
        """No package is tox's own."""
        return []

    def install(self, arguments: object, section: str, of_type: str) -> None:
        """Nobody asks: a cell has neither package nor dependencies here."""
        raise NotImplementedError


class Suite(RunToxEnv):
    """Runs commands with the variables and the PATH of the person: a virtual environment before it would be taken for an interpreter."""

    @staticmethod
    def id() -> str:
        """The name that `runner =` knows it by."""
        return "suite"

    @property
    def runs_on_platform(self) -> str:
        """This one: whether the cell runs here is the plan's to say."""
        return sys.platform

    @cached_property
    def executor(self) -> Execute:
        """Commands run as processes of this machine."""
        return LocalSubProcessExecutor(self.options.is_colored)

    @cached_property
    def installer(self) -> Nothing:
        """One that installs nothing."""
        return Nothing(self)

    def _build_packages(self) -> list[Package]:
        return []

    @property
    def _package_tox_env_type(self) -> str:
        raise NotImplementedError

    @property
    def _external_pkg_tox_env_type(self) -> str:
        raise NotImplementedError


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """The runner that makes no environment."""
    register.add_run_env(Suite)


@cache
def cells() -> dict[str, Cell]:
    """{id: cell} of the matrices."""
    try:
        from slowfast_verify.matrix import default
    except ModuleNotFoundError as missing:
        if missing.name not in ("slowfast_verify", "pydantic", "platformdirs"):
            raise
        return {}
    matrix = default()
    return dict(matrix.cells) | {cell.id: cell for cell in asked_for(matrix)}


def asked_for(matrix: Matrix) -> Iterator[Cell]:
    """Cells outside the stacks are environments once they are named: tox run -e CELL."""
    from slowfast_verify.errors import Problem

    for word in sys.argv[1:]:
        for name in word.removeprefix("-e").split(","):
            if "@" in name and name not in matrix.cells:
                try:
                    yield matrix.cell(name)
                except Problem:  # no such cell: tox says so
                    continue


def labels_of(cell: Cell, selected: set[str]) -> list[str]:
    """What `-m` knows a cell by: the value of each axis, and `selection` for those that run by default."""
    axes = [cell.os, cell.arch, f"py{cell.python}", f"torch{cell.torch}", cell.accelerator, cell.installer, cell.subject]
    return [*axes, f"{cell.subject}@{cell.revision}", *(["selection"] if cell.id in selected else [])]


@impl
def tox_extend_envs() -> Iterable[str]:
    """Every cell is an environment."""
    return tuple(cells())


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """What tox is to do for each cell, and where the suite's own tests find their interpreters."""
    if not cells():
        return
    from slowfast_verify.matrix import default

    selected = {cell.id for cell in default().selection()}
    for name, cell in cells().items():
        settings: dict[str, Any] = {
            "description": f"climb this cell: {default().stack_of(cell).title}", "labels": labels_of(cell, selected),
            "runner": "suite", "skip_install": True, "allowlist_externals": [sys.executable],
            "pass_env": ["*"], "commands": [Command([sys.executable, "-m", "slowfast_verify", "climb", name])],
        }  # fmt: skip
        state.conf.memory_seed_loaders[name].append(MemoryLoader(**settings))


@impl
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    """tox looks for interpreters on PATH alone; the suite also finds those of pyenv and its like."""
    if re.fullmatch(r"3\.\d+", env_conf.name or "") and cells():
        from slowfast_verify.interpreter import named

        if found := named(str(env_conf.name)):
            env_conf.loaders.insert(0, MemoryLoader(base_python=[str(found)]))


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """A cell that cannot run here is skipped with its reason, before anything is downloaded."""
    name = tox_env.conf.name
    if name in cells():
        from slowfast_verify.planning import plan_of

        (row,) = plan_of([name])
        if row.skipped:
            raise Skip(row.skipped)


@impl
def tox_after_run_commands(tox_env: ToxEnv, exit_code: int, outcomes: list[Outcome]) -> None:
    """What could not be verified is neither red nor green."""
    if tox_env.conf.name in cells() and exit_code == NOTHING_VERIFIED:
        raise Skip("not verified: the reason stands above")
