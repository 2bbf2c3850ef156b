"""TOML in, checked models out: the only place that reads the project's data files.

An unknown key, a wrong type or a value out of range ends in a `Problem` that names file, line (where it can be told), key and
the next step. May import the standard library, pydantic and errors.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import Problem, did_you_mean

M = TypeVar("M", bound=BaseModel)


class Row(BaseModel):
    """Base of every model that a TOML file fills: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def load(path: Path, model: type[M]) -> M:
    """Read one TOML file into `model`; raises Problem with file, line and key."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark in front
    except FileNotFoundError:
        raise Problem(f"there is no file {path.name}", where=str(path), next=f"look at the names in {path.parent}") from None
    except UnicodeDecodeError as error:
        raise Problem("the file is not UTF-8", where=f"{path} byte {error.start}", next="save it as UTF-8") from None
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problem(
            f"not valid TOML: {error}",
            where=str(path),
            cause="a missing quote or bracket, or the same table written twice",
            next=f"mend {path.name} at the place named and run the same command again",
        ) from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise _explain(path, text, error, model) from None


def _explain(path: Path, text: str, error: ValidationError, model: type[BaseModel]) -> Problem:
    errors = error.errors()  # a misspelt key is missing and unknown: the second says more
    first = next((row for row in errors if row["type"] == "extra_forbidden"), errors[0])
    keys = [part for part in first["loc"] if not (isinstance(part, str) and "[" in part)]
    line = _line_of(text, keys)
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in keys).lstrip(".")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    where = f"{path}{f', line {line}' if line else ''}, key {dotted or '(whole file)'}"
    if first["type"] == "extra_forbidden":
        known = _fields(model, keys[:-1])
        return Problem(
            f"unknown key {keys[-1]!r}{more}",
            where=where,
            cause=f"{did_you_mean(str(keys[-1]), known)}the keys here are: {', '.join(known)}",
            next=f"rename or remove the key in {path.name}",
        )
    if first["type"] == "missing":
        return Problem(f"missing key {keys[-1]!r}{more}", where=where, next=f"add it to {path.name}")
    shown = repr(first.get("input"))
    return Problem(
        f"{first['msg']}{more}",
        where=where,
        cause=f"the value is {shown if len(shown) < 120 else shown[:117] + '...'}",
        next=f"mend the value in {path.name}",
    )


def _fields(model: type[BaseModel], keys: list[int | str]) -> list[str]:
    """The keys that are allowed where `keys` leads, for the suggestion."""
    here: object = model
    for key in keys:
        if not (isinstance(here, type) and issubclass(here, BaseModel)) or isinstance(key, int):
            continue
        field = next((f for n, f in here.model_fields.items() if key in (n, f.alias)), None)
        here = _model_in(field.annotation) if field else None
    if isinstance(here, type) and issubclass(here, BaseModel):
        return sorted(field.alias or name for name, field in here.model_fields.items())
    return []


def _model_in(annotation: object) -> object:
    """The model inside `list[Model]`, `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _line_of(text: str, keys: list[int | str]) -> int | None:
    """The line of a key, found by following table headers: close enough to put a cursor there, None when unsure."""
    names = [str(key) for key in keys if isinstance(key, str)]
    if not names:
        return None
    numbers = [key for key in keys if isinstance(key, int)]
    lines = text.splitlines()
    start, depth = 0, 0
    for size in range(1, len(names) + 1):
        header = re.compile(r"^\s*\[\[?\s*" + r"\s*\.\s*".join(f'"?{re.escape(n)}"?' for n in names[:size]) + r"\s*\]\]?")
        hits = [i for i, line in enumerate(lines) if header.match(line)]
        if hits:
            nth = numbers[0] if numbers and "[[" in lines[hits[0]] else 0
            start, depth = hits[min(nth, len(hits) - 1)], size
    if depth == len(names):
        return start + 1
    wanted = re.compile(r'^\s*(?:[\w."-]+\.)?"?' + re.escape(names[depth]) + r'"?\s*=')
    for i in range(start + (1 if depth else 0), len(lines)):
        if depth and i > start and re.match(r"^\s*\[", lines[i]):
            break
        if wanted.match(lines[i]):
            return i + 1
    return start + 1 if depth else None
