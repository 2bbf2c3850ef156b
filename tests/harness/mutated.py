"""Loaded by pytest while a mutant is tried (`nox -s mutation`): a test that no longer ends is ended, and chance plays no part.

mutmut limits a mutant by the time that all its tests take together; one that hangs in the first of them would cost minutes.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

CACHED = type(cache(lambda: None))
TIMED_OUT = 36  # mutmut's own word for it
FACTOR, LEAST = 6, 6  # times as long as without a mutant, and seconds: the machine may be busy with something else
SETUP = 2  # seconds that a fixture may take; mutmut measures the tests alone


@cache
def usual() -> dict[str, float]:
    """{test: the seconds it took without a mutant}; mutmut writes them down before it tries the first."""
    stats = Path.cwd() / "mutants" / "mutmut-stats.json"
    stats = stats if stats.exists() else Path.cwd() / "mutmut-stats.json"
    found: dict[str, float] = json.loads(stats.read_text(encoding="utf-8"))["duration_by_test"] if stats.exists() else {}
    return found


def forget() -> None:
    """Empty the caches of the code under test: mutmut forks from a process in which all tests have run, and what it kept is not mutated."""
    for kept in gc.get_objects():  # the checks are modules that no one but their tests knows of
        if isinstance(kept, CACHED) and (kept.__module__ or "").startswith(("slowfast_verify", "tests.verify")):
            kept.cache_clear()


def pytest_sessionstart() -> None:
    """A mutant begins with empty caches, in memory and on the disk: what an earlier one left there would answer for this one."""
    forget()
    os.environ["SLOWFAST_VERIFY_HOME"] = tempfile.mkdtemp(prefix="mutant-")


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["SLOWFAST_VERIFY_HOME"], ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    phases = (Phase.explicit, Phase.generate)  # what is red is red: nobody reads the smallest example
    settings.register_profile("mutated", deadline=None, derandomize=True, database=None, phases=phases)
    settings.load_profile("mutated")


def late(number: int, frame: Any) -> None:
    os._exit(TIMED_OUT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """A limit for each test; none while mutmut measures them, when each has to call for itself what an earlier one left in a cache."""
    if "__mutmut_" not in os.environ.get("MUTANT_UNDER_TEST", ""):
        forget()
        return (yield)
    signal.signal(signal.SIGALRM, late)
    signal.alarm(int(SETUP + LEAST + FACTOR * usual().get(item.nodeid, 0)))
    try:
        return (yield)
    finally:
        signal.alarm(0)
