"""What reports cost: merging, asking, converting and rendering 1,000 and 10,000 synthetic records of 60 checks; writes bench/report.json.

`nox -s "bench(report)"`. Every figure is one whole command, start-up included: wall seconds, processor seconds (they tell more where other
work runs beside), and the most memory that its process held.
The records have the shape of real ones: most checks pass, some were not verified, a few fail as expected with what they printed, one cell
in ten is red, and one in fifty met an outage. `folder` reads a file a record; the other commands read the merged collection.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import described, write

from slowfast_verify.knowledge import RUNGS
from slowfast_verify.record import CheckResult, FailureDetail, Record

SIZES = (1_000, 10_000)
CHECKS = 60
COMMAND = [sys.executable, "-m", "slowfast_verify", "report"]


def checks(number: int) -> Iterator[CheckResult]:
    """The checks of one cell."""
    for row in range(CHECKS):
        rung = RUNGS[row * len(RUNGS) // CHECKS]
        name = f"{rung}::property_{row}[parameter_{row}]"
        made: dict[str, Any] = {"id": name, "rung": rung, "phase": "judge", "seconds": 0.25 + row / 100, "outcome": "passed"}
        if row % 12 == 5:
            made |= {"outcome": "not verified", "reason": "no NVIDIA GPU here: nothing is compiled for CUDA"}
        elif row % 15 == 7:
            printed = "Traceback (most recent call last):\n" + '  File "x.py", line 1, in <module>\n' * 12
            failure = FailureDetail(how="raised", type="ModuleNotFoundError", message="No module named 'torch._six'", step="import x",
                                    stderr_tail=printed)  # fmt: skip
            made |= {"outcome": "failed as expected", "knowledge": "torch-six-removed", "phase": "observe", "failure": failure}
        elif row == 31 and number % 10 == 3:
            failure = FailureDetail(how="died", message=f"killed after {number} s", signal="SIGSEGV", step="conv3d")
            made |= {"outcome": "failed", "phase": "observe", "failure": failure}
        elif row == 40 and number % 50 == 7:
            made |= {"outcome": "infrastructure", "phase": "observe", "reason": "the package index does not answer: 503"}
        yield CheckResult(**made)


def records(size: int) -> Iterator[Record]:
    """As many cells, one run each."""
    places = itertools.product(("linux", "windows", "macos"), ("3.8", "3.10", "3.11", "3.13"), ("cpu", "cu121"), ("uv", "pip"))
    axes = list(places)
    for number in range(size):
        os_, python, accelerator, installer = axes[number % len(axes)]
        cell = f"{os_}-py{python}-torch2.{number // len(axes)}.0-{accelerator}-{installer}-pyslowfast@main"
        run = f"2026-11-22T10:{number // 60 % 60:02d}:{number % 60:02d}Z-{number:04x}"
        facts = {"kind": "venv", "python": f"{python}.7", "machine": "x86_64", "torch": "2.4.1"}
        yield Record(cell=cell, run=run, suite="abc1234", seconds=30.5, target=facts, checks=list(checks(number)))


def measured(*arguments: object) -> dict[str, float]:
    """Seconds and the peak of memory (MiB) of one command."""
    begun = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)  # the memory of this one process, which `wait` does not tell
    process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - begun
    if process.returncode not in (0, 1):
        raise SystemExit(f"report {' '.join(map(str, arguments))} left with {process.returncode}")
    return {
        "seconds": round(took, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), 1),
    }


def one_size(size: int) -> dict[str, Any]:
    """Every command over a collection of this size."""
    with tempfile.TemporaryDirectory(prefix="bench-report-") as scratch:
        folder, merged = Path(scratch) / "records", Path(scratch) / "all.jsonl"
        folder.mkdir()
        for number, record in enumerate(records(size)):
            (folder / f"{number}.json").write_text(record.model_dump_json(by_alias=True, indent=1, exclude_none=True), encoding="utf-8")
        found: dict[str, Any] = {"records": size, "checks": CHECKS}
        found["merge_folder"] = measured("merge", folder, "--output", merged)
        found["megabytes"] = round(merged.stat().st_size / 1e6, 1)
        found["merge_collection"] = measured("merge", merged, merged, "--output", Path(scratch) / "again.jsonl")
        found["query"] = measured("query", "outcome=failed", "--from", merged)
        found["diff"] = measured("diff", merged, merged)
        for form in ("junit", "ctrf", "markdown"):
            found[f"export_{form}"] = measured("export", form, merged, "--output", Path(scratch) / form)
        found["badges"] = measured("badges", merged, "--output", Path(scratch) / "badges")
        found["render"] = measured("render", merged, "--output", Path(scratch) / "page")
        found["page_megabytes"] = round((Path(scratch) / "page" / "index.html").stat().st_size / 1e6, 2)
        both = found["merge_folder"], found["render"]
        sums = {name: round(sum(one[name] for one in both), 2) for name in ("seconds", "cpu_seconds")}
        found["merge_and_render"] = {**sums, "peak_mib": max(one["peak_mib"] for one in both)}
        return found


def main() -> None:
    """Measure and write."""
    machine = described()
    results = [one_size(size) for size in SIZES]
    small, large = results
    per_record = {
        name: round(large[name]["cpu_seconds"] / small[name]["cpu_seconds"] / (large["records"] / small["records"]), 2)
        for name in small
        if isinstance(small[name], dict)
    }
    write(__file__, machine, [*results, {"cost_per_record_of_the_large_in_that_of_the_small": per_record}])


if __name__ == "__main__":
    main()
