"""docs/reliability.md, from what the faults of a run gave: what was done to the suite, how often, and in what it ended.

`nox -s faults` leaves the results in reports/faults.json; `python -m slowfast_verify.fault_table` puts them between the marks of the
document, `--check` only says whether they stand there. Runs on the host; starts nothing.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from . import layout
from .atomic import write_text
from .generated import between, settle

KEY = "fault"
BEGIN, END = "<!-- faults: written by a command -->", "<!-- end -->"


class Result(BaseModel):
    """One fault: what was done, how many times, what it ended in, and whether all that must hold did. seconds: of all times together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    what: str
    times: int = 1
    ends: str
    seed: int | None = None
    outcome: Literal["held", "broke", "not verified"] = "held"
    seconds: float = 0.0
    date: str = ""
    test: str = ""


class Run(BaseModel):
    """The results of one run and where it was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: str
    machine: str
    results: list[Result]


def kept() -> Path:
    """The results that the document is written from."""
    return layout.root() / "reports" / "faults.json"


def document() -> Path:
    """The document that they stand in."""
    return layout.root() / "docs" / "reliability.md"


def keep(results: list[Result], path: Path, *, anew: bool = False) -> None:
    """Keep the results of a run. anew: of a whole one; those of a part (`nox -s faults -- -k index`) replace their own rows alone."""
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    today = time.strftime("%Y-%m-%d", time.gmtime())
    before = [] if anew or not path.exists() else Run.model_validate_json(path.read_text(encoding="utf-8")).results
    mine = {row.test for row in results if row.test}
    rows = {row.id: row for row in before if row.test not in mine}
    rows |= {row.id: row.model_copy(update={"date": today}) for row in results}
    run = Run(date=today, machine=machine, results=[rows[name] for name in sorted(rows)])
    write_text(path, run.model_dump_json(indent=1) + "\n")


def render(run: Run) -> str:
    """The table and the counts, as Markdown."""
    held = [row for row in run.results if row.outcome == "held"]
    killed = sum(row.times for row in held if row.id.startswith("killed-"))
    lines = [
        f"{len(held)} of {len(run.results)} kinds of faults held, {sum(row.times for row in held)} faults in all, "
        f"{killed} of them SIGKILL at a random moment; {run.date}, {run.machine}, {sum(row.seconds for row in run.results):.0f} s.",
        "",
        "| fault | times | ends in | held | seconds | seed | date |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in run.results:
        word = "yes" if row.outcome == "held" else "**no**" if row.outcome == "broke" else row.outcome
        cells = [row.what, row.times, row.ends, word, f"{row.seconds:g}", "" if row.seed is None else row.seed, row.date]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write, or with --check compare; 0, or 1 where the document is stale."""
    run = Run.model_validate(json.loads(kept().read_text(encoding="utf-8")))
    text = between(document().read_text(encoding="utf-8"), BEGIN, END, render(run), document())
    return settle({document(): text}, arguments, "python -m slowfast_verify.fault_table")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
