"""A sabotage: what is done to a healthy environment, and what the doctor must say of it. Read from the TOML files beside this one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import psutil
from pydantic import Field

from slowfast_verify import interpreter, layout
from slowfast_verify.data import Row, load
from slowfast_verify.errors import NotVerifiable

FOLDER = Path(__file__).parent


class Deed(Row):
    """One thing that is done. Paths and texts may contain {env} {site} {bin} {here} {tmp} {python} {version}.

    write: a file anew, of `text`, of `hex` bytes, of `size` zero bytes, or as a copy of `like`. append: text at the end. cut: keep that
    many bytes. remove: files, folders, globs. move, link: [from, to]. mode: octal. elf: a file that is a library for another machine.
    compiled: a shared library from C. distribution: name, version, files. many: that many empty files in `path`. borrow: a provisioned cell
    from whose site-packages `names` (globs) are taken. halve: keep the first half of a file.
    """

    write: str = ""
    text: str | None = None
    hex: str | None = None
    size: int | None = None
    like: str = ""
    append: str = ""
    cut: str = ""
    keep: int = 0
    remove: list[str] = []
    move: list[str] = []
    link: list[str] = []
    mode: str = ""
    path: str = ""
    elf: str = ""
    compiled: str = ""
    distribution: str = ""
    version: str = ""
    files: dict[str, str] = {}
    requires: list[str] = []
    many: int = 0
    borrow: str = ""
    names: list[str] = []
    halve: str = ""


class Sabotage(Row):
    """One sabotaged environment. id, what (a sentence), reason: who meets this.

    do, env (variables of the doctor's process; empty: taken away), folder (where it is started), wrap (an argv in front of it), target
    (empty: none is given), options: the sabotage. ground: standin, or a glob over provisioned cells. needs: gcc, unshare, python3.6 ...
    verdict: what the document must say. named: the id of the first cause. culprit: words that must stand in the first cause (or in a
    note: note = true), all of them. rung: where it stands. problem: words of the four lines where no environment can be examined
    (exit 2). seconds: the whole command must end within. up_to: the rung to climb to. leaves: a folder of files named by process
    numbers of which none may be alive afterwards. slow: only in `nox -s sabotage`.
    """

    id: str
    what: str
    reason: str
    ground: str = "standin"
    do: list[Deed] = []
    env: dict[str, str] = {}
    folder: str = "{here}"
    wrap: list[str] = []
    target: str = "{env}"
    options: list[str] = []
    needs: list[str] = []
    up_to: str = "imports"
    verdict: str = "problems"
    exit: int = 1
    named: str = ""
    culprit: list[str] = []
    note: bool = False
    rung: str = ""
    problem: list[str] = []
    seconds: float = 20
    leaves: str = ""
    slow: bool = False


class Sabotages(Row):
    """A file of them."""

    sabotage: list[Sabotage] = Field(min_length=1)


@cache
def all_of() -> dict[str, Sabotage]:
    """{id: sabotage} of every file."""
    found: dict[str, Sabotage] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for row in load(path, Sabotages).sabotage:
            assert row.id not in found, f"{row.id} is there twice"
            found[row.id] = row
    return found


def missing(row: Sabotage) -> str:
    """Why it cannot be carried out on this machine; empty where it can."""
    for need in row.needs:
        if need.startswith("cell "):
            if not (layout.home() / "cells" / need[5:] / "cell.json").is_file():
                return f"the cell {need[5:]} is not provisioned here"
        elif need.startswith("python"):
            if python_of_version(need.removeprefix("python")) is None:
                return f"no {need} on this machine"
        elif need == "linux":
            if sys.platform != "linux":
                return "this is done with means of Linux"
        elif need == "no sitecustomize of the system":
            if (Path(sysconfig.get_path("stdlib")) / "sitecustomize.py").exists():
                return "this Python brings a sitecustomize.py of its own, which comes before the environment's"
        elif need == "mounts":
            if not _mounts():
                return "no mount can be made in a namespace of its own here"
        elif need.endswith(" GB of memory"):
            if psutil.virtual_memory().available < int(need.split()[0]) << 30:
                return f"less than {need} is free"
        elif shutil.which(need) is None:
            return f"there is no {need}"
    return ""


@cache
def python_of_version(version: str) -> Path | None:
    """An interpreter of that version; those of Python 2 are in no list of ours, so pyenv's folder and PATH are looked into."""
    named = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    try:
        return named[0] if named else interpreter.find(version)
    except NotVerifiable:
        found = shutil.which(f"python{version}")
        return Path(found) if found else None


@cache
def _mounts() -> bool:
    try:
        return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
