"""Where code runs: an argv that starts a Python. Runs on the host; imports the standard library and errors.

`venv`, `conda`, `container`, `ssh` and `wsl` differ only in what stands before the interpreter, so each is one line in `PREFIX`. `wine` and
`qemu` need variables and paths of their own (emulator.py).
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import Problem

#: kind -> argv before the environment and the interpreter; {} is what the person wrote after the colon.
PREFIX: dict[str, tuple[str, ...]] = {
    "conda": ("conda", "run", "--no-capture-output", "-n", "{}"),
    "conda-prefix": ("conda", "run", "--no-capture-output", "-p", "{}"),
    "container": ("docker", "exec", "-i", "{}"),
    "docker": ("docker", "run", "--rm", "-i", "--entrypoint=", "{}"),  # container.stand starts one for the whole run instead
    "ssh": ("ssh", "-o", "BatchMode=yes", "{}"),
    "wsl": ("wsl", "-d", "{}", "--"),
}
#: Variables that steer Python itself: those of the shell that runs the suite must not reach an environment that it built.
STEERING = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH", "PYTHONNOUSERSITE", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Target:
    """argv starts a Python that reads its program from standard input; env is added, clean drops what steers Python.

    shown: what a person calls it, where the argv names a thing of the moment; made_of: the id of a container's image.
    """

    argv: tuple[str, ...]
    kind: str = "python"
    env: dict[str, str] = field(default_factory=dict)
    clean: bool = False
    slowness: float = 1.0
    shown: str = ""
    made_of: str = ""

    @property
    def local(self) -> bool:
        """Whether the process is a child of this one on this machine's own kernel and file system, and so takes its variables."""
        return self.kind in ("python", "venv", "wine", "qemu")

    @property
    def shares_files(self) -> bool | None:
        """Whether the process sees this machine's files under the same paths; None: only looking there tells."""
        return None if self.kind == "argv" else self.kind not in ("docker", "container", "ssh", "wsl")

    def seen(self, path: str) -> str:
        """A path of this machine as the target's programs spell it."""
        from .wine import windows_path

        return windows_path(path) if self.kind == "wine" else path

    @property
    def runner(self) -> str:
        """How its code runs, for every report: `native`, `container`, or the emulator and its version."""
        from .emulator import label

        if self.kind in ("docker", "container"):
            return "container"
        return label(self.kind) if self.kind in ("wine", "qemu") else "native"  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.shown or shlex.join(self.argv)

    def with_env(self, env: dict[str, str], *, clean: bool = True) -> Target:
        """The same target with more variables; clean: without those of the calling shell that steer Python."""
        return replace(self, env={**self.env, **env}, clean=clean)

    def command(self, *arguments: str) -> list[str]:
        """The argv that runs its Python with these arguments; variables travel in the argv where Popen cannot set them."""
        if self.local or not self.env:
            return [*self.argv, *arguments]
        before, python = self.argv[:-1], self.argv[-1]
        spell = shlex.quote if self.kind in ("ssh", "wsl") else str  # both hand the words to a shell over there
        return [*before, "env", *(spell(f"{key}={value}") for key, value in self.env.items()), python, *arguments]

    def environ(self) -> dict[str, str]:
        """The environment of the process that is started on this machine."""
        base = {key: value for key, value in os.environ.items() if not (self.clean and key in STEERING)}
        return {**base, **self.env} if self.local else base


def of_python(python: str | Path, *, kind: str = "venv") -> Target:
    """The target that is an interpreter on this machine."""
    return Target(argv=(str(python),), kind=kind)


def under_wine(python: Path, prefix: Path | None = None) -> Target:
    """A Windows interpreter on this machine, started through Wine. prefix: a Wine prefix of its own; none: the person's."""
    from .emulator import all_emulators
    from .wine import wine_variables

    env = wine_variables(prefix) if prefix else all_emulators()["wine"].variables()
    return Target(argv=("wine", str(python)), kind="wine", env=env, slowness=all_emulators()["wine"].slowness)


def under_qemu(root: Path) -> Target:
    """The Python of an aarch64 system that lies unpacked in a folder, started through qemu-user."""
    from .emulator import all_emulators, qemu_python

    return Target(argv=(str(qemu_python(root)),), kind="qemu", slowness=all_emulators()["qemu"].slowness)


