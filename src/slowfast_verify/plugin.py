"""The pytest face of the suites: options, fixtures, expectations, and the record of a run.

Loaded by pytest as an entry point; does nothing unless --target or --cell is given. Under pytest-xdist the controller takes the
inventory once and hands it on; a batch of questions is put to the target once, by whichever worker asks first, and shared through
a file; checks of one batch go to one worker, so that two batches are put side by side.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .verdict import Verdicts

HELP = {
    "target": "the environment to verify: an interpreter, a folder, conda:NAME, docker:IMAGE, container:ID, ssh:HOST, argv:COMMAND",
    "cell": "the id of a provisioned cell to verify",
    "subject": "whose installation it is, name@revision (default pyslowfast)",
    "config": "a SlowFast YAML of yours to check as well",
    "checkpoint": "a checkpoint of yours to check as well",
    "standing": "with --cell: the file that says what was built for it, where that is no environment of the cache (an image)",
    "record": "the folder for the record (default reports/records)",
}
VERDICTS = pytest.StashKey["Verdicts"]()
SEEN = pytest.StashKey[list[str]]()
EMPTY = pytest.StashKey[set[str]]()
KEY = "slowfast_verify"
RUN_VARIABLE = "SLOWFAST_VERIFY_RUN"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that name what is verified."""
    group = parser.getgroup("slowfast-verify", "install verification of PySlowFast")
    for name, text in HELP.items():
        group.addoption(f"--{name}", default=None, metavar=name.upper(), help=text)
    group.addoption(
        "--side-by-side", type=int, default=2, metavar="N", help="batches put to the target at a time (default 2; 0: when asked for)"
    )
    group.addoption("--zoo", action="store_true", default=False, help="fetch published weights and verify with them as well")


def pytest_configure(config: pytest.Config) -> None:
    """Resolve the target and take the inventory, once; a worker receives it."""
    config.addinivalue_line("markers", "batch(name): the checks that judge one batch of observations")
    config.addinivalue_line("markers", "question(id): a check that exists only where this question is put to the subject")
    if not (config.getoption("target") or config.getoption("cell")):
        return
    from .errors import Problem
    from .verdict import Verdicts

    try:
        handed = getattr(config, "workerinput", {}).get(KEY)
        verdicts = Verdicts.receive(handed) if handed else Verdicts.begin(config.option, _shared_folder(config))
    except Problem as problem:
        raise pytest.UsageError(str(problem)) from None
    config.stash[VERDICTS] = verdicts
    if hasattr(config, "workerinput"):
        return
    controller = _Controller(config, verdicts)
    config.pluginmanager.register(controller, "slowfast-verify-controller")
    if config.option.side_by_side and controller.is_whole() and not getattr(config.option, "numprocesses", None):
        verdicts.put_side_by_side(config.option.side_by_side)


