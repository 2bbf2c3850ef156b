"""Tries signatures on what was said: which of them hold, where, and which says most. Knows no file and no model.

Runs on the host. Called by knowledge (observations, installers' logs) and diagnosis (pasted logs). Imports the standard library only:
`diagnose` answers before pydantic could be loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol, TypeVar


class Signature(Protocol):
    """What a signature says: all keys given must hold. See knowledge.Signature for their meaning."""

    @property
    def type(self) -> str | None: ...  # noqa: D102
    @property
    def message(self) -> str | None: ...  # noqa: D102
    @property
    def text(self) -> str | None: ...  # noqa: D102
    @property
    def not_text(self) -> str | None: ...  # noqa: D102
    @property
    def signal(self) -> str | None: ...  # noqa: D102
    @property
    def finding(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True)
class Failure:
    """What a signature is tried on: an observation's end, a check's finding, an installer's output, or a log."""

    type: str | None = None
    message: str = ""
    text: str = ""
    signal: str | None = None
    finding: str | None = None

    @cached_property
    def everything(self) -> str:
        """All that was said, in one text."""
        return f"{self.type or ''}: {self.message}\n{self.text}" if self.type or self.message else self.text

    @cached_property
    def lowered(self) -> str:
        """The same in lower case, for the quick look that comes before the expressions."""
        return self.everything.lower()


LONGEST = 120  #: characters: an expression that spans pages does not say more than one that names a line
Weight = tuple[bool, bool, int, int]


@cache
def expression(pattern: str) -> re.Pattern[str]:
    """The compiled pattern; ^ and $ match at every line."""
    return re.compile(pattern, re.MULTILINE)


def matches(signature: Signature, failure: Failure) -> bool:
    """Whether all the keys that the signature gives hold for the failure.

    People quote a message without the exception's name: where a failure has no type of its own, the message is enough.
    """

    def said(pattern: str | None) -> bool:
        return pattern is not None and expression(pattern).search(failure.everything) is not None

    return (
        (
            signature.type in (None, failure.type)
            or (failure.type is None and signature.message is not None)
            or said(rf"\b{re.escape(signature.type or '')}\b")
        )
        and (signature.message is None or said(signature.message))
        and (signature.text is None or said(signature.text))
        and (signature.not_text is None or not said(signature.not_text))
        and (signature.signal is None or signature.signal == failure.signal)
        and (signature.finding is None or signature.finding == failure.finding)
    )


def weight(signature: Signature, failure: Failure) -> Weight:
    """How much a matching signature says. What ended the process outweighs what was printed on the way (a warning that was
    survived); then the number of things that agree; then how much of the text they account for.
    """
    ended = signature.type is not None or signature.signal is not None
    given = [key for key in (signature.type, signature.message, signature.text, signature.signal, signature.finding) if key is not None]
    said = 0
    for pattern in (signature.message, signature.text):
        found = expression(pattern).search(failure.everything) if pattern else None
        said += min(len(found[0]), LONGEST) if found else 0
    return ended and signature.type == failure.type, ended, len(given), said


def place(signature: Signature, text: str) -> tuple[int, int]:
    """(start, end) of what the signature matched in the text: the message, else the text, else the name of the exception."""
    named = rf"\b{re.escape(signature.type)}\b" if signature.type else None
    for pattern in (signature.message, signature.text, named):
        found = expression(pattern).search(text) if pattern else None
        if found:
            return found.span()
    return 0, 0


class Candidate(Protocol):
    """A known failure as the ranking sees it."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def generic(self) -> bool: ...  # noqa: D102
    @property
    def consequence_of(self) -> Iterable[str]: ...  # noqa: D102


C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True)
class Match:
    """A known failure that a text shows: by which of its signatures, and how much that says."""

    id: str
    generic: bool
    weight: Weight
    signature: Signature


def ranked(candidates: Iterable[C], signatures: Callable[[C], Iterable[Signature]], failure: Failure) -> list[Match]:
    """Every candidate that matches, best first; what another match brought about, and what only names a class, stand back."""
    found: list[tuple[C, Match]] = []
    for candidate in candidates:
        hits = [(weight(row, failure), row) for row in signatures(candidate) if matches(row, failure)]
        if hits:
            best = max(hits, key=lambda hit: hit[0])
            found.append((candidate, Match(candidate.id, candidate.generic, *best)))
    causes = {match.id for _, match in found}
    first = [match for candidate, match in found if not causes.intersection(candidate.consequence_of)] or [match for _, match in found]
    if any(not match.generic for match in first):
        first = [match for match in first if not match.generic]
    return sorted(first, key=lambda match: (match.weight, match.id), reverse=True)
