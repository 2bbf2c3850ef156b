"""`slowfast-verify bisect`: the first commit of a subject at which a rung falls."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import layout
from ..errors import HEALTHY, PROBLEMS_FOUND, Problem


def bisect(
    cell: Annotated[str, typer.Argument(help="the cell whose environment is used; only its checkout moves")] = "",
    good: Annotated[str, typer.Argument(help="a commit, branch, tag or revision of the subject that is all right")] = "",
    bad: Annotated[str, typer.Argument(help="a later one that is not")] = "",
    rung: Annotated[str | None, typer.Option(help="the rung to watch; none: the first that falls")] = None,
    evidence: Annotated[bool, typer.Option("--evidence", help="keep the result in reports/bisect and write reports/BISECT.md")] = False,
    check: Annotated[bool, typer.Option("--check", help="search nothing; fail if BISECT.md is not what reports/bisect says")] = False,
) -> None:
    """Find the first commit of a git source at which a rung falls, in one environment; goes on where it was interrupted."""
    from .. import bisect_page, bisection
    from ..atomic import write_text
    from ..matrix import default

    page, kept = layout.reports() / "BISECT.md", layout.reports() / "bisect"
    if check:
        if not page.exists() or page.read_text(encoding="utf-8") != bisect_page.markdown(bisect_page.load(kept)):
            again = "slowfast-verify bisect CELL GOOD BAD --evidence"
            raise Problem(f"{page.name} is not what reports/bisect says", where=str(page), next=again, code=PROBLEMS_FOUND)
        return
    if not (cell and good and bad):
        raise Problem("a cell, a good and a bad commit are needed", next="slowfast-verify bisect CELL GOOD BAD [--rung RUNG]")
    matrix = default()
    result = bisection.of_cell(matrix.cell(cell), matrix, good, bad, rung, say=lambda text: print(text, flush=True))
    path = bisect_page.write(result, kept if evidence else layout.reports() / "bisections")
    if evidence:
        write_text(page, bisect_page.markdown(bisect_page.load(kept)))
    print("\n".join([*bisect_page.told(result), f"written: {path}"]))
    raise typer.Exit(HEALTHY if result.first else PROBLEMS_FOUND)
