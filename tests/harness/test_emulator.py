"""Whatever an emulator does wrong is told as its doing: a missing, crashing or hanging Wine and a damaged prefix are never a red cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slowfast_verify import climb, emulator, ground, provision
from slowfast_verify import target as targets
from slowfast_verify.attempts import observe_again
from slowfast_verify.cell import parse
from slowfast_verify.errors import Infrastructure, NotVerifiable, Problem
from slowfast_verify.matrix import default
from slowfast_verify.question import Observation, Question
from slowfast_verify.record import RED
from slowfast_verify.target import Target
from slowfast_verify.verdict import Unanswered, Verdicts

from . import fakes
from .fake_wine import CELL, WAYS, a_prefix, put_on_path, standing

pytestmark = pytest.mark.skipif(not emulator.all_emulators()["wine"].fits_here(), reason="Wine runs Windows programs on Linux x86_64 here")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """No test leaves what it made believe."""
    emulator.version.cache_clear()
    yield
    emulator.version.cache_clear()


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
