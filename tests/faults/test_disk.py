"""A disk that fills up while an environment is built, while it is asked, while a record or a report is written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast_verify import record as records

from .conftest import Tell
from .ground import Ground

#: Kilobytes of the small disk: it is full in the middle of an environment, of a log, of a wheel.
SIZES = (2100, 2400, 3000, 5000) if os.environ.get("FAULTS_WHOLE") else (3000,)
BULK = 6_000_000  # bytes in the wheel that does not fit
SmallDisk = Callable[[int], Path]


def fill(folder: Path) -> None:
    """Leave no room at all."""
    try:
        with (folder / "filler").open("ab", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)
    except OSError:
        return


def test_while_an_environment_is_built(tmp_path: Path, small_disk: SmallDisk, tell: Tell) -> None:
    """Infrastructure, by name, wherever the disk fills up; nothing counts as standing; with room the next run builds."""
    ground = Ground(tmp_path, seconds=0)
    (wheel,) = (tmp_path / "simple" / "svta").glob("*.whl")
    import zipfile

    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("svta_bulk.bin", os.urandom(BULK))
    for size in SIZES:
        home = small_disk(size)
        code, said = ground.climb(SLOWFAST_VERIFY_HOME=str(home))
        assert code == 4, f"{size} kB: {said}"
        assert "the disk is full" in said, f"{size} kB: {said}"
        assert "next: " in said, said
        assert ground.outcomes() == {"infrastructure"}, f"{size} kB: {ground.record()}"
        assert not (home / "cells" / ground.id / "cell.json").exists()
    code, said = ground.climb()
    assert (code, ground.outcomes()) == (0, {"passed"}), said
    tell("disk-full-provisioning", f"the disk fills up while an environment is built ({', '.join(map(str, SIZES))} kB)", times=len(SIZES),
         ends="infrastructure; with room the next run passes")  # fmt: skip


@pytest.mark.skipif(not os.environ.get("FAULTS_WHOLE"), reason="not verified: nox -s faults does it")
def test_while_a_target_is_asked(ground: Ground, small_disk: SmallDisk, tell: Tell) -> None:
    """No room for temporary files, of the suite and of the probes: infrastructure, never a red check."""
    assert ground.climb()[0] == 0
    scratch = small_disk(400)
    process = ground.start(TMPDIR=str(scratch))
    while process.poll() is None and not list(scratch.glob("probe-*/..")):
        time.sleep(0.01)
    until = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until:  # whatever is given back is taken again
        fill(scratch)
        time.sleep(0.02)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "the disk is full" in said or "No space left" in said, said
    assert ground.outcomes() <= {"infrastructure", "passed"}, ground.record()
    assert "infrastructure" in ground.outcomes()
    assert ground.climb()[0] == 0
    tell("disk-full-asking", "no room for temporary files while a target is asked", ends="infrastructure; with room the next run passes")


def test_while_a_record_is_written(ground: Ground, small_disk: SmallDisk, tell: Tell) -> None:
    """The record that stood before stays whole, nothing half-written is left beside it, and the message says where and what to do."""
    reports = small_disk(400)
    code, said = ground.climb(SLOWFAST_VERIFY_REPORTS=str(reports))
    assert code == 0, said
    path = reports / "records" / f"{ground.id}.json"
    before = path.read_bytes()
    fill(reports)
    code, said = ground.climb(SLOWFAST_VERIFY_REPORTS=str(reports))
    assert code == 1, said
    assert "the disk is full" in said, said
    assert "next: " in said, said
    assert "Traceback" not in said, said
    assert path.read_bytes() == before
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, f"{ground.id}.lock.txt"}
    (reports / "filler").unlink()
    assert ground.climb(SLOWFAST_VERIFY_REPORTS=str(reports))[0] == 0
    tell("disk-full-recording", "the disk is full when a record is written", ends="the earlier record stays; exit status 1 and a message")


def test_while_a_report_is_rendered(ground: Ground, small_disk: SmallDisk, tell: Tell) -> None:
    """COMPATIBILITY.md stays as it was, byte for byte."""
    assert ground.climb()[0] == 0
    disk = small_disk(64)
    report = disk / "COMPATIBILITY.md"
    argv = [sys.executable, "-m", "slowfast_verify", "report", "--from", str(ground.reports / "records"), "--output", str(report)]
    assert subprocess.run(argv, env=ground.environment, capture_output=True, check=False, timeout=60).returncode == 0
    before = report.read_bytes()
    other = ground.record().model_copy(update={"cell": "another"})
    records.write(other, ground.reports / "records")
    fill(disk)
    done = subprocess.run(argv, env=ground.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert report.read_bytes() == before
    assert sorted(entry.name for entry in disk.iterdir()) == ["COMPATIBILITY.md", "filler"]
    tell("disk-full-rendering", "the disk is full when a report is rendered", ends="the earlier report stays; exit status 1 and a message")
