"""What building a cell takes from the disk: counted by place, by installer, and by what uv's cache holds already."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slowfast_verify import installer, layout, planning, room
from slowfast_verify.emulator import emulator_of
from slowfast_verify.matrix import Matrix, default
from slowfast_verify.room import Demand

from .tiny_wheel import index

UV = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"
PIP = "linux-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5"
MEMORY = Path("/dev/shm")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of uv's and a home of ours on one file system, both empty, and no index."""
    for name in list(os.environ):
        if name.startswith("UV_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv(layout.HOME_VARIABLE, str(tmp_path / "home"))
    installer.cache_folder.cache_clear()
    yield tmp_path
    installer.cache_folder.cache_clear()


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has every Python, every library and every source: a plan then speaks of the disk."""
    monkeypatch.setattr(planning, "_obstacle", lambda cell, matrix: None)
    monkeypatch.setattr(planning.system, "lacking", lambda cell, matrix: [])


def of(identifier: str) -> Demand:
    return room.demand(default().cell(identifier), default())


def size_of(identifier: str) -> int:
    cell = default().cell(identifier)
    wheels = default().stack_of(cell).wheels_of(cell)
    assert wheels
    return wheels.megabytes


def test_uv_unpacks_once_and_links(empty_cache: Path) -> None:
    """On one file system a uv cell takes its environment once, in the cache, and nearly nothing in its own folder."""
    assert of(UV).cache == size_of(UV)
    assert of(UV).cell == room.rules().own


@pytest.mark.skipif(not MEMORY.is_dir() or os.name != "posix", reason="not verified: no second file system to try")
def test_over_a_border_uv_copies(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cache and cell lie on two file systems the environment is there twice."""
    monkeypatch.setenv(layout.HOME_VARIABLE, str(MEMORY / "slowfast-verify-room"))
    assert of(UV).cell == size_of(UV) + room.rules().own


def test_told_to_copy_uv_copies(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UV_LINK_MODE=copy takes the environment twice on one file system as well."""
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    assert of(UV).cell == size_of(UV) + room.rules().own


def test_pip_unpacks_beside_its_wheels(empty_cache: Path) -> None:
    """pip takes the environment and, until it is done, the wheels."""
    found = of(PIP)
    assert found.cell == size_of(PIP) + room.rules().own
    assert 0 < found.temporary < size_of(PIP)


def test_uv_says_what_it_holds(empty_cache: Path) -> None:
    """uv tells from its cache alone whether something has to be fetched: yes before it was installed once, no afterwards."""
    arguments = ["--default-index", index(empty_cache / "simple", ("svtc", "1.0")), "svtc==1.0"]
    assert not installer.holds("3.11", "", arguments)
    env = empty_cache / "env"
    for argv in installer.make("uv", Path(installer.sys_python()), env):
        subprocess.run(argv, check=True)
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run(installer.install("uv", python, arguments), check=True, capture_output=True, env=installer.environment("uv"))
    assert installer.holds("3.11", "", arguments)


def test_what_uv_holds_costs_nothing(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels that uv has in its cache take no more room there; it is asked for the pair that the stack pins."""
    asked: list[tuple[str, str, list[str]]] = []
    monkeypatch.setattr(installer, "holds", lambda *words: not asked.append(words))  # type: ignore[func-returns-value]
    assert of(UV).cache == 0
    assert asked == [("3.8", "", ["torch==1.8.0", "torchvision==0.9.0"])]
    assert of(PIP).cache > 0


def test_a_full_place_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    """Demands on one file system are added up; the place, what is free there and what is needed are told."""
    free = shutil.disk_usage(tmp_path).free // 1_000_000
    half = free * 6 // 10
    places = {"cell": tmp_path / "a", "cache": tmp_path / "b", "temporary": tmp_path}
    assert not room.lack(Demand("uv", cell=half, cache=0, temporary=0), places)
    said = room.lack(Demand("uv", cell=half, cache=half, temporary=0), places)
    assert "MB are free at" in said and str(2 * half) in said


@pytest.mark.usefixtures("able")
def test_cells_of_one_stack_share_the_cache(empty_cache: Path) -> None:
    """A plan counts wheels once that several cells of it take from one cache."""
    both = [of(UV), of("linux-py3.8-torch1.8.0-cpu-uv-slowfast-release@1.0")]
    assert room.together(both) == size_of(UV) + 2 * room.rules().own
    assert planning.plan_of(["linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"])[0].disk is not None


@pytest.mark.usefixtures("able")
def test_a_plan_asks_uv_once_for_the_same_wheels(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that differ in their subject only share one answer of uv's: a plan of hundreds of cells stays quick."""
    asked: list[object] = []
    monkeypatch.setattr(installer, "holds", lambda *words: bool(asked.append(words)))  # type: ignore[func-returns-value]
    assert len(planning.plan_of(["linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@*"])) > 1
    assert len(asked) == 1


def test_the_first_emulated_cell_pays_for_the_prefix(empty_cache: Path) -> None:
    """What all cells under Wine share is counted for the first one only."""
    identifier = "windows-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"
    if not emulator_of(default().cell(identifier)):
        pytest.skip("not verified: no Windows cell runs here")
    first = of(identifier).cell
    (layout.home() / "wine").mkdir(parents=True)
    assert first - of(identifier).cell == next(row.megabytes for row in room.rules().once if row.runner == "wine")


def test_every_installer_has_its_shares() -> None:
    """Each installer of the matrix is in matrices/room.toml."""
    assert {cell.installer for cell in Matrix().cells.values()} <= {row.name for row in room.rules().installer}
