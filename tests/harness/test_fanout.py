"""The plan of a round: every cell on a machine of its own system, in matrices that GitHub takes, and what stands for a silent job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slowfast_verify import fanout
from slowfast_verify import record as records
from slowfast_verify.matrix import default

from .actions import AT_MOST, OUTPUT_BYTES
from .many_records import check, record

QUICK = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"


@pytest.mark.parametrize("name", [row.name for row in fanout.runners().round])
def test_every_round_fits_githubs_matrices(name: str) -> None:
    """No chunk has more jobs than GitHub takes, no cell is planned twice, every cell of a round has a machine of its own system."""
    plan = fanout.fan_out(default(), name)
    jobs = [job for chunk in plan.chunks for job in chunk.jobs]
    assert all(0 < len(chunk.jobs) <= AT_MOST for chunk in plan.chunks)
    assert len({job.cell for job in jobs}) == len(jobs) == plan.count
    assert not plan.skipped
    assert len(json.dumps([chunk.model_dump() for chunk in plan.chunks]).encode("utf-16-le")) <= OUTPUT_BYTES
    system = {"ubuntu": "linux", "windows": "windows", "macos": "macos"}
    assert all(job.cell.startswith(system[job.runner.partition("-")[0]]) for job in jobs)


def test_a_round_beyond_the_limit_becomes_chunks() -> None:
    """Every Linux cell of the stacks in matrices of ten: nothing is lost, and each chunk says which it is."""
    plan = fanout.fan_out(default(), "nightly", "linux-*")
    small = fanout.fan_out(default(), "nightly", "linux-*", fanout.runners().model_copy(update={"at_most": 10}))
    assert plan.count == small.count == sum(len(chunk.jobs) for chunk in small.chunks)
    assert len(small.chunks) == -(-plan.count // 10)
    assert [chunk.name for chunk in small.chunks][-1] == f"{len(small.chunks)} of {len(small.chunks)}"


def test_a_silent_job_is_an_outage_and_no_verdict(tmp_path: Path) -> None:
    """What stands for it is read as a record, and is not there twice."""
    plan = fanout.fan_out(default(), "quick")
    records.write(record(QUICK, check("demo::a")), tmp_path / "cell")
    silent = fanout.stand_ins(plan, tmp_path)
    assert set(silent) == {job.cell for chunk in plan.chunks for job in chunk.jobs} - {QUICK}
    assert {records.read(tmp_path / f"{cell}.json").outcome() for cell in silent} == {"infrastructure"}
    assert fanout.stand_ins(plan, tmp_path) == []
