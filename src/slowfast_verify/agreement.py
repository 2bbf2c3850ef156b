"""Whether two records of one combination say the same: labels, probabilities, and how far each got. Records in, sentences out.

What runs under an emulator is worth something only if it computes what the same versions compute natively. Called by the command line
and by the tests over reports/evidence; runs nothing.
"""

from __future__ import annotations

from typing import Any

from . import cell as cells
from .emulator import all_emulators
from .knowledge import RUNGS
from .record import Record

TOLERANCE = 1e-4  # of a probability; two builds of one torch sum in different orders
Predictions = dict[str, list[tuple[str, float]]]


def predictions_in(facts: dict[str, Any] | None) -> Predictions | None:
    """{clip: [(label, probability) of each window]} of a demo's facts; None where there was no demo."""
    clips = (facts or {}).get("clips")
    return {row["name"]: [(str(label), round(float(p), 6)) for label, p in row["windows"]] for row in clips} if clips else None


def twins(identifier: str) -> list[str]:
    """The native Linux cells that an emulated one is measured against, the nearest first: its own Python, then any other."""
    cell = cells.parse(identifier.partition("+")[0])
    own = cell.model_copy(update={"os": "linux", "arch": "x86_64"})
    others = [own.model_copy(update={"python": f"3.{minor}"}) for minor in range(6, 16)]
    return list(dict.fromkeys([own.id, *(other.id for other in others)]))


def differences(reference: Record, other: Record, tolerance: float = TOLERANCE) -> list[str]:
    """What `other` says differently, a sentence each; nothing when they agree. Wider limits of single clips are data (emulators.toml)."""
    kind = other.cell.partition("+")[2]
    wider = {row.clip: row for row in all_emulators()[kind].tolerance} if kind in all_emulators() else {}
    found = []
    wanted, got = reference.predictions or {}, other.predictions or {}
    if not wanted and RUNGS.index(reference.reached() or RUNGS[0]) >= RUNGS.index("demo"):
        found.append(f"{reference.cell} holds no probabilities to compare with")
    for clip, windows in wanted.items():
        mine = got.get(clip)
        row = wider.get(clip) or wider.get("*")
        limit, same_label = (max(tolerance, row.value), row.label) if row else (tolerance, True)
        if mine is None or len(mine) != len(windows):
            found.append(f"{clip}: {len(mine or [])} windows instead of {len(windows)}")
            continue
        for number, ((label, probability), (my_label, my_probability)) in enumerate(zip(windows, mine, strict=True)):
            if (label != my_label and same_label) or abs(probability - my_probability) > limit:
                found.append(f"{clip}, window {number}: {my_label} {my_probability:.6f} instead of {label} {probability:.6f}")
    ends = [RUNGS.index(reached) if (reached := record.reached()) else -1 for record in (reference, other)]
    if ends[1] < ends[0]:
        found.append(f"it gets to {RUNGS[ends[1]] if ends[1] >= 0 else 'nothing'}, {reference.cell} to {RUNGS[ends[0]]}")
    return found
