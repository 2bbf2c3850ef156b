"""The generated reference: every TOML key (docs/reference/toml.md), every command (commands.md), the lists of docs/rungs/*.md.

`python -m slowfast_verify.reference` writes, `--check` compares and names what drifted. Keys and their meaning come from the models that
read the files, commands from the command line itself, checks from the docstrings of tests/verify, failures from knowledge/.
"""

from __future__ import annotations

import ast
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from . import (
    aarch64,
    container,
    distributions,
    draft,
    emulator,
    fanout,
    healthy,
    ladder,
    layout,
    matrix,
    pages,
    request,
    room,
    scrub,
    sources,
    space,
    stack,
    staged,
    subject,
    swallowed,
    system,
    torch_pairs,
    torch_releases,
    wanted,
    zoo,
)
from . import knowledge as known_failures
from .generated import settle

#: Which model reads which files; a test sees to it that every file is here and loads.
FILES: dict[str, type[BaseModel]] = {
    "knowledge/*.toml": known_failures.KnownFailure,
    "knowledge/asks/*.toml": known_failures.Ask,
    "matrices/stacks/*.toml": stack.Stack,
    "matrices/subjects/*.toml": subject.Subject,
    "matrices/selection.toml": matrix.Selection,
    "matrices/questions.toml": ladder.Questions,
    "matrices/space.toml": space.Axes,
    "matrices/torch-releases.toml": torch_releases.Releases,
    "matrices/resolve.toml": request.Rules,
    "matrices/recipe.toml": wanted.Rules,
    "matrices/gpus.toml": wanted.Gpus,
    "matrices/toolchains.toml": torch_pairs.Toolchains,
    "matrices/requirements.toml": distributions.Requirements,
    "matrices/swallowed.toml": swallowed.Signs,
    "matrices/doctor.toml": staged.Doctor,
    "matrices/loops.toml": healthy.Loops,
    "matrices/outages.toml": sources.Outages,
    "matrices/room.toml": room.Rules,
    "matrices/runners.toml": fanout.Runners,
    "matrices/emulators.toml": emulator.Emulators,
    "matrices/containers.toml": container.Containers,
    "matrices/system.toml": system.Needs,
    "matrices/aarch64.toml": aarch64.System,
    "matrices/dashboard.toml": pages.Pages,
    "matrices/drafts.toml": draft.Drafts,
    "matrices/share.toml": scrub.Rules,
    "matrices/zoo.toml": zoo.Zoo,
}
MADE = "<!-- made by `python -m slowfast_verify.reference`; edit what it is made from -->"
BEGIN, END = "<!-- generated -->", "<!-- end -->"


# ---- TOML -------------------------------------------------------------------------------------------------------------------


def toml_page() -> str:
    """Every key of every data file, with what its model says of it."""
    parts = ["# Keys of the data files", MADE, "A key that is not listed here is an error with file, line and the nearest name."]
    for pattern, model in FILES.items():
        parts += [f"## {pattern.replace('*', 'NAME')}", *_model(model)]
        seen: dict[type[BaseModel], str] = {}
        for path, inner in _inside(model):
            parts += [f"### `{path}`", *([f"As `{seen[inner]}`."] if inner in seen else _model(inner))]
            seen.setdefault(inner, path)
    return "\n\n".join(parts) + "\n"


