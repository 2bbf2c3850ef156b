"""What `nox -s matrix` costs beside its cells: N cells that stand, against N times one climb; writes bench/matrix.json.

`nox -s "bench(matrix)"`. The cells are stubs: their environment is this Python, one cheap question and one check each, so that everything
measured is the harness. Measured in turn: one climb alone, nox over N cells climbed afresh, the same with `-j 2`, nox over N cells of which
nothing changed, tox over the same. Then two real cells that stand: one after another, with one batch at a time and with two, and
side by side, with the seconds that the processors worked.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

from slowfast_verify import layout
from slowfast_verify.atomic import write_text
from slowfast_verify.record import Provisioned

SIZES = (1, 4, 16)
RUNS = 3
PAIR = ["linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67", "linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main"]
VERSION = ".".join(platform.python_version_tuple()[:2])
STACK = """title = "stubs"
[torch]
version = "1.0.0"
torchvision = "1.0.1"
[axes]
os = ["linux"]
python = ["{version}"]
accelerator = ["cpu"]
installer = ["uv"]
subject = [{subjects}]
[[wheels]]
when = {{ os = "linux" }}
megabytes = 1
note = "nothing is installed"
"""
SUBJECT = """title = "a stub"
python = ">=3.6"
dependency = []
[source]
distribution = "stub"
{revisions}
[modules]
packages = []
[[phase]]
name = "torch"
trio = true
"""
QUESTION = """[[question]]
id = "machine"
probe = "machine"
batch = "environment"
args = { commands = {} }
"""
CHECK = """import pytest

pytestmark = pytest.mark.batch("environment")


def test_stub(facts):
    assert facts("machine")
"""
DIGESTS = """import json, sys
from slowfast_verify import ground, inputs, matrix
m = matrix.default()
print(json.dumps({cell.id: inputs.inputs_digest(cell, m, ground.base_of(cell)) for cell in m.cells.values()}))
"""


def lay(root: Path, size: int) -> dict[str, str]:
    """A data root with `size` cells that stand; returns the variables that make the command use it."""
    data = root / "data"
    names = [f"r{number}" for number in range(size)]
    for folder in ("matrices/stacks", "matrices/subjects", "knowledge", "fixtures", "tests/verify"):
        (data / folder).mkdir(parents=True)
    subjects = ", ".join(f'"stub@{name}"' for name in names)
    (data / "matrices/stacks/torch-stub.toml").write_text(STACK.format(version=VERSION, subjects=subjects))
    revisions = "".join(f'[[revision]]\nname = "{name}"\nversion = "1.0"\n' for name in names)
    (data / "matrices/subjects/stub.toml").write_text(SUBJECT.format(revisions=revisions))
    (data / "matrices/questions.toml").write_text(QUESTION)
    cells = [f"linux-py{VERSION}-torch1.0.0-cpu-uv-stub@{name}" for name in names]
    (data / "matrices/selection.toml").write_text("".join(f'[[chosen]]\ncell = "{cell}"\nreason = "a stub"\n' for cell in cells))
    for name in ("outages.toml", "room.toml", "share.toml"):
        shutil.copy(layout.matrices() / name, data / "matrices")
    (data / "tests/verify/test_environment.py").write_text(CHECK)
    shutil.copy(layout.suites() / "pytest.ini", data / "tests/verify")
    env = {
        **os.environ,
        layout.DATA_VARIABLE: str(data),
        layout.HOME_VARIABLE: str(root / "home"),
        layout.REPORTS_VARIABLE: str(root / "reports"),
    }
    said = subprocess.run([sys.executable, "-c", DIGESTS], env=env, check=True, capture_output=True, text=True).stdout
    for cell, digest in json.loads(said).items():
        folder = root / "home" / "cells" / cell
        folder.mkdir(parents=True)
        made = Provisioned(cell=cell, inputs=digest, python=sys.executable, env=str(folder), checkout=None, variables={}, opts={},
                           workarounds=[], lock=[], created="2026-01-01T00:00:00Z", seconds=1.0, step_seconds={})  # fmt: skip
        write_text(folder / "cell.json", made.model_dump_json())
    return env


def timed(argv: list[str], env: dict[str, str]) -> float:
    """Wall seconds of a command that must succeed."""
    begun = time.monotonic()
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, cwd=layout.root())
    if done.returncode:
        sys.exit(f"{argv} left with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - begun


def worked(argv: list[str]) -> tuple[float, float]:
    """Wall seconds of a command, and the seconds that processors worked for it and for all that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = timed(argv, dict(os.environ))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(seconds, 2), round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)


def pair() -> dict[str, object]:
    """Two real cells, medians of RUNS runs. j2_speedup: over one after another, one batch at a time; j2_over_jobs2: with two at a time."""
    climbs = [sys.executable, "-c", "import subprocess, sys\nfor cell in sys.argv[2:]: subprocess.run([sys.executable, '-m', "
              "'slowfast_verify', 'climb', '--fresh', '--jobs', sys.argv[1], cell], check=True)"]  # fmt: skip
    ways = {
        "one_after_another_jobs1": [*climbs, "1", *PAIR], "one_after_another_jobs2": [*climbs, "2", *PAIR],
        "side_by_side": [sys.executable, "-m", "nox", "-j", "2", "-s", *(f"matrix({cell})" for cell in PAIR), "--", "--fresh"],
    }  # fmt: skip
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, argv in ways.items():
            seen[name].append(worked(argv))
            print(name, seen[name][-1], flush=True)
    wall = {name: machine.median([row[0] for row in rows]) for name, rows in seen.items()}
    cpu = {name: machine.median([row[1] for row in rows]) for name, rows in seen.items()}
    return {
        "pair": PAIR, "runs": RUNS, "seconds": wall, "processor_seconds": cpu,
        "busy_cores": {name: round(cpu[name] / wall[name], 2) for name in ways},
        "j2_speedup": round(wall["one_after_another_jobs1"] / wall["side_by_side"], 2),
        "j2_over_jobs2": round(wall["one_after_another_jobs2"] / wall["side_by_side"], 2),
    }  # fmt: skip


def main() -> None:
    """Each size in a folder of its own."""
    about, results = machine.described(), []
    nox = [sys.executable, "-m", "nox", "-s", "matrix"]
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            env = lay(Path(folder), size)
            cell = f"linux-py{VERSION}-torch1.0.0-cpu-uv-stub@r0"
            one = [timed([sys.executable, "-m", "slowfast_verify", "climb", "--fresh", cell], env) for _ in range(3)]
            fresh = timed([*nox, "--", "--fresh"], env)
            parallel = timed([*nox, "-j", "2", "--", "--fresh"], env)
            kept = timed(nox, env)
            tox = timed([sys.executable, "-m", "tox", "run", "-m", "selection"], env)
            single = machine.median(one)
            results.append({
                "cells": size, "one_climb_seconds": single, "matrix_seconds": round(fresh, 2), "matrix_j2_seconds": round(parallel, 2),
                "carried_over_seconds": round(kept, 2), "tox_carried_over_seconds": round(tox, 2),
                "tox_over_nox": round(tox / kept, 2), "matrix_over_climbs": round(fresh / (size * single), 2),
                "seconds_per_warm_cell": round(kept / size, 2),
                "j2_speedup": round(fresh / parallel, 2),
            })  # fmt: skip
            print(results[-1], flush=True)
    results.append(pair())
    machine.write(__file__, about, results)


if __name__ == "__main__":
    main()
