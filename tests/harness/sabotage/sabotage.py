"""A sabotage: what is done to a healthy environment, and what the doctor must say of it. Read from the TOML files beside this one.

`carry_out` breaks the place, `examine` runs the real command in a process of its own and tells what came out of it.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from slowfast_verify import interpreter, layout
from slowfast_verify.data import Row, load
from slowfast_verify.ending import end_group
from slowfast_verify.errors import NotVerifiable

from . import standin

FOLDER = Path(__file__).parent
MACHINES = {"aarch64": 183, "i386": 3}  # e_machine of ELF
#: What steers Python or names an environment: whoever runs the tests must not be part of the sabotage.
DROPPED = ("PYTHON", "VIRTUAL_ENV", "CONDA", "LD_", "PYTEST", "COV_", "UV_", "PIP_", "SLOWFAST_VERIFY_RE")


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
            try:
                interpreter.find(need.removeprefix("python"))
            except NotVerifiable:
                return f"no {need} on this machine"
        elif need == "linux":
            if sys.platform != "linux":
                return "this is done with means of Linux"
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
def _mounts() -> bool:
    try:
        return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Place:
    """Where a sabotage happens: an environment of its own, an empty folder to stand in, a folder for what else is needed."""

    def __init__(self, folder: Path, env: Path, checkout: Path | None = None) -> None:
        self.env, self.here, self.tmp = env, folder / "here", folder / "tmp"
        for path in (self.here, self.tmp):
            path.mkdir(parents=True, exist_ok=True)
        self.python = standin.python_of(env)
        self.site = next(iter(env.glob("lib/python*/site-packages")), env / "Lib" / "site-packages")
        version = self.site.parent.name.removeprefix("python")
        self.words = {
            "env": env, "site": self.site, "bin": self.python.parent, "here": self.here, "tmp": self.tmp, "python": self.python,
            "checkout": checkout or "", "version": version, "tag": "cp" + version.replace(".", ""), "base": sysconfig.get_config_var("base"),
        }  # fmt: skip

    def fill(self, text: str) -> str:
        """Put this place's paths into a text."""
        for word, value in self.words.items():
            text = text.replace(f"{{{word}}}", str(value))
        if "{python3" in text or "{python2" in text:
            version = text.partition("{python")[2].partition("}")[0]
            text = text.replace(f"{{python{version}}}", str(interpreter.find(version)))
        return text

    def path(self, text: str) -> Path:
        """A path of this place."""
        return Path(self.fill(text))

    def carry_out(self, deed: Deed) -> None:
        """Do it. A file is replaced, never written in place: it may be a hard link."""
        if deed.write:
            self._write(self.path(deed.write), deed)
        if deed.append:
            self._replace(self.path(deed.append), self.path(deed.append).read_bytes() + self.fill(deed.text or "").encode())
        if deed.cut:
            self._replace(self.path(deed.cut), self.path(deed.cut).read_bytes()[: deed.keep])
        for pattern in deed.remove:
            self._remove(pattern)
        if deed.move:
            shutil.move(*map(self.path, deed.move))
        if deed.link:
            path, target = (self.fill(text) for text in deed.link)
            Path(path).unlink(missing_ok=True)
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).symlink_to(target)
        if deed.mode:
            self.path(deed.path).chmod(int(deed.mode, 8))
        if deed.elf:
            self._replace(self.path(deed.path), foreign_library(deed.elf))
        if deed.compiled:
            self._compile(self.path(deed.path), deed.compiled)
        if deed.distribution:
            standin.install(self.site, deed.distribution, deed.version, deed.files, [self.fill(row) for row in deed.requires])
        if deed.halve:
            content = self.path(deed.halve).read_bytes()
            self._replace(self.path(deed.halve), content[: len(content) // 2])
        for pattern in deed.names:
            self._borrow(deed.borrow, pattern)
        for number in range(deed.many):
            self.path(f"{deed.path}/{number:06d}.txt").touch()

    def _write(self, path: Path, deed: Deed) -> None:
        content = bytes.fromhex(deed.hex) if deed.hex is not None else bytes(deed.size or 0)
        if deed.text is not None:
            content = self.fill(deed.text).encode()
        self._replace(path, self.path(deed.like).read_bytes() if deed.like else content)
        if content.startswith(b"#!"):
            path.chmod(0o755)

    def _replace(self, path: Path, content: bytes) -> None:
        mode = path.stat().st_mode if path.is_file() else 0o644
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode & 0o777)

    def _remove(self, pattern: str) -> None:
        path = self.path(pattern)
        parts = path.relative_to("/").parts
        plain = next((number for number, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
        found = list(Path("/", *parts[:plain]).glob("/".join(parts[plain:]))) if plain < len(parts) else [path]
        assert found, f"nothing to remove: {pattern}"
        for one in found:
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()

    def _borrow(self, cell: str, pattern: str) -> None:
        (source,) = (layout.home() / "cells" / cell / "env").glob("lib/python*/site-packages")
        found = list(source.glob(pattern))
        assert found, f"{cell} has no {pattern}"
        for path in found:
            goal = self.site / path.relative_to(source)
            if path.is_dir():
                shutil.rmtree(goal, ignore_errors=True)
                shutil.copytree(path, goal, copy_function=os.link)
            else:
                self._replace(goal, path.read_bytes())

    def _compile(self, path: Path, source: str) -> None:
        include = subprocess.run([str(self.python), "-c", "import sysconfig; print(sysconfig.get_paths()['include'])"],
                                 capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", f"-I{include}", "-o", str(path), "-"], input=source.encode(), check=True)


def foreign_library(machine: str) -> bytes:
    """The head of a shared library for another processor: as much as the loader looks at before it refuses."""
    bits = 1 if machine == "i386" else 2
    ident = b"\x7fELF" + bytes([bits, 1, 1, 0]) + bytes(8)
    return ident + struct.pack("<HHIQQQIHHHHHH", 3, MACHINES[machine], 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0) + bytes(4096)


def examine(row: Sabotage, place: Place) -> dict[str, Any]:
    """Run the doctor: {exit, seconds, stdout, stderr, document (None where standard output is none)}."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    environ["PATH"] = os.pathsep.join(
        part for part in environ.get("PATH", "").split(os.pathsep) if Path(part) != Path(sys.executable).parent
    )
    folder = place.path(row.folder)
    environ["PWD"] = str(folder)
    for name, value in row.env.items():
        environ.pop(name, None)
        if value:
            environ[name] = place.fill(value)
    target = [place.fill(row.target)] if row.target else []
    command = [*command_of(), "doctor", *target, "--rung", row.up_to, "--json", *(place.fill(option) for option in row.options)]
    argv = [*(place.fill(part) for part in row.wrap), *command]
    begun = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, cwd=folder,
                               start_new_session=True)  # fmt: skip
    try:
        stdout, stderr = process.communicate(timeout=row.seconds + 60)
    except subprocess.TimeoutExpired:
        end_group(process)
        stdout, stderr = process.communicate()
    seconds = time.monotonic() - begun
    try:
        document = json.loads(stdout)
    except ValueError:
        document = None
    return {
        "exit": process.returncode, "seconds": seconds, "document": document,
        "stdout": stdout.decode("utf-8", "replace"), "stderr": stderr.decode("utf-8", "replace"),
    }  # fmt: skip


def command_of() -> list[str]:
    """The installed command, as a person calls it."""
    script = Path(sys.executable).parent / "slowfast-verify"
    return [str(script)] if script.is_file() else [sys.executable, "-P", "-m", "slowfast_verify"]


def complaints(row: Sabotage, seen: dict[str, Any], fill: Callable[[str], str] = str) -> list[str]:
    """What is not as it should be; empty where the doctor did its work."""
    row = row.model_copy(update={"culprit": [*map(fill, row.culprit)], "problem": [*map(fill, row.problem)]})
    found = [f"process {number} is left" for number in _left(Path(fill(row.leaves)) if row.leaves else None)]
    own = f"{seen['stdout']}\n{seen['stderr']}" if seen["document"] is None else seen["stderr"]
    if "Traceback (most recent call last)" in own or "fault of slowfast-verify itself" in own:
        found.append(f"a traceback of its own:\n{own[-3000:]}")
    if seen["seconds"] > row.seconds:
        found.append(f"it took {seen['seconds']:.1f} s, and {row.seconds:g} are allowed")
    if seen["exit"] != row.exit:
        found.append(f"exit status {seen['exit']}, not {row.exit}: {seen['stderr'][-600:]}")
    if row.problem:
        found += [f"the message does not say {word!r}: {seen['stderr'][-600:]}" for word in row.problem if word not in seen["stderr"]]
        return found
    document = seen["document"]
    if document is None:
        return [*found, f"no document: {seen['stdout'][-300:]}{seen['stderr'][-600:]}"]
    if document["verdict"] != row.verdict:
        found.append(f"the verdict is {document['verdict']}, not {row.verdict}")
    return found + _unnamed(row, document)


def _left(folder: Path | None) -> list[int]:
    numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder else []
    return [number for number in numbers if psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE]


def _unnamed(row: Sabotage, document: dict[str, Any]) -> list[str]:
    rows = document["notes"] if row.note else document["causes"][:1]
    found = []
    for one in rows:
        told = "\n".join(_texts(one))
        found = [f"the culprit's word {word!r} is not named" for word in row.culprit if word not in told]
        found += [f"it stands at {one['rung']}, not at {row.rung}"] if row.rung and one["rung"] != row.rung else []
        found += [f"it is called {one['id']}, not {row.named}"] if row.named and one["id"] != row.named else []
        if not found:
            return []
    if not rows:
        return ["nothing is named" + (" in the notes" if row.note else "")] if row.culprit or row.named else []
    return [*found, "said: " + (json.dumps(rows[0], ensure_ascii=False)[:900] if rows else "nothing")]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else [str(value)]


def said(document: dict[str, Any] | None, stderr: str) -> str:
    """What the doctor named, in one line, for the table."""
    if document is None:
        return (stderr.strip().splitlines() or ["nothing"])[0]
    first = [*document["causes"], *document["notes"]]
    return f"[{first[0]['rung']}] {first[0]['title']}" if first else document["verdict"]
