"""Which known failures a cell will meet, told from the versions that a resolver chose and from the cell's axes; nothing is run.

`applies` of a known failure is read here: its keys are axes of a cell or distributions, and all of them must hold. What needs more
than that (`provided`) is not predicted, nor what the cell's own workarounds mend. `[[expect]]` rows of stacks and subjects are
predictions too, and marked as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .cell import Cell
from .errors import Problem
from .knowledge import RUNGS, KnownFailure, all_known, known
from .matrix import Matrix
from .resolution import Prediction
from .subject import actions_of

#: Axes that are compared word by word (`windows or macos`, `cu*`); python and torch are versions.
AXES = ("os", "arch", "accelerator", "installer", "subject", "revision")
INDEX, GIT, ABSENT = " from an index", " from git", "absent"


class Condition:
    """One key of `applies`, read once: an axis with words, or a distribution with a range, a source, or its absence."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name if name in AXES or name == "python" else canonicalize_name(name)
        self.axis = name in AXES
        self.words = text.split(" or ") if self.axis else []
        self.origin = next((word for word in (INDEX, GIT) if text.endswith(word)), "")
        self.absent = text == ABSENT
        spec = text.removesuffix(self.origin) if self.origin else text
        self.range = SpecifierSet() if self.axis or self.absent or spec == "any" else SpecifierSet(spec)

    def holds(self, cell: Cell, versions: Mapping[str, str], origins: Mapping[str, str]) -> str | None:
        """What meets the condition, in words; None where nothing does."""
        if self.axis:
            value = cell.axis(self.name)  # type: ignore[arg-type]
            return f"{self.name} {value}" if any(fnmatchcase(value, word) for word in self.words) else None
        if self.name == "python":
            return f"Python {cell.python}" if self.range.contains(Version(cell.python)) else None
        version = versions.get(self.name)
        if self.absent:
            return f"no {self.name}" if version is None else None
        if version is None or (self.origin and (self.name in origins) != (self.origin == GIT)):
            return None
        try:
            fits = self.range.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return None
        return f"{self.name} {version}{self.origin}" if fits else None


def conditions(row: KnownFailure) -> list[Condition]:
    """A known failure's `applies`; raises Problem with file and key where it cannot be read."""
    found = []
    for name, text in row.applies.items():
        try:
            found.append(Condition(name, text))
        except InvalidSpecifier:
            raise Problem(
                f"{text!r} is neither a range of versions nor words",
                where=f"knowledge/{row.id}.toml, key applies.{name}",
                cause=f"axes ({', '.join(AXES)}) take words joined by ` or `; distributions a range, `any` or `absent`, and ` from git`",
                next=f"mend the value in {row.id}.toml",
            ) from None
    return found


@cache
def _all() -> tuple[tuple[KnownFailure, tuple[Condition, ...]], ...]:
    return tuple((row, tuple(conditions(row))) for row in all_known().values() if row.applies and not row.provided)


def predict(cell: Cell, matrix: Matrix, versions: Mapping[str, str], origins: Mapping[str, str]) -> list[Prediction]:
    """What will break after installing, the lowest rung first; each known failure once."""
    stack = matrix.stack_of(cell)
    mended = {name for name, action in actions_of(matrix.subjects[cell.subject].at(cell.revision), stack.workarounds)
              if cell.matches(action.when) and not (action.advice and not action.install)}  # fmt: skip
    found: dict[str, Prediction] = {}
    for row, wanted in _all():
        met = [condition.holds(cell, versions, origins) for condition in wanted]
        if row.id not in mended and all(met):
            found[row.id] = Prediction(id=row.id, rung=row.rung, why=", ".join(filter(None, met)))
    for expectation in matrix.expectations(cell):
        if expectation.cause not in found:
            rung = expectation.check.partition("::")[0]
            found[expectation.cause] = Prediction(
                id=expectation.cause, rung=rung if rung in RUNGS else known(expectation.cause).rung, why=expectation.reason, by="expect"
            )
    return sorted(found.values(), key=lambda row: (RUNGS.index(row.rung), row.id))
