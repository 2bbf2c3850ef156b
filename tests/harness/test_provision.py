"""An environment is built once, kept while its inputs stand, and every reason why it cannot be built is told apart.

A tiny stack of wheels that are made by hand stands for torch: real uv runs, no network, a second each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slowfast_verify import installer, interpreter, layout, provision, sources
from slowfast_verify import subject as subjects
from slowfast_verify.errors import Infrastructure, NotVerifiable
from slowfast_verify.matrix import Matrix
from slowfast_verify.provision import InstallFailed
from slowfast_verify.record import Provisioned

from . import data_folder
from .commits import begin, commit
from .data_folder import append, cell_id, edit
from .tiny_wheel import index, source_tree, wheel

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class Ground:
    """A data root, a home and an index of a test's own."""

    def __init__(self, root: Path) -> None:
        self.root = data_folder.make(root / "data")
        self.stack = self.root / "matrices" / "stacks" / "torch-tiny.toml"
        self.subject = self.root / "matrices" / "subjects" / "tiny.toml"
        self.simple = root / "simple"
        self.address = index(self.simple, ("torch", "1.0.0"), ("torchvision", "1.0.1"), ("svta", "1.0"))
        edit(self.stack, 'python = ["3.11"]', f'python = ["{VERSION}"]')
        self.said: list[str] = []

    @property
    def matrix(self) -> Matrix:
        subjects.all_subjects.cache_clear()
        return Matrix(self.root / "matrices")

    @property
    def id(self) -> str:
        return cell_id().replace("py3.11", f"py{VERSION}")

    def build(self) -> Provisioned:
        matrix = self.matrix
        return provision.provision(matrix.cell(self.id), matrix, self.said.append)

    @property
    def folder(self) -> Path:
        return layout.home() / "cells" / self.id


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    found = Ground(tmp_path)
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", found.address)
    monkeypatch.setenv("UV_INDEX", "")
    monkeypatch.setenv("UV_FIND_LINKS", "")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(interpreter, "find", found_here)
    installer.pip_settings.cache_clear()
    yield found
    installer.pip_settings.cache_clear()


def found_here(version: str) -> Path:
    """This Python, and no other: looking for others takes seconds."""
    if version == VERSION:
        return Path(sys.executable)
    raise NotVerifiable(f"no Python {version} on this machine")


def test_an_environment_is_built_with_its_pins_and_its_lock(ground: Ground) -> None:
    """What the stack pins is what comes out; the lock says so, the logs are kept, and cell.json is written."""
    append(ground.subject, '[[phase]]\nname = "rest"\ninstall = ["svta"]')
    found = ground.build()
    assert not found.reused
    assert found.lock == ["svta==1.0", "torch==1.0.0", "torchvision==1.0.1"]
    assert (ground.folder / "lock.txt").read_text(encoding="utf-8").split() == found.lock
    assert subprocess.run([found.python, "-c", "import torch, svta"], check=False).returncode == 0
    assert len(list((ground.folder / "logs").glob("*.log"))) >= 4
    assert Provisioned.model_validate_json((ground.folder / "cell.json").read_text(encoding="utf-8")) == found


def test_an_environment_that_stands_is_reused(ground: Ground) -> None:
    """The second time nothing is installed, and that is said; a note that changes nothing builds nothing."""
    first = ground.build()
    edit(ground.stack, 'note = "made by the test"', 'note = "another note"')
    second = ground.build()
    assert second.reused
    assert second.created == first.created
    assert "nothing to install" in ground.said[-1]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stack", 'torchvision = "1.0.1"', 'torchvision = "1.0.2"'),
        ("stack", 'note = "made by the test"', 'note = "n"\n\n[[pin]]\nname = "svta"\nspec = "<9"\nreason = "r"'),
        ("subject", "trio = true", 'trio = true\ninstall = ["svta"]'),
    ],
    ids=["version", "pin", "phase"],
)
def test_an_environment_whose_inputs_changed_is_built_again(ground: Ground, file: str, old: str, new: str) -> None:
    """Another version, another pin, another phase: what stands no longer counts."""
    index(ground.simple, ("torchvision", "1.0.2"))
    ground.build()
    edit(getattr(ground, file), old, new)
    assert not ground.build().reused


@pytest.mark.parametrize("damage", ["missing", "cut", "python gone"])
def test_an_environment_without_its_proof_is_built_again(ground: Ground, damage: str) -> None:
    """Without a whole cell.json, or without its interpreter, an environment does not stand."""
    found = ground.build()
    state = ground.folder / "cell.json"
    if damage == "missing":
        state.unlink()
    elif damage == "cut":
        state.write_bytes(state.read_bytes()[:-20])
    else:
        Path(found.python).unlink()
    matrix = ground.matrix
    assert provision.standing(matrix.cell(ground.id), matrix) is None
    assert not ground.build().reused
    assert ground.build().reused


def test_a_missing_interpreter_is_not_verified(ground: Ground) -> None:
    """A Python that this machine does not have is neither red nor green."""
    edit(ground.stack, f'python = ["{VERSION}"]', 'python = ["3.2"]')
    matrix = ground.matrix
    with pytest.raises(NotVerifiable, match=r"no Python 3\.2"):
        provision.provision(matrix.cell(ground.id.replace(f"py{VERSION}", "py3.2")), matrix, ground.said.append)


def test_another_system_is_not_verified(ground: Ground) -> None:
    """A cell of another operating system is not attempted."""
    text = ground.stack.read_text(encoding="utf-8").replace(f'"{ground.id.split("-")[0]}"', '"macos"')
    ground.stack.write_text(text, encoding="utf-8")
    matrix = ground.matrix
    (cell,) = matrix.cells.values()
    with pytest.raises(NotVerifiable, match="needs another system"):
        provision.provision(cell, matrix, ground.said.append)


