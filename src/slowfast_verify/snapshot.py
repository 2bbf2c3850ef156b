"""What an environment was before somebody changes it: its packages and commands by hard links, the other files as copies; and the way back.

Runs on the host; called by repair.py. Links cost seconds and no space: installers replace files and never write into them. The way
back is a rename, so that it needs no index and no network, and brings back what no index has.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .distributions import installed
from .errors import Problem

FOLDER = ".slowfast-verify"


def frozen(inventory: Mapping[str, Any]) -> list[str]:
    """What is installed, one requirement a line: name and version, and the address of what came from one."""
    rows = []
    for name, facts in sorted(installed(inventory).items()):
        origin = f"  # {facts['direct_url']}" if facts["direct_url"] else ""
        rows.append(f"{name}=={facts['version']}{origin}")
    return rows


def folders_of(inventory: Mapping[str, Any]) -> list[Path]:
    """The folders of an environment that an installer writes into: those with installed distributions, and its commands."""
    prefix = Path(inventory["prefix"])
    commands = Path(inventory["executable"]).parent
    sites = {Path(facts["path"]).parent for facts in inventory["distributions"].values()}
    sites |= {Path(entry) for entry in inventory["path"] if Path(entry).name in ("site-packages", "dist-packages")}
    found = [folder for folder in sorted(sites) if folder.is_dir() and folder.is_relative_to(prefix) and folder != prefix]
    return [*found, *([commands] if commands.is_relative_to(prefix) and commands.name in ("bin", "Scripts") else [])]


@dataclass
class Snapshot:
    """The state of some folders and files at one moment. place: where it is kept, inside the environment that it is of."""

    place: Path
    folders: dict[Path, Path] = field(default_factory=dict)
    files: dict[Path, Path | None] = field(default_factory=dict)

    @classmethod
    def take(cls, inventory: Mapping[str, Any]) -> Snapshot:
        """Keep the environment's packages and commands; raises Problem where they cannot be written or linked."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        made = cls(Path(inventory["prefix"]) / FOLDER / stamp)
        try:
            made.place.mkdir(parents=True)
            (made.place / "frozen.txt").write_text("\n".join(frozen(inventory)) + "\n", encoding="utf-8")
            for number, folder in enumerate(folders_of(inventory)):
                kept = made.place / f"{number}-{folder.name}"
                shutil.copytree(folder, kept, symlinks=True, copy_function=_linked, ignore=shutil.ignore_patterns("__pycache__"))
                made.folders[folder] = kept
        except (OSError, shutil.Error) as error:
            made.forget()
            raise Problem(
                "the environment cannot be kept as it is, so nothing was changed",
                where=f"{made.place}: {error}",
                cause="it belongs to somebody else, is read-only, or the disk is full",
                next="print the commands instead and run them yourself: slowfast-verify doctor --dry-run TARGET",
            ) from None
        return made

    def keep(self, paths: Iterable[Path]) -> None:
        """Keep copies of files that are about to be edited, and remember those that do not exist yet."""
        for path in paths:
            if path not in self.files:
                kept = self.place / "files" / f"{len(self.files)}-{path.name}"
                kept.parent.mkdir(exist_ok=True)
                if path.is_dir() and not path.is_symlink():
                    shutil.copytree(path, kept, symlinks=True)
                elif path.exists():
                    shutil.copy2(path, kept)
                self.files[path] = kept if path.exists() else None

    def restore(self) -> None:
        """Put everything back as it was. Raises Problem that says where the rest of it lies."""
        try:
            for folder, kept in self.folders.items():
                aside = folder.with_name(f"{folder.name}.changed")
                folder.rename(aside)
                kept.rename(folder)
                shutil.rmtree(aside, ignore_errors=True)
            for path, copy in self.files.items():
                if any(path.is_relative_to(folder) for folder in self.folders):
                    continue  # came back with its folder
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
                if copy is not None:
                    copy.rename(path)
        except OSError as error:
            raise Problem("the way back stopped on its way", where=f"{error}", cause="a file is in use, or the disk is full",
                          next=f"everything that was there lies in {self.place}", code=3) from None  # fmt: skip

    def forget(self, *, keep_list: bool = False) -> None:
        """Delete what was kept; keep_list: but for the list of distributions and the copies of edited files."""
        if keep_list:
            for kept in self.folders.values():
                shutil.rmtree(kept, ignore_errors=True)
            return
        shutil.rmtree(self.place, ignore_errors=True)
        for folder in (self.place.parent,):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _linked(source: str, destination: str) -> str:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, destination)
    return destination