def _shared_folder(config: pytest.Config) -> Path:
    """Where the observations of this run lie for all its processes: the caller's folder, or one that goes with the run."""
    if os.environ.get(RUN_VARIABLE):
        return Path(os.environ[RUN_VARIABLE])
    folder = Path(tempfile.mkdtemp(prefix="verify-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: hand the controller's inventory to a worker."""
    verdicts = node.config.stash.get(VERDICTS, None)
    if verdicts:
        node.workerinput[KEY] = verdicts.hand_on()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Arguments named after a list of the inventory (module, dependency, required_name, config_file, clip, ...) become parameters."""
    verdicts = metafunc.config.stash.get(VERDICTS, None)
    for name in metafunc.fixturenames:
        values = verdicts.parameters(name) if verdicts else None
        if values is not None:
            metafunc.parametrize(name, values, ids=[str(value) for value in values])
            if not values:
                metafunc.config.stash.setdefault(EMPTY, set()).add(metafunc.definition.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """xdist: checks of one batch go to one worker.

    Not `--dist loadgroup`: under pytest 9.2 xdist 3.8 writes the group where pytest no longer reads it, and spreads the checks.
    """
    if VERDICTS not in config.stash:
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByBatch(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return batch_of(str(config.rootpath / nodeid.partition("::")[0]))

    return ByBatch(config, log)


@cache
def batch_of(file: str) -> str:
    """The batch that a file of the suites judges, as its `pytestmark` says; the controller of xdist imports no test."""
    found = re.search(r'^pytestmark = .*mark\.batch\("(\w+)"\)', Path(file).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else file


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks whose question is not put to this subject; refuse to judge nothing."""
    verdicts = config.stash.get(VERDICTS, None)
    empty = config.stash.get(EMPTY, set())  # a check for each of nothing is no check, and nothing is "not verified" either
    items[:] = [item for item in items if item.nodeid.partition("[")[0] not in empty]
    if verdicts:
        put = {question.id for questions in verdicts.batches.values() for question in questions}
        items[:] = [item for item in items if all(mark.args[0] in put for mark in item.iter_markers("question"))]
    for item in items:
        batch = item.get_closest_marker("batch")
        if batch is None:
            continue
        if verdicts is None:
            raise pytest.UsageError(
                "tests/verify needs an environment to verify\n"
                "  next: pytest tests/verify --target PYTHON   (or --cell ID; slowfast-verify cells lists them)"
            )


def check_id(nodeid: str) -> str:
    """`imports::module_imports[x]` of `tests/verify/test_imports.py::test_module_imports[x]`."""
    file, _, name = nodeid.partition("::")
    return f"{Path(file).stem.removeprefix('test_').partition('_')[0]}::{name.split('::')[-1].removeprefix('test_')}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Judge: what the check found becomes a result, and an expected failure is shown as one."""
    outcome = yield
    verdicts = item.config.stash.get(VERDICTS, None)
    report: pytest.TestReport = outcome.get_result()
    if (
        verdicts is None
        or item.get_closest_marker("batch") is None
        or (report.when != "call" and report.passed)
        or report.when == "teardown"
    ):
        return
    result = verdicts.judge(check_id(item.nodeid), report, call.excinfo.value if call.excinfo else None, item.stash.get(SEEN, []))
    report.user_properties.append((KEY, result.model_dump_json()))
    if result.outcome == "failed as expected":
        report.outcome, report.wasxfail = "skipped", f"{result.knowledge}"
        report.longrepr = None
    elif result.outcome == "passed unexpectedly":
        report.outcome, report.longrepr = "failed", f"expected to fail for {result.knowledge}, and passed: take the expectation out"
    elif result.outcome == "not verified" and report.failed:  # NotVerifiable was raised: neither red nor green
        report.outcome, report.longrepr = "skipped", (str(item.path), item.location[1] or 0, result.reason or "")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is verified, above the checks."""
    verdicts = config.stash.get(VERDICTS, None)
    return verdicts.header() if verdicts else []


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Any:
    """`ask(question)` -> Observation, whatever became of it. For checks that judge how something ended."""
    verdicts = request.config.stash[VERDICTS]

    def put(question: str) -> Any:
        request.node.stash.setdefault(SEEN, []).append(question)
        return verdicts.ask(question)

    return put


@pytest.fixture
def facts(ask: Any) -> Any:
    """`facts(question)` -> what the probe returned; the check fails with what became of the question otherwise."""
    from .verdict import answered

    return lambda question: answered(ask(question))


@pytest.fixture
def inventory(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What is there: python, distributions, modules, configs (probes/inventory.py)."""
    return dict(request.config.stash[VERDICTS].inventory)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Any:
    """The subject whose installation is verified."""
    return request.config.stash[VERDICTS].subject


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Any:
    """The cell, or None for an environment that somebody already has."""
    return request.config.stash[VERDICTS].cell


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Any:
    """The stack of the cell, or None."""
    return request.config.stash[VERDICTS].stack


class _Controller:
    """Collects results in the one process that sees them all, and writes the record at the end."""

    def __init__(self, config: pytest.Config, verdicts: Verdicts) -> None:
        self.config, self.verdicts = config, verdicts
        self.results: list[Any] = []
        self.path: Path | None = None
        self.problem: str | None = None
        self.begun = time.monotonic()
        self.stale: list[Any] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        from .record import CheckResult

        for key, value in report.user_properties:
            if key == KEY:
                self.results.append(CheckResult.model_validate(json.loads(str(value))))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        from .errors import Problem

        if exitstatus == pytest.ExitCode.INTERRUPTED or not self.results:
            return  # half a run is no record
        whole = self.is_whole() and not (session.shouldfail or session.shouldstop)  # --maxfail ends a run early
        self.stale = self.verdicts.stale_expectations(self.results) if whole else []
        try:
            self.path = self.verdicts.write([*self.results, *self.stale], time.monotonic() - self.begun, whole)
        except Problem as problem:
            self.problem = str(problem)
            session.exitstatus = 3
        if self.stale and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def is_whole(self) -> bool:
        """Whether every check was asked for: only then is the run a record, and only then can an expectation be stale."""
        from . import layout

        option = self.config.option
        chosen = option.keyword or option.markexpr or getattr(option, "lf", False) or getattr(option, "deselect", None)
        return not chosen and all(Path(arg).resolve() == layout.suites().resolve() for arg in self.config.args)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for row in self.stale:
            terminalreporter.write_line(
                f"passed unexpectedly: {row.id}: no check failed for {row.knowledge}; take the expectation out", red=True
            )
        if self.problem:
            terminalreporter.write_line(self.problem, red=True)
        if self.path:
            terminalreporter.write_line(f"record: {self.path}")
