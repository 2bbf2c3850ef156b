"""Files that a command makes from others: written where they differ, or with `--check` named. Runs on the host.

Called by every `python -m slowfast_verify.NAME [--check]` and by the scripts of docs/ and bench/.
"""

from __future__ import annotations

from pathlib import Path

from . import layout
from .atomic import write_text
from .errors import HEALTHY, PROBLEMS_FOUND, Problem


def settle(files: dict[Path, str], arguments: list[str], command: str) -> int:
    """Write those of {path: text} that say something else; with --check in the arguments only name them, and the command that mends them.

    0, or 1 where --check found something.
    """
    check = "--check" in arguments
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, files[path])
        shown = path.relative_to(layout.root()).as_posix() if path.is_relative_to(layout.root()) else path
        print(f"{shown} {'drifted from what it is made from' if check else 'written'}")
    if check and stale:
        print(f"  next: {command}")
    return PROBLEMS_FOUND if check and stale else HEALTHY


def between(text: str, begin: str, end: str, block: str, where: Path) -> str:
    """The text of a document with the block between its marks exchanged. Raises Problem where the marks are missing."""
    before, mark, rest = text.partition(begin)
    _, close, after = rest.partition(end)
    if not mark or not close:
        raise Problem("the place for what is generated is not marked", where=str(where), next=f"put {begin} and {end} around it")
    return f"{before}{begin}\n{block}\n{end}{after}"
