"""docs/mutation.md, from what `nox -s mutation`, `nox -s sabotage` and tests/harness/can_fail.toml say: which mistakes our tests notice.

`python -m slowfast_verify.mutation_page` puts it between the marks of the document, `--check` only says whether it stands there. A row of
tests/mutation/equivalent.toml says why a mutant that survived is no gap; one that fits no survivor is an error: the code has changed.
Runs on the host; starts nothing.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from . import layout
from .data import Row, load
from .errors import PROBLEMS_FOUND
from .generated import between, settle
from .mutation import Outcome, Run, Subjects, Survivor, results, subjects

BEGIN, END = "<!-- mutation: written by a command -->", "<!-- end -->"
SHOWN = 150  # characters of a change in the list
WANTED = 95.0  # per cent, of issue 7


class Equivalent(Row):
    """A change that no test can notice, or that none should. before, after: as the list of survivors shows them; reason: why."""

    file: str
    function: str
    before: str
    after: list[str]
    reason: str


class Equivalents(Row):
    """tests/mutation/equivalent.toml."""

    equivalent: list[Equivalent] = []


def document() -> Path:
    """The document that the tables stand in."""
    return layout.root() / "docs" / "mutation.md"


def equivalents() -> list[Equivalent]:
    """The rows of tests/mutation/equivalent.toml."""
    return load(layout.root() / "tests" / "mutation" / "equivalent.toml", Equivalents).equivalent


def reason_of(survivor: Survivor, rows: list[Equivalent]) -> str:
    """Why a survivor is no gap; empty where nobody says so."""
    mine = (survivor.file, survivor.function, survivor.before)
    return next((row.reason for row in rows if (row.file, row.function, row.before) == mine and survivor.after in row.after), "")


def stale(rows: list[Equivalent], run: Run) -> list[str]:
    """The rows that fit no survivor of a subject that was run: the code has changed, or a test notices the change by now."""
    seen = {(row.file, row.function, row.before, row.after) for found in run.subjects.values() for row in found.survivors}
    ran = {file for found in run.subjects.values() for file in found.files}
    return [
        f"{row.file}: {row.function}: {row.before} -> {after}"
        for row in rows for after in row.after
        if row.file in ran and (row.file, row.function, row.before, after) not in seen
    ]  # fmt: skip


def gone(rows: list[Equivalent]) -> list[str]:
    """The rows whose line stands in its file no more, whatever an earlier run found."""
    texts = {file: plain((layout.root() / file).read_text(encoding="utf-8")) for file in {row.file for row in rows}}
    return [f"{row.file}: {row.before}" for row in rows if plain(row.before) not in texts[row.file]]


def plain(text: str) -> str:
    """A text without its white space."""
    return "".join(text.split())


def percent(caught: int, of: int) -> str:
    """`98.1 %`; cut, not rounded, so that 94.96 does not become 95."""
    return f"{int(1000 * caught / of) / 10:g} %" if of else "-"


def render(run: Run, data: Subjects, rows: list[Equivalent]) -> str:
    """Both tables and the lists of survivors, as Markdown."""
    lines = [f"{run.tool}, {run.machine}.", "", *_table(run, data, rows), ""]
    for name, subject in data.subject.items():
        found = run.subjects.get(name)
        lines += ["", f"### {name}", "", f"{subject.why}.", ""]
        lines += [
            f"Mutated: {', '.join(f'`{file}`' for file in subject.files)}.  ",
            f"Tests: {', '.join(f'`{test}`' for test in subject.tests)}.",
        ]
        if subject.deselect:
            unused = ", ".join(f"`{test.rpartition('::')[2]}`" for test in subject.deselect)
            lines += ["", f"Not used: {unused}: {subject.deselect_why}."]
        if found is None:
            lines += ["", "**Not run.**"]
            continue
        lines += ["", *_survivors(found, rows)]
    return "\n".join(lines)


def _table(run: Run, data: Subjects, rows: list[Equivalent]) -> list[str]:
    head = [
        "| subject | mutants | killed | timed out | survived | of these equivalent | noticed | without those | date, commit | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    sums = [0] * 5
    for name in data.subject:
        found = run.subjects.get(name)
        if found is None:
            head.append(f"| {name} | not run | | | | | | | | |")
            continue
        same = sum(bool(reason_of(row, rows)) for row in found.survivors)
        numbers = [found.mutants - found.not_run, found.killed, found.timed_out, len(found.survivors), same]
        sums = [a + b for a, b in zip(sums, numbers, strict=True)]
        left = f" ({found.not_run} more were not tried)" if found.not_run else ""
        head.append(_row(name + left, numbers, " ".join((found.date, found.suite)).strip(), f"{found.seconds:.0f}"))
    return [*head, _row("**all**", sums, "", "")]


def _row(name: str, numbers: list[int], date: str, seconds: str) -> str:
    mutants, killed, timed_out, _, same = numbers
    caught = killed + timed_out
    return f"| {' | '.join([name, *map(str, numbers), percent(caught, mutants), percent(caught, mutants - same), date, seconds])} |"


def _survivors(found: Outcome, rows: list[Equivalent]) -> list[str]:
    """A line for each survivor: gaps first, then those that are none, with the reason."""
    if not found.survivors:
        return ["No mutant survived."]
    lines = ["| where | change | why it is no gap |", "|---|---|---|"]
    for row in sorted(found.survivors, key=lambda row: (bool(reason_of(row, rows)), row.file, row.line)):
        change = f"{_code(row.before)} → {_code(row.after)}"
        lines.append(f"| {Path(row.file).name}:{row.line} `{row.function}` | {change} | {reason_of(row, rows) or _open(row)} |")
    return lines


def _open(row: Survivor) -> str:
    return "**a gap**" if row.reached else "**a gap**: no test gets here"


def _code(text: str) -> str:
    """A change as it fits into a cell of a table."""
    text = re.sub(r"\s+", " ", text).replace("|", "\\|")
    return f"`` {text if len(text) <= SHOWN else text[:SHOWN] + '…'} ``" if text else "nothing"


def seeded() -> str:
    """The other half, in a sentence: every check has a test in which what it judges is damaged."""
    import tomllib

    table = tomllib.loads((layout.root() / "tests" / "harness" / "can_fail.toml").read_text(encoding="utf-8"))
    entries = [row for rows in table.values() for row in rows.values()]
    checks = sum(
        isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for path in layout.suites().glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    )
    real = sum("real" in row for row in entries)
    said = re.search(r"(\d+) of (\d+) as they should be; .*", (layout.root() / "reports" / "SABOTAGE.md").read_text(encoding="utf-8"))
    sabotage = said[0] if said else "not run"
    return (
        f"{len(entries)} of {checks} checks have a test that damages what they judge and sees them red; "
        f"for {real} of them another one also breaks a provisioned cell. "
        f"`nox -s sabotage` breaks whole environments and asks the doctor: {sabotage}"
    )


def main(arguments: list[str]) -> int:
    """Write, or with --check compare; 0, or 1 where the document or a row of equivalent.toml is stale."""
    run, rows = results(), equivalents()
    wrong = [f"  fits no survivor: {row}" for row in stale(rows, run)] + [f"  the line is gone: {row}" for row in gone(rows)]
    if wrong:
        print("tests/mutation/equivalent.toml names what is not so any more\n" + "\n".join(wrong))
        print("  next: take the row away, or run `nox -s mutation` again and look at what survives")
        return PROBLEMS_FOUND
    tables = f"{seeded()}\n\n{render(run, subjects(), rows)}"
    text = between(document().read_text(encoding="utf-8"), BEGIN, END, tables, document())
    return settle({document(): text}, arguments, "python -m slowfast_verify.mutation_page")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
