"""Where the published dashboard is, and which page of it tells a known failure. Data: matrices/dashboard.toml.

Runs on the host; called by told and explain (links) and by the dashboard (whom it advises). Imports layout and data only.
"""

from __future__ import annotations

import os
from functools import cache
from urllib.parse import quote

from . import layout
from .data import Row, load

VARIABLE = "SLOWFAST_VERIFY_DASHBOARD"


class Advised(Row):
    """A subject with its revision, and why it stands where it stands."""

    subject: str
    reason: str


class Pages(Row):
    """matrices/dashboard.toml."""

    address: str = ""
    advise: list[Advised]


@cache
def pages() -> Pages:
    """The data, read once."""
    return load(layout.matrices() / "dashboard.toml", Pages)


def failure_page(identifier: str) -> str:
    """The address of a known failure's page; "" where no dashboard is published."""
    address = os.environ.get(VARIABLE, "") or pages().address
    return f"{address}#failure={quote(identifier)}" if address else ""
