"""How much disk the building of a cell takes, where, and whether that much is free. Runs on the host; called by provision and planning.

Asks uv, without the network, what its cache holds: wheels that lie there are not downloaded and not unpacked again. Data:
matrices/room.toml. All sizes in MB of 1,000,000 bytes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import installer, layout
from .cell import Cell
from .data import Row, load
from .emulator import emulator_of
from .matrix import Matrix


class Share(Row):
    """Shares of the finished environment: in the installer's cache, in the cell (linked from there, or copied), among temporary files."""

    name: str
    cached: float
    linked: float
    copied: float
    temporary: float
    reason: str


class Once(Row):
    """What the first cell of a kind leaves for all others, and in which folder of the suite's cache."""

    runner: str
    folder: str
    megabytes: int
    reason: str


class Rules(Row):
    """matrices/room.toml."""

    own: int
    own_reason: str
    installer: list[Share]
    once: list[Once] = []


@dataclass(frozen=True)
class Demand:
    """MB that a cell takes, by place: its own folder, the installer's cache, the temporary files.

    shared: cells of which this is equal find each other's wheels in the cache.
    """

    installer: str
    cell: int
    cache: int
    temporary: int
    shared: tuple[str, ...] = ()

    @property
    def megabytes(self) -> int:
        """All of it."""
        return self.cell + self.cache + self.temporary


@cache
def rules() -> Rules:
    """What the installers take."""
    return load(layout.matrices() / "room.toml", Rules)


def demand(cell: Cell, matrix: Matrix, told: dict[tuple[str, ...], bool] | None = None) -> Demand:
    """What building the cell takes from here on. told: what uv said of other cells' wheels, so that it is asked once a plan."""
    wheels = matrix.stack_of(cell).wheels_of(cell)
    assert wheels  # the matrix refuses a cell without
    share = next(row for row in rules().installer if row.name == cell.installer)
    emulated = emulator_of(cell)
    first = [
        row.megabytes for row in rules().once if emulated and row.runner == emulated.kind and not (layout.home() / row.folder).exists()
    ]
    linked = _linked(Path(installer.cache_folder(cell.installer)))
    told = {} if told is None else told
    shared = (cell.installer, cell.stack, cell.os, cell.arch, cell.python, cell.accelerator)
    if shared not in told:
        told[shared] = cell.installer == "uv" and cached(cell, matrix)
    return Demand(
        installer=cell.installer,
        cell=round(wheels.megabytes * (share.linked if linked else share.copied)) + rules().own + sum(first),
        cache=0 if told[shared] else round(wheels.megabytes * share.cached),
        temporary=round(wheels.megabytes * share.temporary),
        shared=shared,
    )


def cached(cell: Cell, matrix: Matrix) -> bool:
    """Whether uv has torch, torchvision and all that they ask for: uv itself says so, without a network."""
    stack = matrix.stack_of(cell)
    wheels = stack.wheels_of(cell)
    assert wheels
    emulated = emulator_of(cell)
    wanted = [f"torch=={stack.torch.version}{wheels.local}{wheels.also}", f"torchvision=={stack.torch.torchvision}{wheels.local}"]
    where = [*(["--index-url", wheels.index] if wheels.index != "default" else [])]
    where += ["--find-links", wheels.find_links] if wheels.find_links else []
    return installer.holds(cell.python, emulated.uv_platform if emulated else "", [*where, *wanted])


def together(demands: list[Demand]) -> int:
    """MB for several cells built one after another: what the cache gets for one, the others find there; temporary files come and go."""
    cache = {row.shared: row.cache for row in demands}
    return sum(row.cell for row in demands) + sum(cache.values()) + max((row.temporary for row in demands), default=0)


def lack(asked: Demand, places: dict[str, Path] | None = None) -> str:
    """What is missing, in words; empty where all fits. What shares a file system is added up. places: by the names of Demand's fields."""
    folders = places or {
        "cell": layout.home(), "cache": Path(installer.cache_folder(asked.installer)), "temporary": Path(tempfile.gettempdir()),
    }  # fmt: skip
    sums: dict[int, int] = {}
    for name, folder in folders.items():
        sums[_device(folder)] = sums.get(_device(folder), 0) + getattr(asked, name)
    for device, megabytes in sums.items():
        here = next(folder for folder in folders.values() if _device(folder) == device)
        free = shutil.disk_usage(existing(here)).free // 1_000_000
        if free < megabytes:
            return f"{free} MB are free at {here}, the cell needs about {megabytes}"
    return ""


def existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that there is."""
    while not path.exists():
        path = path.parent
    return path


def _device(folder: Path) -> int:
    return existing(folder).stat().st_dev


def _linked(folder: Path) -> bool:
    """Whether a cell's files can be links into the installer's cache."""
    return os.environ.get("UV_LINK_MODE") != "copy" and _device(folder) == _device(layout.home())
