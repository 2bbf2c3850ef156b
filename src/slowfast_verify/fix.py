"""Carries out actions: a cell's workaround, a known failure's fix, a reproduction. Runs on the host.

Called by provision, by the loops and by whoever repairs an environment. Installs through installer.py and edits files by replacing
them, never in place: an environment's files are hard links into the installer's cache.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from . import installer, layout
from .action import Action, Edit
from .atomic import write_text
from .errors import Problem
from .foreign import settle
from .wine import windows_path, wine_variables

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
    runner: str = "native"

    @property
    def start(self) -> list[str]:
        """The argv that starts its Python."""
        return ["wine", str(self.python)] if self.runner == "wine" else [str(self.python)]

    @property
    def tmp(self) -> Path:
        """A folder that is empty when the first action names it and lives as long as the place."""
        folder = self.folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def told(self, text: str) -> str:
        """The same as `fill`, with the paths as the environment's own programs spell them: Z:/... under Wine."""
        return self.fill(text, lambda path: windows_path(path).replace("\\", "/") if self.runner == "wine" else str(path))

    def fill(self, text: str, spelt: Callable[[Path], str] = str) -> str:
        """Put this place's paths where the data has {checkout}, {env}, {site}, {cell}, {python}, {fixtures} and {tmp}."""
        for key in re.findall(r"\{(checkout|env|site|cell|python|fixtures|tmp)\}", text):
            path = {"cell": self.folder, "fixtures": layout.fixtures()}.get(key) or getattr(self, key)
            if path is None:
                raise Problem(f"the action needs a checkout, and this subject has none: {text}", code=3)
            text = text.replace(f"{{{key}}}", spelt(path))
        return text


def environ(place: Place) -> dict[str, str]:
    """The variables of a command in the place: what its installer needs, and what activating the environment would set."""
    base = installer.environment(place.installer)
    path = os.pathsep.join([str(place.python.parent), *filter(None, [base.get("PATH")])])
    emulated = wine_variables(place.folder / "prefix") if place.runner == "wine" else {}
    own = {key: place.told(value) for key, value in place.variables.items()}
    return {**base, "PATH": path, "VIRTUAL_ENV": str(place.env), **emulated, **own}


def carry_out(action: Action, place: Place, run: Runner, label: str) -> None:
    """Do one action in the place. `run(label, argv)` executes a command and raises when it fails."""
    for edit in action.edit:
        _edit(place, edit)
    if action.uninstall:
        run(f"{label} uninstall", installer.uninstall(place.installer, place.python, action.uninstall))
    if action.install:
        arguments = [place.fill(argument) for argument in action.install]
        run(f"{label} install", installer.install(place.installer, place.python, arguments, place.constraints))
        settle(place.python)
    for name in action.remove:
        _remove(place, place.fill(name))
    for file in action.file:
        path = Path(place.fill(file.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.link_to is not None:
            if path.is_symlink() or path.exists():
                path.unlink()
            _link(Path(place.fill(file.link_to)), path)
        else:
            write_text(path, place.told(file.text or ""))
    for key, value in action.env.items():
        filled = place.told(value)
        before = place.variables.pop(key, None)
        if filled:  # an empty value takes the variable away
            place.variables[key] = _before(filled, before, place.runner) if before and key == "PYTHONPATH" else filled
    place.opts.update({key: place.told(value) for key, value in action.opts.items()})
    if action.run:
        run(f"{label} run", command(place, action.run))


def _before(entry: str, others: str, runner: str) -> str:
    """A search path with the entry first; what names the same folder, or one inside it, gives way to it."""
    between, kind = (";", PureWindowsPath) if runner == "wine" else (os.pathsep, Path)
    return between.join([entry, *(other for other in others.split(between) if other and not kind(other).is_relative_to(kind(entry)))])


def command(place: Place, argv: list[str]) -> list[str]:
    """A command of the data as it runs in the place: `python` and `pip` are those of the environment, never the calling shell's."""
    first, rest = argv[0], [place.told(part) for part in argv[1:]]
    own = dict.fromkeys(("python", "python3", "{python}"), place.start)
    own |= {name: [*place.start, "-m", "pip"] for name in ("pip", "pip3")}
    return [*own.get(first, [place.fill(first)]), *rest]


def _remove(place: Place, pattern: str) -> None:
    """Take away the files and folders of a path or pattern, if there are any; refuses what lies outside of the place."""
    found = [Path(os.path.abspath(hit)) for hit in glob.glob(pattern)] or [Path(os.path.abspath(pattern))]  # noqa: PTH100, PTH207 (a link itself)
    roots = [root for root in (place.env, place.checkout, place.folder) if root]
    for path in found:
        if not any(path.is_relative_to(root) for root in roots) or any(root.is_relative_to(path) for root in roots):
            raise Problem(f"{path} is not in the environment, and will not be removed", code=3)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _edit(place: Place, edit: Edit) -> None:
    if place.checkout is None:
        raise Problem(f"{edit.file} is to be edited, but the subject has no checkout", code=3)
    replace_in(place.checkout, edit.model_copy(update={"file": place.fill(edit.file)}))


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
