"""Carries out actions: a cell's workaround, a known failure's fix, a reproduction. Runs on the host.

Called by provision (and by `doctor --fix` and the loops). Installs through installer.py and edits files by replacing them, never in
place: an environment's files are hard links into the installer's cache.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import installer
from .action import Action, Edit
from .atomic import write_text
from .errors import Problem

Runner = Callable[[str, list[str]], None]


@dataclass
class Place:
    """Where actions take effect: an environment, the subject's checkout, and the variables that the cell gains."""

    installer: str
    python: Path
    env: Path
    site: Path
    checkout: Path | None
    folder: Path
    constraints: Path | None = None
    variables: dict[str, str] = field(default_factory=dict)
    opts: dict[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """Put this place's paths where the data has {checkout}, {env}, {site} and {cell}."""
        paths = {"checkout": self.checkout, "env": self.env, "site": self.site, "cell": self.folder}
        for key, path in paths.items():
            if f"{{{key}}}" in text:
                if path is None:
                    raise Problem(f"the action needs a checkout, and this subject has none: {text}", code=3)
                text = text.replace(f"{{{key}}}", str(path))
        return text


def carry_out(action: Action, place: Place, run: Runner, label: str) -> None:
    """Do one action in the place. `run(label, argv)` executes a command and raises when it fails."""
    for edit in action.edit:
        _edit(place, edit)
    if action.uninstall:
        run(f"{label} uninstall", installer.uninstall(place.installer, place.python, action.uninstall))
    if action.install:
        arguments = [place.fill(argument) for argument in action.install]
        run(f"{label} install", installer.install(place.installer, place.python, arguments, place.constraints))
    for file in action.file:
        path = Path(place.fill(file.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.link_to is not None:
            if path.is_symlink() or path.exists():
                path.unlink()
            _link(Path(place.fill(file.link_to)), path)
        else:
            write_text(path, place.fill(file.text or ""))
    for key, value in action.env.items():
        filled = place.fill(value)
        before = place.variables.get(key)
        place.variables[key] = f"{filled}{os.pathsep}{before}" if before and key == "PYTHONPATH" else filled
    place.opts.update({key: place.fill(value) for key, value in action.opts.items()})


def _edit(place: Place, edit: Edit) -> None:
    if place.checkout is None:
        raise Problem(f"{edit.file} is to be edited, but the subject has no checkout", code=3)
    replace_in(place.checkout, edit)


def replace_in(folder: Path, edit: Edit) -> None:
    """Replace text in a file of a source tree. Raises Problem where there is nothing to replace."""
    path = folder / edit.file
    before = path.read_text(encoding="utf-8")
    after, hits = re.subn(edit.find, edit.replace, before)
    if not hits:
        raise Problem(
            f"the edit of {edit.file} finds nothing to replace",
            where=f"{edit.file}, expression {edit.find}",
            cause="upstream has changed the line",
            next="compare the file with the known failure's `edit` and mend or drop the workaround",
        )
    write_text(path, after)


def _link(target: Path, path: Path) -> None:
    """A symbolic link; where Windows forbids one to ordinary users, a copy of the folder."""
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        shutil.copytree(target, path, ignore=shutil.ignore_patterns(".git"))
