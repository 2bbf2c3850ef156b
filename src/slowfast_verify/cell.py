"""One environment that can exist, and its name. Runs on the host; imports pydantic, data and errors only.

The id is derived from the axes and never typed into data: `linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67`.
"""

from __future__ import annotations

import platform
import re
import sys
from typing import Literal

from .data import Row
from .errors import Problem

Os = Literal["linux", "windows", "macos"]
Axis = Literal["os", "arch", "python", "torch", "accelerator", "installer", "subject", "revision"]
When = dict[Axis, str | list[str]]
_ID = re.compile(
    r"(?P<os>linux|windows|macos)(-(?P<arch>aarch64|arm64))?-py(?P<python>\d+\.\d+)-torch(?P<torch>[\d.]+)"
    r"-(?P<accelerator>[a-z0-9.]+)-(?P<installer>[a-z]+)-(?P<subject>[a-z0-9-]+)@(?P<revision>[\w.-]+)"
)


class Cell(Row):
    """os × arch × python × torch × accelerator × installer × subject@revision; arch is left out of the id when it is x86_64."""

    os: Os
    arch: str = "x86_64"
    python: str
    torch: str
    accelerator: str
    installer: str
    subject: str
    revision: str
    stack: str = ""

    @property
    def id(self) -> str:
        """The derived name."""
        place = self.os if self.arch == "x86_64" else f"{self.os}-{self.arch}"
        return f"{place}-py{self.python}-torch{self.torch}-{self.accelerator}-{self.installer}-{self.subject}@{self.revision}"

    def axis(self, name: Axis) -> str:
        """The value of one axis; `subject` also answers to `pyslowfast@main`."""
        return str(getattr(self, name))

    def matches(self, when: When) -> bool:
        """Whether every axis of `when` has one of the values given; `subject` may be written with or without its revision."""
        for name, wanted in when.items():
            values = [wanted] if isinstance(wanted, str) else wanted
            mine = {self.axis(name)} | ({f"{self.subject}@{self.revision}"} if name == "subject" else set())
            if not mine & set(values):
                return False
        return True


def parse(text: str) -> Cell:
    """The cell that an id names; its stack is left empty."""
    found = _ID.fullmatch(text)
    if not found:
        raise Problem(
            f"{text!r} is not the id of a cell",
            cause="a part is missing or misspelt",
            next="slowfast-verify cells prints them all; an id looks like linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67",
        )
    return Cell(**{key: value for key, value in found.groupdict().items() if value})


def this_os() -> Os:
    """The operating system that this process runs on, as the axis spells it."""
    return "windows" if sys.platform == "win32" else "macos" if sys.platform == "darwin" else "linux"


def this_arch() -> str:
    """The processor architecture that this process runs on, as the axis spells it."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}.get(machine, machine)
