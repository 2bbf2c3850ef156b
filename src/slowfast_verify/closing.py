"""The end of a matrix run: one table over the cells that were climbed in it. Called by the noxfile when nox has finished.

Reads records alone, so it says the same whether the cells ran one after another or side by side.
"""

from __future__ import annotations

import os
import sys

from rich.console import Console

from . import compatibility, layout, report
from . import record as records
from .errors import Problem
from .record import Record


def unverified(shown: list[Record]) -> list[str]:
    """A line for each cell that an outage or this machine kept from being verified: no skip may pass for green."""
    lines = []
    for record in shown:
        outage = next((check for check in record.checks if check.outcome == "infrastructure"), None)
        if outage:
            lines.append(f"NOT VERIFIED, infrastructure: {record.cell} at {outage.rung}: {_first(outage.reason)}")
        elif all(check.outcome == "not verified" for check in record.checks):
            lines.append(f"NOT VERIFIED: {record.cell}: {_first(record.checks[0].reason)}")
    return lines


def _first(reason: str | None) -> str:
    return ((reason or "").strip().splitlines() or ["no reason was given"])[0][:300]


def standing() -> dict[str, tuple[int, int]]:
    """{record: which file it is and when it was written}. Compared, not ordered: a clock may be set back while cells are climbed."""
    return {path.stem: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (layout.reports() / "records").glob("*.json")}


def close_run(before: dict[str, tuple[int, int]]) -> None:
    """Print the table of all records written since `before` (what `standing` said), and write COMPATIBILITY.md beside them.

    A run in which no cell could be verified must not look like a success: the process then ends with exit status 4.
    """
    folder = layout.reports() / "records"
    written = {name for name, state in standing().items() if before.get(name) != state}
    fresh = {name for name in written if not name.startswith("target-")}  # `verify` has shown its own table
    if not fresh:
        return
    everything, complaints = report.load([folder])
    shown = [held.record for held in everything if held.cell in fresh]
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print()
    report.print_summary(shown, console)
    try:
        records.write_beside(folder / "COMPATIBILITY.md", compatibility.markdown(everything))
        console.print(f"records and COMPATIBILITY.md: {folder}", highlight=False, soft_wrap=True)
    except Problem as problem:
        print(problem, file=sys.stderr)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    for line in unverified(shown):
        print(line, flush=True)
    if shown and all(check.outcome in ("not verified", "infrastructure") for record in shown for check in record.checks):
        print("no cell could be verified here: that is no success (exit status 4)", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(4)
