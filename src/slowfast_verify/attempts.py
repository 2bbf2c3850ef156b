"""Puts questions to a target, and under an emulator once more those whose process died or hung: that may be the emulator's doing.

Called by verdict; runs on the host. How often: matrices/emulators.toml. A record names what was asked more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .emulator import KINDS, all_emulators, lost
from .observe import observe
from .question import Observation, Question
from .target import Target


def observe_again(
    target: Target,
    questions: Sequence[Question],
    *,
    places: Mapping[str, str],
    on_step: Callable[[str, str], None] | None = None,
    on_final: Callable[[Observation], None] | None = None,
) -> dict[str, Observation]:
    """{id: Observation}; one that was put more than once is the last, and tells by `attempts`. Natively nothing is put twice."""
    times = all_emulators()[target.kind].attempts if target.kind in KINDS else 1
    found = observe(target, questions, places=places, on_step=on_step, on_final=on_final if times == 1 else None)
    for attempt in range(2, times + 1):
        for question in [one for one in questions if one.id in found and lost(found[one.id])]:  # each in a process of its own
            seen = observe(target, [question], places=places, on_step=on_step)[question.id]
            found[question.id] = seen.model_copy(update={"attempts": attempt})
    return found
