"""Runs the checks of tests/verify in this process, without pytest's collection, reports and assertion rewriting.

Called by the doctor, which has a second for its first level. The checks stay where they are and as they are: functions whose arguments
are fixtures or parameters, found by their names here as pytest finds them (plugin.py is the other reader of the same names).
Runs on the host; puts no question itself.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal, cast

import pytest

from . import layout
from .errors import Infrastructure, NotVerifiable, no_room
from .plugin import VERDICTS
from .record import CheckResult
from .verdict import Unanswered, Verdicts, answered

PREFIX = "slowfast_verify_checks_"


@dataclass(frozen=True)
class Check:
    """One check with the values of its parameters; id is `rung::name[parameter]`, questions are those without which it does not exist."""

    id: str
    rung: str
    function: Callable[..., None]
    module: ModuleType
    values: dict[str, Any] = field(default_factory=dict)
    questions: tuple[str, ...] = ()
    batch: str = ""

    @property
    def sentence(self) -> str:
        """The property that it checks, from its docstring."""
        return (inspect.getdoc(self.function) or self.id).partition("\n")[0]


@dataclass(frozen=True)
class Judged:
    """What became of a check: its result, what it raised (None: nothing), the questions that it read, and whether it failed by itself."""

    check: Check
    result: CheckResult
    error: BaseException | None = None
    seen: tuple[str, ...] = ()
    crashed: bool = False


@cache
def suite(path: Path) -> ModuleType:
    """A file of the suites as a module."""
    name = PREFIX + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if sys.flags.optimize:  # PYTHONOPTIMIZE of the person's shell: without its asserts every check would pass
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True, optimize=0), vars(module))
    else:
        spec.loader.exec_module(module)
    return module


def suites_of(rung: str) -> list[ModuleType]:
    """The files that judge a rung: test_RUNG.py and test_RUNG_*.py; their conftest is read before them, as pytest has it."""
    if (shared := layout.suites() / "conftest.py").exists():
        suite(shared)
    return [suite(path) for path in sorted(layout.suites().glob("test_*.py")) if path.stem.split("_")[1] == rung]


def checks_of(rung: str, verdicts: Verdicts) -> list[Check]:
    """The checks of a rung that exist for this subject and this inventory, one for each value of their parameters."""
    put = {question.id for questions in verdicts.batches.values() for question in questions}
    found: list[Check] = []
    for module in suites_of(rung):
        everywhere = _marks(getattr(module, "pytestmark", []))
        for name, function in list(vars(module).items()):
            if name.startswith("test_") and inspect.isfunction(function) and function.__module__ == module.__name__:
                marks = [*everywhere, *_marks(getattr(function, "pytestmark", []))]
                questions = tuple(mark.args[0] for mark in marks if mark.name == "question")
                if put.issuperset(questions):
                    found += _repeated(rung, module, name, function, marks, questions, verdicts)
    return found


def _marks(marks: Any) -> list[Any]:
    return [getattr(mark, "mark", mark) for mark in (marks if isinstance(marks, list) else [marks])]


def _repeated(
    rung: str,
    module: ModuleType,
    name: str,
    function: Callable[..., None],
    marks: list[Any],
    questions: tuple[str, ...],
    verdicts: Verdicts,
) -> Iterator[Check]:
    lists: list[tuple[str, list[Any]]] = [(mark.args[0], list(mark.args[1])) for mark in reversed(marks) if mark.name == "parametrize"]
    for argument in inspect.signature(function).parameters:
        values = verdicts.parameters(argument)
        if values is not None:
            lists.append((argument, values))
    for combination in itertools.product(*(values for _, values in lists)):
        shown = "-".join(str(value) for value in combination)
        number = f"{rung}::{name.removeprefix('test_')}" + (f"[{shown}]" if lists else "")
        batch = next((mark.args[0] for mark in marks if mark.name == "batch"), "")
        yield Check(number, rung, function, module, dict(zip((key for key, _ in lists), combination, strict=True)), questions, batch)


def judge(check: Check, verdicts: Verdicts, *, crash: Literal["failed", "not verified"] = "not verified") -> Judged:
    """Run one check; whatever it raises becomes its result, and a fault of its own is told as one.

    crash: what a check comes to that raises anything but its verdict: in a person's environment a fault of ours proves nothing; in a
    cell it is red, as it is under pytest.
    """
    seen: list[str] = []
    error: BaseException | None = None
    crashed = False
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        try:
            check.function(**_Arguments(check, verdicts, seen, Path(scratch)).all_of(check.function, check.values))
        except (AssertionError, NotVerifiable, pytest.skip.Exception) as raised:
            error = raised
        except Exception as raised:
            error, crashed = raised, not (isinstance(raised, Infrastructure) or no_room(raised))
    if crashed and crash != "failed":
        result = CheckResult(id=check.id, rung=check.rung, outcome="not verified", reason=f"the check itself failed: {error!r}"[:400])
        return Judged(check, result, error, tuple(seen), crashed=True)
    if isinstance(error, AssertionError) and not isinstance(error, Unanswered) and not str(error):
        error = AssertionError(f"this does not hold: {check.sentence}")
    report = SimpleNamespace(passed=error is None, skipped=isinstance(error, pytest.skip.Exception))
    return Judged(check, verdicts.judge(check.id, report, error, seen), error, tuple(seen), crashed=crashed)


class _Arguments:
    """The fixtures of one check, by name: those of the plugin, then those of its file, then those of the suites' conftest."""

    def __init__(self, check: Check, verdicts: Verdicts, seen: list[str], scratch: Path) -> None:
        def ask(question: str) -> Any:
            seen.append(question)
            return verdicts.ask(question)

        self.check = check
        self.known: dict[str, Any] = {
            "ask": ask, "facts": lambda question: answered(ask(question)), "inventory": verdicts.inventory, "subject": verdicts.subject,
            "cell": verdicts.cell, "stack": verdicts.stack, "tmp_path": scratch,
            "request": SimpleNamespace(config=SimpleNamespace(stash={VERDICTS: verdicts})),
        }  # fmt: skip

    def all_of(self, function: Callable[..., Any], given: dict[str, Any] | None = None) -> dict[str, Any]:
        """{argument: value} of a check or a fixture."""
        known = given or {}
        return {name: known[name] if name in known else self._value(name) for name in inspect.signature(function).parameters}

    def _value(self, name: str) -> Any:
        if name not in self.known:
            for module in (self.check.module, suite(layout.suites() / "conftest.py")):
                definition = vars(module).get(name)
                function = _function_of(definition)
                if function is not None:
                    self.known[name] = function(**self.all_of(function))
                    break
            else:
                raise LookupError(f"no fixture {name!r} for {self.check.id}")
        return self.known[name]


def _function_of(definition: Any) -> Callable[..., Any] | None:
    """What @pytest.fixture was put on; None for what is no fixture. Before 8.4 pytest kept it in an attribute of a function."""
    if hasattr(definition, "_get_wrapped_function"):
        return cast(Callable[..., Any], definition._get_wrapped_function())
    kept = getattr(definition, "__pytest_wrapped__", None)
    return getattr(kept, "obj", None)
