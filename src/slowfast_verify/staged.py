"""Puts the questions of the ladder to a target in the doctor's order: no question that is known to end like one before it.

Runs on the host; called by examination.py. A module whose import hung or crashed is barred for the questions after it, so that each of them
fails at once and names it, instead of taking its own time limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from . import ladder, layout
from . import target as targets
from .data import Row, load
from .observe import observe
from .question import Observation, Question
from .subject import Subject
from .verdict import Verdicts

NOT_REACHED = "NotReached"
RESTARTS = 8  # as often a process that was ended is followed by another; then the rest is not reached
ENDED = ("died", "hung", "memory")
FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
Say = Callable[[str, str], None]


class Limits(Row):
    """Seconds: until an interpreter says hello, for one import, for one question after the imports, for one of the rungs demo and train."""

    start: float
    imports: float
    question: float
    demo: float


class Reasoned(Row):
    """Checks (a glob) of which something is said, and why."""

    check: str
    reason: str


class Follows(Row):
    """Checks (a glob) that fail because those of another glob do."""

    check: str
    of: str
    reason: str


class Doctor(Row):
    """matrices/doctor.toml. note: their failure could hurt and stops nothing. cells_only: they judge what only a cell promises."""

    limits: Limits
    note: list[Reasoned]
    follows: list[Follows]
    cells_only: list[Reasoned]


@cache
def settings() -> Doctor:
    """The doctor's data."""
    return load(layout.matrices() / "doctor.toml", Doctor)


def opening(subject: Subject) -> list[Question]:
    """The questions of the first level, which share one process and import nothing of the environment."""
    rows = load(layout.matrices() / "questions.toml", ladder.Questions).question
    return [
        ladder.inventory_question(subject),
        *(Question(id=row.id, probe=row.probe, args=row.args, seconds=row.seconds) for row in rows if row.batch == "environment"),
    ]


def first_level(target: targets.Target, subject: Subject) -> dict[str, Observation]:
    """What became of the questions of the first level. The process is not waited for once it has told the last."""
    questions = opening(subject)
    last = questions[-1].id
    return observe(target, questions, until=lambda seen: seen.id == last, start_seconds=settings().limits.start)


class Staged(Verdicts):
    """One examination: what has been asked has an answer, and everything else was not reached."""

    def __init__(
        self, subject_name: str, target: targets.Target, folder: Path, asked: dict[str, Any], first: dict[str, Observation], say: Say
    ) -> None:
        super().__init__(subject_name, None, target, folder, first["inventory"].facts or {}, asked, None)
        self.answers = dict(first)
        self.barred: list[str] = []
        self.say = say

    def ask(self, question: str) -> Observation:
        """The answer, or that the question was not put."""
        missing = Observation(id=question, how="unreachable", type=NOT_REACHED, message="this question was not put")
        return self.answers.get(question, missing)

    def dependencies(self) -> list[str]:
        """The questions that import what the subject needs."""
        return [f"import:{name}" for name in ladder.dependency_modules(self.subject, self.inventory)]

    def put(self, questions: Iterable[Question], seconds: float, enough: Callable[[Observation], bool] = lambda seen: False) -> None:
        """Put questions, one process after another as they end it; enough(observation): whether the rest need not be put."""
        left = [self._limited(question, seconds) for question in questions if question.id not in self.answers]
        places = {name: path for name, path in ladder.handed(self.asked).items() if path}
        done = False
        for _ in range(RESTARTS):
            if not left or done:
                return
            bar = [Question(id="bar", probe="bar", args={"names": self.barred})] if self.barred else []

            def until(seen: Observation) -> bool:
                nonlocal done
                self.answers[seen.id] = seen
                done = done or enough(seen)
                return done or seen.how in ENDED

            found = observe(self.target, [*bar, *left], places=places, on_step=self.say, until=until, start_seconds=settings().limits.start)
            self.answers.update(found)
            for seen in found.values():
                if seen.how in ENDED and seen.id != "bar":
                    self.barred += [name for name in self.culprits(seen) if name not in self.barred]
            left = [question for question in left if question.id not in found]

    def _limited(self, question: Question, seconds: float) -> Question:
        args = question.args
        if question.id in self.dependencies():
            args = {**args, "bar": True}
        return question.model_copy(update={"seconds": min(question.seconds, seconds), "args": args})

    def culprits(self, seen: Observation) -> list[str]:
        """The modules to bar after an import that ended its process: the innermost package of its stack that is not the subject's."""
        inner = self.innermost(seen)
        if inner:
            return [inner]
        name = seen.id.partition(":")[2]
        return [name] if seen.id in self.dependencies() else []

    def innermost(self, seen: Observation) -> str:
        """The top-level name of the package in which an import ended or raised: the frame nearest to its end that is of a package."""
        files = self.frames(seen)
        for file in files:
            name = self.package_of(file)
            if name:
                return "" if name in self.subject.modules.packages else name
        return ""

    @staticmethod
    def frames(seen: Observation) -> list[str]:
        """The files of a stack, the innermost first. faulthandler writes every thread, the main one last, and marks the one that died."""
        if seen.how not in ENDED:
            return [file for file, _ in FRAME.findall(seen.traceback or "")][::-1]
        threads = re.split(r"^(?=Current thread |Thread 0x)", seen.stderr_tail, flags=re.MULTILINE)[1:]
        current = [text for text in threads if text.startswith("Current thread")] if seen.how == "died" else []
        return [file for file, _ in FRAME.findall((current or threads or [""])[-1])]

    def package_of(self, file: str) -> str:
        """The top-level name that a file belongs to, by the entries of sys.path; empty for Python's own and for what is on none."""
        entries = self.answers["environment"].facts["entries"] if self.answers["environment"].facts else []
        path = file.replace("\\", "/")
        best = ""
        for entry in entries:
            for folder in (entry["path"], entry["real"]):
                folder = folder.replace("\\", "/").rstrip("/")
                if path.startswith(folder + "/") and len(folder) > len(best) and entry["kind"] != "stdlib":
                    best = folder
        stdlib = [entry["real"].replace("\\", "/").rstrip("/") for entry in entries if entry["kind"] == "stdlib"]
        if not best or any(path.startswith(folder + "/") and len(folder) > len(best) for folder in stdlib):
            return ""
        return path[len(best) + 1 :].partition("/")[0].split(".")[0]
