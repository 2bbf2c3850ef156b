"""What becomes of a question is told truly, whatever its probe does, and nothing of the target outlives it. Fake probes only."""

from __future__ import annotations

import json
import os
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from slowfast_verify import observe as observing
from slowfast_verify import target as targets
from slowfast_verify.observe import Observation, Question, observe
from slowfast_verify.target import Target

from .conftest import Put
from .fakes import gone, questions

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory limit and the adoption of orphans are Linux's")


def test_an_answer_carries_the_facts_the_step_and_the_noise(put: Put) -> None:
    """A probe that answers is observed with its facts, the last step it named, and what it printed."""
    seen = put(("fake_answer", {"say": "hello", "x": [1, "é中"]}))["0"]
    assert (seen.how, seen.step, seen.stderr_tail) == ("answered", "answer", "hello\n")
    assert seen.facts
    assert seen.facts["given"] == {"x": [1, "é中"]}


def test_nothing_asked_is_nothing_started(here: Target) -> None:
    """No question, no process."""
    assert observe(here, []) == {}


# -- raises ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("zero", "ZeroDivisionError", "division by zero"),
        ("exit", "SystemExit", "4"),
        ("sys.exit", "SystemExit", "bye"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("cause", "ImportError", "the module is broken"),
        ("mute", "Mute", "<no text: RuntimeError>"),
        ("surrogate", "OSError", "no such file: caf\\udce9.py"),
        ("recursion", "RecursionError", "maximum recursion depth exceeded"),
        ("syntax", "SyntaxError", "invalid syntax"),
        ("closed", "ValueError", "without streams"),
    ],
)
def test_an_exception_is_told_with_type_message_step_and_noise(put: Put, how: str, kind: str, message: str) -> None:
    """Whatever a probe raises, SystemExit and KeyboardInterrupt too, is observed as raised, and the next question is still asked."""
    found = put(("fake_raising", {"how": how}), ("fake_answer",))
    seen = found["0"]
    assert (seen.how, seen.type, seen.step) == ("raised", kind, f"raise {how}")
    assert message in (seen.message or "") or how == "syntax"
    assert seen.facts is None
    assert "noise of" in seen.stderr_tail
    assert kind in (seen.traceback or "")
    assert found["1"].how == "answered"
    seen.model_dump_json()


@pytest.mark.parametrize(("how", "count"), [("cause", 2), ("context", 2), ("zero", 1)])
def test_the_chain_of_exceptions_is_kept(put: Put, how: str, count: int) -> None:
    """What led to an exception is told, outermost first, so that a signature can match the inner one."""
    seen = put(("fake_raising", {"how": how}))["0"]
    assert len(seen.chain) == count
    assert seen.chain[0]["type"] == seen.type
    if count == 2:
        assert seen.chain[1] == {"type": "ValueError", "message": "invalid literal for int() with base 10: 'x'"}
        assert "ValueError: invalid literal" in seen.text


def test_a_long_message_is_cut(put: Put) -> None:
    """A message of a million characters is kept short."""
    seen = put(("fake_raising", {"how": "long"}))["0"]
    assert len(seen.message or "") <= 20000
    assert len(seen.traceback or "") <= 20000


# -- dies --------------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("name", ["SEGV", "ABRT", "KILL", "ILL", "BUS", "FPE", "TERM", "INT"])
def test_a_signal_is_one_failed_observation(put: Put, name: str) -> None:
    """A probe that is ended by a signal is told with the signal's name, its step and its last words; the others go on."""
    found = put(("fake_answer",), ("fake_dying", {"how": name}), ("fake_answer",))
    seen = found["1"]
    if name == "INT":
        assert (seen.how, seen.type) == ("raised", "KeyboardInterrupt")  # as in any Python program
        return
    assert (seen.how, seen.signal, seen.exit, seen.step) == ("died", f"SIG{name}", None, f"die by {name}")
    assert seen.message == observing.death.describe(getattr(observing.death.signals, f"SIG{name}"), None)
    assert "last words" in seen.stderr_tail
    assert found["0"].how == found["2"].how == "answered"


