"""The lists that checks are repeated for: an argument of a check named after one of them takes each of its values. Runs on the host.

Called by verdict; the plugin hands the values to pytest, judge takes them as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import ladder, layout

if TYPE_CHECKING:
    from .verdict import Verdicts


def values_of(name: str, verdicts: Verdicts) -> list[Any] | None:
    """The values that a check is repeated for, by the name of its argument; None for a name that is no list of ours."""
    if name == "dependency":
        return ladder.dependency_modules(verdicts.subject, verdicts.inventory)
    if name == "module":
        return ladder.subject_modules(verdicts.subject, verdicts.inventory)
    if name == "required_name":
        return [f"{row.module}.{row.name}" for row in verdicts.subject.required_name]
    if name == "config_file":
        return list(verdicts.inventory["configs"])
    if name == "published":
        return ["SLOWFAST_8x8_R50"] if verdicts.asked.get("zoo") and "published" in verdicts.subject.command else []
    if name in ("clip", "moving_clip", "still_clip"):
        shown = ladder.clips_of(verdicts.subject)
        return [clip for clip, row in shown.items() if name == "clip" or (name == "moving_clip") == bool(row["label"])]
    if name == "our_config":
        asked = [command.args for command in verdicts.subject.command.values() if command.args.get("ours")]
        places = [(Path(args["ours"].replace("{fixtures}", str(layout.fixtures()))), args.get("omit", [])) for args in asked]
        return sorted({file.name for place, omitted in places for file in place.parent.glob(place.name) if file.name not in omitted})
    if name == "given_config":
        return [Path(verdicts.asked["config"]).name] if verdicts.asked.get("config") else []
    if name == "aligner":
        return [q.id.partition(":")[2] for questions in verdicts.batches.values() for q in questions if q.id.startswith("roi_align:")]
    if name == "distributed_function":
        return [f for row in verdicts.batches.values() for q in row if q.id == "gloo" for f in q.args.get("functions", [])]
    return None
