"""What observe makes of what a target says, event by event: a stand-in says it (player.py), also what our runner would never say."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.observe import TAIL, Observation, Question, observe
from slowfast_verify.parcel import TOO_LARGE

from .asking import SPLIT, asked, seen
from .player import END, answer, hello, player, say, started

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