@posix
@pytest.mark.parametrize("name", ["SEGV", "ABRT", "ILL"])
def test_a_crash_leaves_its_stack(put: Put, name: str) -> None:
    """faulthandler's stack of the crash names the probe."""
    assert "<probe fake_dying>" in put(("fake_dying", {"how": name}))["0"].stderr_tail


@pytest.mark.parametrize(("how", "status"), [("_exit", 3), ("_exit0", 0)])
def test_leaving_without_an_answer_is_a_death(put: Put, how: str, status: int) -> None:
    """A probe that leaves its process, with status 0 too, has not answered."""
    found = put(("fake_dying", {"how": how}), ("fake_answer",))
    assert (found["0"].how, found["0"].exit, found["0"].signal) == ("died", status, None)
    assert found["0"].message == f"left with exit status {status}"
    assert found["1"].how == "answered"


@posix
@pytest.mark.parametrize(("how", "words"), [("at_exit", "SIGSEGV"), ("exit_status", "exit status 9")])
def test_an_answer_and_a_death_at_exit_are_both_told(put: Put, how: str, words: str) -> None:
    """A process that answers everything and then dies has answered, and its death is told with the last answer."""
    found = put(("fake_answer",), ("fake_dying", {"how": how}))
    assert found["1"].how == "answered"
    assert words in (found["1"].at_exit or "")
    assert found["0"].at_exit is None


@posix
def test_the_supervisor_itself_may_be_killed(put: Put) -> None:
    """A probe that kills its supervisor is the culprit, its worker ends too, and the next question is asked in a new process."""
    found = put(("fake_answer",), ("fake_dying", {"how": "supervisor"}), ("fake_answer",))
    assert (found["1"].how, found["1"].signal) == ("died", "SIGKILL")
    assert found["0"].how == found["2"].how == "answered"


def test_questions_share_a_process_until_one_dies(put: Put) -> None:
    """The questions before a death share a process, the rest share the next one."""
    found = put(("fake_answer",), ("fake_answer",), ("fake_dying", {"how": "_exit"}), ("fake_answer",), ("fake_answer",))
    first, second, _, fourth, fifth = ((seen.facts or {}).get("pid") for seen in found.values())
    assert first == second != fourth == fifth


# -- hangs -------------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("how", ["python", "lock", "deaf", "steps", "noise"])
def test_a_hang_ends_at_its_limit_with_the_stack(put: Put, how: str) -> None:
    """A probe that never answers is ended at its limit, also when it holds the interpreter's lock or ignores signals."""
    begun = time.monotonic()
    found = put(("fake_hanging", {"how": how}, {"seconds": 0.5}), ("fake_answer",))
    assert time.monotonic() - begun < 5
    seen = found["0"]
    assert (seen.how, seen.message) == ("hung", "no answer within 0.5 s")
    assert "fake_hanging" in seen.stderr_tail or how == "noise"
    assert (seen.step or "").startswith("step" if how == "steps" else f"hang in {how}")
    assert found["1"].how == "answered"


def test_a_slow_target_is_given_more_time(put: Put, here: Target) -> None:
    """The limits grow with the slowness of a target (an emulator)."""
    slow = targets.Target(here.argv, kind="venv", slowness=20)
    assert put(("fake_answer", {"sleep": 0.3}, {"seconds": 0.1}), target=slow)["0"].how == "answered"
    assert put(("fake_answer", {"sleep": 0.3}, {"seconds": 0.1}))["0"].how == "hung"


@linux
@pytest.mark.parametrize("more", [{}, {"apart": True}, {"children": 50}, {"how": "forking"}], ids=["child", "apart", "fifty", "forking"])
def test_children_of_a_hung_probe_do_not_outlive_it(put: Put, token: str, more: dict[str, object]) -> None:
    """What a hung probe has started ends with it: in a session of its own, by the dozen, and while it goes on starting more."""
    seen = put(("fake_hanging", {"token": token, **more}, {"seconds": 0.6}))["0"]
    assert seen.how == "hung"
    assert gone(token, within=0.5)


