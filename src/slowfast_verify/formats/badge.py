"""SVG badges: one for a cell, one for each value of an axis. Records in, SVG out.

A badge of an axis counts cells in which the goal (a rung, `demo`) is reached, of those about which something is known. A cell whose newest
run was an outage keeps its last verdict; one that never had a verdict is counted in neither number, so an outage never shows as 0 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from ..collection import Held, stale
from ..harmless import line, xml
from ..knowledge import RUNGS
from ..query import AXES, axes_of
from ..record import RED, Record

GOAL = "demo"
#: Text on these is white at a contrast of 4.5 and more. Green is for what passed without exception: a skip is never green.
COLOUR = {"green": "#2a6f3a", "yellow": "#7d5f00", "blue": "#1f5fa8", "red": "#b3261e", "grey": "#5b5f66", "violet": "#6b3fa0"}
WIDE, NARROW = "mwMW@", "ijltf.,:;|!' "
Standing = Literal["reached", "stopped", "not verified", "infrastructure", "stale"]


def standing(held: Held, goal: str, now: datetime, suite: str = "") -> Standing:
    """Where a cell stands with regard to the goal, by the last run that says anything about it."""
    if held.standing is None:
        return "infrastructure" if held.record.outcome() == "infrastructure" else "not verified"
    if stale(held.standing, now, suite):
        return "stale"
    return _of(held.standing, goal)


def _of(record: Record, goal: str) -> Standing:
    reached = record.reached()
    if reached and RUNGS.index(reached) >= RUNGS.index(goal):
        return "reached"
    below = [outcome for rung, outcome in record.rungs().items() if RUNGS.index(rung) <= RUNGS.index(goal)]
    return "stopped" if set(below) & {*RED, "failed as expected"} else "not verified"


@dataclass
class Count:
    """How many cells stand where. red: some of them failed, and nobody expected it. whole: every check of every one of them passed."""

    cells: dict[str, int] = field(default_factory=dict)
    red: bool = False
    whole: bool = True

    def add(self, word: Standing, outcome: str, number: int = 1) -> None:
        """Count cells that stand there, the worst check of whose verdict is `outcome`."""
        self.cells[word] = self.cells.get(word, 0) + number
        self.red |= outcome in RED
        self.whole &= outcome == "passed"

    @property
    def known(self) -> int:
        """The cells about which something is known: what a share is a share of."""
        return self.cells.get("reached", 0) + self.cells.get("stopped", 0)

    @property
    def share(self) -> float | None:
        """The share of those that reach the goal, 0 to 1; None where nothing is known."""
        return self.cells.get("reached", 0) / self.known if self.known else None

    def text(self, goal: str) -> tuple[str, str]:
        """(what a badge says, its colour)."""
        if self.share is None:
            words = {"infrastructure": "infrastructure", "stale": "old verdicts", "not verified": "not verified"}
            word = next((said for name, said in words.items() if self.cells.get(name)), "never run")
            return word, "violet" if word == "infrastructure" else "grey"
        said = f"{goal} in {self.cells.get('reached', 0)} of {self.known} cells"
        if self.cells.get("infrastructure"):
            said += f", {self.cells['infrastructure']} infrastructure"
        return said, "red" if self.red else "yellow" if self.share < 1 else "green" if self.whole else "blue"


def counts(found: Iterable[Held], now: datetime, goal: str = GOAL, suite: str = "",
           result: dict[tuple[str, str], Count] | None = None) -> dict[tuple[str, str], Count]:  # fmt: skip
    """{(axis, value): count}, and ("all", "") over everything; added to `result` where one is given."""
    result = {} if result is None else result
    for held in found:
        word = standing(held, goal, now, suite)
        outcome = held.standing.outcome() if held.standing else "never run"
        axes = axes_of(held.cell)
        for key in [("all", ""), *((axis, axes[axis]) for axis in AXES if axis in axes)]:
            result.setdefault(key, Count()).add(word, outcome)
    return result


def cell_text(held: Held, now: datetime, suite: str = "") -> tuple[str, str]:
    """(what the badge of one cell says, its colour)."""
    record = held.standing
    if record is None:
        word = held.record.outcome()
        return word, "violet" if word == "infrastructure" else "grey"
    outage = ", newest run: infrastructure" if held.record.outcome() == "infrastructure" and held.record.run != record.run else ""
    reached = record.reached() or "nothing"
    if old := stale(record, now, suite):
        return f"{reached} reached, {'over 30 days ago' if old == 'age' else 'by another suite'}{outage}", "grey"
    tally = record.tally()
    red = sum(tally.get(outcome, 0) for outcome in RED)
    if red:
        return f"{red} of {sum(tally.values())} checks failed, {reached} reached{outage}", "red"
    known = f", {tally['failed as expected']} known failures" if "failed as expected" in tally else ""
    open_ = f", {tally['not verified']} not verified" if "not verified" in tally else ""
    colour = "yellow" if known or outage or not record.reached() else "blue" if open_ else "green"
    return f"{reached} reached{known}{open_}{outage}", colour


def badges(found: Iterable[Held], now: datetime, goal: str = GOAL, suite: str = "") -> Iterator[tuple[str, str]]:
    """(file name, SVG) of every badge: `cell/NAME.svg`, `axis/os-linux.svg`, `all.svg`."""
    result: dict[tuple[str, str], Count] = {}
    for held in found:
        yield f"cell/{held.cell}.svg", svg(held.cell, *cell_text(held, now, suite))
        counts([held], now, goal, suite, result)
    for (axis, value), count in sorted(result.items()):
        name = "all.svg" if axis == "all" else f"axis/{axis}-{value}.svg"
        yield name, svg("PySlowFast" if axis == "all" else f"{axis} {value}", *count.text(goal))


def width(text: str) -> int:
    """About how wide a text is at 11 px, in px."""
    return round(sum(4 if c in NARROW else 10 if c in WIDE or ord(c) > 0x2E80 else 7 for c in text)) + 12


def svg(label: str, text: str, colour: str) -> str:
    """One badge. Its title says everything that it shows, for those who cannot see it."""
    label, text = xml(line(label, 120)), xml(line(text, 160))
    left, right = width(label), width(text)
    title = f"{label}: {text}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label={quoteattr(title)}>'
        f"<title>{escape(title)}</title>"
        f'<rect width="{left}" height="20" fill="#3b3f45"/><rect x="{left}" width="{right}" height="20" fill="{COLOUR[colour]}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle" aria-hidden="true">'
        f'<text x="{left / 2:g}" y="14">{escape(label)}</text><text x="{left + right / 2:g}" y="14">{escape(text)}</text></g></svg>\n'
    )
