"""Break, diagnose, fix, green: one known failure, brought about and mended in a clone of a healthy environment. Runs on the host.

Called by tests/loops (`nox -s loops`). Which environments are healthy stands in matrices/loops.toml; what breaks and mends them in
knowledge/. Nothing is written outside of the clone; what a fix would do to a person's environment it does there.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict

from . import fix, knowledge, layout, sources, witness
from .action import Action
from .cell import Cell
from .errors import Infrastructure, NotVerifiable, Problem
from .fix import Place
from .healthy import attempts, healthy, loops, release, require, require_start, runner_of, shared, tidy
from .knowledge import Failure, KnownFailure

Outcome = Literal["green", "red", "not run"]
RUN_SECONDS = 300.0


class LoopResult(BaseModel):
    """What became of one loop. fixes: which of the fix's actions were carried out, counted from 1, or `by hand` for an advice followed.

    runner: `native`, or the emulator and its version. locales: the languages in which it was diagnosed as well.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    environment: str
    needs: list[str] = []
    outcome: Outcome
    reason: str = ""
    fixes: str = ""
    runner: str = "native"
    locales: list[str] = []
    evidence: str = ""
    seconds: float = 0
    created: str = ""


class Failed(Exception):
    """A step of a loop did not end as it must; the message tells which and what was said."""


class _Step(Exception):
    """A command of an action failed: its output."""

    def __init__(self, argv: list[str], status: int, said: str) -> None:
        super().__init__(f"{' '.join(argv)[:300]}: exit status {status}\n{said[-1500:]}")
        self.said = f"$ {' '.join(argv)}\n{said}"


def identifiers() -> list[str]:
    """Every loop: a known failure's own, and those elsewhere as `ID@ENVIRONMENT`."""
    own = [name for name, row in knowledge.all_known().items() if row.witness]
    other = [f"{name}@{one.witness.environment}" for name, row in knowledge.all_known().items() for one in row.elsewhere]
    return sorted([*own, *other])


def row_of(identifier: str) -> KnownFailure:
    """The known failure of a loop, with what breaks and shows it there."""
    name, _, place = identifier.partition("@")
    row = knowledge.known(name)
    if place:
        for one in row.elsewhere:
            if one.witness.environment == place:
                return row.model_copy(update={"reproduce": one.reproduce, "witness": one.witness})
        raise Problem(f"{name} has no loop in {place!r}", where=f"knowledge/{name}.toml", cause="no [[elsewhere]] names that environment")
    return row


def run_loop(identifier: str) -> LoopResult:
    """Run one loop to its end. A missing environment, program or source gives the outcome `not run` and its reason; so does an emulator
    that breaks down. Under an emulator a red loop is tried again, as often as matrices/emulators.toml says.
    """
    row = row_of(identifier)
    assert row.witness, f"{identifier} has no witness"
    begun = time.monotonic()
    tidy()
    result = LoopResult(
        id=identifier, environment=row.witness.environment, needs=row.witness.needs, outcome="red",
        runner=runner_of(row.witness.environment), locales=row.witness.locales, created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )  # fmt: skip
    for _ in range(attempts(row.witness.environment)):
        result = result.model_copy(update=_attempt(identifier, row))
        if result.outcome != "red":
            break
    return result.model_copy(update={"seconds": round(time.monotonic() - begun, 1)})


def _attempt(identifier: str, row: KnownFailure) -> dict[str, str]:
    """What became of the loop: outcome, and its reason or what it took."""
    assert row.witness
    light = leaves_no_trace(row)
    folder = layout.home() / "clones" / (f"shared-{row.witness.environment}-{os.getpid()}" if light else f"{identifier}-{os.getpid()}")
    try:
        for need in row.witness.needs:
            require(need)
        place, cell = shared(row.witness.environment, folder) if light else healthy(row.witness.environment, folder)
        try:
            return {**_turn(row, place, cell), "outcome": "green", "reason": ""}
        except (Failed, Problem) as problem:
            require_start(place)  # an emulator that does not even start says nothing about the loop
            outcome = "not run" if isinstance(problem, NotVerifiable) else "red"
            return {"reason": str(problem), "outcome": outcome}
    except (NotVerifiable, Infrastructure) as problem:
        return {"reason": str(problem), "outcome": "not run"}
    except Problem as problem:
        return {"reason": str(problem), "outcome": "red"}
    finally:
        release(folder)
        shutil.rmtree(folder / "tmp" if light else folder, ignore_errors=True)