@linux
@pytest.mark.parametrize("how", ["child", "apart", "daemon"])
def test_children_of_an_answered_probe_do_not_outlive_it(put: Put, token: str, how: str) -> None:
    """What an answered probe leaves running ends with the observation, and delays nothing."""
    begun = time.monotonic()
    seen = put(("fake_leaving", {"how": how, "token": token, "children": 3}))["0"]
    assert (seen.how, seen.at_exit) == ("answered", None)
    assert time.monotonic() - begun < 4
    assert gone(token, within=0.5)


@linux
def test_children_of_a_crashed_probe_do_not_outlive_it(put: Put, token: str) -> None:
    """What a probe left running when a later one crashed ends before the rest is asked."""
    found = put(("fake_leaving", {"how": "apart", "token": token}), ("fake_dying", {"how": "SEGV"}), ("fake_answer",))
    assert [seen.how for seen in found.values()] == ["answered", "died", "answered"]
    assert gone(token, within=0.5)


@pytest.mark.usefixtures("hurried")
def test_a_thread_that_never_ends_is_told_and_ended(put: Put) -> None:
    """A probe that answers and leaves a thread behind has answered; that its process would not leave is told."""
    seen = put(("fake_leaving", {"how": "thread"}))["0"]
    assert (seen.how, seen.at_exit) == ("answered", "it answered and did not leave within 1 s")
    assert "fake_leaving" in seen.stderr_tail or "threading" in seen.stderr_tail


@posix
@pytest.mark.parametrize("how", ["copy", "raising copy"])
def test_a_forked_copy_of_the_probe_does_not_answer(put: Put, how: str) -> None:
    """A probe that forks and lets the copy run on is answered once, by the original."""
    steps: list[str] = []
    found = put(("fake_leaving", {"how": how}), ("fake_answer",), on_step=lambda number, text: steps.append(number + text))
    assert found["0"].facts
    assert found["0"].facts["how"] == how
    assert steps == [f"0leave {how}", "1answer"]


@posix
def test_closed_streams_are_no_reason_to_spin(put: Put) -> None:
    """A probe that closes its standard streams still answers."""
    found = put(("fake_leaving", {"how": "closed"}), ("fake_answer",))
    assert found["0"].how == "answered"


# -- memory ------------------------------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("child", [False, True], ids=["itself", "its child"])
def test_the_memory_limit_holds(put: Put, child: bool) -> None:
    """A probe that takes more than its limit, itself or in a child, is ended and the figure is told; the next question goes on."""
    found = put(("fake_memory", {"megabytes": 4000, "child": child}, {"memory_mb": 150}), ("fake_answer",))
    assert found["0"].how == "memory"
    assert (found["0"].message or "").startswith("more than the memory limit: ")
    assert 150 <= int((found["0"].message or "").split()[-5]) < 1000
    assert found["1"].how == "answered"


def test_memory_below_the_limit_is_fine(put: Put) -> None:
    """The limit does not strike early."""
    assert put(("fake_memory", {"megabytes": 100}, {"memory_mb": 1000}))["0"].facts == {"blocks": 10}


# -- prints ------------------------------------------------------------------------------------------------------------