def test_an_unreachable_source_is_not_verified(ground: Ground) -> None:
    """A repository that does not answer is told before anything is installed."""
    edit(ground.subject, 'distribution = "tiny"', 'git = "https://127.0.0.1:1/tiny.git"')
    edit(ground.subject, 'version = "1.0"', f'commit = "{"1" * 40}"')
    with pytest.raises(NotVerifiable, match="source unreachable") as caught:
        ground.build()
    assert "https://127.0.0.1:1/tiny.git" in caught.value.where
    assert not (ground.folder / "env").exists()


def test_an_index_that_is_down_is_infrastructure(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that does not answer is neither red nor green."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple")
    with pytest.raises(Infrastructure, match="index"):
        ground.build()
    assert not (ground.folder / "cell.json").exists()


def test_a_full_disk_is_infrastructure(ground: Ground) -> None:
    """A cell that needs more room than there is is not begun."""
    edit(ground.stack, "megabytes = 1", "megabytes = 900000000")
    with pytest.raises(Infrastructure, match="the disk is full"):
        ground.build()


def test_a_conflict_is_a_failure_of_the_rung_resolve(ground: Ground) -> None:
    """Requirements that exclude each other are the cell's own failure, with the log and its last words."""
    wheel(ground.simple / "svtb", "svtb", "1.0", "torch>=2")
    index(ground.simple, ("torch", "2.0.0"))
    (ground.simple / "svtb" / "index.html").write_text('<a href="svtb-1.0-py3-none-any.whl">svtb</a>', encoding="utf-8")
    append(ground.subject, '[[phase]]\nname = "rest"\ninstall = ["svtb"]')
    with pytest.raises(InstallFailed) as caught:
        ground.build()
    assert (caught.value.rung, caught.value.step) == ("resolve", "rest")
    assert "svtb" in caught.value.tail
    assert "svtb" in caught.value.log.read_text(encoding="utf-8")
    assert not (ground.folder / "cell.json").exists()


def test_a_build_that_fails_is_a_failure_of_the_rung_install(ground: Ground, tmp_path: Path) -> None:
    """A source whose build breaks fails at install, and a known failure is recognised."""
    broken = source_tree(tmp_path / "broken", "def build_wheel(*a, **k):\n    import nonesuch_thing\n")
    append(ground.subject, f'[[phase]]\nname = "rest"\ninstall = ["{broken.as_posix()}"]')
    with pytest.raises(InstallFailed) as caught:
        ground.build()
    assert (caught.value.rung, caught.value.step) == ("install", "rest")
    assert "nonesuch_thing" in caught.value.tail


def test_a_failed_build_is_built_again(ground: Ground) -> None:
    """After a failure the next run starts afresh and can succeed."""
    append(ground.subject, '[[phase]]\nname = "rest"\ninstall = ["svtz"]')
    with pytest.raises(InstallFailed):
        ground.build()
    index(ground.simple, ("svtz", "1.0"))
    assert not ground.build().reused


def test_a_commit_is_checked_out_and_edited(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject from git is there at its commit, and the lock names the address and not a path of this machine."""
    upstream = tmp_path / "upstream"
    begin(upstream)
    made = commit(upstream, {"tiny.py": "state = 1\n"}, "x")
    edit(ground.subject, 'distribution = "tiny"', f'git = "{upstream.as_uri()}"')
    edit(ground.subject, 'version = "1.0"', f'commit = "{made}"')
    append(ground.subject, '[[phase]]\nname = "sources"\ncheckout = true')
    found = ground.build()
    assert found.checkout
    assert (Path(found.checkout) / "tiny.py").read_text(encoding="utf-8") == "state = 1\n"


BUILDER = """
import sys
from pathlib import Path
from slowfast_verify import interpreter, provision
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import Matrix
interpreter.find = lambda version: Path(sys.executable)
matrix = Matrix(Path(sys.argv[1]))
found = provision.provision(matrix.cell(sys.argv[2]), matrix, lambda text: print(text, flush=True))
print("reused" if found.reused else "built", flush=True)
"""
Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def start(ground: Ground) -> Start:
    """`start()` provisions the cell in a process of its own."""
    argv = [sys.executable, "-c", BUILDER, str(ground.root / "matrices"), ground.id]
    return lambda: subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_an_interrupted_build_is_built_again(ground: Ground, start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """Killed or interrupted in the middle of an installation: nothing counts as standing, and the next run builds."""
    slow = source_tree(tmp_path / "slow", "def build_wheel(*a, **k):\n    import time\n    time.sleep(15)\n")
    phase = f'[[phase]]\nname = "slow"\ninstall = ["{slow.as_posix()}"]'
    append(ground.subject, phase)
    process = start()
    assert process.stdout
    with process.stdout:
        for line in process.stdout:
            if line.startswith("  torch: done"):
                break
        time.sleep(0.3)
        process.send_signal(number)
        assert process.wait(timeout=20) != 0
    matrix = ground.matrix
    assert provision.standing(matrix.cell(ground.id), matrix) is None
    edit(ground.subject, phase, "")
    assert not ground.build().reused


def test_two_at_once_build_once(ground: Ground, start: Start) -> None:
    """Two runs that want one cell: one builds, the other waits and finds it standing."""
    ends = []
    for process in [start(), start()]:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        ends.append(out.split()[-1])
    assert sorted(ends) == ["built", "reused"]


def test_what_is_asked_for_is_reachable_from_the_data(ground: Ground) -> None:
    """A cell from an index alone asks for no repository."""
    matrix = ground.matrix
    sources.require_reachable(provision.addresses(matrix.cell(ground.id), matrix))
    assert provision.addresses(matrix.cell(ground.id), matrix) == []
