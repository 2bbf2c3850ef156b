"""What a cell takes from the machine itself: looked for before anything is downloaded, told with the line that installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import planning, provision, system
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.matrix import default, runs_here

CELL = default().cell("linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main")
SMALL = default().cell("linux-py3.11-torch2.15.0-cpu-uv-pytorchvideo@0.1.5")
pytestmark = pytest.mark.skipif(not runs_here(CELL), reason="not verified: the cells are Linux's")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a compiler and without the libraries of OpenCV."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(system, "_unloadable", lambda names: frozenset(names))


@pytest.mark.usefixtures("bare")
def test_a_bare_machine_is_told_what_to_install() -> None:
    """The cell that compiles needs a compiler and the libraries, the one that does not needs the libraries only; each package once."""
    both, one = system.lacking(CELL, default()), system.lacking(SMALL, default())
    assert [row.what for row in both] == ["a C++ compiler", "libGL.so.1", "libxcb.so.1", "libgthread-2.0.so.0"]
    assert system.packages([*both, *both]) == ["g++", "python3.11-dev", "libgl1", "libxcb1", "libglib2.0-0"]
    assert [row.what for row in one] == ["libGL.so.1", "libxcb.so.1", "libgthread-2.0.so.0"]
    with pytest.raises(NotVerifiable, match=r"lacks a C\+\+ compiler") as told:
        system.require(CELL, default())
    assert "apt-get install --no-install-recommends g++ python3.11-dev libgl1" in str(told.value)


@pytest.mark.usefixtures("bare")
def test_nothing_is_asked_of_what_brings_it_along() -> None:
    """Conda, a container's image and an emulator bring their own system."""
    others = ("windows-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67", "linux-py3.8-torch1.8.0-cpu-conda-pyslowfast@bac7b67")
    assert not any(system.lacking(default().cell(name), default()) for name in others)


def test_the_loader_decides() -> None:
    """A library is there where this machine's loader finds it: libc is, one that nobody wrote is not."""
    assert system._unloadable(("libc.so.6", "libfrobnicate.so.7")) == {"libfrobnicate.so.7"}


def test_headers_are_looked_for_in_the_cells_python(tmp_path: Path) -> None:
    """A Python whose headers are not there is told; an interpreter that does not answer is somebody else's matter."""
    assert not system._headers(sys.executable, "Frobnicate.h")
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    assert system._headers(str(broken), "Python.h")


def test_a_cell_that_lacks_something_is_not_verified_and_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The plan says it with the line to type, and building stops before its first command."""
    lack = system.Lack(what="libGL.so.1", wanted_for="opencv-python", debian=["libgl1"])
    monkeypatch.setattr(system, "lacking", lambda cell, matrix: [lack])
    monkeypatch.setattr(planning, "_obstacle", lambda cell, matrix: None)
    monkeypatch.setattr(provision, "standing", lambda cell, matrix: None)
    (row,) = planning.plan_of([SMALL.id])
    assert row.skipped == "this machine lacks libGL.so.1: apt-get install --no-install-recommends libgl1" and row.disk is None
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    monkeypatch.setattr(provision.sources, "require_reachable", lambda addresses: None)
    monkeypatch.setattr(provision.room, "lack", lambda demand: "")
    monkeypatch.setattr(provision, "forget", lambda folder: pytest.fail("the environment was begun"))
    with pytest.raises(NotVerifiable, match="lacks libGL"):
        provision.provision(SMALL, default())


def test_the_packages_are_named(tmp_path: Path) -> None:
    """`slowfast-verify packages` on a PATH without a compiler names one, if a cell of the selection is compiled here."""
    env = {**{key: value for key, value in os.environ.items() if key != "CXX"}, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "slowfast_verify", "packages"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "g++" in done.stdout.split() or "python" not in done.stdout


def test_a_recipe_for_a_machine_without_a_compiler_needs_none(tmp_path: Path) -> None:
    """Asked for this machine, the commands leave detectron2's compiled part out, and it is said why; asked for a cell, they do not."""
    env = {**{key: value for key, value in os.environ.items() if key not in ("CXX", "CONDA_PREFIX")}, "PATH": str(tmp_path)}
    argv = [sys.executable, "-m", "slowfast_verify", "recipe"]
    for words, without in (([], True), (["--cell", CELL.id], False)):
        told = subprocess.run([*argv, *words], env=env, capture_output=True, text=True, timeout=60, check=True).stdout
        assert ("ext_modules=[]" in told) == without, told
        assert ("no C++ compiler" in told) == without
