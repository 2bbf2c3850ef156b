"""A question whose process dies is one failed observation with its cause; the others are asked in the next process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slowfast_verify import observe as observing

from .conftest import Put

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")


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
    assert not Path((found["0"].facts or {})["cwd"]).exists()


def test_questions_share_a_process_until_one_dies(put: Put) -> None:
    """The questions before a death share a process, the rest share the next one."""
    found = put(("fake_answer",), ("fake_answer",), ("fake_dying", {"how": "_exit"}), ("fake_answer",), ("fake_answer",))
    first, second, _, fourth, fifth = ((seen.facts or {}).get("pid") for seen in found.values())
    assert first == second != fourth == fifth
