"""Whatever an emulator does wrong is told as its doing: a missing, crashing or hanging Wine and a damaged prefix are never a red cell."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slowfast_verify import climb, emulator, ground, layout, provision, windows_python
from slowfast_verify import target as targets
from slowfast_verify.attempts import observe_again
from slowfast_verify.cell import parse
from slowfast_verify.errors import Infrastructure, NotVerifiable, Problem
from slowfast_verify.matrix import default
from slowfast_verify.observe import observe
from slowfast_verify.question import Observation, Question
from slowfast_verify.record import RED, Provisioned
from slowfast_verify.target import Target
from slowfast_verify.verdict import Unanswered, Verdicts

from . import fakes
from .fake_wine import WAYS, put_on_path

pytestmark = pytest.mark.skipif(not emulator.all_emulators()["wine"].fits_here(), reason="Wine runs Windows programs on Linux x86_64 here")
CELL = "windows-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """No test leaves what it made believe."""
    emulator.version.cache_clear()
    yield
    emulator.version.cache_clear()


def standing(folder: Path, python: Path | None = None) -> Provisioned:
    """An environment that claims to stand in `folder`."""
    python = python or folder / "env" / "python.exe"
    return Provisioned(
        cell=CELL, inputs="", runner="wine", python=str(python), env=str(folder / "env"), checkout=None,
        variables={}, opts={}, workarounds=[], lock=[], created="", seconds=0, step_seconds={},
    )  # fmt: skip


def a_prefix(folder: Path) -> Path:
    """The few files by which a prefix is known."""
    for name in ("system.reg", "user.reg", "drive_c/windows/system32/kernel32.dll"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")
    (folder / "dosdevices" / "z:").mkdir(parents=True)
    return folder


# ---- missing ------------------------------------------------------------------------------------------------------------


def test_a_missing_wine_is_not_verifiable_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of Wine on PATH: neither red nor green, and the packages are named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotVerifiable, match="wine, wineserver, osslsigncode is not installed") as caught:
        ground.base_of(parse(CELL))
    assert "apt-get install --no-install-recommends wine wine64 osslsigncode" in caught.value.next


def test_the_climb_of_a_cell_without_wine_ends_not_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The record is that of the cell under Wine, exit code 4, and nothing in it is red or green."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(provision, "folder_of", lambda cell: tmp_path / "cell")
    record, code = climb.climb(default().cell(CELL), default(), tmp_path / "records")
    assert (record.cell, code) == (f"{CELL}+wine", climb.NOTHING_VERIFIED)
    assert [check.outcome for check in record.checks] == ["not verified"]
    assert (tmp_path / "records" / f"{CELL}+wine.json").exists()


# ---- a Wine that breaks down --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_wine_that_breaks_down_is_infrastructure(way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It crashes, is killed, or says something else than the Python that it was to start."""
    put_on_path(tmp_path / "bin", monkeypatch, WAYS[way])
    target = targets.under_wine(tmp_path / "python.exe", tmp_path / "prefix")
    with pytest.raises(Infrastructure, match="a Python does not start"):
        emulator.require_start("wine", target.argv, target.environ())


def test_a_wine_that_hangs_is_infrastructure_and_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str) -> None:
    """It is waited for so long and no longer, and nothing of it stays."""
    put_on_path(tmp_path / "bin", monkeypatch, f"sleep {token}")
    target = targets.under_wine(tmp_path / "python.exe", tmp_path / "prefix")
    began = time.monotonic()
    with pytest.raises(Infrastructure, match=r"no sign of life within 0\.5 s"):
        emulator.require_start("wine", target.argv, target.environ(), seconds=0.5)
    assert time.monotonic() - began < 10
    assert fakes.gone(token)


def test_a_wine_that_makes_no_prefix_is_infrastructure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """wineboot leaves with a status, or leaves nothing behind."""
    put_on_path(tmp_path / "bin", monkeypatch, WAYS["crashes"])
    with pytest.raises(Infrastructure, match="wineboot left with status 53") as caught:
        emulator.make_prefix(tmp_path / "prefix")
    assert "kernel32" in caught.value.cause
    (tmp_path / "bin" / "wine").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    with pytest.raises(Infrastructure, match="no usable prefix"):
        emulator.make_prefix(tmp_path / "prefix")


