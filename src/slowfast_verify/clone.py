"""A second environment in seconds: package files are hard links, what tools rewrite in place is copied, paths point to the clone.

Called by the loops and by whoever breaks an environment on purpose; runs on the host; imports atomic and record.

A linked file is the original's (and the installer's cache's): whoever writes into the clone replaces the file, as installers and
atomic.write_text do, or calls `own` first. `fingerprint` tells afterwards whether everybody kept to that. On Windows the launchers
in Scripts hold the original's path inside a program file; they are left out, and `python -m NAME` takes their place.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from .atomic import write_text
from .record import Provisioned

METADATA = (".dist-info", ".egg-info")
REWRITTEN = (".pth", ".egg-link")
COMMANDS = ("bin", "Scripts")
LARGEST_TEXT = 1_000_000  # bytes; a launcher script or an editable finder has a few thousand


def clone_cell(found: Provisioned, folder: Path) -> Provisioned:
    """Clone a provisioned cell (environment, checkout, links, constraints) into a missing folder; returns it with the clone's paths."""
    cell = Path(found.env).parent
    moved = {cell: folder}
    folder.mkdir(parents=True)
    for name in ("src", "links"):
        if (cell / name).is_dir():
            clone_checkout(cell / name, folder / name, moved)
    if (cell / "constraints.txt").exists():
        shutil.copy2(cell / "constraints.txt", folder)
    clone_environment(Path(found.env), folder / Path(found.env).name, moved)
    paths = {name: _moved(value, moved) for name in ("python", "env", "checkout") if (value := getattr(found, name))}
    return found.model_copy(update={**paths, "variables": {key: _moved(value, moved) for key, value in found.variables.items()}})


def clone_environment(source: Path, destination: Path, moved: dict[Path, Path] | None = None) -> Path:
    """Clone a venv (also one that pip, uv or virtualenv made) into a folder that does not exist; returns the clone's interpreter.

    moved: other folders whose paths the environment names (a checkout) and where their clones lie. Raises FileExistsError.
    """
    moved = {**(moved or {}), source: destination}
    _tree(source, destination, moved, commands=False, top=True)
    for name in (*COMMANDS, "."):
        for candidate in ("python", "python3", "python.exe"):
            if (destination / name / candidate).exists():
                return destination / name / candidate
    raise FileNotFoundError(f"no interpreter in the clone of {source}")


def clone_checkout(source: Path, destination: Path, moved: dict[Path, Path] | None = None) -> None:
    """Copy a checkout, so that it may be edited in any way; links that point into a moved folder point into its clone."""
    moved = {**(moved or {}), source: destination}
    shutil.copytree(source, destination, symlinks=True, ignore=lambda _, names: [name for name in names if name == "__pycache__"])
    for path in _walk(destination):
        if path.is_symlink():
            _link_to(str(path.readlink()), path, moved)
        elif path.parent.name.endswith(METADATA):
            _rewrite(path, moved)


def own(path: Path) -> Path:
    """Break a hard link: afterwards the file is this folder's alone and may be written in place. Does nothing to a file that is."""
    if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        os.close(handle)
        shutil.copy2(path, name)
        Path(name).replace(path)
    return path


def fingerprint(folder: Path) -> dict[str, tuple[int, int]]:
    """{relative path: (size in bytes, time of change in ns)} of every file that a clone may share with the folder."""
    seen = {}
    for path in _walk(folder):
        if not path.is_symlink() and "__pycache__" not in path.parts:
            state = path.stat()
            seen[path.relative_to(folder).as_posix()] = (state.st_size, state.st_mtime_ns)
    return seen


def _tree(source: Path, destination: Path, moved: dict[Path, Path], *, commands: bool, top: bool = False) -> None:
    """Clone a folder. top: it is the environment's own; commands: it is the one whose scripts name the interpreter."""
    destination.mkdir(parents=True)
    metadata = source.name.endswith(METADATA)
    with os.scandir(source) as entries:
        for entry in entries:
            old, new = Path(entry.path), destination / entry.name
            if entry.is_symlink():
                _link_to(str(old.readlink()), new, moved)
            elif entry.is_dir():
                _tree(old, new, moved, commands=top and entry.name in COMMANDS)
            elif commands or metadata or top or entry.name.endswith(REWRITTEN) or entry.name.startswith("__editable__"):
                if not (commands and _is_launcher(old, moved)):
                    shutil.copy2(old, new)
                    _rewrite(new, moved)
            else:
                _hard_link(old, new)


def _hard_link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError as error:  # another disk, a file system without links, a file with too many
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES):
            raise
        shutil.copy2(old, new)


def _link_to(target: str, path: Path, moved: dict[Path, Path]) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(_moved(target, moved))


def _is_launcher(path: Path, moved: dict[Path, Path]) -> bool:
    """Whether a Windows program starts the original's interpreter: acting on the original is what a clone must never do."""
    if path.suffix.lower() != ".exe" or path.stat().st_size > LARGEST_TEXT:
        return False
    content = path.read_bytes()
    return any(os.fsencode(folder) in content for folder in moved)


def _rewrite(path: Path, moved: dict[Path, Path]) -> None:
    """Put the clone's paths into a text file that names the original's."""
    if path.stat().st_size > LARGEST_TEXT:
        return
    try:
        before = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return  # a program, not a text
    after = _moved(before, moved)
    if after != before:
        write_text(path, _startable(after))


def _startable(text: str) -> str:
    """A script whose first line no kernel can use (a blank in the interpreter's path, or more than 127 bytes) starts it through a shell."""
    first, _, rest = text.partition("\n")
    path = first.removeprefix("#!").strip()
    if not first.startswith("#!") or not Path(path).is_absolute() or not (" " in path or len(os.fsencode(first)) > 127):
        return text
    if path.startswith(("/bin/sh", "/usr/bin/env")):
        return text
    return f"#!/bin/sh\n'''exec' '{path}' \"$0\" \"$@\"\n' '''\n{rest}"


def _moved(text: str, moved: dict[Path, Path]) -> str:
    """The text with every moved folder's path replaced, the longest first; also as written in a file: address or an escaped string."""
    for old in sorted(moved, key=lambda folder: -len(str(folder))):
        new = moved[old]
        for spell in SPELLINGS:
            text = text.replace(spell(old), spell(new))
    return text


def _by_backslashes(path: Path) -> str:
    return str(path).replace("/", "\\")


#: How a path stands in a file: as it is, in an address, as a Windows program under Wine has it, each also escaped.
SPELLINGS: tuple[Callable[[Path], str], ...] = (
    str, lambda path: quote(path.as_posix()), lambda path: str(path).replace("\\", "\\\\"), Path.as_posix,
    _by_backslashes, lambda path: _by_backslashes(path).replace("\\", "\\\\"),
)  # fmt: skip


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        for name in (*files, *(name for name in folders if (Path(place) / name).is_symlink())):
            yield Path(place) / name
