"""What a person reads when something is not as it should be: what, where, usual cause, next command.

Everything in the host package raises `Problem` for a mistake that a person can mend; the command line prints it without a
traceback and leaves with its exit code. May import the standard library only.
"""

from __future__ import annotations

import errno

HEALTHY = 0
PROBLEMS_FOUND = 1
USAGE = 2
TOOL_FAILED = 3


class Problem(Exception):
    """A mistake or a circumstance that somebody can mend, told in four parts.

    what: one sentence. where: file, line, key or address. cause: the usual one. next: a command or an edit.
    code: the exit status (1 problems found, 2 usage or bad data, 3 the tool itself failed).
    """

    def __init__(self, what: str, *, where: str = "", cause: str = "", next: str = "", code: int = USAGE) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.cause = cause
        self.next = next
        self.code = code

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback: IPython asks the exception itself."""
        return str(self).splitlines()

    def __str__(self) -> str:
        lines = [self.what]
        for label, text in (("where", self.where), ("usual cause", self.cause), ("next", self.next)):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class Infrastructure(Problem):
    """The index, the network or the disk failed, not the cell: an outage is never red."""


def no_room(error: BaseException | None) -> bool:
    """Whether an error says that a disk (or a person's share of one) is full."""
    return isinstance(error, OSError) and (error.errno in (errno.ENOSPC, errno.EDQUOT) or getattr(error, "winerror", None) == 112)


class NotVerifiable(Problem):
    """The question cannot be answered here (no interpreter, source unreachable, needs a GPU): never red, never green."""


def did_you_mean(word: str, known: list[str]) -> str:
    """`; did you mean X?` for the nearest known word, or nothing."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near else ""


def listed(findings: list[str], mending: str) -> str:
    """A message with one finding a line, and what mends them."""
    return "\n".join([*findings, f"mend: {mending}"])
