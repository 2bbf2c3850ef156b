"""The table of a run of all sabotages: reports/SABOTAGE.md."""

from __future__ import annotations

import platform
from typing import Any

HEAD = """# Sabotaged environments

Written by `nox -s sabotage` from one run; do not edit. Each row is an environment that was healthy and was broken in one way, and what
`slowfast-verify doctor` said of it: a verdict within the time limit, the culprit named first, no traceback of its own. Rows without a
problem are the counter-examples: odd, and harmless. The list is data: `tests/harness/sabotage/*.toml`.
"""


def markdown(rows: list[dict[str, Any]]) -> str:
    """The whole file."""
    done = [row for row in rows if row["outcome"] != "skipped"]
    good = [row for row in done if row["outcome"] == "passed"]
    slowest = max((row["seconds"] for row in done), default=0)
    out = [
        HEAD,
        f"{len(good)} of {len(done)} as they should be; {len(rows) - len(done)} could not be carried out here; the slowest took "
        f"{slowest:.1f} s ({platform.system()} {platform.machine()}).",
        "",
        "| sabotage | what was done | as it should be | rung | seconds (limit) | what the doctor said first |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["ground"] != "standin", row["id"])):
        word = {"passed": "yes", "failed": "**no**", "skipped": "not verified"}[row["outcome"]]
        time = f"{row['seconds']:.1f} ({row['limit']:g})" if row["outcome"] != "skipped" else ""
        cells = [f"`{row['id']}`", row["what"], word, row["rung"], time, row["said"]]
        out.append("| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(out) + "\n"
