"""A workaround as steps of a script: what fix.py carries out, written down for a person to run. Pure; imports action and script only."""

from __future__ import annotations

import re

from .action import Action, Edit, File
from .script import Do, Link, Say, Step, Variable, Write

#: The names that actions use for places, as a script has them: a cell's folder is the one that the script is started in.
EDITS = """import re
from pathlib import Path

for name, find, replace in [
{rows}
]:
    text, hits = re.subn(find, replace, Path(name).read_text(encoding="utf-8"))
    if not hits:
        raise SystemExit(name + ": there is nothing to replace: " + find)
    Path(name).write_text(text, encoding="utf-8")
"""
FILES = """from pathlib import Path

for name, text in [
{rows}
]:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
"""


def mending(action: Action, installer: str, number: int, install: list[str]) -> list[Step]:
    """The steps of one workaround. number: makes its file's name its own; install: the command that its `install` becomes."""
    steps: list[Step] = [Say(text=f"workaround: {' '.join(action.why.split())}")] if action.why and _acts(action) else []
    steps += edits([edit.model_copy(update={"file": f"{{checkout}}/{edit.file}"}) for edit in action.edit], number) if action.edit else []
    if action.uninstall:
        command = ["uv", "pip", "uninstall", "--python", "{env}"] if installer == "uv" else ["{python}", "-m", "pip", "uninstall", "--yes"]
        steps.append(Do(argv=[*command, *action.uninstall]))
    if install:
        steps.append(Do(argv=[_place(word) for word in install]))
    texts = [row for row in action.file if row.text is not None]
    steps += _files(texts, number) if texts else []
    steps += [Link(path=_place(row.path), to="{here}/" + _place(row.link_to)) for row in action.file if row.link_to is not None]
    if action.run:
        steps.append(Do(argv=["{python}" if word in ("python", "python3") else _place(word) for word in action.run]))
    for key, value in action.env.items():
        steps.append(Variable(name=key, values=[absolute(value)]))
    return steps


def edits(rows: list[Edit], number: int) -> list[Step]:
    """A small program that makes the edits, and the command that starts it: its expressions are Python's, whatever the shell."""
    lines = "\n".join(f"    ({_text(row.file)}, {_text(row.find)}, {_text(row.replace)})," for row in rows)
    return _program(EDITS.replace("{rows}", lines), number)


def _files(rows: list[File], number: int) -> list[Step]:
    lines = "\n".join(f"    ({_text(_place(row.path))}, {_text(row.text or '')})," for row in rows)
    return _program(FILES.replace("{rows}", lines), number)


def _program(text: str, number: int) -> list[Step]:
    name = f"slowfast-edit-{number}.py"
    return [Write(path=name, text=text), Do(argv=["{python}", name])]


def _text(text: str) -> str:
    return ascii(text)


def _acts(action: Action) -> bool:
    return bool(action.edit or action.install or action.uninstall or action.file or action.env or action.run)


def _place(text: str) -> str:
    return re.sub(r"\{cell\}/", "", text)


def absolute(text: str) -> str:
    """A path of an action from the folder that the script is started in."""
    return re.sub(r"\{(checkout|env)\}", r"{here}/{\1}", text.replace("{cell}", "{here}"))
