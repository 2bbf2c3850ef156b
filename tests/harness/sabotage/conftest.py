"""The sabotages as fixtures, and the table of a run. `nox -s sabotage` sets SABOTAGE_REAL and SABOTAGE_TABLE."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from . import standin, table

KEY = "sabotage"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The healthy stand-in, made once."""
    folder = tmp_path_factory.mktemp("standin") / "env"
    standin.make(folder)
    return folder


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was named, and write the table where the session asks for it."""
    rows = []
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "when", "") == "call" or outcome == "skipped":
                rows += [{**value, "outcome": outcome} for key, value in getattr(report, "user_properties", []) if key == KEY]
    if rows and os.environ.get("SABOTAGE_TABLE"):
        path = Path(os.environ["SABOTAGE_TABLE"])
        path.write_text(table.markdown(rows), encoding="utf-8")
        terminalreporter.write_line(f"written: {path} ({len(rows)} sabotages)")
