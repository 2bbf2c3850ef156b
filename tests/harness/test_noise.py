"""What a probe prints, at whatever level, is told with its own question and disturbs no answer."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from slowfast_verify.target import Target

from .conftest import Put

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")


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
