"""What decides which environment a cell gets, as one digest: whatever of it changes makes the environment that stands stale.

Called by provision; runs on the host, starts nothing.
"""

from __future__ import annotations

import hashlib
import json

from .cell import Cell
from .emulator import emulator_of
from .ground import Base
from .matrix import Matrix
from .subject import actions_of

LAYOUT_VERSION = 1  # raise it when provisioning itself changes what an environment holds


def inputs_digest(cell: Cell, matrix: Matrix, base: Base) -> str:
    """A digest over everything that decides what comes out, but for what the index offers today."""
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    revision = subject.at(cell.revision)
    emulated = emulator_of(cell)
    later = ("remove", "run")  # these fields came after environments had been built: empty, they make none of them stale
    dumps = [action.model_dump() for _, action in actions_of(revision, stack.workarounds) if cell.matches(action.when)]
    fixes = [{key: value for key, value in dump.items() if (value or key not in later) and not key.endswith("_zh")} for dump in dumps]
    inputs = {
        "layout": LAYOUT_VERSION,
        "cell": cell.id,
        "python": [str(base.python), base.exact],
        "torch": stack.torch.model_dump(),
        "wheels": (found := stack.wheels_of(cell))
        and found.model_dump(exclude={"note", "megabytes", "minutes", *(() if found.channels else ("channels", "packages"))}),
        "pins": [[pin.name, pin.spec] for pin in stack.pin if cell.matches(pin.when)],
        "source": subject.source.model_dump(exclude={"reason"}),
        "revision": revision.model_dump(include={"commit", "version", "needs"}),
        "env": subject.env,
        "phases": [
            phase.model_dump(exclude={"reason", "without_known", *(() if emulated else ("without_compiler",))}) for phase in subject.phase
        ],
        "fixes": fixes,
    }
    if emulated:
        beside = emulated.beside_of(cell)
        inputs["emulator"] = [emulated.kind, [[pin.name, pin.spec] for pin in emulated.pin], *([beside] if beside else [])]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
