"""What observe makes of what a target says, event by event: a stand-in says it (player.py), also what our runner would never say."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import death
from slowfast_verify import observe as observing
from slowfast_verify.observe import MARK, TAIL, Observation, Question, observe
from slowfast_verify.parcel import TOO_LARGE
from slowfast_verify.target import Target

from .player import END, answer, hello, player, say, started

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")
SPLIT = MARK.decode("latin-1")


def asked(*numbers: str, **limits: Any) -> list[Question]:
    return [Question(id=number, probe="fake_answer", **limits) for number in numbers or ("0",)]


def seen(tmp_path: Path, *actions: list[Any], **more: Any) -> Observation:
    """What became of the one question."""
    found = observe(player(tmp_path, [*actions]), asked(), **more)
    assert list(found) == ["0"]
    return found["0"]


# -- answers and errors -----------------------------------------------------------------------------------------------


def test_an_answer_is_read_in_full(tmp_path: Path) -> None:
    """Facts, step, time and noise are those of the event; nothing else is filled in."""
    found = seen(tmp_path, hello(), say("start", q="0"), say("step", q="0", step="look"), answer(noise="loud\n", facts={"a": 1}), END)
    assert found == Observation(id="0", how="answered", facts={"a": 1}, step="look", seconds=0.5, stderr_tail="loud\n")


def test_an_answer_without_noise_and_step(tmp_path: Path) -> None:
    """An event may leave them out; a step of the question before is not taken for this one's."""
    actions = [hello(), say("start", q="0"), say("step", q="0", step="look"), answer(), say("start", q="1"), answer("1"), END]
    found = observe(player(tmp_path, actions), asked("0", "1"))
    assert (found["0"].step, found["1"].step) == ("look", None)
    assert found["1"] == Observation(id="1", how="answered", facts={"of": "1"}, seconds=0.5)


def test_an_error_is_read_in_full(tmp_path: Path) -> None:
    """Type, message, chain, traceback, step, time and noise."""
    told = {"type": "OSError", "message": "no", "chain": [{"type": "A", "message": "b"}], "traceback": "T"}
    found = seen(
        tmp_path, hello(), say("start", q="0"), say("step", q="0", step="s"), say("raised", q="0", seconds=2, noise="n", **told), END
    )
    assert found == Observation(id="0", how="raised", step="s", seconds=2, stderr_tail="n", **told)


def test_an_error_may_say_less(tmp_path: Path) -> None:
    """What the event lacks stays empty, and what it should not say is not taken."""
    found = seen(tmp_path, hello(), say("raised", q="0", seconds=2, type="OSError", exit=7), END)
    assert found == Observation(id="0", how="raised", seconds=2, type="OSError")


def test_steps_are_handed_on(tmp_path: Path) -> None:
    """on_step hears each one with its question, as text."""
    heard: list[tuple[str, str]] = []
    actions = [hello(), say("start", q="0"), say("step", q="0", step="a"), say("step", q="0", step="b"), answer(), END]
    observe(player(tmp_path, actions), asked(), on_step=lambda number, text: heard.append((number, text)))
    assert heard == [("0", "a"), ("0", "b")]


def test_lone_surrogates_are_spelt_out(tmp_path: Path) -> None:
    """In keys, texts and lists, however deep; all other values stay what they are."""
    facts = {"\udcff": ["a\udc80", {"k": "\ud800"}, 1, None, True, 2.5], "é": "中"}
    assert seen(tmp_path, hello(), answer(facts=facts), END).facts == {
        "\\udcff": ["a\\udc80", {"k": "\\ud800"}, 1, None, True, 2.5], "é": "中",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"type": "E", "message": "m", "traceback": "t", "stderr_tail": "s"}, "E: m\nm\nt\ns"),
        ({"type": "E", "message": "m", "chain": [{"type": "A", "message": "a"}, {"type": "B", "message": "b"}]}, "A: a\nB: b\nm\n\n"),
        ({"message": "m", "stderr_tail": "s"}, "\nm\n\ns"),
        ({}, "\n\n\n"),
    ],
)
def test_what_a_signature_may_match(row: dict[str, Any], text: str) -> None:
    """The exception and what led to it, the message, the traceback, the noise: each in lines of its own."""
    assert Observation(id="0", how="raised", **row).text == text


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_what_is_sent(tmp_path: Path) -> None:
    """Questions with their limits (longer for a slow target), the probes that they name, the places; in a process group of its own."""
    target = player(tmp_path, [hello(), ["tell", "0"], END], slowness=2.0)
    found = observe(target, [Question(id="0", probe="fake_answer", args={"path": "{here}/x"}, seconds=3)], places={"here": "/p", "b": "/q"})
    facts = found["0"].facts
    assert facts
    request = facts["request"]
    assert request["questions"] == [{"id": "0", "probe": "fake_answer", "args": {"path": "{here}/x"}, "seconds": 6.0, "memory_mb": 6144}]
    assert (request["probes"], request["places"], request["parcel"]) == (["fake_answer"], {"here": "/p"}, None)
    assert (facts["group"], facts["arguments"], request["executable"]) == (True if os.name == "posix" else None, ["-B", "-u", "-"], "")
    assert len(request["cookie"]) == 16


