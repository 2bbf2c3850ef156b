"""What every benchmark says of where it ran, and how it writes its figures; imported by the scripts beside it."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from slowfast_verify.atomic import write_text


def described() -> dict[str, Any]:
    """Cores, processor, Python, memory (GiB), and the load before the first run (1 min): a loaded machine's ratios are worth little."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else None
    return {
        "cores": os.cpu_count(), "machine": platform.machine(), "system": platform.system(), "python": platform.python_version(),
        "memory_gib": pages and round(pages, 1), "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }  # fmt: skip


def write(script: str, machine: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Write `NAME.json` beside the script, and print it."""
    text = json.dumps({"date": time.strftime("%Y-%m-%d"), "machine": machine, "results": results}, indent=1)
    write_text(Path(script).with_suffix(".json"), text + "\n")
    print(text)


def median(values: list[float], digits: int = 2) -> float:
    """The median, rounded."""
    return round(statistics.median(values), digits)
