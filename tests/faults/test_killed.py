"""SIGKILL at random moments, of the host, a probe, the installer: no half record, no broken environment, and it goes on."""

from __future__ import annotations

import os
import random
import time

import psutil
import pytest

from .conftest import Tell
from .ground import Ground

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
#: {who: how often}; 100 in all with `nox -s faults`, which sets FAULTS_WHOLE.
WHOLE = {"host": 50, "probe": 25, "installer": 25}
TIMES = WHOLE if os.environ.get("FAULTS_WHOLE") else {"host": 2, "probe": 1, "installer": 1}
Dice = tuple[int, random.Random]


def goes_on(ground: Ground, seed: str) -> None:
    """The next run ends as if nothing had been."""
    code, said = ground.climb()
    assert code == 0, f"{seed}: {said}"
    assert ground.outcomes() == {"passed"}, seed
    assert len(ground.record().checks) == 10, seed


def test_the_host(ground: Ground, dice: Dice, tell: Tell) -> None:
    """Whenever the climb is killed, all that it started ends within seconds, and what it leaves is whole or does not count."""
    number, random_ = dice
    begun = time.monotonic()
    goes_on(ground, "before")
    longest = time.monotonic() - begun
    for time_ in range(TIMES["host"]):
        seed = f"FAULTS_SEED={number}, kill {time_}"
        if random_.random() < 0.7:
            ground.fresh()
        process = ground.start()
        time.sleep(random_.uniform(0.05, longest))
        process.kill()
        process.communicate(timeout=20)
        assert ground.quiet(within=60), f"{seed}: still there: {[p.cmdline() for p in ground.left()]}"
        ground.must_hold(seed)
        if time_ % 5 == 0 or time_ == TIMES["host"] - 1:
            goes_on(ground, seed)
    tell("killed-host", "kill -9 of the host, while it builds, asks or writes", times=TIMES["host"], seed=number,
         ends="all that it started ends; the next run passes")  # fmt: skip


def hunted(ground: Ground, wanted: str, random_: random.Random, longest: float) -> tuple[bool, int, str]:
    """Start a climb and kill one of the processes whose command line has the word; (whether one was met, exit status, what was said)."""
    process = ground.start()
    until, met = time.monotonic() + 60, False
    while process.poll() is None and time.monotonic() < until and not met:
        prey = matching(process.pid, wanted)
        if prey:
            time.sleep(random_.uniform(0, longest))
            prey = matching(process.pid, wanted)
            if prey:
                random_.choice(prey).kill()
                met = True
        time.sleep(0.005)
    said, _ = process.communicate(timeout=120)
    return met, process.returncode, said


def matching(pid: int, wanted: str) -> list[psutil.Process]:
    found = []
    try:
        for process in psutil.Process(pid).children(recursive=True):
            try:
                if wanted in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
    except psutil.Error:
        return []
    return found


def test_a_probe(ground: Ground, dice: Dice, tell: Tell) -> None:
    """Whichever process of a target is killed: a whole record says died by SIGKILL, or nobody was hurt; the next run passes."""
    number, random_ = dice
    goes_on(ground, "before")
    hurt = 0
    for time_ in range(TIMES["probe"]):
        seed, met = f"FAULTS_SEED={number}, kill {time_}", False
        while not met:
            met, code, said = hunted(ground, "-B -u -", random_, 0.6)
            record = ground.record()
            assert code in (0, 1), f"{seed}: {said}"
            assert len(record.checks) == 10, seed
            failed = [check for check in record.checks if check.outcome != "passed"]
            assert {check.failure.signal if check.failure else None for check in failed} <= {"SIGKILL"}, f"{seed}: {failed}"
            assert (code == 1) == bool(failed), seed
        hurt += bool(failed)
        assert ground.quiet(), f"{seed}: still there: {[p.cmdline() for p in ground.left()]}"
        ground.must_hold(seed)
    goes_on(ground, f"FAULTS_SEED={number}")
    tell("killed-probe", "kill -9 of a process of the target, supervisor or worker", times=TIMES["probe"], seed=number,
         ends=f"one failed observation with its signal ({hurt} times), or nobody was hurt; the next run passes")  # fmt: skip


def test_the_installer(ground: Ground, dice: Dice, tell: Tell) -> None:
    """An installer that is killed is infrastructure, not the cell's failure; nothing counts as standing, and the next run builds."""
    number, random_ = dice
    goes_on(ground, "before")
    outages = 0
    for time_ in range(TIMES["installer"]):
        seed, met = f"FAULTS_SEED={number}, kill {time_}", False
        while not met:
            ground.fresh()
            met, code, said = hunted(ground, "uv pip install", random_, 0.15)
            met = met and code != 0  # it had just ended
            if met:
                assert code == 4, f"{seed}: {said}"
                assert "killed by SIGKILL" in said, f"{seed}: {said}"
                assert ground.outcomes() == {"infrastructure"}, f"{seed}: {ground.record()}"
                assert not (ground.folder / "cell.json").exists(), seed
                outages += 1
        assert ground.quiet(), f"{seed}: still there: {[p.cmdline() for p in ground.left()]}"
        ground.must_hold(seed)
    goes_on(ground, f"FAULTS_SEED={number}")
    tell("killed-installer", "kill -9 of the installer, or of what keeps it", times=TIMES["installer"], seed=number,
         ends="infrastructure; the next run passes")  # fmt: skip
