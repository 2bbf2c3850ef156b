"""From observations to results: which check judged what, whether that was expected, and the record of it all.

Runs on the host, under pytest (plugin.py calls it). Puts each batch of questions to the target once, however many processes ask.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from . import container, ground, knowledge, ladder, layout, provision
from . import record as records
from . import target as targets
from .agreement import predictions_in
from .atomic import write_text
from .attempts import observe_again
from .cell import Cell
from .emulator import whose_fault
from .errors import Infrastructure, NotVerifiable, Problem, no_room
from .expectation import Expectation, check_matches
from .matrix import default
from .observe import observe
from .parameter import values_of
from .parcel import TOO_LARGE
from .provenance import stamp
from .question import Observation
from .record import CheckResult, FailureDetail, Installation, Provisioned, Record
from .sources import outage_in
from .subject import Subject, subject


class Unanswered(AssertionError):
    """A question whose answer a check needs has none; carries the observation."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        head = f"{observation.type}: {observation.message}" if observation.type else f"{observation.how}: {observation.message}"
        step = f"\n  while: {observation.step}" if observation.step else ""
        tail = observation.traceback or observation.stderr_tail
        super().__init__(f"{head}{step}\n{tail[-3000:]}".rstrip())


def answered(observation: Observation) -> dict[str, Any]:
    """The facts of an observation; raises Unanswered when there are none, NotVerifiable when the question could not travel."""
    if observation.type == TOO_LARGE:
        raise NotVerifiable(observation.message or "")
    if observation.facts is None:
        raise Unanswered(observation)
    return observation.facts


