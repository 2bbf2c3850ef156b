"""What a text must contain for an expression to match: literal pieces, looked for before the expression is even compiled.

Compiling and searching some hundred expressions takes longer than the answer may; looking for a piece of text takes a microsecond. Runs on
the host, called by index. Reads the parse tree of the standard library's own compiler; where that tree is not understood the answer is
"nothing is known", which costs time and never a match. Imports the standard library only.
"""

from __future__ import annotations

import re
from typing import Any

SHORTEST = 3

Needles = list[list[str]]
"""Groups, each of pieces in lower case: a matching text contains of every group at least one piece."""


def alternatives(pattern: str) -> list[str]:
    """The expression cut at its outermost `|`; flags at its start (`(?i)`) go to every part."""
    flags = re.match(r"\(\?[aimsux]+\)", pattern)
    lead = flags[0] if flags else ""
    parts: list[str] = []
    start = at = len(lead)
    depth, opened, inside = 0, 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif inside:
            inside = not (char == "]" and at > opened + 1)
        elif char == "[":
            inside, opened = True, at + (pattern[at + 1 : at + 2] == "^")
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and not depth:
            parts.append(lead + pattern[start:at])
            start = at + 1
        at += 1
    parts.append(lead + pattern[start:])
    return parts if all(map(_compiles, parts)) else [pattern]


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def needles_of(pattern: str) -> Needles:
    """Every group that the expression asks for, the most telling first."""
    try:
        from re import _parser  # type: ignore[attr-defined]  # sre_parse until Python 3.10
    except ImportError:
        return []
    groups = {tuple(group): None for group in _groups(list(_parser.parse(pattern)))}
    return [list(group) for group in sorted(groups, key=lambda group: (len(group), -min(map(len, group))))]


def _groups(items: list[Any]) -> Needles:
    """The groups of a sequence whose items all have to match."""
    found: Needles = []
    run: list[str] = []

    def flush() -> None:
        text = "".join(run).lower()
        if len(text) >= SHORTEST:
            found.append([text])
        run.clear()

    for operation, argument in _flat(items):
        if str(operation) == "LITERAL":
            run.append(chr(argument))
            continue
        if str(operation) != "AT":  # an anchor takes no room: the run goes on
            flush()
        if str(operation) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[0] >= 1:
            found += _groups(list(argument[2]))
        elif str(operation) == "BRANCH":
            branches = [_groups(list(branch)) for branch in argument[1]]
            if all(branches):  # of every branch the group that says most
                best = [max(groups, key=lambda group: min(map(len, group))) for groups in branches]
                found.append([piece for group in best for piece in group])
    flush()
    return found


def _flat(items: list[Any]) -> list[Any]:
    """The items with groups replaced by what they hold."""
    flat: list[Any] = []
    for operation, argument in items:
        if str(operation) == "SUBPATTERN":
            flat += _flat(list(argument[-1]))
        else:
            flat.append((operation, argument))
    return flat