def _model(model: type[BaseModel]) -> list[str]:
    rows = ["| key | value | without it |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in ("id", "name") and field.default == "":
            continue  # the file's own name
        about = f": {field.description}" if field.description else ""
        rows.append(f"| `{field.alias or name}` | {_type(field.annotation)}{about} | {_default(field)} |")
    return [" ".join((model.__doc__ or "").split()), "\n".join(rows)]


def _inside(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """(table header, model) of every table inside."""
    for name, field in model.model_fields.items():
        for many, key, inner in _models(field.annotation):
            here = f"{path}{field.alias or name}{key}"
            yield (f"[[{here}]]" if many else f"[{here}]"), inner
            if inner is not model:
                yield from _inside(inner, f"{here}.")


def _models(annotation: Any, many: bool = False, key: str = "") -> Iterator[tuple[bool, str, type[BaseModel]]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias) and issubclass(annotation, BaseModel):
        yield many, key, annotation
        return
    origin = typing.get_origin(annotation)
    for argument in typing.get_args(annotation):
        yield from _models(argument, many or origin is list, f"{key}.NAME" if origin is dict else key)


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "nothing"
    if origin is list or origin is tuple:
        return f"list of {_type(arguments[0])}" if arguments else "list"
    if origin is dict:
        return f"table of {_type(arguments[1])}" if arguments else "table"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is not None:  # Annotated
        return _type(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        getattr(annotation, "__name__", ""), "any"
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**an error**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    empty = value is None or (isinstance(value, str | list | dict | tuple) and not value)
    return "" if empty else f"`{value}`" if not isinstance(value, BaseModel) else "as that table says"


# ---- commands ---------------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with its arguments and options, as the command line tells them."""
    from .cli import app

    parts = ["# Commands", MADE, "Exit codes: 0 healthy, 1 problems found, 2 usage or bad data, 3 the tool itself failed, "
             "4 nothing could be verified."]  # fmt: skip
    for path, command in sorted(_commands(typer.main.get_command(app), "slowfast-verify")):
        parts += [f"## {path}", " ".join((command.help or "").split())]
        rows = [row for parameter in command.params if (row := _parameter(parameter))]
        parts += ["\n".join(["| | | default |", "|---|---|---|", *rows])] if rows else []
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, child in inner.items():
        yield from _commands(child, f"{path} {name}")


def _parameter(parameter: Any) -> str:
    if parameter.name == "help" or getattr(parameter, "hidden", False):
        return ""
    if parameter.param_type_name == "argument":
        shown = parameter.metavar or (parameter.name or "").upper()
        shown = shown if parameter.required or shown.startswith("[") else f"[{shown}]"
    else:
        shown = ", ".join([*parameter.opts, *parameter.secondary_opts])
        shown += "" if parameter.is_flag else f" {(parameter.metavar or _kind(parameter)).upper()}"
    default = parameter.default
    told = "" if default in (None, "", False, (), []) or callable(default) else f"`{default}`"
    about = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    shown = shown.replace("|", "\\|")
    return f"| `{shown}` | {about or ' '} | {told} |".replace("|   |", "| |").replace("|  |", "| |")


def _kind(parameter: Any) -> str:
    """What an option takes. click's parameters have a type; those of newer typers keep the annotation."""
    kind = getattr(parameter, "type", None)
    name = kind.name if kind is not None else getattr(parameter.type_descriptor.annotation, "__name__", "text")
    return {"str": "text", "int": "number", "integer": "number"}.get(name, name)


# ---- rungs ------------------------------------------------------------------------------------------------------------------


def rung_lists(rung: str) -> str:
    """The checks of a rung and its known failures, as two lists."""
    checks = [f"- **{name}**: {said}" for name, said in _checks(rung)]
    failures = [
        f"- [{row.id}](../../knowledge/{row.id}.toml): {row.title}" for row in known_failures.all_known().values() if row.rung == rung
    ]
    return "\n".join([
        "## Checks", "", *(checks or ["None of its own: what this rung asks is answered before a check could run."]), "",
        "## Known failures", "", *(failures or ["None is known."]),
    ])  # fmt: skip


def _checks(rung: str) -> list[tuple[str, str]]:
    found = []
    for path in sorted(layout.suites().glob(f"test_{rung}*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.append((node.name.removeprefix("test_"), " ".join((ast.get_docstring(node) or "").split())))
    return found


def rung_page(path: Path) -> str:
    """The page as it should be: its prose as it stands, the lists made anew."""
    prose, begin, _ = path.read_text(encoding="utf-8").partition(BEGIN)
    if not begin:
        raise SystemExit(f"{path.name}: there is no line {BEGIN}")
    return f"{prose}{BEGIN}\n{rung_lists(path.stem)}\n{END}\n"


# ---- all --------------------------------------------------------------------------------------------------------------------


def everything(docs: Path) -> dict[Path, str]:
    """{file: what it should hold}."""
    made = {docs / "reference" / "toml.md": toml_page(), docs / "reference" / "commands.md": commands_page()}
    return made | {path: rung_page(path) for path in (docs / "rungs" / f"{rung}.md" for rung in known_failures.RUNGS)}


def main(arguments: list[str]) -> int:
    """Write, or with --check compare; 0, or 1 where something drifted."""
    return settle(everything(layout.root() / "docs"), arguments, "python -m slowfast_verify.reference")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
