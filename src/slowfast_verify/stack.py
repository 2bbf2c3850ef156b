"""One stack as its file describes it: torch and what belongs to it, the axes that it spans, pins, exclusions, expectations.

Data: matrices/stacks/*.toml. Runs on the host; imports the models only.
"""

from __future__ import annotations

from pydantic import Field

from . import cell as cells
from .cell import Cell, When
from .data import Row
from .expectation import Expectation


class Axes(Row):
    """The values that a stack spans."""

    os: list[cells.Os]
    arch: list[str] = ["x86_64"]
    python: list[str]
    accelerator: list[str]
    installer: list[str]
    subject: list[str]


class Torch(Row):
    """The versions that belong together."""

    version: str
    torchvision: str
    torchaudio: str = ""


class Wheels(Row):
    """Where the torch of an accelerator comes from.

    index is `default` (what the installer is configured with) or an address; `also` is added to torch's version.
    megabytes: of the largest finished environment of these wheels (matrices/room.toml says what building it takes).
    channels and packages take the index's place in a conda cell: what the solver is asked for beside Python and pip, and where.
    """

    when: When
    index: str = "default"
    find_links: str = ""
    local: str = ""
    also: str = ""
    channels: list[str] = []
    packages: list[str] = []
    megabytes: int
    minutes: float = 3.0
    note: str


class Pin(Row):
    """A version that is held, and why; `known` names the known failure that it avoids."""

    name: str
    spec: str
    reason: str
    known: str = ""
    when: When = Field(default_factory=dict)


class Exclude(Row):
    """Combinations that cannot exist, and why."""

    when: When
    reason: str


class Stack(Row):
    """One known combination, as its file describes it; its name is the file's."""

    name: str = ""
    title: str
    torch: Torch
    axes: Axes
    wheels: list[Wheels]
    pin: list[Pin] = []
    workarounds: list[str] = []
    exclude: list[Exclude] = []
    expect: list[Expectation] = []

    def wheels_of(self, cell: Cell) -> Wheels | None:
        """Where this cell's torch comes from."""
        return next((row for row in self.wheels if cell.matches(row.when)), None)