def test_a_flood_costs_the_host_little_memory(put: Put) -> None:
    """A hundred megabytes on stdout and stderr leave 16 kB here, the last ones, and the answer gets through."""
    tracemalloc.start()
    seen = put(("fake_printing", {"how": "flood", "megabytes": 120}, {"seconds": 60}))["0"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen.how == "answered"
    assert peak < 20_000_000
    assert len(seen.stderr_tail) <= 16384
    assert seen.stderr_tail.endswith("the last of it\n")


WAYS = [
    ("python", "from Python"),
    ("stderr", "to stderr\n"),
    ("unfinished", "no newline"),
    ("c", "from C, é中\n"),
    ("child", "from a child"),
]


@pytest.mark.parametrize("forks", [True, False], ids=["fork", "inline"])
def test_noise_belongs_to_the_question_that_made_it(put: Put, without_fork: Target, forks: bool) -> None:
    """What is printed, at whatever level and with or without a newline, is told with its own question and disturbs no answer."""
    wanted = [("fake_printing", {"how": how, "text": text}) for how, text in WAYS]
    found = put(*wanted, ("fake_answer",), target=None if forks else without_fork)
    assert {seen.how for seen in found.values()} == {"answered"}
    assert [seen.stderr_tail.rstrip("\n") for seen in found.values()] == [*(text.rstrip("\n") for _, text in WAYS), ""]


@posix
def test_what_the_c_library_buffers_belongs_to_its_question(put: Put) -> None:
    """printf without a flush is told with the question that printed, not with the last one."""
    found = put(("fake_printing", {"how": "stdio", "text": "buffered"}), ("fake_answer",))
    assert (found["0"].stderr_tail, found["1"].stderr_tail) == ("buffered", "")


def test_bytes_that_are_no_text_are_shown_as_such(put: Put) -> None:
    """Noise that is no UTF-8 is kept readable."""
    assert "broken � bytes" in put(("fake_printing", {"how": "bytes"}))["0"].stderr_tail


def test_printing_cannot_forge_an_answer(put: Put) -> None:
    """A line that looks like an event but lacks the cookie is noise."""
    seen = put(("fake_printing", {"how": "cookie"}))
    assert list(seen) == ["0"]
    assert "0123456789abcdef" in seen["0"].stderr_tail


# -- answers that are hard to carry --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "kind"),
    [("tuple key", "TypeError"), ("circle", "ValueError"), ("list", "TypeError"), ("none", "TypeError"), ("huge", "AnswerTooLong")],
)
def test_an_answer_that_json_cannot_carry_is_an_error_of_the_probe(put: Put, what: str, kind: str) -> None:
    """Such an answer is told as raised, with the reason; the next question is asked."""
    found = put(("fake_strange", {"what": what}), ("fake_answer",))
    assert (found["0"].how, found["0"].type) == ("raised", kind)
    assert found["0"].message
    assert found["1"].how == "answered"


@pytest.mark.parametrize("what", ["object", "nan", "large", "surrogate", "step", "text"])
def test_an_odd_answer_arrives_and_can_be_written_down(put: Put, what: str) -> None:
    """Objects arrive as their repr, large answers whole, undecodable names spelt out: all can be written as UTF-8."""
    seen = put(("fake_strange", {"what": what}))["0"]
    assert seen.how == "answered"
    assert seen.facts is not None
    json.dumps(seen.model_dump(), ensure_ascii=False).encode("utf-8")
    assert Observation.model_validate_json(seen.model_dump_json()).id == "0"
    if what == "large":
        assert len(seen.facts["value"]) == 7_000_000
    if what == "surrogate":
        assert seen.facts == {"caf\\udce9": ["\\udcff"]}
    if what == "text":
        assert seen.facts == {"value": "é 中文 😀 \x00 \n end"}


# -- where and how it runs ---------------------------------------------------------------------------------------------------


def test_multiprocessing_spawn_works_in_a_probe(put: Put) -> None:
    """Fresh interpreters that a probe starts do not look for a file named <stdin>."""
    seen = put(("fake_spawning",))["0"]
    assert (seen.how, (seen.facts or {}).get("roots")) == ("answered", [2.0, 3.0])
    assert "<stdin>" not in seen.stderr_tail


