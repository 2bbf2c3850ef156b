"""Cells that exist and fail for a known cause. An expectation that no longer comes true is an error, so none can rot.

Imports data, action, knowledge's rungs. Judged by the plugin.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from .cell import Cell, When
from .data import Row


class Expectation(Row):
    """Checks that fail for a known cause in the cells of `when`.

    check is `rung::name[parameter]`; with * in it, every check that fails for this cause is expected and at least one must.
    """

    check: str
    when: When = Field(default_factory=dict)
    outcome: Literal["fails"] = "fails"
    cause: str
    reason: str = ""

    @property
    def is_glob(self) -> bool:
        """Whether it speaks of several checks. Brackets are part of a check's id, so only * makes a glob."""
        return "*" in self.check

    def concerns(self, cell: Cell | None, check: str) -> bool:
        """Whether it speaks of this check in this cell."""
        if cell is None or not cell.matches(self.when):
            return False
        return check_matches(self.check, check)


def check_matches(pattern: str, check: str) -> bool:
    """Whether a check's id fits a pattern in which only * is special."""
    return fnmatchcase(check, pattern.replace("[", "[[]").replace("?", "[?]"))
