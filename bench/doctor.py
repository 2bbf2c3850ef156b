"""How long the doctor's first level takes (nothing foreign imported), and doctor_over_collect_env; writes bench/doctor.json.

`nox -s "bench(doctor)" -- [CELL ...]`. The environment is that of a provisioned cell; the broken one is its clone by hard links, without
scipy. Beside it, in turn, the report that PyTorch asks for in a bug report: `python -m torch.utils.collect_env` of the same environment.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

from slowfast_verify import clone, provision
from slowfast_verify.matrix import default

CELLS = ["linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67", "linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main"]
RUNS = 7


def seconds(python: Path, checkout: str, expected: int) -> float:
    """Wall time of one first level; its exit status must be the expected one."""
    argv = [sys.executable, "-m", "slowfast_verify", "doctor", "--rung", "environment", str(python)]
    begun = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": checkout}, check=False)
    took = time.perf_counter() - begun
    assert done.returncode == expected, done.stdout + done.stderr
    return took


def collect_env(python: Path) -> float:
    """Wall time of PyTorch's own report."""
    begun = time.perf_counter()
    done = subprocess.run([str(python), "-m", "torch.utils.collect_env"], capture_output=True, text=True, check=False)
    took = time.perf_counter() - begun
    assert done.returncode == 0 and "PyTorch version" in done.stdout, done.stdout + done.stderr
    return took


def figures(rows: list[float]) -> dict[str, float]:
    """{median, min, max}, in seconds."""
    return {"median": round(statistics.median(rows), 2), "min": round(min(rows), 2), "max": round(max(rows), 2)}


def main() -> None:
    """Measure the cells that stand and write."""
    about, results = machine.described(), []
    for name in sys.argv[1:] or CELLS:
        found = provision.standing(default().cell(name), default())
        if found is None:
            print(f"{name}: does not stand; slowfast-verify climb {name}")
            continue
        python = Path(found.python)
        healthy, reports = [], []
        for _ in range(RUNS):
            healthy.append(seconds(python, found.checkout or "", 0))
            reports.append(collect_env(python))
        with tempfile.TemporaryDirectory(dir=python.parents[2]) as scratch:
            copy = clone.clone_environment(python.parents[1], Path(scratch) / "env")
            for path in copy.parents[1].glob("lib/python*/site-packages/scipy*"):
                shutil.rmtree(path)
            broken = [seconds(copy, found.checkout or "", 1) for _ in range(RUNS)]
        ratio = statistics.median(a / b for a, b in zip(healthy, reports, strict=True))
        results.append({
            "cell": name, "runs": RUNS, "healthy_seconds": figures(healthy), "broken_seconds": figures(broken),
            "collect_env_seconds": figures(reports), "doctor_over_collect_env": round(ratio, 2),
        })  # fmt: skip
    machine.write(__file__, about, results)


if __name__ == "__main__":
    main()