class Verdicts:
    """One run of the suites in one target."""

    def __init__(self, subject_name: str, cell: Cell | None, target: targets.Target, folder: Path, inventory: dict[str, Any],
                 asked: dict[str, Any], provisioned: Provisioned | None) -> None:  # fmt: skip
        self.subject: Subject = subject(subject_name)
        self.cell, self.target, self.folder, self.inventory, self.asked = cell, target, folder, inventory, asked
        self.provisioned = provisioned
        self.stack = default().stack_of(cell) if cell else None
        self.expectations: list[Expectation] = default().expectations(cell) if cell else []
        self._read: dict[str, dict[str, Observation]] = {}

    @classmethod
    def begin(cls, option: Any, folder: Path) -> Self:
        """Resolve the options and take the inventory; raises Problem when the target does not answer."""
        asked = {name: getattr(option, name) for name in ("config", "checkpoint", "record", "zoo")}
        for name in ("config", "checkpoint"):
            if asked[name]:
                path = Path(asked[name]).expanduser().resolve()
                if not path.is_file():
                    raise Problem(f"there is no such file: {asked[name]}", where=f"--{name}", next="mend the path")
                asked[name] = str(path)
        if asked["zoo"]:
            from . import zoo  # half a second of imports that only this needs

            asked["zoo"] = zoo.example()
        cell, provisioned = None, None
        if option.cell:
            cell = default().cell(option.cell)
            made = Path(option.standing).read_text(encoding="utf-8") if option.standing else ""
            provisioned = Provisioned.model_validate_json(made) if made else provision.standing(cell, default())
            if provisioned is None:
                raise Problem(
                    f"the environment of {cell.id} does not stand", cause="it was never built, or its inputs changed since",
                    next=f"slowfast-verify climb {cell.id}",
                )  # fmt: skip
            # A cpu cell means the CPU also on a machine with a GPU, or what is expected of it would depend on the machine.
            hidden = {"CUDA_VISIBLE_DEVICES": ""} if cell.accelerator == "cpu" else {}
            target = ground.target_of(provisioned).with_env({**provisioned.variables, **hidden})
            name = cell.subject
        else:
            target = container.stand(targets.parse(option.target))
            name = (option.subject or "pyslowfast").partition("@")[0]
        question = ladder.inventory_question(subject(name))
        seen = observe(target, [question])["inventory"]
        if seen.signal == "SIGKILL":  # it imports nothing of the target's: somebody else ended it
            seen = observe(target, [question])["inventory"]
        if seen.facts is None:
            raise Problem(
                f"the target gives no answer: {seen.message}", where=target.name,
                cause="it is no Python, or it cannot start" if seen.how == "unreachable" else (seen.traceback or seen.stderr_tail)[-800:],
                next=f"try it by hand: echo 'print(1)' | {target.name} -",
            )  # fmt: skip
        return cls(name, cell, target, folder, seen.facts, asked, provisioned)

    def hand_on(self) -> str:
        """What an xdist worker needs, as text."""
        return json.dumps({
            "subject": self.subject.name, "cell": self.cell.id if self.cell else None, "inventory": self.inventory, "asked": self.asked,
            "target": asdict(self.target),
            "folder": str(self.folder), "provisioned": self.provisioned.model_dump() if self.provisioned else None,
        })  # fmt: skip

    @classmethod
    def receive(cls, text: str) -> Self:
        """The counterpart of hand_on, in the worker."""
        raw = json.loads(text)
        target = targets.Target(argv=tuple(raw["target"].pop("argv")), **raw["target"])
        provisioned = Provisioned.model_validate(raw["provisioned"]) if raw["provisioned"] else None
        cell = default().cell(raw["cell"]) if raw["cell"] else None
        return cls(raw["subject"], cell, target, Path(raw["folder"]), raw["inventory"], raw["asked"], provisioned)

    @cached_property
    def batches(self) -> dict[str, list[Any]]:
        """{batch: questions}."""
        opts = self.provisioned.opts if self.provisioned else {}
        return ladder.batches(self.subject, self.inventory, self.cell, opts, self.asked, shared=self.target.shares_files is True,
                              seen=self.target.seen, kind=self.target.kind)  # fmt: skip

    def ask(self, question: str) -> Observation:
        """What became of a question; its whole batch is put to the target the first time that anybody asks."""
        return self.observations(self.batch_of(question))[question]

    def batch_of(self, question: str) -> str:
        """The batch in which a question is put; raises NotVerifiable for one that is put in none."""
        batch = self._batch_of.get(question)
        if batch is None:
            raise NotVerifiable(f"no question {question!r} is put to {self.subject.name}")
        return batch

    @cached_property
    def _batch_of(self) -> dict[str, str]:
        return {question.id: name for name, questions in self.batches.items() for question in questions}

    def observations(self, batch: str) -> dict[str, Observation]:
        """What became of a batch; the first process or thread that asks puts it to the target, any other waits for the file."""
        if batch not in self._read:
            file = self.folder / f"{batch}.json"
            with FileLock(self.folder / f"{batch}.lock"):
                if not file.exists():
                    with (self.folder / f"{batch}.steps").open("a", encoding="utf-8") as steps:
                        places = {name: path for name, path in ladder.handed(self.asked).items() if path}
                        found = observe_again(self.target, self.batches[batch], places=places,
                                        on_step=lambda q, s: print(f"{q}: {s}", file=steps, flush=True),
                                        on_final=self.final)  # fmt: skip
                    write_text(file, json.dumps({key: value.model_dump() for key, value in found.items()}))  # half of it would count as all
            raw = json.loads(file.read_text(encoding="utf-8"))
            self._read[batch] = {key: Observation.model_validate(value) for key, value in raw.items()}
        return self._read[batch]

    def final(self, observation: Observation) -> None:
        """Told of an observation of a batch that is still being put; for whoever judges meanwhile."""

    def over(self, batch: str) -> None:
        """Told when a batch was put, whatever became of it."""

    def put_side_by_side(self, at_once: int) -> None:
        """Put every batch to the target from threads, `at_once` at a time, while pytest still collects; checks wait for what they read.

        A thread that fails leaves its batch to the check that asks for it, which then tells why.
        """
        waiting = [batch for batch in ladder.BATCHES if self.batches[batch]]
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    batch = waiting.pop(0)
                try:
                    with contextlib.suppress(Exception):
                        self.observations(batch)
                finally:
                    self.over(batch)

        for _ in range(at_once):
            threading.Thread(target=work, daemon=True).start()

    def parameters(self, name: str) -> list[Any] | None:
        """The values that a check is repeated for (parameter.py)."""
        return values_of(name, self)

    def judge(self, check: str, report: Any, error: BaseException | None, questions: list[str]) -> CheckResult:
        """The result of one check: its outcome, how it failed, the known failure that this is, and whether it was expected."""
        rung = check.partition("::")[0]
        seen = [self.ask(question) for question in dict.fromkeys(questions)] if not isinstance(error, NotVerifiable) else []
        seconds = round(sum(observation.seconds for observation in seen), 3)
        expected = next((row for row in self.expectations if not row.is_glob and row.concerns(self.cell, check)), None)
        phase: records.Phase = "observe" if isinstance(error, Unanswered | Infrastructure) else "judge"
        told = partial(CheckResult, id=check, rung=rung, phase=phase, seconds=seconds)
        if report.passed:
            if expected:
                return told(outcome="passed unexpectedly", knowledge=expected.cause)
            return told(outcome="passed")
        if report.skipped or isinstance(error, NotVerifiable):
            reason = error.what if isinstance(error, NotVerifiable) else str(getattr(error, "msg", error))
            return told(outcome="not verified", reason=reason)
        if isinstance(error, Infrastructure) or no_room(error):
            reason = str(error) if isinstance(error, Infrastructure) else f"the disk is full on this side: {error}"
            return told(outcome="infrastructure", reason=reason)
        if isinstance(error, Unanswered):
            o = error.observation
            failure = FailureDetail(
                how=o.how, type=o.type, message=o.message or "", step=o.step, signal=o.signal, stderr_tail=o.stderr_tail
            )
            text = o.text
        else:
            failure = FailureDetail(how="judged", type=type(error).__name__, message=str(error).partition("\nassert ")[0])
            text = "\n".join([str(error), *(o.stderr_tail for o in seen)])
        known = self.named(knowledge.Failure(type=failure.type, message=failure.message, text=text, signal=failure.signal))
        rows = [row for row in self.expectations if row.concerns(self.cell, check) and row.cause == known]
        outcome: records.Outcome = "failed as expected" if rows else "failed"
        put = [*seen, error.observation] if isinstance(error, Unanswered) else seen
        blamed = whose_fault(self.target.kind, put)
        if known is None and isinstance(error, Unanswered) and (outage := outage_in(text, ("disk",))):
            blamed = f"{outage.what} where the probe ran: {outage.where}"
        if not rows and blamed:
            return told(outcome="infrastructure", reason=blamed)
        return told(outcome=outcome, failure=self._scrubbed(failure), knowledge=known)

    def named(self, failure: knowledge.Failure) -> str | None:
        """The id of the known failure that this is."""
        return knowledge.diagnose(failure)

    def _scrubbed(self, failure: FailureDetail) -> FailureDetail:
        kept = {"message": records.MESSAGE_KEPT, "stderr_tail": 2000}
        return failure.model_copy(update={n: records.scrub(getattr(failure, n), self._places())[-most:] for n, most in kept.items()})

    def _places(self) -> dict[str, str]:
        places = {str(Path.home()): "~", str(layout.root()): "{suite}", str(self.folder): "{tmp}"}
        if self.cell:
            places[str(provision.folder_of(self.cell))] = "{cell}"
        return places

    def stale_expectations(self, results: list[CheckResult]) -> list[CheckResult]:
        """An expectation with * for whose cause no check failed: an error, or it would stand there for ever."""
        rows = []
        for row in self.expectations:
            hits = [r for r in results if check_matches(row.check, r.id)]
            if not any(r.outcome == "failed as expected" and r.knowledge == row.cause for r in hits):
                outcome_known = any(r.outcome == "passed unexpectedly" and r.knowledge == row.cause for r in hits)
                verifiable = any(r.outcome not in ("not verified", "infrastructure") for r in hits) or not hits
                told = not row.is_glob and hits  # the one check that it names says itself what became of it
                if not outcome_known and verifiable and not told:
                    rows.append(CheckResult(id=row.check, rung=row.check.partition("::")[0], outcome="passed unexpectedly",
                                            phase="judge", knowledge=row.cause, reason="no check failed for this cause"))  # fmt: skip
        return rows

    def write(self, results: list[CheckResult], seconds: float, whole: bool) -> Path | None:
        """Write the record of a whole run; a run of some checks only is not kept as one."""
        if not whole:
            return None
        folder = Path(self.asked["record"]) if self.asked.get("record") else layout.reports() / "records"
        return records.write(self.record(results, seconds), folder, lock=self.provisioned.lock if self.provisioned else None)

    def record(self, results: list[CheckResult], seconds: float) -> Record:
        """The record of a whole run, which took so many seconds."""
        kind = self.provisioned.runner if self.provisioned else "native"
        name = records.name_of(self.cell.id, kind) if self.cell else f"target-{self.subject.name}-{targets.label(self.target)}"
        facts: dict[str, Any] = {
            "kind": self.target.kind, "runner": self.target.runner,
            **{name: self.inventory[name] for name in ("python", "platform", "machine", "libc")},
        }  # fmt: skip
        for package in ("torch", "torchvision", "torchaudio", "numpy", "pytorchvideo", "detectron2"):
            if package in self.inventory["distributions"]:
                facts[package] = self.inventory["distributions"][package]["version"]
        by = [row["installer"] or "unknown" for row in self.inventory["distributions"].values()]
        facts["installers"] = {name: by.count(name) for name in sorted(set(by))}
        if self.target.made_of:
            facts["image"] = self.target.made_of
        if again := sorted(o.id for batch in self._read.values() for o in batch.values() if o.attempts > 1):
            facts["asked_again"] = again
        installation = None
        if self.provisioned:
            p = self.provisioned
            facts["lock_sha256"] = records.lock_digest(p.lock)
            installation = Installation(installer=self.cell.installer if self.cell else "", workarounds=p.workarounds, seconds=p.seconds,
                                        step_seconds=p.step_seconds, created=p.created, scripts=p.scripts)  # fmt: skip
        made = Record(cell=name, **stamp(), target=facts, installation=installation,
                      checks=sorted(results, key=lambda r: (knowledge.RUNGS.index(r.rung), r.id)),
                      predictions=self._predictions(), seconds=round(seconds, 1))  # fmt: skip
        if self.provisioned:
            built = partial(CheckResult, outcome="passed", phase="provision")
            stands = [built(id="resolve::requirements_resolve", rung="resolve"),
                     built(id="install::environment_stands", rung="install", seconds=self.provisioned.seconds)]  # fmt: skip
            made = made.model_copy(update={"checks": [*stands, *made.checks]})
        return made

    def _predictions(self) -> dict[str, list[tuple[str, float]]] | None:
        asked = (self.folder / "demo.json").exists() and self.observations("demo").get("demo")
        return predictions_in(asked.facts) if asked else None

    def header(self) -> list[str]:
        """Two lines above the checks: what is verified, with what."""
        what = self.cell.id if self.cell else self.target.name
        return [
            f"verifying: {what}",
            f"subject: {self.subject.title}; Python {self.inventory['python']}; {len(self.inventory['modules'])} modules",
        ]
