"""Judges some checks alone in an environment, putting only the questions that they read. Runs on the host, in a process of its own.

Called by witness.py as `python -m slowfast_verify.one_check FILE`; FILE is JSON: python, variables, opts, check (a glob), folder, answer.
The results go to the file `answer`. Whole suites are climb's and verify's business.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from . import ground, ladder, layout
from .atomic import write_text
from .errors import TOOL_FAILED, NotVerifiable
from .expectation import check_matches
from .observe import observe
from .plugin import KEY, VERDICTS, check_id
from .question import Observation
from .record import Provisioned
from .subject import subject
from .verdict import Verdicts


class Narrow(Verdicts):
    """Puts the one question that is asked, in a process of its own, and not the batch that it belongs to."""

    def ask(self, question: str) -> Observation:
        """What became of a question."""
        if question not in self._read:
            for questions in self.batches.values():
                for put in questions:
                    if put.id == question:
                        self._read[question] = observe(self.target, [put])
        if question not in self._read:
            raise NotVerifiable(f"no question {question!r} is put to {self.subject.name}")
        return self._read[question][question]


class Judge:
    """The pytest plugin that hands the verdicts over, keeps the checks that are wanted, and collects their results."""

    def __init__(self, verdicts: Verdicts, pattern: str) -> None:
        self.verdicts, self.pattern = verdicts, pattern
        self.results: list[dict[str, Any]] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """What the plugin does for --target: here the environment is described by its clone."""
        config.stash[VERDICTS] = self.verdicts

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the checks that the pattern means."""
        items[:] = [item for item in items if check_matches(self.pattern, check_id(item.nodeid))]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the result that the suites attach to a report."""
        self.results += [json.loads(str(value)) for key, value in report.user_properties if key == KEY]


def main(file: str) -> int:
    """Judge; 0 whatever the outcome is, 3 where the environment does not even answer (the answer then says what it said)."""
    asked = json.loads(Path(file).read_text(encoding="utf-8"))
    environment = Provisioned.model_validate(asked["environment"])
    target = ground.target_of(environment).with_env({**environment.variables, "CUDA_VISIBLE_DEVICES": ""})
    seen = observe(target, [ladder.inventory_question(subject(asked["subject"]))])["inventory"]
    if seen.facts is None:
        _answer(asked, {"unreachable": f"{seen.message}\n{seen.traceback or seen.stderr_tail}", "results": []})
        return TOOL_FAILED
    given = {"config": None, "checkpoint": None, "record": None, "zoo": None, **asked["given"]}
    verdicts = Narrow(asked["subject"], None, target, Path(asked["folder"]), seen.facts, given, environment)
    judge = Judge(verdicts, asked["check"])
    rung = asked["check"].partition("::")[0]
    files = sorted(str(path) for path in layout.suites().glob(f"test_{rung}*.py"))
    arguments = [
        "-c",
        str(layout.suites() / "pytest.ini"),
        "--rootdir",
        str(layout.root()),
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    pytest.main([*files, *arguments], plugins=[judge])
    _answer(asked, {"unreachable": "", "results": judge.results})
    return 0


def _answer(asked: dict[str, Any], answer: dict[str, Any]) -> None:
    write_text(Path(asked["answer"]), json.dumps(answer))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
