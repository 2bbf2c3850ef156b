"""The end of a matrix run: one table over the cells that were climbed in it. Called by the noxfile when nox has finished.

Reads records alone, so it says the same whether the cells ran one after another or side by side.
"""

from __future__ import annotations

import os
import sys

from rich.console import Console

from . import compatibility, layout, report
from .atomic import write_text


def close_run(since: float) -> None:
    """Print the table of all records written after `since` (seconds of the epoch), and write COMPATIBILITY.md beside them.

    A run in which no cell could be verified must not look like a success: the process then ends with exit status 4.
    """
    folder = layout.reports() / "records"
    written = [path for path in folder.glob("*.json") if path.stat().st_mtime >= since]
    fresh = {path.stem for path in written if not path.stem.startswith("target-")}  # `verify` has shown its own table
    if not fresh:
        return
    everything, complaints = report.load([folder])
    shown = [held.record for held in everything if held.cell in fresh]
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print()
    report.print_summary(shown, console)
    write_text(folder / "COMPATIBILITY.md", compatibility.markdown(everything))
    console.print(f"records and COMPATIBILITY.md: {folder}", highlight=False, soft_wrap=True)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if shown and all(check.outcome == "not verified" for record in shown for check in record.checks):
        print("no cell could be verified here: that is no success (exit status 4)", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(4)
