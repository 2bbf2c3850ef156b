"""How long `slowfast-verify diagnose` takes: one log, a thousand, and one of 100 MB; writes bench/diagnose.json.

`nox -s "bench(diagnose)"`.
Every figure is the wall time of the whole command, start-up included. The logs are the project's own: the examples of knowledge/ and the
healthy logs of the tests, so that nearly every answer holds a diagnosis. `first` is a log with an empty cache: the index is made then.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from slowfast_verify import knowledge, layout
from slowfast_verify.atomic import write_text

OUTPUT = Path(__file__).parent / "diagnose.json"
RUNS = 11
LONG = 100_000_000  # bytes
COMMAND = [sys.executable, "-m", "slowfast_verify", "diagnose", "--json"]


def seconds(files: list[Path], home: Path) -> float:
    """Wall time of one call; every log must have got its line."""
    begun = time.perf_counter()
    done = subprocess.run(
        [*COMMAND, *map(str, files)], capture_output=True, env={**os.environ, "SLOWFAST_VERIFY_HOME": str(home)}, check=False
    )
    took = time.perf_counter() - begun
    assert len(done.stdout.splitlines()) == len(files), done.stderr.decode()
    return took


def logs(folder: Path) -> tuple[list[Path], Path]:
    """A thousand logs, and one of 100 MB whose one failure stands in its middle."""
    healthy = "\n".join(path.read_text(encoding="utf-8") for path in sorted((layout.root() / "tests/harness/logs").glob("healthy-*.txt")))
    texts = [row.example.text for row in knowledge.all_known().values() if row.example]
    files = []
    for number in range(1000):
        files.append(folder / f"{number}.log")
        files[-1].write_text((healthy if number % 4 == 0 else "") + texts[number % len(texts)], encoding="utf-8")
    long = folder / "long.log"
    half = (healthy * (LONG // 2 // len(healthy.encode()) + 1)).encode()[: LONG // 2]
    long.write_bytes(half + b"\nModuleNotFoundError: No module named 'scipy'\n" + half)
    return files, long


def main() -> None:
    """Measure and write."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        files, long = logs(Path(scratch))
        first = seconds(files[1:2], home)
        single = [seconds(files[1:2], home) for _ in range(RUNS)]
        many = [seconds(files, home) for _ in range(3)]
        large = [seconds([long], home) for _ in range(3)]
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(), "load_before": load},
        "known_failures": len(knowledge.all_known()),
        "first_seconds": round(first, 3),
        "one_log_seconds": {"median": round(statistics.median(single), 3), "max": round(max(single), 3), "runs": RUNS},
        "thousand_logs_seconds": {"median": round(statistics.median(many), 2), "max": round(max(many), 2)},
        "hundred_megabytes_seconds": {"median": round(statistics.median(large), 2), "max": round(max(large), 2)},
    }
    write_text(OUTPUT, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