def of_prefix(prefix: Path) -> Path | None:
    """The interpreter of an environment's folder, or None."""
    for candidate in (prefix / "bin" / "python", prefix / "bin" / "python3", prefix / "Scripts" / "python.exe", prefix / "python.exe"):
        if candidate.exists():
            return candidate
    return None


def parse(text: str) -> Target:
    """What a person writes after --target.

    A path of an interpreter or of an environment's folder, a command on PATH, `conda:NAME`, `conda-prefix:DIR`, `docker:IMAGE`,
    `container:ID`, `ssh:HOST`, `wsl:NAME`, `wine:PATH` of a python.exe or its folder, `qemu:ROOT` of an unpacked aarch64 system, or
    `argv:COMMAND LINE` for anything else that starts a Python.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind == "argv":
        argv = tuple(shlex.split(rest, posix=os.name == "posix"))
        if not argv:
            raise Problem("argv: needs a command line", where=f"--target {text}", next="--target 'argv:docker exec -i NAME python3'")
        return Target(argv=argv, kind="argv")
    if colon and kind in ("wine", "qemu"):
        return _emulated(kind, rest, text)
    if colon and kind in PREFIX:
        if not rest:
            raise Problem(f"{kind}: needs a name", where=f"--target {text}", next=f"--target {kind}:NAME")
        if rest.startswith("-") or not rest.isprintable():
            raise Problem(f"{rest!r} is no name of a {kind}: target", where=f"--target {text}",
                          cause="what begins with `-` is an option to the program that is started, and ssh has options that run commands",
                          next=f"--target {kind}:NAME")  # fmt: skip
        python = "python" if kind.startswith("conda") else "python3"
        before = [part.format(rest) for part in PREFIX[kind]]
        before[:1] = [conda_command()] if before[0] == "conda" else before[:1]
        return Target(argv=(*before, python), kind=kind)
    path = Path(text).expanduser()
    if path.is_dir():
        interpreter = of_prefix(path)
        if interpreter is None:
            raise Problem(
                "the folder is no Python environment",
                where=str(path),
                cause="it has neither bin/python nor Scripts\\python.exe nor python.exe",
                next="name the interpreter itself, or make one: python -m venv DIR",
            )
        return of_python(interpreter.absolute())
    if path.is_file():
        return of_python(path.absolute())
    import shutil

    found = shutil.which(text)
    if found:
        return of_python(found)
    raise Problem(
        "there is no such target",
        where=f"--target {text}",
        cause="the path is misspelt, or it is not on PATH",
        next=f"name an interpreter, an environment's folder or one of {', '.join(f'{k}:NAME' for k in PREFIX)}; "
        f"this Python is {sys.executable}",
    )


def conda_command() -> str:
    """`conda`, or the file that CONDA_EXE names: in a person's shell conda is a function, which no other process sees."""
    import shutil

    named = os.environ.get("CONDA_EXE", "")
    return named if not shutil.which("conda") and named and shutil.which(named) else "conda"


def _emulated(kind: str, rest: str, text: str) -> Target:
    from .emulator import all_emulators

    all_emulators()[kind].require()
    path = Path(rest).expanduser().absolute()
    if kind == "wine":
        python = of_prefix(path) if path.is_dir() else path
        if python is not None and python.is_file():
            prefix = os.environ.get("WINEPREFIX")
            return under_wine(python, Path(prefix) if prefix else None)
    elif path.is_dir() and list(path.glob("usr/bin/python3*")):
        return under_qemu(path)
    raise Problem(
        "there is no such target", where=f"--target {text}",
        cause="wine: takes a python.exe or its folder; qemu: takes the root of an unpacked aarch64 system with usr/bin/python3",
        next=f"--target {kind}:{'DIR/python.exe' if kind == 'wine' else 'ROOT'}",
    )  # fmt: skip


def label(target: Target) -> str:
    """A short file-name-safe name: the environment's folder, the container, the host."""
    import re

    if target.kind == "docker":
        return re.sub(r"[^\w.-]+", "-", f"docker-{shlex.split(target.name)[-2]}").strip("-")
    last = target.argv[-2] if len(target.argv) > 1 else str(Path(target.argv[0]).parent.parent.name)
    return re.sub(r"[^\w.-]+", "-", f"{target.kind}-{last}").strip("-")
