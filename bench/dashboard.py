"""What the dashboard costs: making it from 1,000 and 10,000 records of 60 checks, and using it in Chromium. Writes bench/dashboard.json.

`nox -s "bench(dashboard)"`. `made` is one process that merges a collection and writes the page: its time and its most memory. In the
browser, `opened` is from the start of navigation until the list of cells is there; `filter` is from the change of the address until the
frame after the new figures, grid and list were laid out, and `filter_processor_ms_each` what all threads of the renderer worked for one
on average (script, style, layout, paint); `machine` and `cell` are until a page with its unpacked details stands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from machine import described, median, write

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from harness import browser
from harness.dashboard_records import many_records

SIZES = (1_000, 10_000)
RUNS = 3
FILTERS = (
    "os=windows", "os=windows&python=3.10", "os=windows&python=3.10&accelerator=cu118", "state=failed", "subject=pyslowfast@main", "",
    "torch=2.9.0,2.10.0", "installer=pip&state=reached", "rows=subject", "rows=python&os=linux", "accelerator=cpu", "age=stale",
)  # fmt: skip
MAKE = """
import sys
from pathlib import Path
from slowfast_verify.collection import Collection
from slowfast_verify.dashboard import Sources, render
with Collection.of([Path(sys.argv[1])]) as found:
    render(Sources(held=found), Path(sys.argv[2]))
"""
WAIT = """async (hash) => {
  const begun = performance.now();
  const drawn = (done) => requestAnimationFrame(() => setTimeout(done));
  const changed = new Promise((done) => addEventListener('hashchange', () => drawn(done), { once: true }));
  location.hash = hash;
  await changed;
  while (document.querySelector('[aria-busy]')) await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def made(source: Path, output: Path) -> dict[str, float]:
    """Seconds of the processor and of the clock, and the peak of memory (MiB), of one process that makes the page."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", MAKE, str(source), str(output)])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("the page could not be made")
    took = time.perf_counter() - begun
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"seconds": round(took, 2), "processor_seconds": round(used.ru_utime + used.ru_stime, 2), "peak_mib": round(peak, 1)}


def worked() -> float:
    """Milliseconds of the processor that Chromium's renderers took so far: other work on the machine does not lengthen them."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        if any(word == "--type=renderer" for word in process.cmdline()):
            times = process.cpu_times()
            total += times.user + times.system
    return total * 1000


def used(running: Any, file: Path) -> dict[str, Any]:
    """What a person waits for in Chromium, in milliseconds."""
    page = running.new_context(viewport={"width": 1280, "height": 900}).new_page()
    opened = []
    for _ in range(RUNS):
        page.goto("about:blank")
        page.goto(file.as_uri())
        page.wait_for_selector("#results-title")
        opened.append(page.evaluate("performance.now()"))
    cells = page.evaluate("document.getElementById('results-title').textContent")
    before = worked()
    filters = [page.evaluate(WAIT, f"#{one}" if one else "#") for one in FILTERS * RUNS]
    processor = (worked() - before) / len(filters)
    machine = [page.evaluate(WAIT, f"#machine=windows/x86_64/nvidia/{python}") for python in ("3.10", "3.11", "3.8")]
    page.goto(file.as_uri())
    links = page.eval_on_selector_all("table.cells .what a", "(all) => all.slice(0, 8).map((one) => one.getAttribute('href'))")
    cell = [page.evaluate(WAIT, link) for link in links]
    page.context.close()
    return {
        "shown": cells,
        "opened_ms": median(opened, 0),
        "filter_ms": {"median": median(filters, 1), "max": round(max(filters), 1), "runs": len(filters)},
        "filter_processor_ms_each": round(processor, 1),
        "machine_ms": median(machine, 1),
        "cell_ms": {"first": round(cell[0], 1), "median": median(cell, 1)},
    }


def one_size(size: int, running: Any) -> dict[str, Any]:
    """Everything for a collection of this size."""
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as scratch:
        source, empty = Path(scratch) / "all.jsonl", Path(scratch) / "none.jsonl"
        empty.touch()
        with source.open("w", encoding="utf-8") as out:
            out.writelines(row.model_dump_json(by_alias=True, exclude_none=True) + "\n" for row in many_records(size))
        made(empty, Path(scratch) / "none")
        alone = (Path(scratch) / "none" / "index.html").stat().st_size
        found: dict[str, Any] = {"records": size, "checks": 60, "made": made(source, Path(scratch) / "page")}
        file = Path(scratch) / "page" / "index.html"
        found["megabytes"] = round(file.stat().st_size / 1e6, 2)
        found["kilobytes_per_cell"] = round((file.stat().st_size - alone) / size / 1e3, 3)
        return found | used(running, file)


def main() -> None:
    """Measure and write."""
    if browser.missing():
        raise SystemExit(f"not measured: {browser.missing()}")
    machine = described()
    with browser.started() as running:
        machine["chromium"] = running.version
        results = [one_size(size, running) for size in SIZES]
    write(__file__, machine, results)


if __name__ == "__main__":
    main()
