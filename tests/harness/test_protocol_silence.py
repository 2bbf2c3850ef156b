"""What observe makes of a target that gives no answer, and when it stops waiting: a stand-in keeps silent (player.py)."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import death
from slowfast_verify import observe as observing
from slowfast_verify.observe import Observation, observe
from slowfast_verify.target import Target

from .asking import asked, posix, seen
from .player import END, answer, hello, player, say, started

# -- no answer --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_started(tmp_path: Path) -> None:
    """Each question says that, and why."""
    found = observe(Target(argv=(str(tmp_path / "nonesuch"),)), asked("0", "1"))
    for number in "01":
        assert found[number] == Observation(
            id=number, how="unreachable", type="Unreachable", message=f"cannot start {tmp_path}/nonesuch: No such file or directory"
        )


@pytest.mark.parametrize(
    ("actions", "message", "tail"),
    [
        ([["err", "one\nlast words\n"], ["leave", 3]], "it left with exit status 3: last words", "one\nlast words\n"),
        ([["raw", "to stdout\nthe end\n"], ["leave", 3]], "it left with exit status 3: the end", ""),
        ([["leave", 3]], "it left with exit status 3", ""),
        ([["err", " \n"], ["leave", 0]], "it left with exit status 0", " \n"),
        ([["err", "x" * 400], ["leave", 1]], f"it left with exit status 1: {'x' * 300}", "x" * 400),
        ([["raw", "to stdout \xff\n"], ["leave", 3]], "it left with exit status 3: to stdout \ufffd", ""),
        ([["err", "é\xff"], ["leave", 1]], "it left with exit status 1: \ufffd\ufffd", "\ufffd\ufffd"),
    ],
)
def test_what_does_not_run_our_program(tmp_path: Path, actions: list[Any], message: str, tail: str) -> None:
    """A program that is no Python of ours: how it left, and the last line that it said, on stderr or else on stdout."""
    found = seen(tmp_path, *actions)
    status = actions[-1][1]
    assert found == Observation(
        id="0",
        how="unreachable",
        type="Unreachable",
        message=f"the player did not run our program; {message}",
        exit=status,
        stderr_tail=tail,
    )


def test_what_closes_its_output_and_stays(tmp_path: Path) -> None:
    """It says nothing and does not leave: it is ended, and has no status."""
    found = seen(tmp_path, ["close"], ["sleep", 30])
    assert (found.message, found.exit) == ("the player did not run our program; it had to be ended", None)


@posix
def test_what_is_killed_before_it_says_hello(tmp_path: Path) -> None:
    """`it was killed by`: grammatical, and with the signal's meaning."""
    found = seen(tmp_path, ["kill", signal.SIGSEGV])
    assert found.message == f"the player did not run our program; it was {death.describe(11, None)}"
    assert found.exit == -11 and started(tmp_path) == 1


@posix
def test_a_sigkill_before_hello_is_tried_once_more(tmp_path: Path) -> None:
    """Nothing of the target's had run: somebody else ended it. Twice is an answer."""
    once = observe(player(tmp_path / "once", [["kill", signal.SIGKILL]], [hello(), answer(), END]), asked())
    assert once["0"].how == "answered" and started(tmp_path / "once") == 2
    twice = observe(player(tmp_path / "twice", [["kill", signal.SIGKILL]]), asked())
    assert "was killed by SIGKILL" in (twice["0"].message or "") and started(tmp_path / "twice") == 2


@posix
def test_a_sigkill_after_hello_is_the_question_s_own(tmp_path: Path) -> None:
    """Something of the target's ran: it is not asked again."""
    found = observe(player(tmp_path, [hello(), say("start", q="0"), ["kill", signal.SIGKILL]]), asked())
    assert (found["0"].how, found["0"].signal, started(tmp_path)) == ("died", "SIGKILL", 1)


def test_a_target_that_ends_without_an_answer(tmp_path: Path) -> None:
    """It says hello and that it ends, and answers nothing: told once, not asked for ever."""
    found = seen(tmp_path, hello(), END)
    assert (found.how, found.message, found.exit) == ("unreachable", "the target went away without an answer", 0)
    assert started(tmp_path) == 1


@pytest.mark.parametrize(("slowness", "said"), [(1.0, "0.3 s"), (2.0, "0.6 s")])
def test_no_sign_of_life(tmp_path: Path, slowness: float, said: str) -> None:
    """A target that says nothing in time is ended; a slow one gets longer."""
    began = time.monotonic()
    found = observe(player(tmp_path, [["sleep", 30]], slowness=slowness), asked(), start_seconds=0.3)["0"]
    assert (found.how, found.message) == ("unreachable", f"no sign of life within {said}")
    assert 0.3 * slowness <= time.monotonic() - began < 5 + 0.3 * slowness


