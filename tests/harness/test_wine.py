"""A Wine prefix from its making to its end: a damaged one is laid anew, and nothing of it outlives it; nobody else's is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from slowfast_verify import emulator, ground, layout, windows_python, wine
from slowfast_verify import target as targets
from slowfast_verify.errors import Infrastructure, NotVerifiable
from slowfast_verify.observe import observe
from slowfast_verify.question import Question
from slowfast_verify.record import Provisioned

from . import fakes
from .fake_wine import WAYS, a_prefix, put_on_path, standing

pytestmark = pytest.mark.skipif(not emulator.all_emulators()["wine"].fits_here(), reason="Wine runs Windows programs on Linux x86_64 here")


def test_a_wine_that_makes_no_prefix_is_infrastructure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """wineboot leaves with a status, or leaves nothing behind."""
    put_on_path(tmp_path / "bin", monkeypatch, WAYS["crashes"])
    with pytest.raises(Infrastructure, match="wineboot left with status 53") as caught:
        wine.make_prefix(tmp_path / "prefix")
    assert "kernel32" in caught.value.cause
    (tmp_path / "bin" / "wine").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    with pytest.raises(Infrastructure, match="no usable prefix"):
        wine.make_prefix(tmp_path / "prefix")


# ---- damaged prefixes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["system.reg", "user.reg", "dosdevices/z:", "drive_c/windows/system32/kernel32.dll"])
@pytest.mark.parametrize("emptied", [False, True])
def test_a_damaged_prefix_is_seen(lost: str, emptied: bool, tmp_path: Path) -> None:
    """A file that Wine needs is missing, or is there and empty."""
    prefix = a_prefix(tmp_path / "prefix")
    assert wine.prefix_stands(prefix)
    if (prefix / lost).is_dir():
        (prefix / lost).rmdir()
    elif emptied:
        (prefix / lost).write_bytes(b"")
    else:
        (prefix / lost).unlink()
    assert not wine.prefix_stands(prefix)


# ---- the real one -------------------------------------------------------------------------------------------------------


def processes_of(prefix: Path) -> list[str]:
    """The processes of this machine that run in a Wine prefix."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"WINEPREFIX={prefix}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "comm").read_text(encoding="utf-8").strip())
        except OSError:
            continue
    return found


@pytest.fixture
def real(tmp_path: Path) -> Provisioned:
    """A Windows Python in an environment of its own, with a prefix of its own, both linked from what this machine has made before."""
    try:
        emulator.all_emulators()["wine"].require()
    except NotVerifiable as problem:
        pytest.skip(problem.what)
    if not windows_python.kept("3.8") or not wine.prefix_stands(layout.home() / "wine" / emulator.version("wine")):
        pytest.skip(
            "no Windows cell was climbed on this machine yet: slowfast-verify climb 'windows-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5'"
        )
    python = windows_python.place(layout.home() / "windows-python" / "3.8", tmp_path / "cell" / "env")
    ground.lay_prefix(tmp_path / "cell" / "prefix")
    return standing(tmp_path / "cell", python)


def test_the_real_wine_starts_a_windows_python_and_nothing_is_left(real: Provisioned) -> None:
    """The probes run unchanged, the facts are Windows', and after the end no process of the prefix is left."""
    target = ground.target_of(real).with_env({})
    ground.require_start(real)
    question = Question(id="inventory", probe="inventory", args={"packages": [], "dependencies": [], "configs": []})
    seen = observe(target, [question])["inventory"]
    assert seen.facts, seen.text
    assert seen.facts["platform"].startswith("Windows-10")
    assert seen.facts["machine"] == "AMD64"
    assert target.runner == f"Windows binaries under Wine {emulator.version('wine')}"
    ground.release(real)
    assert processes_of(Path(real.env).parent / "prefix") == []


