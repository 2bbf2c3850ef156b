"""What a bisection found, kept and shown: JSON under reports/bisect, the lines at the end of a search, BISECT.md. Starts nothing."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from .atomic import write_text
from .bisection import Bisection
from .errors import Problem


def name_of(result: Bisection) -> str:
    """What its file is called."""
    return f"{result.cell}+{result.good[:7]}-{result.bad[:7]}-{result.rung}"


def write(result: Bisection, folder: Path) -> Path:
    """Keep a result as JSON; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name_of(result)}.json"
    write_text(path, result.model_dump_json(indent=1, exclude_none=True) + "\n")
    return path


def load(folder: Path) -> list[Bisection]:
    """The results of a folder, by name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Bisection.model_validate_json(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors()[0]
            raise Problem("not the result of a bisection", where=f"{path}: {first['msg']}", next="take the file away") from None
    return found


def told(result: Bisection) -> list[str]:
    """What a person reads at the end."""
    if result.first:
        lines = [f"first bad commit: {result.first.commit} ({result.first.date})", f"  {result.first.subject}"]
    else:
        lines = ["only commits that could not be judged are left; the first bad one is among:", *(f"  {c}" for c in result.candidates)]
    known = f" [{result.knowledge}]" if result.knowledge else ""
    return [*lines, f"  {result.rung} before: {result.before}", f"  {result.rung} after:  {result.after}{known}",
            f"  {len(result.judged)} of {result.commits + 1} commits looked at in {result.seconds:.0f} s"]  # fmt: skip


def markdown(found: list[Bisection]) -> str:
    """BISECT.md."""
    lines = ["# First bad commits", "", "Written by `slowfast-verify bisect --evidence` from reports/bisect; edit nothing here by hand."]
    for result in found:
        known = f" ([{result.knowledge}](../knowledge/{result.knowledge}.toml))" if result.knowledge else ""
        first = result.first
        lines += [
            "", f"## {result.rung}, `{result.cell}`", "",
            f"{result.commits} commits between `{result.good[:7]}` and `{result.bad[:7]}`, {len(result.judged)} looked at in "
            f"{result.seconds:.0f} s ({result.run[:10]}, suite {result.suite}).",
            "",
            f"**First bad commit: `{first.commit[:7]}`** ({first.date}): {first.subject}" if first
            else "One of these, which could not be judged: " + ", ".join(f"`{commit[:7]}`" for commit in result.candidates),
            "", f"- before: `{result.before}`", f"- after: `{result.after}`{known}",
            "", "| commit | date | verdict | why | seconds |", "|---|---|---|---|---|",
        ]  # fmt: skip
        for row in result.judged:
            subject, why = (text.replace("|", "/") for text in (row.subject, row.why))
            lines.append(f"| `{row.commit[:7]}` {subject} | {row.date} | {row.verdict} | `{why}` | {row.seconds:.0f} |")
    return "\n".join(lines) + "\n"
