"""A question that takes more memory than its limit is ended; what its processes share counts once."""

from __future__ import annotations

import sys

import pytest

from .conftest import Put

linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory limit and the adoption of orphans are Linux's")


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


@linux
def test_what_children_share_counts_once(put: Put) -> None:
    """Three sleeping copies of a process that holds 300 MiB stay below 600, although their resident sizes add up to 1200."""
    seen = put(("fake_sharing", {"megabytes": 300}, {"memory_mb": 600}))["0"]
    assert seen.facts, seen
    assert seen.facts["resident_mb"] > 1200


@linux
def test_what_children_write_to_counts_for_each(put: Put) -> None:
    """The same three, once they write to every page, are beyond the limit."""
    seen = put(("fake_sharing", {"megabytes": 300, "touch": True, "seconds": 20}, {"memory_mb": 600}))["0"]
    assert seen.how == "memory"
    assert 600 <= int((seen.message or "").split()[-5]) <= 1300
