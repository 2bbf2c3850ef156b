"""Failures that an import hides: what it printed or warned of, and what reading its code brought to light.

Runs on the host; called by tests/verify/test_imports.py. The words are data: matrices/swallowed.toml.
"""

from __future__ import annotations

import re
from functools import cache

from pydantic import field_validator

from . import layout
from .data import Row, load
from .question import Observation


class Sign(Row):
    """An expression for one line that was printed, and what it shows."""

    text: str
    reason: str

    @field_validator("text")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


class Signs(Row):
    """matrices/swallowed.toml."""

    sign: list[Sign]


@cache
def signs() -> list[Sign]:
    """The signs, in the order of the file."""
    return load(layout.matrices() / "swallowed.toml", Signs).sign


def hidden(observation: Observation) -> list[str]:
    """A sentence for each failure that this import hides; an import that fails openly hides nothing."""
    if observation.facts is None:
        return []
    facts = observation.facts
    found = [f"line {row['line']} ({row['statement']}) fails and is caught there: {row['error']}" for row in facts.get("hidden", [])]
    said = [line for text in (observation.stderr_tail, *facts.get("warnings", [])) for line in text.splitlines()]
    for line in dict.fromkeys(line.strip() for line in said):
        sign = next((sign for sign in signs() if re.search(sign.text, line)), None)
        if sign:
            found.append(f"it said {line[:400]!r}: {sign.reason}")
    return found
