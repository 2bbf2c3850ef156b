"""What becomes of a question is told truly, whatever its probe does, and nothing of the target outlives it. Fake probes only."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slowfast_verify import observe as observing
from slowfast_verify.observe import Observation, Question, observe
from slowfast_verify.target import Target

from .conftest import Put
from .fakes import questions

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")


def test_an_answer_carries_the_facts_the_step_and_the_noise(put: Put) -> None:
    """A probe that answers is observed with its facts, the last step it named, and what it printed."""
    seen = put(("fake_answer", {"say": "hello", "x": [1, "é中"]}))["0"]
    assert (seen.how, seen.step, seen.stderr_tail) == ("answered", "answer", "hello\n")
    assert seen.facts
    assert seen.facts["given"] == {"x": [1, "é中"]}


def test_nothing_asked_is_nothing_started(here: Target) -> None:
    """No question, no process."""
    assert observe(here, []) == {}


# -- raises -----------------------------------------------------------------------------------------------------------


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


# -- answers that are hard to carry -----------------------------------------------------------------------------------


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


# -- where and how it runs --------------------------------------------------------------------------------------------


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


def test_the_program_is_ascii(here: Target) -> None:
    """Whatever the questions contain, what travels is ASCII: it passes through pipes and shells of foreign code pages."""
    text = observing.program("c", questions(("fake_answer", {"x": "é中😀\ud800"})))
    assert text.isascii()
