"""Every check has a test in which it fails: can_fail.toml names it, and here the named test is looked up and read.

A check that is added without such a test is red, and so is an entry whose test is gone, renamed, or no longer about the check.
Nothing is run here: the named tests stand beside this one and run by themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import RootModel

from slowfast_verify import layout
from slowfast_verify.data import Row, load

HERE = Path(__file__).parent
DATA = HERE / "can_fail.toml"
RED = {"AssertionError", "Unanswered"}
Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class Failing(Row):
    """The test in which a check fails on every machine, what is broken in it, and a test that breaks a real cell where there is one."""

    test: str
    broken: str
    real: str = ""


class CanFail(RootModel[dict[str, dict[str, Failing]]]):
    """can_fail.toml: {file of tests/verify: {check: Failing}}, both without `test_`."""


@cache
def entries() -> dict[tuple[str, str], Failing]:
    """The rows of can_fail.toml by file and check."""
    return {(file, check): row for file, rows in load(DATA, CanFail).root.items() for check, row in rows.items()}


def checks() -> list[tuple[str, str]]:
    """(file, check) of all of tests/verify, both without `test_`."""
    return [
        (path.stem.removeprefix("test_"), node.name.removeprefix("test_"))
        for path in sorted(layout.suites().glob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


@cache
def definitions(path: Path) -> dict[str, Definition]:
    """What a test file defines at its top level."""
    found: dict[str, Definition] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                found |= {name.id: node for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def code_of(path: Path, test: str) -> list[Definition]:
    """A test with the helpers, tables and fixtures of its file that it uses, directly or through one another."""
    known, seen, left = definitions(path), [test], [test]
    while left:
        for node in ast.walk(known[left.pop()]):
            name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
            if name in known and name not in seen:
                seen.append(name)
                left.append(name)
    return [known[name] for name in seen]


def words(node: ast.AST) -> Iterator[str]:
    """Attributes and texts of some code, without the keys of dictionaries: `all_reduce` is a check, and a key of facts as well."""
    keys = {id(key) for inner in ast.walk(node) if isinstance(inner, ast.Dict) for key in inner.keys}
    keys |= {id(inner.slice) for inner in ast.walk(node) if isinstance(inner, ast.Subscript)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str) and id(inner) not in keys:
            yield inner.value.rpartition("::")[2]  # pytest's own name of a check, where a test reads what pytest says of it


def expects_red(node: ast.AST) -> bool:
    """Whether some code waits for a failure: pytest.raises(AssertionError) or Unanswered, or an `except` of one."""
    for inner in ast.walk(node):
        raised: list[ast.expr] = []
        if isinstance(inner, ast.ExceptHandler) and inner.type:
            raised = [inner.type]
        elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "raises":
            raised = inner.args[:1]
        if any(isinstance(name, ast.Name) and name.id in RED for kind in raised for name in ast.walk(kind)):
            return True
    return False


def is_heavy(node: Definition) -> bool:
    """Whether a test needs a provisioned cell."""
    return isinstance(node, ast.FunctionDef) and any("heavy" in words(decorator) for decorator in node.decorator_list)


def wanting(check: str, test: str, folder: Path = HERE, *, heavy: bool = False) -> str:
    """What keeps a test from being the one in which this check fails; nothing if it is."""
    file, _, name = test.partition("::")
    if not (folder / file).is_file() or name not in definitions(folder / file):
        return f"there is no test {test}"
    code = code_of(folder / file, name)
    if not {check, f"test_{check}"} & {word for node in code for word in words(node)}:
        return f"{test} does not call test_{check}"
    if not heavy and not any(expects_red(node) for node in code):
        return f"{test} waits for no AssertionError and for no Unanswered"
    if is_heavy(code[0]) != heavy:
        return f"{test} {'needs no cell: name it as `test`' if heavy else 'needs a cell: name it as `real`, beside one that needs none'}"
    return ""


@pytest.mark.parametrize(("file", "check"), checks(), ids=["::".join(row) for row in checks()])
def test_check_can_fail(file: str, check: str) -> None:
    """The check has an entry, whose test exists, runs without a cell, calls the check and waits for it to fail."""
    row = entries().get((file, check))
    assert row, f"{DATA.name} names no test in which test_{check} of test_{file}.py fails: write one, and add it under [{file}]"
    missing = [wanting(check, row.test), wanting(check, row.real, heavy=True) if row.real else ""]
    assert not any(missing), "; ".join(filter(None, missing))
    assert row.broken.strip(), f"[{file}] {check}: say in a few words what is broken"


def test_every_entry_is_of_a_check() -> None:
    """No entry is left of a check that is gone."""
    assert set(entries()) <= set(checks()), sorted(set(entries()) - set(checks()))


@pytest.mark.parametrize(
    ("test", "words_"),
    [
        ("it.py::test_direct", ""),
        ("it.py::test_listed", ""),
        ("it.py::test_through_helper", ""),
        ("it.py::test_gone", "there is no test it.py::test_gone"),
        ("gone.py::test_direct", "there is no test gone.py::test_direct"),
        ("it.py::test_of_another", "does not call test_thing_holds"),
        ("it.py::test_key_only", "does not call test_thing_holds"),
        ("it.py::test_green_only", "waits for no AssertionError"),
        ("it.py::test_real", "needs a cell: name it as `real`"),
    ],
)
def test_what_is_no_such_test_is_told(test: str, words_: str, tmp_path: Path) -> None:
    """A test that is gone, is about another check, only passes or needs a cell is refused; called directly or from a list is the same."""
    (tmp_path / "it.py").write_text(
        "LIST = ['thing_holds', 'other']\nFACTS = {'thing_holds': 1}\n"
        "def judge(name):\n    try:\n        getattr(SUITE, f'test_{name}')()\n    except AssertionError as error:\n        return error\n"
        "def test_direct():\n    with pytest.raises(AssertionError):\n        SUITE.test_thing_holds()\n"
        "@pytest.mark.parametrize('name', LIST)\ndef test_listed(name):\n    assert judge(name)\n"
        "def test_through_helper():\n    assert judge('thing_holds')\n"
        "def test_of_another():\n    assert judge('other')\n"
        "def test_key_only():\n    assert judge(FACTS['thing_holds'])\n"
        "def test_green_only():\n    SUITE.test_thing_holds()\n"
        "@pytest.mark.heavy\ndef test_real():\n    assert judge('thing_holds')\n",
        encoding="utf-8",
    )
    found = wanting("thing_holds", test, tmp_path)
    assert words_ in found and bool(found) == bool(words_), found
