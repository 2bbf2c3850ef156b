"""How long the doctor's first level takes (nothing foreign imported): the whole command, healthy and broken; writes bench/doctor.json.

`nox -s "bench(doctor)" -- [CELL ...]`. The environment is that of a provisioned cell; the broken one is its clone by hard links, without
scipy.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slowfast_verify import clone, provision
from slowfast_verify.atomic import write_text
from slowfast_verify.matrix import default

CELLS = ["linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67", "linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main"]
RUNS = 7
OUTPUT = Path(__file__).parent / "doctor.json"


def seconds(python: Path, checkout: str, expected: int) -> float:
    """Wall time of one first level; its exit status must be the expected one."""
    argv = [sys.executable, "-m", "slowfast_verify", "doctor", "--rung", "environment", str(python)]
    begun = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": checkout}, check=False)
    took = time.perf_counter() - begun
    assert done.returncode == expected, done.stdout + done.stderr
    return took


def figures(rows: list[float]) -> dict[str, float]:
    """{median, min, max}, in seconds."""
    return {"median": round(statistics.median(rows), 2), "min": round(min(rows), 2), "max": round(max(rows), 2)}


def main() -> None:
    """Measure the cells that stand and write."""
    results = []
    for name in sys.argv[1:] or CELLS:
        found = provision.standing(default().cell(name), default())
        if found is None:
            print(f"{name}: does not stand; slowfast-verify climb {name}")
            continue
        python = Path(found.python)
        healthy = [seconds(python, found.checkout or "", 0) for _ in range(RUNS)]
        with tempfile.TemporaryDirectory(dir=python.parents[2]) as scratch:
            copy = clone.clone_environment(python.parents[1], Path(scratch) / "env")
            for path in copy.parents[1].glob("lib/python*/site-packages/scipy*"):
                shutil.rmtree(path)
            broken = [seconds(copy, found.checkout or "", 1) for _ in range(RUNS)]
        results.append({"cell": name, "runs": RUNS, "healthy_seconds": figures(healthy), "broken_seconds": figures(broken)})
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(), "load_after": load}
    text = json.dumps({"date": time.strftime("%Y-%m-%d"), "machine": machine, "results": results}, indent=1)
    write_text(OUTPUT, text + "\n")
    print(text)


if __name__ == "__main__":
    main()
