"""Loops of Windows' own failures: paths, words and endings as Windows programs have them; a Wine that breaks down is never a red loop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slowfast_verify import emulator, fix, foreign, healthy, index, knowledge, layout, loop, loop_table, wine, witness
from slowfast_verify.action import Action, File
from slowfast_verify.cell import parse
from slowfast_verify.errors import Infrastructure
from slowfast_verify.fix import Place
from slowfast_verify.knowledge import Elsewhere, Explain, KnownFailure, Signature, Witness

from . import fakes
from .fake_wine import CELL, a_prefix, put_on_path

pytestmark = pytest.mark.skipif(not emulator.all_emulators()["wine"].fits_here(), reason="Wine runs Windows programs on Linux x86_64 here")

#: A `wine` that runs the program of `-c` by this machine's shell: what a Windows program would do is said by the test.
SHELL = 'shift; [ "$1" = -c ] && exec sh -c "$2"; cat > /dev/null; echo "it starts"'
SAYS = '[ -e {tmp}/there ] || { [ "$LC_ALL" = zh ] && echo 找不到模块 || echo Module not found; exit 1; }'
WORDS = KnownFailure(
    id="words", title="t", title_zh="t", rung="imports", explain=Explain(cause="c", cause_zh="c"),
    signature=[Signature(text="Module not found"), Signature(text="找不到模块")], reproduce=[Action(remove=["{tmp}/there"])],
    fix=[Action(file=[File(path="{tmp}/there", text="")])], witness=Witness(environment="windows", python=SAYS, locales=["zh"]),
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place as `healthy` gives one for a Windows cell, without Windows' files."""
    folder = tmp_path / "clone"
    (folder / "env" / "Lib" / "site-packages").mkdir(parents=True)
    (folder / "env" / "python.exe").touch()
    (folder / "env" / "python311.dll").touch()
    (folder / "src").mkdir()
    a_prefix(folder / "prefix")
    env = folder / "env"
    return Place("uv", env / "python.exe", env, env / "Lib" / "site-packages", folder / "src", folder, runner="wine")


@pytest.fixture
def turn(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[KnownFailure], loop.LoopResult]]:
    """`turn(row)` runs a made-up loop in the place; the witness is a line of shell, so that every path is this machine's."""

    def work(row: KnownFailure) -> loop.LoopResult:
        monkeypatch.setattr(knowledge, "all_known", lambda folder=None: {row.id: row})
        monkeypatch.setattr(knowledge, "known", lambda name: row)
        monkeypatch.setattr(loop, "healthy", lambda name, folder: ((place.tmp / "there").touch(), (place, parse(CELL)))[1])
        monkeypatch.setattr(layout, "home", lambda: tmp_path)
        monkeypatch.setattr(fix, "windows_path", str)
        index.index.cache_clear()
        return loop.run_loop(row.id)

    yield work
    index.index.cache_clear()


def test_what_a_windows_program_is_told_is_spelt_its_way(place: Place, tmp_path: Path) -> None:
    """Programs, variables and the files that they read get Z:/..., what the suite itself does stays as it is."""
    folder = f"Z:{place.folder.as_posix()}"
    assert place.told("{tmp}/a") == f"{folder}/tmp/a" and place.fill("{tmp}/a") == f"{place.folder}/tmp/a"
    assert fix.command(place, ["{python}", "{checkout}/x.py"]) == ["wine", str(place.python), f"{folder}/src/x.py"]
    assert fix.command(place, ["python", "-V"])[:2] == ["wine", str(place.python)]
    assert fix.command(place, ["{env}/tool", "{tmp}"]) == [f"{place.env}/tool", f"{folder}/tmp"]
    fix.carry_out(Action(file=[File(path="{tmp}/mine.yaml", text="OUTPUT_DIR: {tmp}")]), place, lambda *_: None, "x")
    assert (place.tmp / "mine.yaml").read_text(encoding="utf-8") == f"OUTPUT_DIR: {folder}/tmp"
    place.variables["PYTHONPATH"] = rf"Z:\elsewhere;{folder}/src/slowfast"
    fix.carry_out(Action(env={"PYTHONPATH": "{checkout}"}), place, lambda *_: None, "x")
    assert place.variables["PYTHONPATH"] == rf"{folder}/src;Z:\elsewhere"
    assert fix.environ(place)["WINEPREFIX"] == str(place.folder / "prefix")


def test_libraries_of_a_package_lie_beside_the_interpreter(place: Place) -> None:
    """Where an installation on Windows lays them; one that is there already stays."""
    (place.site / "msvcp140.dll").write_text("new", encoding="utf-8")
    (place.site / "python311.dll").write_text("other", encoding="utf-8")
    foreign.settle(place.python)
    assert (place.env / "msvcp140.dll").read_text(encoding="utf-8") == "new"
    assert (place.env / "python311.dll").read_text(encoding="utf-8") == ""


