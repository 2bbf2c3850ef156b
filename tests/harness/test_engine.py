"""The engine is found, or started and ended again where that is asked for; without one, everybody is told why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slowfast_verify import engine
from slowfast_verify.errors import Infrastructure, NotVerifiable

from .engines import run_python

NOWHERE = "unix:///nowhere/docker.sock"
USES = """
import sys
from slowfast_verify import engine
engine.client().ping()
print((engine.folder() / "dockerd.pid").read_text(), flush=True)
{after}
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What these tests find is kept for nobody else."""
    monkeypatch.setenv("DOCKER_HOST", os.environ.get("DOCKER_HOST", ""))
    engine.client.cache_clear()
    yield
    engine.client.cache_clear()


def test_without_an_engine_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine: not verified, with every address that was asked and what it said."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    monkeypatch.delenv(engine.START_VARIABLE, raising=False)
    with pytest.raises(NotVerifiable, match="no container engine answers") as caught:
        engine.client()
    assert caught.value.where.startswith(NOWHERE)
    assert len(caught.value.where) > len(NOWHERE) + 5
    assert engine.START_VARIABLE in caught.value.next


def test_none_is_started_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SLOWFAST_VERIFY_ENGINE=start nothing is started."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    monkeypatch.setenv(engine.START_VARIABLE, "yes")
    monkeypatch.setattr(engine, "start", lambda: pytest.fail("started unasked"))
    with pytest.raises(NotVerifiable):
        engine.client()


@pytest.mark.parametrize(("lack", "said"), [("dockerd", "dockerd is not installed"), ("root", "needs root")])
def test_what_starting_needs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lack: str, said: str) -> None:
    """A missing dockerd, and a user who is not root, are named with the next command."""
    if os.name != "posix":
        pytest.skip("an engine is started on Linux only")
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None if name == lack else f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000 if lack == "root" else 0)
    with pytest.raises(NotVerifiable, match=said) as caught:
        engine.start()
    assert caught.value.next


def test_an_engine_that_ends_at_once_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A dockerd that cannot run here is not verified, with its own last error, and never waited for."""
    if os.name != "posix":
        pytest.skip("an engine is started on Linux only")
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\necho 'level=error msg=\"no overlay here\"'\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "place").mkdir()
    with pytest.raises(NotVerifiable, match="dockerd ended") as caught:
        engine._launch(tmp_path / "place", "unix:///nowhere/docker.sock")
    assert "no overlay here" in caught.value.cause


@pytest.fixture
def home() -> Iterator[Path]:
    """A cache of its own with a short path, as a socket's name may have 107 bytes; only where an engine may be started."""
    if os.environ.get(engine.START_VARIABLE) != "start":
        pytest.skip(f"not verified: {engine.START_VARIABLE}=start is not set")
    if not shutil.which("dockerd") or os.geteuid() != 0:
        pytest.skip("not verified: dockerd is not installed, or this is not root")
    with tempfile.TemporaryDirectory(prefix="eng") as folder:
        yield Path(folder)


def test_the_last_one_who_uses_it_ends_it(home: Path) -> None:
    """An engine that we started serves a second process, outlives the first one's end, and is ended by the last."""
    env = {**os.environ, "SLOWFAST_VERIFY_HOME": str(home), "DOCKER_HOST": f"unix://{home}/engine/docker.sock"}
    argv = [sys.executable, "-c", USES.format(after="input()")]
    first = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout
    assert first.stdin
    started = first.stdout.readline().strip()
    assert started.isdigit()
    second = run_python(USES.format(after=""), env=env)
    assert second.stdout.strip() == started, second.stderr
    assert Path(f"/proc/{started}").exists()
    first.communicate("\n", timeout=60)
    assert not Path(f"/proc/{started}").exists() or engine._is_zombie(int(started))  # a machine's first process may reap nobody
    assert not list((home / "engine" / "users").iterdir())


def test_a_process_that_is_not_dockerd_is_never_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pid file that has outlived its dockerd may name anybody: nobody is ended for it."""
    if os.name != "posix":
        pytest.skip("signals")
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    engine.folder().mkdir(parents=True)
    (engine.folder() / "dockerd.pid").write_text(str(os.getpid()), encoding="ascii")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("ended somebody"))
    engine.stop()


def test_a_base_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without debootstrap, and where it fails, the reason is told and nothing half-made is kept."""
    if os.name != "posix":
        pytest.skip("debootstrap is Linux's")
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NotVerifiable, match="debootstrap and root"):
        engine.debian_archive("bookworm")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    program = tmp_path / "bin" / "debootstrap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'E: no route to the mirror' >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(Infrastructure) as caught:
        engine.debian_archive("bookworm")
    assert "no route to the mirror" in caught.value.cause
    assert not (engine.folder() / "bookworm.tar").exists()


def test_names_of_images_are_split_at_the_tag() -> None:
    """A registry's port is no tag."""
    assert engine._name_and_tag("python:3.11-slim") == ("python", "3.11-slim")
    assert engine._name_and_tag("localhost:5000/mine") == ("localhost:5000/mine", "latest")
    assert engine._name_and_tag("localhost:5000/mine:2") == ("localhost:5000/mine", "2")
