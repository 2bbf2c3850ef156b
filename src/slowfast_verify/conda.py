"""What a conda cell is made of: its channels and specs, its environment.yml, the one-line command. Pure; the stack's [[wheels]] say it all.

The torch trio and what conda brings with it come from channels; everything that follows goes through pip, as with any other cell.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from .cell import Cell

if TYPE_CHECKING:
    from .stack import Wheels

FILE = "environment.yml"


def specs(cell: Cell, wheels: Wheels) -> list[str]:
    """What is asked of the solver, Python and pip first."""
    return [f"python={cell.python}", "pip", *wheels.packages]


def environment_yml(cell: Cell, wheels: Wheels, name: str = "slowfast") -> str:
    """The file for `conda env create`, `mamba env create` and `micromamba create`.

    `nodefaults` is left out: conda 26.11 takes it for the name of a channel.
    """
    channels = "".join(f"  - {channel}\n" for channel in wheels.channels)
    return f"name: {name}\nchannels:\n{channels}dependencies:\n" + "".join(f"  - {_quoted(spec)}\n" for spec in specs(cell, wheels))


def line(cell: Cell, wheels: Wheels, prefix: str, command: str = "conda") -> list[str]:
    """The same as one command, as the documents of torch's own site write it."""
    channels = [word for channel in wheels.channels for word in ("-c", channel)]
    return [command, "create", "--yes", "--prefix", prefix, *specs(cell, wheels), *channels]


def _quoted(spec: str) -> str:
    """YAML takes > and < at the start of a word only for something else; quotes are for readers' eyes and old parsers."""
    return f'"{spec}"' if set(spec) & set("<>!*") else spec


def locked(env: Path, freeze: list[str]) -> list[str]:
    """A lock of a conda environment: what conda put there with its build, then what pip did; of any other, its freeze."""
    records = sorted((env / "conda-meta").glob("*.json"))
    if not records:
        return freeze
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in records]
    own = {name for row in rows for name in _distributions(row)}
    kept = [line for line in freeze if canonicalize_name(re.split(r"==| @ ", line)[0]) not in own]
    return [f"conda::{row['name']}={row['version']}={row['build']}" for row in rows] + kept


def _distributions(row: dict[str, Any]) -> set[str]:
    """The Python distributions that a conda package holds, as its own list of files tells."""
    found = (re.search(r"([^/\\]+?)-[^-/\\]+\.(dist|egg)-info(?:[/\\]|$)", path) for path in row.get("files", []))
    return {canonicalize_name(hit[1]) for hit in found if hit}
