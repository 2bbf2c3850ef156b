"""A question that never ends is ended at its limit, and nothing that a probe has started outlives it."""

from __future__ import annotations

import os
import sys
import time

import pytest

from slowfast_verify import target as targets
from slowfast_verify.target import Target

from .conftest import Put
from .fakes import gone

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory limit and the adoption of orphans are Linux's")


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