@pytest.mark.parametrize("forks", [True, False], ids=["fork", "inline"])
def test_a_module_in_the_current_folder_is_not_imported(
    put: Put, without_fork: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forks: bool
) -> None:
    """Neither a checkout that happens to lie in the current folder nor a json.py there is taken for the installed one."""
    for name in ("slowfast_lying_here", "json", "random", "tempfile", "select", "faulthandler", "threading"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported from the current folder')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    seen = put(("fake_spawning", {"names": ["slowfast_lying_here", "json"]}), target=None if forks else without_fork)["0"]
    assert seen.how == "answered", seen
    assert seen.facts
    assert seen.facts["found"]["slowfast_lying_here"] == "No module named 'slowfast_lying_here'"
    assert str(tmp_path) not in seen.facts["found"]["json"]


@pytest.mark.parametrize("forks", [True, False], ids=["fork", "inline"])
def test_a_probe_runs_in_an_empty_folder_that_is_taken_away(put: Put, without_fork: Target, forks: bool) -> None:
    """The folder in which probes run is gone afterwards, also when they hang."""
    found = put(("fake_answer",), ("fake_hanging", {}, {"seconds": 0.3}), target=None if forks else without_fork)
    assert found["1"].how == "hung"
    folder = Path((found["0"].facts or {})["cwd"])
    assert folder.name.startswith("probe-")
    assert not folder.exists()


def test_steps_are_reported_while_they_happen(put: Put) -> None:
    """on_step hears of every step with its question, in order."""
    steps: list[tuple[str, str]] = []
    put(("fake_answer",), ("fake_raising", {"how": "zero"}), on_step=lambda number, text: steps.append((number, text)))
    assert steps == [("0", "answer"), ("1", "raise zero")]


def test_an_unknown_probe_is_our_own_mistake(here: Target) -> None:
    """A question that names a probe that does not exist ends in an error that names it."""
    with pytest.raises(KeyError, match="no probe 'nonesuch'"):
        observe(here, [Question(id="0", probe="nonesuch")])


# -- where fork does not exist -------------------------------------------------------------------------------------------------


def test_without_fork_the_outcomes_are_the_same(put: Put, without_fork: Target) -> None:
    """Raise, death, hang, lock held, answer: each is told as it is with fork, and the rest is asked in a new process."""
    found = put(
        ("fake_answer",), ("fake_raising", {"how": "zero"}), ("fake_raising", {"how": "exit"}), ("fake_dying", {"how": "SEGV"}),
        ("fake_answer",), ("fake_hanging", {"say": "so far"}, {"seconds": 0.5}), ("fake_dying", {"how": "_exit"}),
        ("fake_answer",), ("fake_dying", {"how": "exit_status"}),
        target=without_fork,
    )  # fmt: skip
    assert [seen.how for seen in found.values()] == [
        "answered", "raised", "raised", "died", "answered", "hung", "died", "answered", "answered",
    ]  # fmt: skip
    assert found["3"].signal == "SIGSEGV"
    assert "<probe fake_dying>" in found["3"].stderr_tail
    assert found["5"].message == "no answer within 0.5 s"
    assert "so far" in found["5"].stderr_tail
    assert "fake_hanging" in found["5"].stderr_tail
    assert found["6"].exit == 3
    assert found["8"].at_exit == "left with exit status 9"
    assert [seen.at_exit for seen in list(found.values())[:8]] == [None] * 8


@posix
def test_without_fork_a_held_lock_is_a_hang_too(put: Put, without_fork: Target) -> None:
    """Where no thread of the target can run any more, faulthandler's alarm ends it, and it is told as hung."""
    found = put(("fake_hanging", {"how": "lock"}, {"seconds": 0.2}), ("fake_answer",), target=without_fork)
    assert found["0"].how == "hung"
    assert "fake_hanging" in found["0"].stderr_tail
    assert found["1"].how == "answered"


@pytest.mark.usefixtures("hurried")
def test_without_fork_a_thread_that_never_ends_is_told(put: Put, without_fork: Target) -> None:
    """As with fork: it has answered, and that it would not leave is told."""
    seen = put(("fake_leaving", {"how": "thread"}), target=without_fork)["0"]
    assert (seen.how, seen.at_exit) == ("answered", "it answered and did not leave within 1 s")


def test_without_fork_a_flood_costs_little_and_spawn_works(put: Put, without_fork: Target) -> None:
    """The host keeps the last of the noise only, and fresh interpreters start."""
    tracemalloc.start()
    found = put(("fake_printing", {"how": "flood", "megabytes": 100}), ("fake_spawning",), target=without_fork)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [seen.how for seen in found.values()] == ["answered", "answered"]
    assert peak < 20_000_000


def test_the_program_is_ascii(here: Target) -> None:
    """Whatever the questions contain, what travels is ASCII: it passes through pipes and shells of foreign code pages."""
    text = observing.program("c", questions(("fake_answer", {"x": "é中😀\ud800"})))
    text.decode("ascii")