@pytest.mark.parametrize("damage", ["system.reg emptied", "kernel32 missing", "kernel32 no library"])
def test_a_real_prefix_that_is_damaged_is_laid_anew(damage: str, real: Provisioned) -> None:
    """What Wine cannot start from is no part of what is under test: it is replaced, and the Python starts."""
    prefix = Path(real.env).parent / "prefix"
    kernel = prefix / "drive_c" / "windows" / "system32" / "kernel32.dll"
    file = prefix / "system.reg" if "system" in damage else kernel
    file.unlink()  # it is a hard link: writing into it would damage every cell's
    if "missing" not in damage:
        file.write_bytes(b"" if "emptied" in damage else b"no library" * 100)
    if "no library" in damage:  # it looks whole from outside
        assert wine.prefix_stands(prefix)
        target = targets.under_wine(Path(real.python), prefix)
        with pytest.raises(Infrastructure, match="a Python does not start"):
            emulator.require_start("wine", target.argv, target.environ(), seconds=30)
    ground.require_start(real)
    assert wine.prefix_stands(prefix)
    ground.release(real)
    assert processes_of(prefix) == []


# ---- its end ---------------------------------------------------------------------------------------------------------


def test_a_wineserver_that_is_not_there_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ending what is left never fails: there may be nothing to end."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wine.end_server(tmp_path / "prefix")


def test_only_the_prefix_of_the_cell_is_ended(real: Provisioned, tmp_path: Path) -> None:
    """Another prefix's programs go on."""
    other = tmp_path / "other" / "prefix"
    ground.lay_prefix(other)
    target = targets.under_wine(Path(real.python), other)
    left = subprocess.Popen(
        [*target.argv, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=target.environ(), start_new_session=True,
    )  # fmt: skip
    try:
        assert left.stdin
        assert left.stdout
        left.stdin.write(b"import time; print(1, flush=True); time.sleep(60)\n")
        left.stdin.close()
        assert left.stdout.readline().strip() == b"1"
        ground.require_start(real)
        ground.release(real)
        assert left.poll() is None
        assert processes_of(other)
    finally:
        wine.end_server(other)
        left.wait(timeout=20)
        for stream in (left.stdin, left.stdout, left.stderr):
            assert stream
            stream.close()
    assert processes_of(other) == []
    assert other.is_dir()


@pytest.mark.parametrize("listens", [True, False])
def test_what_outlives_its_server_is_ended(listens: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str) -> None:
    """A program of the prefix in a session of its own, and a wineserver that hangs: neither stays; one of another prefix does."""
    put_on_path(tmp_path / "bin", monkeypatch, "exit 0")
    if not listens:
        (tmp_path / "bin" / "wineserver").write_text(f"#!/bin/sh\nsleep {token}\n", encoding="utf-8")
        monkeypatch.setattr(wine, "SERVER_SECONDS", 0.3)
    prefix, other = tmp_path / "prefix", tmp_path / "other"
    left = [
        subprocess.Popen(["sleep", "300"], env={**os.environ, "WINEPREFIX": str(where)}, start_new_session=True)
        for where in (prefix, other)
    ]
    try:
        assert wine.processes_of(prefix) == [left[0].pid]
        wine.end_server(prefix)
        assert left[0].wait(timeout=10) == -signal.SIGKILL
        assert left[1].poll() is None
        assert fakes.gone(token)
        until = time.monotonic() + 10  # a killed process has its variables until somebody has waited for it
        while wine.processes_of(prefix) and time.monotonic() < until:
            time.sleep(0.05)
        assert wine.processes_of(prefix) == []
    finally:
        for process in left:
            process.kill()
            process.wait()


def test_a_language_that_this_machine_lacks_is_lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library finds the names that Wine takes its language from, without a package of this machine."""
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    folder = wine.languages()
    if not folder.exists():
        pytest.skip("this machine has no C.UTF-8")
    code = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.nl_langinfo(locale.CODESET))"
    for name in ("zh_CN.UTF-8", "en_US.UTF-8"):
        env = {**os.environ, "LC_ALL": name, "LOCPATH": str(folder)}
        said = subprocess.run(["/usr/bin/env", "python3", "-c", code], env=env, capture_output=True, text=True, check=False).stdout
        assert said.strip() == "UTF-8", name