def test_a_loop_is_diagnosed_in_every_language_that_it_names(turn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """English and Chinese words are both known, and the result tells how its programs ran."""
    put_on_path(tmp_path / "bin", monkeypatch, SHELL)
    result = turn(WORDS)
    assert result.outcome == "green", result.reason
    assert result.evidence.splitlines() == ["Module not found", "找不到模块"]
    assert (result.runner, result.locales) == ("Windows binaries under Wine 8.0", ["zh"])


def test_words_of_one_language_that_nobody_knows_are_red(turn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A signature that knows the English words only does not pass for both; under Wine it was tried as often as the data says."""
    put_on_path(tmp_path / "bin", monkeypatch, SHELL)
    turns = []
    once = loop._turn
    monkeypatch.setattr(loop, "_turn", lambda *arguments: turns.append(1) or once(*arguments))
    result = turn(WORDS.model_copy(update={"signature": [Signature(text="Module not found")]}))
    assert result.outcome == "red" and "with LC_ALL=zh" in result.reason, result
    assert len(turns) == emulator.all_emulators()["wine"].attempts


@pytest.mark.parametrize("body", ["echo 'wine: could not load kernel32.dll' >&2; exit 53", "kill -SEGV $$"])
def test_a_wine_that_breaks_down_makes_no_loop_red(body: str, turn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that it says is the loop's: not run, with the emulator's name."""
    put_on_path(tmp_path / "bin", monkeypatch, body)
    result = turn(WORDS)
    assert result.outcome == "not run" and "Windows binaries under Wine" in result.reason, result


def test_a_missing_wine_makes_no_loop_red(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The packages are named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    result = loop.run_loop("torch-windows-libuv")
    assert result.outcome == "not run" and "apt-get install" in result.reason


def test_a_witness_that_hangs_is_ended_with_all_that_it_started(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str
) -> None:
    """Also what left its process group: a Windows child is no child of this machine's process."""
    put_on_path(tmp_path / "bin", monkeypatch, f"setsid sleep {token} & echo so far; sleep {token}")
    began = time.monotonic()
    status, said = witness.ran(["wine", "x"], place, 1.0)
    assert (status, said.strip()) == (124, "so far")
    assert time.monotonic() - began < 20
    assert fakes.gone(token) and wine.processes_of(place.folder / "prefix") == []


def test_a_healthy_windows_environment_has_a_prefix_that_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: Place) -> None:
    """One that does not start is Infrastructure before anything is broken."""
    put_on_path(tmp_path / "bin", monkeypatch, "exit 1")
    with pytest.raises(Infrastructure, match="a Python does not start"):
        healthy.require_start(place)
    put_on_path(tmp_path / "well", monkeypatch, SHELL)
    healthy.require_start(place)


def test_code_pages_are_read() -> None:
    """What Python writes is UTF-8 there; a program of C writes the system's code page."""
    assert witness._decoded("找不到模块\r\n".encode("gbk"), "zh_CN.UTF-8") == "找不到模块\n"
    assert witness._decoded("Müller".encode("cp1252"), "en_US.UTF-8") == "Müller"
    assert witness._decoded("找不到模块".encode(), "en_US.UTF-8") == "找不到模块"


def test_a_loop_elsewhere_has_a_name_of_its_own_and_a_heading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`ID@ENVIRONMENT`: its own steps, the known failure's fix; the table never calls Wine Windows."""
    row = WORDS.model_copy(update={"elsewhere": [Elsewhere(witness=Witness(environment="windows-2.4", python="x"))]})
    monkeypatch.setattr(knowledge, "all_known", lambda folder=None: {row.id: row})
    monkeypatch.setattr(knowledge, "known", lambda name: row)
    monkeypatch.setattr(layout, "reports", lambda: tmp_path)
    assert loop.identifiers() == ["words", "words@windows-2.4"]
    assert loop.row_of("words@windows-2.4").fix == row.fix and not loop.row_of("words@windows-2.4").reproduce
    how = "Windows binaries under Wine 8.0"
    loop_table.leave(loop.LoopResult(id="words", environment="windows", outcome="green", runner=how, locales=["zh"], fixes="1", seconds=3))
    loop_table.leave(loop.LoopResult(id="words@windows-2.4", environment="windows-2.4", outcome="green", runner=how, fixes="1", seconds=4))
    assert loop_table.main([]) == 0 and loop_table.main(["--check"]) == 0
    text = (tmp_path / "LOOPS.md").read_text(encoding="utf-8").partition(f"## Green: {how}")[2]
    assert "| words | windows | zh | - | 1 | 3 |" in text and "| words | windows-2.4 (as it is) | - | - | 1 | 4 |" in text


def test_what_a_killed_run_left_is_taken_away_by_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its clone, and the programs in that clone's prefix; the clone of a run that lives stays."""
    put_on_path(tmp_path / "bin", monkeypatch, "exit 0")
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, alive = tmp_path / "clones" / f"words-{ended.pid}", tmp_path / "clones" / f"words-{os.getpid()}"
    a_prefix(dead / "prefix")
    alive.mkdir()
    left = subprocess.Popen(["sleep", "300"], env={**os.environ, "WINEPREFIX": str(dead / "prefix")}, start_new_session=True)
    healthy.tidy.cache_clear()
    healthy.tidy()
    assert left.wait(timeout=10) == -signal.SIGKILL
    assert not dead.exists() and alive.is_dir()
