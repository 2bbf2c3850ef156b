"""Where fork does not exist (Windows), every outcome is told as it is with fork."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from slowfast_verify.target import Target

from .conftest import Put

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")


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


@pytest.mark.parametrize("how", ["SEGV", "_exit"])
def test_without_fork_a_crash_leaves_no_folder(put: Put, without_fork: Target, how: str) -> None:
    """Where nobody is left to take the folder of the probes away, the host does."""
    found = put(("fake_answer",), ("fake_dying", {"how": how}), target=without_fork)
    assert found["1"].how == "died"
    folder = Path((found["0"].facts or {})["cwd"])
    assert folder.name.startswith("probe-")
    assert not folder.exists()


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
