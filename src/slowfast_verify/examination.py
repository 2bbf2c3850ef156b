"""The examination of one environment, from the interpreter to the training loop, and its verdict. Runs on the host.

Called by the `doctor` command and by repair.py. Writes nothing into what it examines. Whatever is broken there ends in a cause; what
is broken here ends in a Problem.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import standstill
from . import target as targets
from .errors import Problem, did_you_mean
from .findings import Cause, Examination, Unverified, Word
from .knowledge import RUNGS
from .question import Observation
from .staged import NOT_REACHED, Staged, first_level, settings
from .subject import Subject, subject

if TYPE_CHECKING:
    from .judge import Judged

CLIMB = RUNGS[RUNGS.index("environment") :]
#: The rungs whose questions share the batch `demo`; the others, from imports on, share one process.
LATE = ("demo", "train")
Say = Callable[[str, str], None]


@dataclass
class Order:
    """What was asked of the doctor. say(rung, text) is told what is being done; show(examination) of the first level, once it is judged."""

    target: targets.Target
    subject: str = "pyslowfast"
    rung: str = "train"
    config: str | None = None
    checkpoint: str | None = None
    say: Say = lambda rung, text: None
    show: Callable[[Examination], None] = lambda examination: None
    began: float = field(default_factory=time.monotonic)


def examine(order: Order) -> Examination:
    """Climb the ladder as far as it goes; returns the verdict, whatever the environment does."""
    if order.rung not in CLIMB:
        raise Problem(f"there is no rung {order.rung!r} to climb to", where="--rung", cause=did_you_mean(order.rung, list(CLIMB)),
                      next=f"one of {', '.join(CLIMB)}")  # fmt: skip
    wanted = subject(order.subject.partition("@")[0])
    asked = _handed(order)
    order.say("environment", f"looks at {order.target.name}")
    with _prepared():
        first = first_level(order.target, wanted)
    if first["inventory"].facts is None:
        return _standstill(order, first["inventory"])
    with tempfile.TemporaryDirectory(prefix="doctor-", ignore_cleanup_errors=True) as folder:
        return _Climb(order, wanted, asked, first, Path(folder)).go()


def _handed(order: Order) -> dict[str, Any]:
    found: dict[str, Any] = {"config": None, "checkpoint": None, "record": None, "zoo": None}
    for name, value in (("config", order.config), ("checkpoint", order.checkpoint)):
        if value:
            path = Path(value).expanduser().resolve()
            if not path.is_file():
                raise Problem(f"there is no such file: {value}", where=f"--{name}", next="mend the path")
            found[name] = str(path)
    return found


@contextlib.contextmanager
def _prepared() -> Iterator[None]:
    """While the target answers, load what judges: half a second that nobody has to wait for."""

    def load() -> None:
        with contextlib.suppress(Exception):  # whatever is wrong shows where it is needed
            from . import judge

            judge.suites_of("environment")
            from . import cause, distributions

            distributions.allowances()
            assert cause

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    yield
    thread.join()


def _standstill(order: Order, seen: Observation) -> Examination:
    cause = standstill.why(order.target, seen)
    return Examination(
        target={"name": order.target.name, "kind": order.target.kind}, subject=order.subject, verdict="problems", reached=None,
        climbed=order.rung, seconds=round(time.monotonic() - order.began, 2), causes=[cause],
    )  # fmt: skip


class _Climb:
    """One climb, rung by rung."""

    def __init__(self, order: Order, wanted: Subject, asked: dict[str, Any], first: dict[str, Observation], folder: Path) -> None:
        from .cause import Causes
        from .prescription import Prescriber
        from .reach import reach_of
        from .symptom import Reader

        self.order = order
        self.staged = Staged(wanted.name, order.target, folder, asked, first, self._step)
        plain = Prescriber(self.staged.inventory, first["environment"].facts or {}, wanted)
        self.prescriber = replace(plain, reach=reach_of(order.target, plain.site))
        self.reader = Reader(self.staged)
        self.causes = Causes(self.staged, self.prescriber, self.reader)
        self.judged: list[Judged] = []
        self.unreached: list[str] = []
        self.seconds: dict[str, float] = {}
        self.rung = "environment"
        self.demo: threading.Thread | None = None

    def _step(self, question: str, step: str) -> None:
        self.order.say(self._rung_of(question), step)

    def _rung_of(self, question: str) -> str:
        if any(question == late.id for late in self.staged.batches["demo"]):
            return "train" if question.startswith("train") else "demo"
        return "imports" if question.startswith(("import:", "name:")) else self.rung

    def go(self) -> Examination:
        """Judge the first level, then climb."""
        self._judge("environment")
        if self.order.rung == "environment":
            return self._told()
        self.order.show(self._told(partly=True))
        self._imports()
        self._late()
        return self._told()

    def _wanted(self, rung: str) -> bool:
        return CLIMB.index(rung) <= CLIMB.index(self.order.rung)

    def _judge(self, rung: str) -> None:
        from .judge import checks_of, judge

        begun = time.monotonic()
        for check in checks_of(rung, self.staged):
            if any(fnmatchcase(check.id, row.check) for row in settings().cells_only):
                continue
            judged = judge(check, self.staged)
            missing = [number for number in judged.seen if self.staged.ask(number).type == NOT_REACHED]
            if missing:
                self.unreached.append(check.id)
            else:
                self.judged.append(judged)
        self.seconds[rung] = self.seconds.get(rung, 0.0) + time.monotonic() - begun

    def _imports(self) -> None:
        """One process for the imports and for what is computed with them; it ends early where torch itself does not come."""
        self.rung = "imports"
        questions = self.staged.batches["imports"]
        imports = [question for question in questions if question.id.startswith(("import:", "name:"))]
        rest = [question for question in questions if question not in imports] if self._wanted("compute") else []
        begun, last = time.monotonic(), imports[-1].id if imports else ""

        def enough(seen: Observation) -> bool:
            if seen.id != last:
                return False
            self.seconds["imports"] = time.monotonic() - begun
            self.rung = "compute"
            if all(self.staged.ask(question.id).facts is not None for question in imports):
                self._start_demo()  # beside what is computed in this process: on two cores both are done in little more than one's time
            return not rest or self._useless()

        limits = settings().limits
        self.staged.put([*imports, *rest], limits.imports, enough)
        for rung in CLIMB[1:]:
            if self._wanted(rung) and rung not in LATE:
                self._judge(rung)

    def _useless(self) -> bool:
        """Whether torch does not import: then nothing above the imports can be answered."""
        return self.staged.ask("import:torch").facts is None

    def _late(self) -> None:
        """The demo and the training, unless something below them is known to stop them."""
        wanted = [rung for rung in LATE if self._wanted(rung)]
        if not wanted:
            return
        if self.demo:
            self.demo.join()
        noted = {check for note in self._told().notes for check in note.checks}
        stops = any(j.check.rung == "imports" and j.result.outcome == "failed" and j.check.id not in noted for j in self.judged)
        if not stops and not self.demo:
            self._put_demo()
        for rung in wanted:
            self._judge(rung)

    def _start_demo(self) -> None:
        if self._wanted("demo"):
            self.demo = threading.Thread(target=self._put_demo, daemon=True)
            self.demo.start()

    def _put_demo(self) -> None:
        begun = time.monotonic()
        questions = [q for q in self.staged.batches["demo"] if self._wanted("train") or not q.id.startswith("train")]
        self.staged.put(questions, settings().limits.demo)
        self.seconds["demo"] = time.monotonic() - begun

    def _told(self, *, partly: bool = False) -> Examination:
        failed = [judged for judged in self.judged if judged.result.outcome in ("failed", "failed as expected")]
        symptoms = [symptom for number, judged in enumerate(failed) for symptom in self.reader.read(judged, number)]
        causes, notes = self.causes.of(symptoms, {j.check.rung for j in self.judged if j.result.outcome == "passed"})
        if causes and self.unreached:
            causes[0] = causes[0].model_copy(update={"unreached": list(self.unreached)})
        reasons: dict[str, list[str]] = {}
        if self.unreached and not causes and not partly:
            reasons["not reached: the target went away before they were put to it"] = list(self.unreached)
        for judged in self.judged:
            if judged.result.outcome == "not verified":
                reasons.setdefault(judged.result.reason or "", []).append(judged.check.id)
        passed = sum(judged.result.outcome == "passed" for judged in self.judged)
        climbed = "environment" if partly else self.order.rung
        return Examination(
            target=self._target(), subject=self.order.subject, verdict=word_of(bool(causes), self.judged),
            reached=self._reached(causes, climbed), climbed=climbed, seconds=round(time.monotonic() - self.order.began, 2),
            rung_seconds={rung: round(seconds, 2) for rung, seconds in self.seconds.items()}, passed=passed, causes=causes, notes=notes,
            not_verified=[Unverified(reason=reason, checks=checks) for reason, checks in sorted(reasons.items(), key=lambda r: -len(r[1]))],
        )  # fmt: skip

    def _reached(self, causes: list[Cause], climbed: str) -> str | None:
        """The last rung below the first that has a cause, of those on which anything passed."""
        bad = {cause.rung for cause in causes}
        last = None
        for rung in CLIMB[: CLIMB.index(climbed) + 1]:
            if rung in bad:
                break
            if any(judged.check.rung == rung and judged.result.outcome == "passed" for judged in self.judged):
                last = rung
        return last

    def _target(self) -> dict[str, Any]:
        inventory, found = self.staged.inventory, {"name": self.order.target.name, "kind": self.order.target.kind}
        found |= {key: inventory[key] for key in ("python", "platform", "machine", "libc")}
        for name in ("torch", "torchvision", "numpy", "pytorchvideo", "detectron2"):
            if name in inventory["distributions"]:
                found[name] = inventory["distributions"][name]["version"]
        return {**found, "installer": self.prescriber.installer}


def word_of(problems: bool, judged: list[Judged]) -> Word:
    """The verdict in one word. A check that broke itself proves nothing: where one did, nobody is called healthy."""
    if problems:
        return "problems"
    proven = any(one.result.outcome == "passed" for one in judged) and not any(one.crashed for one in judged)
    return "healthy" if proven else "not verified"
