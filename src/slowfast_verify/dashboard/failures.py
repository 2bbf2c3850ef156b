"""The known failures as the dashboard tells them: one page each, whose address the doctor may print. Runs on the host; reads data only."""

from __future__ import annotations

from typing import Any

from ..index import index
from ..knowledge import all_known

EXAMPLE_SHOWN = 1500


def failures() -> tuple[list[list[str]], list[dict[str, Any]]]:
    """([[id, title, rung, Chinese title]] for lists and links, what the page of each tells), in the order of their ids."""
    rows = all_known()
    shown = {entry.id: entry.shown for entry in index().known}
    heads = [[name, rows[name].title, rows[name].rung, rows[name].title_zh] for name in sorted(rows)]
    return heads, [_page(name, rows[name], shown[name]) for name in sorted(rows)]


def _page(name: str, row: Any, shown: dict[str, Any]) -> dict[str, Any]:
    page = {
        "cause": shown["cause"], "cause_zh": shown["cause_zh"],
        "fix": [[s["text"], s["for_"], s["why"], s["text_zh"], s["why_zh"]] for s in shown["fix"]],
        "tried": shown["tried"], "tried_zh": shown["tried_zh"], "carried_out": shown["carried_out"], "unsure": shown["unsure"],
        "unsure_zh": shown["unsure_zh"], "seen_in": shown["seen_in"],
        "dead_ends": [[dead["tried"], dead["why"], dead["tried_zh"], dead["why_zh"]] for dead in shown["dead_ends"]],
        "when": [f"{name} {bound}" for name, bound in row.applies.items()],
        "like": list(dict.fromkeys([*row.consequence_of, *(miss.id for miss in row.near_miss if miss.id and miss.id != name)])),
    }  # fmt: skip
    if row.example:
        page["example"] = [row.example.text.strip("\n")[-EXAMPLE_SHOWN:], row.example.origin, row.example.ours]
    return {key: value for key, value in page.items() if value not in ("", [], None)}
