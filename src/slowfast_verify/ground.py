"""The ground that a cell's environment is built on: the interpreter, native or of another system, and the empty environment around it.

Called by provision (to build) and verdict (to start what was built). Runs on the host. What an emulator needs is told by emulator.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from filelock import FileLock

from . import aarch64, conda_env, container, emulator, installer, interpreter, layout, windows_python, wine
from . import target as targets
from .cell import Cell
from .errors import Infrastructure, NotVerifiable
from .foreign import foreign
from .record import Provisioned
from .stack import Wheels
from .target import Target

Run = Callable[[str, list[str]], None]


@dataclass(frozen=True)
class Base:
    """What an environment is made from: an interpreter or its folder. runner: `native`, or the kind of emulator; exact: `3.8.18`."""

    runner: str
    python: Path
    exact: str


def base_of(cell: Cell, *, fetch: bool = True) -> Base:
    """The interpreter for a cell. Raises NotVerifiable where there is none; fetch False: where it would have to be fetched first."""
    kind = emulator.emulator_of(cell)
    if cell.installer == "conda":  # Python comes from a channel
        return Base("native", Path(conda_env.backend()), cell.python)
    if kind is None:
        python = interpreter.find(cell.python)
        return Base("native", python, interpreter.exact_version(python))
    kind.require()
    if kind.kind == "wine":
        if not fetch and not windows_python.kept(cell.python):
            raise NotVerifiable(f"the Windows Python {cell.python} was not fetched yet")
        folder = windows_python.stand(cell.python)
        return Base("wine", folder, windows_python.exact_version(folder))
    if not fetch and not aarch64.kept(cell.python):
        raise NotVerifiable(f"the aarch64 Python {cell.python} was not fetched yet")
    folder = aarch64.stand(cell.python)
    return Base("qemu", folder, aarch64.exact_version(folder))


def lay(cell: Cell, base: Base, folder: Path, run: Run, wheels: Wheels | None = None) -> Path:
    """Make the empty environment in `folder`/env; returns its interpreter. wheels: a conda cell's channels and packages."""
    env = folder / "env"
    if wheels and wheels.channels:
        run("torch", conda_env.command(str(base.python), env, cell.python, wheels.channels, wheels.packages))
        return env / ("python.exe" if os.name == "nt" else "bin/python")
    if base.runner in ("wine", "qemu"):
        if base.runner == "wine":
            inside = windows_python.place(base.python, env)
        else:
            aarch64.place(base.python, env)
            inside = emulator.qemu_python(env)
        for argv in installer.make("uv", Path(installer.sys_python()), folder / "build"):
            run("make a place to build in", argv)
        tools = ["setuptools<81", "wheel"]  # what an unisolated build of a pure source needs; it runs on this machine
        run("make a place to build in", installer.install("uv", folder / "build" / "bin" / "python", tools))
        if base.runner == "wine":
            for requirement in emulator.all_emulators()["wine"].beside_of(cell):
                run("libraries beside the interpreter", installer.unpack(inside, requirement, folder / "beside"))
                for path in (folder / "beside").glob("*.dll"):
                    if not (env / path.name).exists():
                        shutil.copy2(path, env / path.name)
            lay_prefix(folder / "prefix")
        return inside
    for argv in installer.make(cell.installer, base.python, env):
        run("make the environment", argv)
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def lay_prefix(prefix: Path) -> None:
    """A Wine prefix of the cell's own: the registry is copied, the 700 MB of Wine's libraries are linked from one that is made once."""
    made_by = emulator.version("wine")
    if not made_by:
        raise Infrastructure("Wine does not even say its version", where="wine --version", next="install it again")
    template = layout.home() / "wine" / made_by
    template.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(template.with_name(f"{template.name}.lock"), timeout=600):
        if not wine.prefix_stands(template):
            wine.make_prefix(template)
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(parents=True)
    for path in template.iterdir():
        if path.name == "drive_c":
            shutil.copytree(path, prefix / path.name, symlinks=True, copy_function=_linked)
        elif path.is_dir():
            shutil.copytree(path, prefix / path.name, symlinks=True)
        elif path.name != "wineserver":
            shutil.copy2(path, prefix / path.name)


def _linked(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


@cache
def site_of(python: Path) -> Path:
    """Where an environment's packages lie."""
    other = foreign(python)
    if other:
        return other.site
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    return Path(subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip())


def compiler_of(base: Base, cell: Cell, inside: Path) -> Path | None:
    """A Python that writes the bytecode the environment's own would: itself, or for Windows this machine's of the same minor release."""
    if base.runner == "native":
        return inside
    try:
        return interpreter.find(cell.python)
    except NotVerifiable:
        return None


def target_of(provisioned: Provisioned) -> Target:
    """The target that is an environment which stands. A damaged Wine prefix or aarch64 system is mended: neither is under test."""
    if provisioned.runner == "wine":
        emulator.all_emulators()["wine"].require()
        prefix = Path(provisioned.env).parent / "prefix"
        if not wine.prefix_stands(prefix):
            lay_prefix(prefix)
        return targets.under_wine(Path(provisioned.python), prefix)
    if provisioned.runner == "qemu":
        emulator.all_emulators()["qemu"].require()
        aarch64.restore(Path(provisioned.env))
        return targets.under_qemu(Path(provisioned.env))
    if provisioned.runner == "docker":
        return container.of_cell(provisioned.env, provisioned.python)
    return targets.of_python(provisioned.python)


def require_start(provisioned: Provisioned) -> None:
    """Raise Infrastructure unless the emulator of the environment starts its Python. A Wine prefix that does not is laid once more."""
    if provisioned.runner not in emulator.all_emulators():
        return
    target = target_of(provisioned).with_env({})
    try:
        emulator.require_start(target.kind, target.argv, target.environ())
    except Infrastructure:
        if provisioned.runner != "wine":
            raise
        release(provisioned)
        lay_prefix(Path(provisioned.env).parent / "prefix")
        emulator.require_start(target.kind, target.argv, target.environ())


def release(provisioned: Provisioned) -> None:
    """End what the emulator of an environment left running."""
    if provisioned.runner == "wine":
        wine.end_server(Path(provisioned.env).parent / "prefix")