def test_a_python_under_qemu_is_told_how_it_is_started(tmp_path: Path) -> None:
    """Its own path would start a program of another processor: the last word of the argv goes along."""
    target = player(tmp_path, [hello(), ["tell", "0"], END], kind="qemu")
    facts = observe(target, asked())["0"].facts
    assert facts and facts["request"]["executable"] == target.argv[-1]


@pytest.mark.parametrize(("kind", "asks", "packed"), [("argv", 2, True), ("python", 1, False), ("docker", 1, True)])
def test_files_travel_where_they_are_not_seen(tmp_path: Path, kind: str, asks: int, packed: bool) -> None:
    """A target that might see this machine's files is asked again with them when it says that it does not; others are told at once."""
    (tmp_path / "clip").write_text("clip", encoding="utf-8")
    without = [hello(absent=["clip"] if kind == "argv" else []), say("end") if kind == "argv" else ["tell", "0"], END]
    target = player(tmp_path, without, [hello(), ["tell", "0"], END], kind=kind)
    question = Question(id="0", probe="fake_answer", args={"clip": "{clip}"})
    found = observe(target, [question], places={"clip": str(tmp_path / "clip")})["0"]
    assert found.facts and bool(found.facts["request"]["parcel"]) == packed
    assert started(tmp_path) == asks


def test_variables_of_the_target_arrive(tmp_path: Path) -> None:
    """Those that it was given, and none where it was given none."""
    for env, found in (({"PLAYER": "é"}, "é"), ({}, None)):
        facts = observe(player(tmp_path / str(len(env)), [hello(), ["tell", "0"], END]).with_env(env), asked())["0"].facts
        assert facts and facts["variable"] == found


def test_what_is_large_may_travel_for_longer(tmp_path: Path) -> None:
    """A second for each megabyte, before the target is called dead."""
    (tmp_path / "clip").write_bytes(os.urandom(1_000_000))
    question = Question(id="0", probe="fake_answer", args={"clip": "{clip}"})
    began = time.monotonic()
    found = observe(player(tmp_path, [["deaf"], ["sleep", 30]], kind="docker"), [question], places={"clip": str(tmp_path / "clip")},
                    start_seconds=0.1)  # fmt: skip
    assert found["0"].message == "no sign of life within 0.1 s" and 1.2 < time.monotonic() - began < 9


