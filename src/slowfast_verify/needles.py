"""What a text must contain for an expression to match: literal pieces, looked for before the expression is even compiled.

Compiling some hundred expressions takes longer than the answer may; looking for a piece of text takes a microsecond. Runs on the host,
called by index. Reads the parse tree of the standard library's own compiler; where that tree is not understood the answer is "nothing",
which costs time and never a match. Imports the standard library only.
"""

from __future__ import annotations

import re
from typing import Any

SHORTEST = 3

Needle = tuple[str, ...]
"""Pieces in lower case, of which a matching text contains at least one; empty: nothing is known."""


def needle_of(pattern: str) -> Needle:
    """The most telling pieces of an expression."""
    try:
        from re import _parser  # type: ignore[attr-defined]  # sre_parse until Python 3.10
    except ImportError:
        return ()
    return _best(list(_parser.parse(pattern, re.MULTILINE)))


def _best(items: list[Any]) -> Needle:
    """The needle of a sequence whose items all have to match: of every item's pieces the ones whose shortest is longest."""
    offers: list[Needle] = []
    run: list[str] = []

    def flush() -> None:
        text = "".join(run).lower()
        if len(text) >= SHORTEST:
            offers.append((text,))
        run.clear()

    for operation, argument in _flat(items):
        if str(operation) == "LITERAL":
            run.append(chr(argument))
            continue
        if str(operation) != "AT":  # an anchor takes no room: the run goes on
            flush()
        if str(operation) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[0] >= 1:
            offers.append(_best(list(argument[2])))
        elif str(operation) == "BRANCH":
            branches = [_best(list(branch)) for branch in argument[1]]
            offers.append(tuple(piece for branch in branches for piece in branch) if all(branches) else ())
    flush()
    return max((offer for offer in offers if offer), key=lambda offer: min(map(len, offer)), default=())


def _flat(items: list[Any]) -> list[Any]:
    """The items with groups replaced by what they hold."""
    flat: list[Any] = []
    for operation, argument in items:
        if str(operation) == "SUBPATTERN":
            flat += _flat(list(argument[-1]))
        else:
            flat.append((operation, argument))
    return flat
