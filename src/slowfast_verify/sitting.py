"""The suites put to one cell in this process: every check is judged as soon as what it reads is final. Runs on the host.

Called by climb, for which a second process with pytest in it, its collection and its reports took longer than all judging together
(docs/decisions/006). The checks are those that pytest runs (judge.py reads the same files), and the record is the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from .knowledge import RUNGS
from .provenance import stamp
from .question import Observation
from .record import CheckResult, Record
from .scrub import without_secrets
from .verdict import Verdicts

STEP_SECONDS = 5.0
Say = Callable[[str], None]


class Sitting(Verdicts):
    """Verdicts whose questions are being answered: `ask` waits for the one answer that it is asked for, not for its whole batch."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._changed = threading.Condition()
        self._final: dict[str, Observation] = {}
        self._over: set[str] = set()

    def ask(self, question: str) -> Observation:
        """What became of a question, as soon as that is known. Raises as Verdicts.ask does."""
        batch = self.batch_of(question)
        with self._changed:
            self._changed.wait_for(lambda: question in self._final or batch in self._over)
            if question in self._final:
                return self._final[question]
        return self.observations(batch)[question]  # or what kept its batch from being put: told to the check that asks for it

    def final(self, observation: Observation) -> None:
        """Called by the thread that reads the target's answers."""
        with self._changed:
            self._final[observation.id] = observation
            self._changed.notify_all()

    def over(self, batch: str) -> None:
        """Called by the thread that put a batch, whatever became of it."""
        with self._changed:
            self._over.add(batch)
            self._changed.notify_all()


def sit(cell: str, standing: Path | None, jobs: int, shared: Path, log: Path, say: Say) -> Record:
    """Put the suites to a cell; returns its record. What was found goes to `log`, line by line.

    standing: as of `--standing`. jobs: batches put to the target at a time. shared: an empty folder for the answers. Raises Problem where
    the target does not answer.
    """
    begun = time.monotonic()
    option = SimpleNamespace(cell=cell, standing=standing, record=None, config=None, checkpoint=None, zoo=None)
    verdicts = Sitting.begin(option, shared)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8", errors="backslashreplace") as stream, _Progress(shared, say):
        stream.writelines(f"{line}\n" for line in verdicts.header())
        verdicts.put_side_by_side(max(1, jobs))  # or nobody would put what the checks wait for
        threading.Thread(target=stamp, daemon=True).start()  # asks git, reads the suites: while the target answers
        results = _judged(verdicts, stream)
        stale = verdicts.stale_expectations(results)
        for row in stale:
            stream.write(f"passed unexpectedly: {row.id}: no check failed for {row.knowledge}; take the expectation out\n")
    return verdicts.record([*results, *stale], time.monotonic() - begun)


def _judged(verdicts: Sitting, stream: TextIO) -> list[CheckResult]:
    """The checks of each batch are judged by a thread of its own, in the order in which the answers come."""
    from .judge import checks_of  # with pytest, for its marks: loaded while the target answers

    checks = [check for rung in RUNGS for check in checks_of(rung, verdicts)]
    by_batch: dict[str, list[Any]] = {}
    for check in checks:
        by_batch.setdefault(check.batch, []).append(check)
    found: dict[str, list[CheckResult]] = {}
    broken: list[BaseException] = []

    def work(batch: str) -> None:
        try:
            found[batch] = _judge_each(by_batch[batch], verdicts, stream)
        except BaseException as error:
            broken.append(error)

    # Daemons, not a pool: Ctrl-C must not wait for the answers that they wait for.
    threads = [threading.Thread(target=work, args=(batch,), daemon=True) for batch in by_batch]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return [result for results in found.values() for result in results]


def _judge_each(checks: list[Any], verdicts: Sitting, stream: TextIO) -> list[CheckResult]:
    from .judge import judge

    found = []
    for check in checks:
        judged = judge(check, verdicts, crash="failed")
        result = judged.result
        about = result.knowledge or result.reason or ""
        told = f"{result.outcome}: {check.id}{f': {about}' if about else ''}\n"
        if result.outcome in ("failed", "infrastructure") and judged.error is not None:
            told += "".join(f"    {line}\n" for line in str(judged.error).splitlines())
        stream.write(told if judged.error is None else without_secrets(told))
        found.append(result)
    return found


class _Progress:
    """Says the latest step every few seconds, until it is left."""

    def __init__(self, shared: Path, say: Say) -> None:
        self._shared, self._say, self._done = shared, say, threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> _Progress:
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._done.set()
        self._thread.join()

    def _tell(self) -> None:
        begun, said = time.monotonic(), ""
        while not self._done.wait(STEP_SECONDS):
            step = latest_step(self._shared)
            if step != said:
                self._say(f"  {time.monotonic() - begun:4.0f} s  {step}")
                said = step


def latest_step(shared: Path) -> str:
    """What the batches that are being put have told last."""
    lines = []
    for path in sorted(shared.glob("*.steps")):
        if not path.with_suffix(".json").exists():
            text = path.read_text(encoding="utf-8", errors="replace").splitlines()
            lines.append(f"{path.stem}: {text[-1][:100] if text else 'starts'}")
    return "; ".join(lines) or "judging"