def _turn(row: KnownFailure, place: Place, cell: Cell) -> dict[str, str]:
    """The loop itself; what it tells of the way. Raises Failed."""
    assert row.witness
    commands = loops().command
    before = witness.look(row, row.witness, place, commands)
    said = _break(row, place, cell)
    if before.red and not said and row.reproduce:
        raise Failed(f"the witness is red before anything was broken:\n{before.said[-2000:]}")
    broken = witness.look(row, row.witness, place, commands) if row.reproduce else before
    evidence = _diagnosed(row, broken, said)
    for locale in row.witness.locales:
        seen = witness.look(row, row.witness, speaking(place, locale), commands)
        evidence += "\n" + _diagnosed(row, seen, "", f" with LC_ALL={locale}")
    fixes = _mend(row, place, cell, commands)
    return {"fixes": fixes, "evidence": evidence}


def speaking(place: Place, locale: str) -> Place:
    """The same place on a system of another language."""
    return replace(place, variables={**place.variables, "LC_ALL": locale})


def _diagnosed(row: KnownFailure, seen: witness.Seen, said: str, where: str = "") -> str:
    """What shows the failure. Raises Failed where the witness is green, or another failure is named."""
    if not seen.red:
        raise Failed(f"the reproduction breaks nothing: the witness stays green{where}")
    names = knowledge.diagnose(Failure(text=said)) if said else seen.names
    if names != row.id:
        raise Failed(f"diagnose names {names}, not {row.id}{where}, for:\n{(said or seen.said)[-3000:]}")
    return _evidence(row, said or seen.said)


def _break(row: KnownFailure, place: Place, cell: Cell) -> str:
    """Carry out the reproduction; returns what its failing commands printed."""
    said = ""
    for action in row.reproduce:
        if cell.matches(action.when):
            try:
                fix.carry_out(action, place, _runner(place), "reproduce")
            except _Step as step:
                said += step.said
    return said


def _mend(row: KnownFailure, place: Place, cell: Cell, commands: dict[str, list[str]]) -> str:
    """Carry out the fix until the witness is green; returns which actions it took. Raises Failed."""
    assert row.witness
    by_hand = row.witness.by_hand
    steps = [("by hand", action) for action in by_hand if cell.matches(action.when)]
    steps = steps or [(str(n), action) for n, action in enumerate(row.fix, 1) if does(action) and cell.matches(action.when)]
    if not steps:
        raise Failed("no action of its fix can be carried out here: all are advice")
    carried, last = [], "the fix changes nothing"
    for name, action in steps:
        try:
            fix.carry_out(action, place, _runner(place), "fix")
        except _Step as step:
            outage = sources.outage_in(step.said)
            if outage:  # the index or the network failed, not the fix
                raise NotVerifiable(str(outage)) from None
            raise Failed(f"fix {name} cannot be carried out: {step}") from None
        carried.append(name)
        seen = witness.look(row, row.witness, place, commands)
        for locale in row.witness.locales:
            if not seen.red:
                seen = witness.look(row, row.witness, speaking(place, locale), commands)
        if not seen.red:
            return " + ".join(dict.fromkeys(carried))
        last = seen.said
    raise Failed(f"the witness stays red after fix {' + '.join(carried)}:\n{last[-3000:]}")


def does(action: Action) -> bool:
    """Whether an action changes something; an advice alone does not."""
    return any(getattr(action, name) for name in ("install", "uninstall", "env", "edit", "opts", "file", "remove", "run"))


def _runner(place: Place) -> fix.Runner:
    def run(label: str, argv: list[str]) -> None:
        status, said = witness.ran(argv, place, RUN_SECONDS)
        if status:
            raise _Step(argv, status, said)

    return run


def _evidence(row: KnownFailure, said: str) -> str:
    """The line of what was said that the signature knows."""
    from .matching import place as found_at

    for signature in row.signature:
        if knowledge.matches(signature, Failure(text=said)):
            start, _ = found_at(signature, said)
            return said[said.rfind("\n", 0, start) + 1 :].partition("\n")[0].strip()[:200]
    return ""


def leaves_no_trace(row: KnownFailure) -> bool:
    """Whether everything that the loop does ends with it: variables, overrides, files in {tmp}. Such loops share a clone."""
    assert row.witness
    for action in [*row.reproduce, *row.fix, *row.witness.by_hand]:
        if action.install or action.uninstall or action.edit or action.remove or action.run:
            return False
        if any(not file.path.startswith("{tmp}/") or file.link_to for file in action.file):
            return False
    return True
