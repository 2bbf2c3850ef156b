"""What observe makes of a process that ends, as a stand-in tells of it (player.py) or as its status does."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import death
from slowfast_verify import observe as observing
from slowfast_verify.observe import TAIL, Observation, observe

from .asking import asked, posix, seen
from .player import END, answer, hello, player, say, started

# -- deaths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "how", "message"),
    [
        ({"limit": "time", "value": 3.0}, "hung", "no answer within 3 s"),
        ({"limit": "time", "value": 12.3456}, "hung", "no answer within 12.35 s"),
        ({"limit": "memory", "value": 512}, "memory", "more than the memory limit: 512 MiB were in use"),
        ({"signal": 11}, "died", death.describe(11, None)),
        ({"exit": 3}, "died", "left with exit status 3"),
    ],
)
def test_a_death_is_told_with_its_cause(tmp_path: Path, event: dict[str, Any], how: str, message: str) -> None:
    """Which limit it was, or which signal or status; with step and noise, and the next question is asked in a new process."""
    first = [hello(), say("start", q="0"), say("step", q="0", step="s"), say("died", q="0", noise="n", **event), END]
    found = observe(player(tmp_path, first, [hello(), answer("1"), END]), asked("0", "1"))
    seconds = found["0"].seconds
    assert 0 < seconds < 5
    name = "SIGSEGV" if "signal" in event else None
    assert found["0"] == Observation(
        id="0", how=how, message=message, step="s", stderr_tail="n", signal=name, exit=event.get("exit"), seconds=seconds
    )
    assert found["1"].how == "answered"


@pytest.mark.parametrize(
    ("event", "message"),
    [({"signal": 11}, death.describe(11, None)), ({"limit": "time", "value": 20.0}, "it answered and did not leave within 20 s"),
     ({"exit": 3, "noise": ""}, "left with exit status 3")],
)  # fmt: skip
def test_a_death_on_the_way_out_belongs_to_the_last_answer(tmp_path: Path, event: dict[str, Any], message: str) -> None:
    """All was answered: the last observation says what became of the process, with what it still printed, and no answer is lost."""
    actions = [hello(), answer(), answer("1", noise="x" * TAIL), say("died", q=None, **{"noise": "last", **event}), END]
    found = observe(player(tmp_path, actions), asked("0", "1"))
    assert (found["0"].at_exit, found["1"].at_exit, found["1"].how) == (None, message, "answered")
    assert len(found["1"].stderr_tail) == TAIL and found["1"].stderr_tail.endswith("xlast" if event.get("noise") is None else "xx")


def test_a_death_that_was_told_is_nobody_else_s(tmp_path: Path) -> None:
    """The target told of it and left with a status: the next question is asked, not blamed."""
    first = [hello(), say("start", q="0"), say("died", q="0", signal=11), ["leave", 3]]
    found = observe(player(tmp_path, first, [hello(), answer("1"), END]), asked("0", "1"))
    assert {number: row.how for number, row in found.items()} == {"0": "died", "1": "answered"}


def test_a_target_may_take_its_time(tmp_path: Path) -> None:
    """Between hello and the first question, in it, after its answer, and between closing its output and leaving."""
    pause = ["sleep", 0.3]
    actions = [
        hello(),
        pause,
        say("start", q="0"),
        pause,
        answer(),
        pause,
        say("start", q="1"),
        answer("1"),
        ["close"],
        pause,
        ["leave", 4],
    ]
    found = observe(player(tmp_path, actions), asked("0", "1"))
    assert [found[number].how for number in "01"] == ["answered", "answered"] and started(tmp_path) == 1
    assert found["1"].at_exit == "left with exit status 4"


def test_a_death_without_noise_leaves_none(tmp_path: Path) -> None:
    """Neither its own nor another question's."""
    actions = [hello(), say("start", q="0"), ["err", "of the process itself\n"], say("died", q="0", signal=11), ["sleep", 0.1], END]
    assert seen(tmp_path, *actions).stderr_tail == ""


def test_a_death_on_the_way_out_of_nothing(tmp_path: Path) -> None:
    """It says that it died on its way out, and nothing had been answered: there is no observation that could carry it."""
    assert seen(tmp_path, hello(), say("died", q=None, signal=11), END).message == "the target went away without an answer"


def test_who_died_is_not_asked_for_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process lingers after the death was told: it is ended, and only those that were asked have an observation."""
    monkeypatch.setattr(observing, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(observing, "START_SECONDS", 20)
    target = player(tmp_path, [hello(), say("start", q="0"), say("died", q="0", signal=11), ["sleep", 30]], [hello(), answer("1"), END])
    found = observe(target, asked("0", "1", seconds=0.2))
    assert {number: row.how for number, row in found.items()} == {"0": "died", "1": "answered"}


def test_a_death_that_nobody_told_of_is_told_by_the_status(tmp_path: Path) -> None:
    """Without a word from the target, the question that was being asked gets the exit status, and the noise of the process."""
    first = [hello(), say("start", q="0"), say("step", q="0", step="s"), ["err", "boom\n"], ["sleep", 0.1], ["leave", 3]]
    found = observe(player(tmp_path, first, [hello(), answer("1"), END]), asked("0", "1"))
    row = found["0"]
    assert (row.how, row.message, row.exit, row.signal, row.step) == ("died", "left with exit status 3", 3, None, "s")
    assert row.stderr_tail == "boom\n" and found["1"].how == "answered"


@posix
def test_a_signal_that_nobody_told_of(tmp_path: Path) -> None:
    """Likewise for a signal; the first question without an answer is the culprit."""
    found = observe(player(tmp_path, [hello(), answer(), ["kill", signal.SIGSEGV]], [hello(), answer("2"), END]), asked("0", "1", "2"))
    assert [found[n].how for n in "012"] == ["answered", "died", "answered"]
    assert (found["1"].signal, found["1"].exit, found["1"].message) == ("SIGSEGV", None, death.describe(11, None))
    assert found["0"].at_exit is None


@pytest.mark.parametrize(("forks", "how"), [(False, "hung"), (True, "died")])
def test_without_a_supervisor_an_end_after_the_limit_is_a_hang(tmp_path: Path, forks: bool, how: str) -> None:
    """There Python's own alarm ends the process; where a supervisor watches, it would have said so."""
    target = player(tmp_path, [hello(fork=forks), say("start", q="0"), ["sleep", 0.3], ["leave", 1]])
    row = observe(target, asked(seconds=0.1))["0"]
    assert (row.how, row.message.startswith("no answer within ") if row.message else None) == (how, how == "hung")


def test_without_a_supervisor_an_end_before_the_limit_is_a_death(tmp_path: Path) -> None:
    """It left by itself."""
    target = player(tmp_path, [hello(fork=False), say("start", q="0"), ["leave", 1]])
    assert observe(target, asked(seconds=60))["0"].how == "died"


@pytest.mark.parametrize(("end", "at_exit"), [([], "left with exit status 4"), ([END], None)])
def test_a_bad_status_after_all_answers(tmp_path: Path, end: list[Any], at_exit: str | None) -> None:
    """It is kept beside the answer, unless the target itself told of its end; a good status is nothing to tell."""
    assert seen(tmp_path / "bad", hello(), answer(), *end, ["leave", 4]).at_exit == at_exit
    assert seen(tmp_path / "good", hello(), answer(), *end, ["leave", 0]).at_exit is None
