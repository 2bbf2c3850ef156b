"""The expressions of GitHub's workflow files, `${{ ... }}`, as far as ours use them; what this does not know is an error, not a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[\w-]+(?:\.[\w*-]+)*)|(?P<sign>&&|\|\||==|!=|[!(),]))")
WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
Functions = dict[str, Callable[..., Any]]


def _format(pattern: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda found: shown(values[int(found[1])]), pattern)


PURE: Functions = {
    "fromJSON": lambda text: json.loads(text), "toJSON": lambda value: json.dumps(value), "format": _format,
    "contains": lambda where, what: what in where, "startsWith": lambda text, start: shown(text).startswith(start),
}  # fmt: skip
CONTEXTS = {"github", "inputs", "matrix", "needs", "steps", "env", "vars", "runner", "secrets"}


def shown(value: Any) -> str:
    """A value as it stands in a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value) if not isinstance(value, dict | list) else "Object"


def filled(text: str, contexts: dict[str, Any], functions: Functions) -> Any:
    """A text with its expressions replaced; one that is nothing but an expression keeps its type."""
    whole = WHOLE.fullmatch(text.strip())
    if whole and text.strip().count("${{") == 1:
        return value_of(whole[1], contexts, functions)
    return WHOLE.sub(lambda found: shown(value_of(found[1], contexts, functions)), text)


def value_of(text: str, contexts: dict[str, Any], functions: Functions) -> Any:
    """What an expression comes to. Raises ValueError for what GitHub, or this stand-in, does not know."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        found = TOKEN.match(text, position)
        if not found:
            raise ValueError(f"no expression: {text!r} at {text[position : position + 20]!r}")
        tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
        position = found.end()
    reader = _Reader(tokens, contexts, {**PURE, **functions})
    value = reader.any()
    if reader.tokens:
        raise ValueError(f"no expression: {text!r} goes on with {reader.tokens[0][1]!r}")
    return value


class _Reader:
    """Reads tokens from the left: or, and, comparison, not, value."""

    def __init__(self, tokens: list[tuple[str, str]], contexts: dict[str, Any], functions: Functions) -> None:
        self.tokens, self.contexts, self.functions = tokens, contexts, functions

    def next(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == ("sign", sign):
            self.tokens.pop(0)
            return True
        return False

    def any(self) -> Any:
        value = self.all()
        while self.next("||"):
            other = self.all()
            value = value or other
        return value

    def all(self) -> Any:
        value = self.compared()
        while self.next("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> Any:
        value = self.single()
        for sign, same in (("==", True), ("!=", False)):
            if self.next(sign):
                return (self.single() == value) is same
        return value

    def single(self) -> Any:
        if self.next("!"):
            return not self.single()
        if self.next("("):
            value = self.any()
            assert self.next(")"), "a bracket is not closed"
            return value
        kind, text = self.tokens.pop(0)
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind == "name" and self.next("("):
            arguments = []
            while not self.next(")"):
                arguments.append(self.any())
                self.next(",")
            if text not in self.functions:
                raise ValueError(f"no function {text}")
            return self.functions[text](*arguments)
        if kind == "name":
            return {"true": True, "false": False, "null": None}[text] if text in ("true", "false", "null") else self.looked_up(text)
        raise ValueError(f"{text!r} is no value")

    def looked_up(self, name: str) -> Any:
        first, *rest = name.split(".")
        if first not in CONTEXTS:
            raise ValueError(f"no context {first}")
        value = self.contexts.get(first)
        for part in rest:
            value = value.get(part) if isinstance(value, dict) else None  # GitHub: what is not there is empty
        return value
