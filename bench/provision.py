"""warm_provision_over_pip, cold_provision_over_pip and clone_over_pip, per stack; writes bench/provision.json.

`nox -s "bench(provision)" -- [CELL ...]`. Ours is `provision` of the cell into an empty folder, with uv's cache as it is (warm) and
with an empty one (cold, only with --cold: it downloads gigabytes). pip installs the very lock that came out, `--no-deps`, into a fresh
environment, with its own cache warmed by a run before that is not counted. The clone is that of an environment that stands. Disk: twice
the environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

from slowfast_verify import clone, layout, provision
from slowfast_verify.interpreter import find
from slowfast_verify.matrix import default

BUILD = """import sys
from slowfast_verify import matrix, provision
provision.provision(matrix.default().cell(sys.argv[1]), matrix.default())
"""
CELLS = ["linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5", "linux-py3.11-torch2.15.0-cpu-uv-pytorchvideo@0.1.5"]


def ours(cell_id: str, scratch: Path, cache: Path | None) -> float:
    """Seconds in which the suite builds the environment from nothing; cache: an empty folder for uv's, None for the one of this machine."""
    env = {**os.environ, layout.HOME_VARIABLE: str(scratch / "home")}
    if cache:
        env["UV_CACHE_DIR"] = str(cache)
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", BUILD, cell_id], env=env, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begun
    shutil.rmtree(scratch / "home")
    return seconds


def by_pip(python: Path, lock: list[str], scratch: Path) -> float:
    """Seconds in which pip installs the lock into a new environment; the environment goes again."""
    requirements = scratch / "lock.txt"
    requirements.write_text("\n".join(lock) + "\n", encoding="utf-8")
    env = {**os.environ, "PIP_CACHE_DIR": str(scratch / "pip-cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    begun = time.monotonic()
    subprocess.run([str(python), "-m", "venv", str(scratch / "pip")], check=True)
    inside = next(path for path in (scratch / "pip" / "bin" / "python", scratch / "pip" / "Scripts" / "python.exe") if path.exists())
    subprocess.run([str(inside), "-m", "pip", "install", "-q", "--no-deps", "-r", str(requirements)], check=True, env=env)
    seconds = time.monotonic() - begun
    shutil.rmtree(scratch / "pip")
    return seconds


def main() -> None:
    """Measure the cells that stand and write."""
    arguments = [row for row in sys.argv[1:] if row != "--cold"]
    about, results = machine.described(), []
    for name in arguments or CELLS:
        matrix = default()
        found = provision.standing(matrix.cell(name), matrix)
        if found is None:
            print(f"{name}: does not stand; slowfast-verify climb {name}")
            continue
        with tempfile.TemporaryDirectory(dir=layout.home()) as folder:
            scratch = Path(folder)
            python = find(matrix.cell(name).python)
            by_pip(python, found.lock, scratch)  # warms its cache
            pip, warm, copied = [], [], []
            for turn in range(2):
                pip.append(by_pip(python, found.lock, scratch))
                warm.append(ours(name, scratch, None))
                begun = time.monotonic()
                clone.clone_cell(found, scratch / f"clone-{turn}")
                copied.append(time.monotonic() - begun)
            row = {
                "cell": name, "distributions": len(found.lock), "pip_seconds": round(min(pip), 1), "warm_seconds": round(max(warm), 1),
                "clone_seconds": round(max(copied), 2), "warm_provision_over_pip": round(max(warm) / min(pip), 3),
                "clone_over_pip": round(max(copied) / min(pip), 4),
            }  # fmt: skip
            if "--cold" in sys.argv:
                cold = ours(name, scratch, scratch / "uv-cache")
                row |= {"cold_seconds": round(cold, 1), "cold_provision_over_pip": round(cold / min(pip), 3)}
            results.append(row)
    machine.write(__file__, about, results)


if __name__ == "__main__":
    main()
