"""One line on a terminal's standard error while something takes its time; nothing where nobody looks. Runs on the host.

Called by commands that answer all at once, after seconds. Whatever goes step by step says its steps instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show the words, and take them away again."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
