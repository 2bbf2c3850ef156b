"""The steps of a cell's recipe, in order: what provision.py does for it, phase by phase, written down for a person to run. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from . import conda, sources
from .cell import Cell
from .mending import absolute, edits, mending
from .script import ENV, Do, Form, Places, Say, Step, Variable, Write, written
from .stack import Stack
from .subject import Phase, Subject, actions_of

PINS = "slowfast-pins.txt"


def trio_of(cell: Cell, stack: Stack) -> dict[str, str]:
    """{distribution: version} of torch and what belongs to it, as the wheels of this accelerator call themselves."""
    wheels, torch = stack.wheels_of(cell), stack.torch
    local = wheels.local if wheels else ""
    rows = {"torch": torch.version, "torchvision": torch.torchvision, "torchaudio": torch.torchaudio}
    return {name: version + local for name, version in rows.items() if version}


def body(cell: Cell, stack: Stack, subject: Subject, pins: list[str], form: Form, without_compiler: bool) -> str:
    """The commands of a cell in one language."""
    steps = steps_of(cell, stack, subject, pins, without_compiler)
    places = Places(python=cell.python, windows=cell.os == "windows", checkout=_checkout(subject), conda=cell.installer == "conda")
    if form == "dockerfile":
        setup = ["RUN apt-get update && apt-get install --yes --no-install-recommends git g++"] if needs_git(cell, stack, subject) else []
        setup += ["RUN pip install uv"] if cell.installer == "uv" else []
        text = written(steps, places, form, f"python:{cell.python}-slim-bookworm")
        head, _, rest = text.partition("WORKDIR")
        return head + "".join(f"{line}\n" for line in setup) + "WORKDIR" + rest
    return written(steps, places, form)


def needs_git(cell: Cell, stack: Stack, subject: Subject) -> bool:
    """Whether anything comes from a repository."""
    actions = actions_of(subject.at(cell.revision), stack.workarounds)
    return bool(subject.source.git) or any("git+" in word for _, action in actions for word in action.install)


def _checkout(subject: Subject) -> str:
    return (subject.source.git or "checkout").rstrip("/").rpartition("/")[2].removesuffix(".git")


def steps_of(cell: Cell, stack: Stack, subject: Subject, pins: list[str], without_compiler: bool) -> list[Step]:
    """The steps in order: an empty environment, the pins, the phases of the subject, the workarounds, the variables."""
    revision = subject.at(cell.revision)
    actions = [action for _, action in actions_of(revision, stack.workarounds) if cell.matches(action.when)]
    number = iter(range(1, 100))
    steps: list[Step] = [*_make(cell, stack), Write(path=PINS, text="\n".join(pins) + "\n")]
    for phase in subject.phase:
        if not cell.matches(phase.when):
            continue
        if phase.checkout and subject.source.git and revision.commit:
            steps += _fetch(subject.source.git, revision.commit, "{checkout}", subject.source.sparse)
            for action in (action for action in actions if action.edit):
                steps += mending(action, cell.installer, next(number), _install(cell, action.install))
        steps += _phase(phase, cell, stack, revision.version or "", without_compiler, number)
    for action in (action for action in actions if not action.edit):
        steps += mending(action, cell.installer, next(number), _install(cell, action.install))
    own = [Variable(name=key, values=[absolute(value)]) for key, value in subject.env.items()]
    return [*(step for step in steps if not isinstance(step, Variable)), *_joined([*own, *(s for s in steps if isinstance(s, Variable))])]


def _joined(variables: list[Variable]) -> list[Step]:
    """Each variable once: of PYTHONPATH the later goes before the earlier, any other takes its place; an empty value takes it away."""
    table: dict[str, list[str]] = {}
    for row in variables:
        filled = [value for value in row.values if value]
        table[row.name] = [*filled, *(table.get(row.name, []) if row.name == "PYTHONPATH" else [])]
    return [Variable(name=name, values=values) for name, values in table.items() if values]


def _make(cell: Cell, stack: Stack) -> list[Step]:
    wheels = stack.wheels_of(cell)
    if cell.installer == "conda" and wheels:
        create = ["conda", "env", "create", "--prefix", f"./{ENV}", "--file", conda.FILE]
        same = shlex.join(conda.line(cell, wheels, f"./{ENV}"))
        return [Write(path=conda.FILE, text=conda.environment_yml(cell, wheels)), Say(text=f"or in one line: {same}"), Do(argv=create)]
    return [Do(argv=_empty(cell))]


def _empty(cell: Cell) -> list[str]:
    if cell.installer == "uv":
        return ["uv", "venv", "--python", cell.python, ENV]
    return [*(["py", f"-{cell.python}"] if cell.os == "windows" else [f"python{cell.python}"]), "-m", "venv", ENV]


def _install(cell: Cell, arguments: list[str]) -> list[str]:
    """The command that installs, held to the pins; nothing for no arguments."""
    if not arguments:
        return []
    if cell.installer == "uv":
        return ["uv", "pip", "install", "--python", ENV, "--constraint", PINS, *arguments]
    return ["{python}", "-m", "pip", "install", "--constraint", PINS, *arguments]


def _phase(phase: Phase, cell: Cell, stack: Stack, version: str, without_compiler: bool, number: Iterator[int]) -> list[Step]:
    steps: list[Step] = []
    wanted = [word.replace("{version}", version) for word in phase.install]
    wheels = stack.wheels_of(cell)
    assert wheels  # the matrix refuses a cell without
    if phase.trio and not wheels.channels:
        where = ["--index-url", wheels.index] if wheels.index != "default" else []
        where += ["--find-links", wheels.find_links] if wheels.find_links else []
        wanted = [*where, *(f"{name}=={number}" for name, number in trio_of(cell, stack).items()), *wanted]
    if wanted:
        steps.append(Do(argv=_install(cell, wanted)))
    if phase.build:
        address, _, commit = phase.build.removeprefix("git+").rpartition("@")
        #: an installer's cache of wheels knows no torch: what was compiled against another one would be taken from it
        fresh = ["--no-deps", "--no-build-isolation", "--no-cache-dir"]
        if without_compiler and phase.without_compiler:
            steps += [*_fetch(address, commit, phase.name, []), Say(text=f"{phase.name} without its compiled part")]
            steps += edits([edit.model_copy(update={"file": f"{phase.name}/{edit.file}"}) for edit in phase.without_compiler], next(number))
            steps.append(Do(argv=_install(cell, [*fresh, f"./{phase.name}"])))
        else:
            steps.append(Do(argv=_install(cell, [*fresh, phase.build])))
    if phase.editable:
        steps.append(Do(argv=_install(cell, ["--no-deps", "--editable", "./{checkout}"])))
    return steps


def _fetch(address: str, commit: str, folder: str, sparse: list[str]) -> list[Step]:
    return [Do(argv=argv) for argv in sources.checkout_commands(address, commit, Path(folder), sparse)]
