"""A verdict that still holds: the record of a cell of which nothing changed is carried over instead of being made again.

Called by climb, on the host; starts nothing in a target. What counts as a change: the cell's inputs, anything of the suite that asks or
judges, this machine, what lies in the environment, and thirty days. Only a record without a red or an unsure check is carried over: what
failed once is worth another look.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from . import layout
from .atomic import write_text
from .emulator import KINDS, label
from .provenance import suite_state
from .reading import moment
from .record import Provisioned, Record

KEPT_FOR = timedelta(days=30)
UNSURE = ("failed", "passed unexpectedly", "infrastructure", "stale", "never run")


class Kept(BaseModel):
    """What was found in a standing environment, and what it was found with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: str
    record: Record


def carried_over(standing: Provisioned, now: datetime | None = None) -> Record | None:
    """The cell's last record, marked as carried over, if nothing changed since; else None."""
    try:
        kept = Kept.model_validate_json(_file(standing).read_bytes())
    except (OSError, ValidationError, ValueError):
        return None
    now = now or datetime.now(UTC)
    age = now - moment(kept.record.run)
    if not timedelta(0) <= age <= KEPT_FOR or kept.state != state_of(standing):
        return None
    return kept.record.model_copy(update={"carried_over": time.strftime("%Y-%m-%dT%H:%M:%SZ", now.utctimetuple())})


def keep(standing: Provisioned, record: Record, state: str) -> None:
    """Keep a fresh record for the next run, beside its environment; an unsure one takes the kept one away. state: of before it was made."""
    path = _file(standing)
    path.unlink(missing_ok=True)
    if record.carried_over is None and not any(check.outcome in UNSURE for check in record.checks):
        with suppress(OSError):  # no room for it: the next run makes the record again
            write_text(path, Kept(state=state, record=record).model_dump_json(by_alias=True, exclude_none=True))


def state_of(standing: Provisioned) -> str:
    """A digest of everything that a verdict rests on, but for what an outage changes."""
    runner = next((label(kind) for kind in KINDS if kind == standing.runner), standing.runner)
    parts = [standing.cell, standing.inputs, runner, standing.created, platform.platform(), str(os.cpu_count())]
    parts += [os.environ.get(name, "") for name in ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LD_PRELOAD", "LC_ALL", "LANG")]
    return hashlib.sha256("\n".join([*parts, suite_state(), _environment_state(standing)]).encode()).hexdigest()


def _environment_state(standing: Provisioned) -> str:
    """Names and times of what lies in site-packages and in the checkout: an install, a removal or an edit there shows."""
    rows = []
    places = [path for path in Path(standing.env).rglob("site-packages") if path.is_dir()][:2]
    if standing.checkout:
        checkout = Path(standing.checkout)
        places += [checkout, *(path for path in checkout.rglob("*") if path.is_dir() and ".git" not in path.parts)]
    for place in places:
        for entry in sorted(os.scandir(place), key=lambda row: row.name) if place.is_dir() else []:
            if entry.name != "__pycache__" and not entry.name.endswith(".pyc"):
                about = entry.stat(follow_symlinks=False)
                rows.append([str(place), entry.name, 0 if entry.is_dir() else about.st_mtime_ns])
    return json.dumps(rows)


def _file(standing: Provisioned) -> Path:
    return layout.home() / "cells" / standing.cell / "verified.json"