def test_a_target_may_take_a_minute_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody says how long, START_SECONDS holds; what is given, even a zero, holds before it."""
    monkeypatch.setattr(observing, "START_SECONDS", 0.2)
    assert seen(tmp_path / "a", ["sleep", 30]).message == "no sign of life within 0.2 s"
    assert seen(tmp_path / "b", ["sleep", 0.4], hello(), answer(), END, start_seconds=20).how == "answered"


# -- ends that the host brings about ----------------------------------------------------------------------------------


def test_a_question_that_outlasts_its_limit_is_ended_by_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that enforces no limit: the host waits a while longer, ends it, and goes on with the next question."""
    monkeypatch.setattr(observing, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(observing, "START_SECONDS", 20)
    first = [hello(), say("start", q="0"), say("step", q="0", step="s"), ["err", "noise\n"], ["sleep", 30]]
    began = time.monotonic()
    found = observe(player(tmp_path, first, [hello(), answer("1"), END]), asked("0", "1", seconds=0.2))
    assert (found["0"].how, found["0"].step, found["0"].stderr_tail) == ("hung", "s", "noise\n")
    assert (found["0"].message or "").startswith("no answer within 0.") and 0.5 <= found["0"].seconds < 5
    assert found["1"].how == "answered" and time.monotonic() - began < 12


def test_a_question_within_its_limit_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question's own limit is added to the grace."""
    monkeypatch.setattr(observing, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(observing, "START_SECONDS", 5)
    found = observe(player(tmp_path, [hello(), say("start", q="0"), ["sleep", 0.8], answer(), END]), asked(seconds=4))
    assert found["0"].how == "answered" and started(tmp_path) == 1


def test_a_target_that_does_not_leave_after_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended after the grace; the answer stands."""
    monkeypatch.setattr(observing, "GRACE_SECONDS", 0.2)
    began = time.monotonic()
    found = seen(tmp_path, hello(), say("start", q="0"), answer(), ["sleep", 30])
    assert found.how == "answered" and found.facts == {"of": "0"} and time.monotonic() - began < 8


def test_a_target_that_says_hello_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given the start's time and the grace once more, then ended."""
    monkeypatch.setattr(observing, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(observing, "START_SECONDS", 0.5)
    began = time.monotonic()
    found = seen(tmp_path, hello(), ["sleep", 30])
    assert (found.how, found.message) == ("unreachable", "the target went away without an answer")
    assert 0.7 <= time.monotonic() - began < 8


@posix
def test_a_child_that_holds_the_output_open_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has left: what it started in a session of its own may live on, and nobody waits for it."""
    monkeypatch.setattr(observing, "LEFT_OPEN_SECONDS", 0.2)
    began = time.monotonic()
    found = seen(tmp_path, hello(), answer(), ["child", 20], END)
    assert found.how == "answered" and time.monotonic() - began < 8


@pytest.mark.parametrize("event", ["answer", "raised", "died"])
def test_until_ends_the_process_there(tmp_path: Path, event: str) -> None:
    """Where it says True the process is ended: what is left has no observation, and what comes later is not taken."""
    told: list[str] = []
    more = {"answer": {"facts": {}, "seconds": 1}, "raised": {"type": "E", "seconds": 1}, "died": {"signal": 11}}[event]
    actions = [hello(), answer(), say("start", q="1"), say(event, q="1", **more), answer("2"), ["sleep", 30]]

    def until(observation: Observation) -> bool:
        told.append(observation.id)
        return observation.id == "1"

    began = time.monotonic()
    found = observe(player(tmp_path, actions), asked("0", "1", "2"), until=until)
    assert (list(found), told, started(tmp_path)) == (["0", "1"], ["0", "1"], 1)
    assert time.monotonic() - began < 8


def test_until_hears_of_no_death_on_the_way_out(tmp_path: Path) -> None:
    """It is told of questions: a death that belongs to none is none of them."""
    told: list[str] = []
    actions = [hello(), answer(), say("died", q=None, signal=11), END]
    observe(player(tmp_path, actions), asked(), until=lambda row: bool(told.append(row.id)))
    assert told == ["0"]


def test_what_can_change_no_more_is_told_at_once(tmp_path: Path) -> None:
    """Each observation when the next question begins, once, and not the last; none where noise is still to be cut apart."""
    heard: list[tuple[str, str]] = []
    actions = [
        hello(),
        say("start", q="0"),
        answer(),
        say("start", q="1"),
        say("died", q="1", signal=11),
        say("start", q="2"),
        answer("2"),
        END,
    ]
    found = observe(player(tmp_path / "a", actions), asked("0", "1", "2"), on_final=lambda row: heard.append((row.id, row.how)))
    assert heard == [("0", "answered"), ("1", "died")] and list(found) == ["0", "1", "2"]
    heard.clear()
    inline = [hello(fork=False), say("start", q="0"), answer(), say("start", q="1"), answer("1"), END]
    observe(player(tmp_path / "b", inline), asked("0", "1"), on_final=lambda row: heard.append((row.id, row.how)))
    assert heard == []
    assert observe(player(tmp_path / "c", actions), asked("0", "1", "2"))["2"].how == "answered"


# -- what is left behind ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "stays"),
    [("probe-x", "python", False), ("probe-x", "venv", False), ("other", "python", True), ("probe-x", "argv", True)],
)
def test_the_folder_of_a_crashed_probe_is_taken_away(tmp_path: Path, name: str, kind: str, stays: bool) -> None:
    """Ours on this machine alone: neither a folder of another name nor one of another machine."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text("x", encoding="utf-8")
    observe(player(tmp_path, [hello(folder=str(tmp_path / name)), answer(), END], kind=kind), asked())
    assert (tmp_path / name).exists() == stays


def test_a_target_that_does_not_read(tmp_path: Path) -> None:
    """It leaves before it read the program: its own words say why, not a broken pipe."""
    found = seen(tmp_path, ["deaf"], ["err", "no such option: -B\n"], ["leave", 2])
    assert found.message == "the player did not run our program; it left with exit status 2: no such option: -B"
