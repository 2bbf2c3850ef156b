"""How long `slowfast-verify --help` takes, from the start of its process to its end; writes bench/help.json.

`nox -s "bench(help)"`. Each run is a new process of the installed command or, where there is none beside this Python, of
`python -m slowfast_verify`; beside it stands what the bare interpreter takes.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import described, write

RUNS = 21


def seconds(argv: list[str]) -> list[float]:
    """Wall times of so many runs after one that warms the disk."""
    found = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        subprocess.run(argv, capture_output=True, check=True)
        found.append(time.perf_counter() - begun)
    return found[1:]


def main() -> None:
    """Measure and write."""
    machine = described()
    command = Path(sys.executable).with_name("slowfast-verify")
    argv = [str(command)] if command.exists() else [sys.executable, "-m", "slowfast_verify"]
    helped, bare = seconds([*argv, "--help"]), seconds([sys.executable, "-c", ""])
    row = {
        "python": platform.python_version(), "command": "slowfast-verify" if command.exists() else "python -m slowfast_verify",
        "runs": RUNS, "median": round(statistics.median(helped), 3), "max": round(max(helped), 3),
        "bare_interpreter": round(statistics.median(bare), 3),
    }  # fmt: skip
    write(__file__, machine, [row])


if __name__ == "__main__":
    main()