@pytest.mark.parametrize("way", ["crashes", "is killed"])
def test_a_cell_whose_wine_breaks_down_gets_an_infrastructure_record(way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment stands, Wine does not start it, not with a prefix laid anew either: told in the record, and never red."""
    put_on_path(tmp_path / "bin", monkeypatch, WAYS[way])
    a_prefix(tmp_path / "cell" / "prefix")
    monkeypatch.setattr(provision, "standing", lambda cell, matrix: standing(tmp_path / "cell"))
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path / "home"))
    record, code = climb.verify_cell(default().cell(CELL), tmp_path / "records")
    assert record.cell == f"{CELL}+wine"
    assert code == climb.NOTHING_VERIFIED
    assert [check.outcome for check in record.checks] == ["infrastructure"]
    assert not {check.outcome for check in record.checks} & set(RED)
    assert "Wine" in (record.checks[0].reason or "") or "wine" in (record.checks[0].reason or "")


@pytest.mark.parametrize(
    ("kind", "how", "outcome"),
    [
        ("wine", "died", "infrastructure"),
        ("wine", "hung", "infrastructure"),
        ("wine", "unreachable", "infrastructure"),
        ("wine", "raised", "failed"),  # an exception was told by the Python that is under test
        ("qemu", "died", "infrastructure"),
        ("venv", "died", "failed"),
        ("venv", "hung", "failed"),
    ],
)
def test_who_is_blamed_for_a_question_without_an_answer(kind: str, how: str, outcome: str, tmp_path: Path) -> None:
    """Natively a process that dies or hangs is a finding; under an emulator nobody can tell whose doing it was."""
    inventory = {"distributions": {}, "modules": [], "configs": [], "checkout": None}
    verdicts = Verdicts("pytorchvideo", None, Target(argv=("x",), kind=kind), tmp_path, inventory, {}, None)
    observation = Observation(id="gloo", how=how, type="ValueError" if how == "raised" else None, message="m", step="meet")  # type: ignore[arg-type]

    class Report:
        passed = skipped = False

    found = verdicts.judge("distributed::gloo_meets[tcp]", Report(), Unanswered(observation), [])
    assert found.outcome == outcome
    if outcome == "infrastructure":
        assert f"gloo {how} under {emulator.label(kind)}" in (found.reason or "")  # type: ignore[arg-type]


# ---- damaged prefixes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["system.reg", "user.reg", "dosdevices/z:", "drive_c/windows/system32/kernel32.dll"])
@pytest.mark.parametrize("emptied", [False, True])
def test_a_damaged_prefix_is_seen(lost: str, emptied: bool, tmp_path: Path) -> None:
    """A file that Wine needs is missing, or is there and empty."""
    prefix = a_prefix(tmp_path / "prefix")
    assert emulator.prefix_stands(prefix)
    if (prefix / lost).is_dir():
        (prefix / lost).rmdir()
    elif emptied:
        (prefix / lost).write_bytes(b"")
    else:
        (prefix / lost).unlink()
    assert not emulator.prefix_stands(prefix)


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
    if not windows_python.kept("3.8") or not emulator.prefix_stands(layout.home() / "wine" / emulator.version("wine")):
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
        assert emulator.prefix_stands(prefix)
        target = targets.under_wine(Path(real.python), prefix)
        with pytest.raises(Infrastructure, match="a Python does not start"):
            emulator.require_start("wine", target.argv, target.environ(), seconds=30)
    ground.require_start(real)
    assert emulator.prefix_stands(prefix)
    ground.release(real)
    assert processes_of(prefix) == []


# ---- what a person writes -----------------------------------------------------------------------------------------------


def test_wine_and_a_path_make_a_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A python.exe or its folder; the person's own prefix; paths spelt as Windows programs see them."""
    put_on_path(tmp_path / "bin", monkeypatch, "exit 0")
    (tmp_path / "my env").mkdir()
    python = tmp_path / "my env" / "python.exe"
    python.write_bytes(b"")
    monkeypatch.setenv("WINEPREFIX", str(tmp_path / "prefix"))
    for text in (f"wine:{python}", f"wine:{python.parent}"):
        target = targets.parse(text)
        assert target.argv == ("wine", str(python))
        assert target.kind == "wine"
        assert target.local
        assert target.shares_files
        assert target.environ()["WINEPREFIX"] == str(tmp_path / "prefix")
        assert target.environ()["WINEDEBUG"] == "-all"
        assert target.command("-B", "-")[:2] == ["wine", str(python)]
        assert target.slowness > 1
    assert targets.parse(f"wine:{python}").seen("/a/b c.yaml") == r"Z:\a\b c.yaml"
    assert targets.parse(f"wine:{python}").runner == "Windows binaries under Wine 8.0"
    monkeypatch.delenv("WINEPREFIX")
    assert "WINEPREFIX" not in targets.parse(f"wine:{python}").env


@pytest.mark.parametrize("text", ["wine:", "wine:/nowhere/python.exe", "wine:{empty}"])
def test_wine_and_no_python_is_told(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No interpreter there: one message with what to write."""
    put_on_path(tmp_path / "bin", monkeypatch, "exit 0")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match="no such target") as caught:
        targets.parse(text.format(empty=tmp_path / "empty"))
    assert "--target wine:DIR/python.exe" in caught.value.next


def test_without_wine_a_wine_target_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for a cell."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotVerifiable) as caught:
        targets.parse("wine:python.exe")
    assert "apt-get install" in caught.value.next


def test_a_wineserver_that_is_not_there_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ending what is left never fails: there may be nothing to end."""
    monkeypatch.setenv("PATH", str(tmp_path))
    emulator.end_server(tmp_path / "prefix")


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
        emulator.end_server(other)
        left.wait(timeout=20)
        for stream in (left.stdin, left.stdout, left.stderr):
            assert stream
            stream.close()
    assert processes_of(other) == []
    assert other.is_dir()


def a_flaky_target(folder: Path, kind: str, times: int) -> tuple[Target, Question]:
    """This Python, and a question whose process dies the first `times` that it is put."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import os\nn = len(os.listdir({str(folder)!r}))\nopen(os.path.join({str(folder)!r}, f'seen{{n}}'), 'w').close()\n"
        f"if n <= {times}:\n    os._exit(3)\n",
        encoding="utf-8",
    )
    target = Target(argv=(sys.executable,), kind=kind, env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})
    return target, fakes.questions(("fake_answer", {}))[0]


@pytest.mark.parametrize(
    ("kind", "times", "how", "attempts"), [("wine", 1, "answered", 2), ("wine", 2, "unreachable", 2), ("venv", 1, "unreachable", 1)]
)
def test_what_died_under_an_emulator_is_asked_once_more(kind: str, times: int, how: str, attempts: int, tmp_path: Path) -> None:
    """Once and no more; natively a death is a finding at the first time."""
    target, question = a_flaky_target(tmp_path / "flaky", kind, times)
    seen = observe_again(target, [question], places={})[question.id]
    assert (seen.how, seen.attempts) == (how, attempts)