def test_what_is_too_large_to_travel_is_refused_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a question is unreachable, with the reason; the others are asked."""
    monkeypatch.setattr("slowfast_verify.parcel.LIMIT", 3)
    (tmp_path / "clip").write_text("clip", encoding="utf-8")
    heavy = Question(id="1", probe="fake_answer", args={"clip": "{clip}"})
    target = player(tmp_path, [hello(), answer(), END], kind="docker")
    found = observe(target, [*asked(), heavy], places={"clip": str(tmp_path / "clip")})
    assert (found["0"].how, found["1"].how, found["1"].type, found["1"].id) == ("answered", "unreachable", TOO_LARGE, "1")
    assert "clip has 0 MB" in (found["1"].message or "")


# -- noise ------------------------------------------------------------------------------------------------------------


def test_noise_around_the_cookie_is_no_event(tmp_path: Path) -> None:
    """Text before the cookie on its line, lines without it, other cookies, broken JSON: the answer arrives all the same."""
    raw = 'noise COOKIE {"event": "step", "q": "0", "step": "behind noise"}\nplain\ndeadbeef {"event": "end"}\nCOOKIE {"event"\n'
    found = seen(tmp_path, hello(), say("start", q="0"), ["raw", raw], answer(), END)
    assert (found.how, found.step) == ("answered", "behind noise")


@pytest.mark.parametrize(
    "event",
    [{"event": "answer"}, {"event": "answer", "q": "0"}, {"event": "hello"}, {"event": "start", "q": "9"},
     {"event": "answer", "q": "9", "seconds": 0, "facts": {}},
     {"q": "0"}, {"event": "raised", "q": "0", "seconds": "soon"}, {"event": "died", "q": "9", "signal": 11}, {"event": "end", "q": "9"}],
)  # fmt: skip
def test_events_of_another_form_are_not_acted_on(tmp_path: Path, event: dict[str, Any]) -> None:
    """Whoever knows the cookie can write anything: what our runner does not say changes nothing, and the rest is still read."""
    found = observe(player(tmp_path, [hello(), ["say", event], answer(), END]), asked())
    assert found == {"0": Observation(id="0", how="answered", facts={"of": "0"}, seconds=0.5)}
    assert started(tmp_path) == 1


def test_an_event_that_is_no_table_is_passed_over(tmp_path: Path) -> None:
    """A list or a number behind the cookie."""
    assert seen(tmp_path, hello(), ["raw", "COOKIE [1]\nCOOKIE 7\n"], answer(), END).how == "answered"


def test_marks_tell_whose_noise_it_is(tmp_path: Path) -> None:
    """Without a supervisor the questions' noise comes on one stream: each gets what stands behind its mark, the last to the end."""
    noise = f"start{SPLIT}0{SPLIT}first\n{SPLIT}1{SPLIT}second\n"
    found = observe(player(tmp_path, [hello(fork=False), ["err", noise], answer(), answer("1"), ["sleep", 0.1], END]), asked("0", "1"))
    assert {number: row.stderr_tail for number, row in found.items()} == {"0": "first\n", "1": "second\n"}


def test_an_event_may_speak_of_the_cookie(tmp_path: Path) -> None:
    """The first on the line is the mark; what follows it is text."""
    raw = 'noise COOKIE {"event": "step", "q": "0", "step": "COOKIE x"}\n'
    found = seen(tmp_path, hello(), say("start", q="0"), ["raw", raw], answer(), END)
    assert found.step and found.step.endswith(" x") and len(found.step) == 18


def test_noise_of_nobody_is_no_question_s(tmp_path: Path) -> None:
    """A number that is no text is nobody's; without marks, what a process printed is not taken for the question's."""
    noise = f"{SPLIT}\xff{SPLIT}nobody's\n{SPLIT}0{SPLIT}first\n"
    assert seen(tmp_path / "a", hello(fork=False), ["err", noise], answer(), ["sleep", 0.1], END).stderr_tail == "first\n"
    left = seen(tmp_path / "b", hello(fork=False), say("start", q="0"), ["err", "boom\n"], ["sleep", 0.1], ["leave", 3])
    assert (left.how, left.stderr_tail) == ("died", "")


def test_a_mark_may_come_in_pieces(tmp_path: Path) -> None:
    """What was written at two times is read at two times."""
    actions = [hello(fork=False), ["err", f"{SPLIT}0"], ["sleep", 0.2], ["err", f"{SPLIT}first\n"], answer(), ["sleep", 0.1], END]
    assert seen(tmp_path, *actions).stderr_tail == "first\n"


def test_only_the_end_of_a_flood_is_kept(tmp_path: Path) -> None:
    """Of each question's noise the last 16 KiB, of the process's own as much; what is no UTF-8 is replaced."""
    flood = f"{SPLIT}0{SPLIT}{'a' * 3 * TAIL}é-end{SPLIT}1{SPLIT}{'b' * 3 * TAIL}\xff-end"
    found = observe(player(tmp_path, [hello(fork=False), ["err", flood], answer(), answer("1"), ["sleep", 0.2], END]), asked("0", "1"))
    for number, end in (("0", "a\ufffd-end"), ("1", "b\ufffd-end")):
        assert len(found[number].stderr_tail) == TAIL and found[number].stderr_tail.endswith(end)


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
