"""A mistake in a data file ends in one message with the file, the line, the key and the next step; the real data has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowfast_verify import knowledge, ladder, layout, sources
from slowfast_verify.data import load
from slowfast_verify.errors import USAGE, Problem
from slowfast_verify.matrix import Matrix, default
from slowfast_verify.stack import Stack
from slowfast_verify.subject import Subject

from . import data_folder
from .data_folder import append, edit


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The file of a valid stack."""
    return data_folder.make(tmp_path) / "matrices" / "stacks" / "torch-tiny.toml"


def problem(path: Path, model: type = Stack) -> Problem:
    with pytest.raises(Problem) as caught:
        load(path, model)
    found = caught.value
    assert found.code == USAGE
    assert str(path) in found.where
    assert found.next
    assert "Traceback" not in str(found)
    assert "pydantic" not in str(found)
    return found


def line_of(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line)


def test_the_tiny_stack_is_valid(stack: Path) -> None:
    """What the tests below break is whole."""
    assert load(stack, Stack).torch.version == "1.0.0"


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(stack: Path) -> None:
    """A misspelt key is told with file, line, dotted key and the right spelling."""
    edit(stack, 'torchvision = "1.0.1"', 'torchvison = "1.0.1"')
    found = problem(stack)
    assert found.what == "unknown key 'torchvison' (and 1 more)"
    assert "did you mean 'torchvision'" in found.cause
    edit(stack, 'torchvison = "1.0.1"', 'torchvision = "1.0.1"\ntorchadio = "1"')
    found = problem(stack)
    assert found.what == "unknown key 'torchadio'"
    assert found.where == f"{stack}, line {line_of(stack, 'torchadio')}, key torch.torchadio"
    assert "did you mean 'torchaudio'" in found.cause


def test_an_unknown_key_at_the_top_is_named(stack: Path) -> None:
    """The same at the top of the file."""
    edit(stack, 'title = "a tiny stack"', 'title = "a tiny stack"\nworkaround = []')
    found = problem(stack)
    assert found.where == f"{stack}, line 2, key workaround"
    assert "did you mean 'workarounds'" in found.cause


def test_an_unknown_key_in_a_row_is_named_with_its_row(stack: Path) -> None:
    """In the second row of a list of tables it is the second row's line."""
    append(stack, '[[pin]]\nname = "a"\nspec = "<1"\nreason = "r"\n\n[[pin]]\nname = "b"\nspec = "<1"\nreasons = "r"')
    found = problem(stack)
    assert f"line {line_of(stack, 'reasons = ')}" in found.where
    assert "pin[1]" in found.where


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('python = ["3.11"]', 'python = "3.11"', "axes.python"),
        ('python = ["3.11"]', "python = [3.11]", "axes.python[0]"),
        ("megabytes = 1", 'megabytes = "many"', "wheels[0].megabytes"),
        ('title = "a tiny stack"', "title = 3", "title"),
    ],
)
def test_a_wrong_type_is_told_with_the_value(stack: Path, old: str, new: str, key: str) -> None:
    """A value of another type is told with its line, its key and what it is."""
    edit(stack, old, new)
    found = problem(stack)
    assert found.where == f"{stack}, line {line_of(stack, new)}, key {key}"
    assert found.cause.startswith("the value is ")


def test_a_value_out_of_range_is_told(stack: Path) -> None:
    """An operating system that there is not, and an axis in a `when` that there is not."""
    edit(stack, 'accelerator = ["cpu"]', 'accelerator = ["cpu"]\n')
    text = stack.read_text(encoding="utf-8")
    stack.write_text(text.replace(text[text.index("os = ") : text.index("\narch")], 'os = ["beos"]'), encoding="utf-8")
    assert "beos" in problem(stack).cause
    stack.write_text(text.replace("when = { os", "when = { oss"), encoding="utf-8")
    assert "oss" in str(problem(stack))


def test_a_missing_key_is_told(stack: Path) -> None:
    """A key that must be there is asked for by name."""
    edit(stack, 'note = "made by the test"', "")
    found = problem(stack)
    assert found.what == "missing key 'note'"
    assert "wheels[0].note" in found.where


@pytest.mark.parametrize("text", ['title = "open\n', "title = 1\ntitle = 2\n", "[torch\n", "\tkey\n"])
def test_a_syntax_error_is_told_with_its_line(stack: Path, text: str) -> None:
    """A file that is not TOML is told with the place that the parser names."""
    stack.write_text(text, encoding="utf-8")
    found = problem(stack)
    assert found.what.startswith("not valid TOML")
    assert "line " in found.what
    assert found.cause


@pytest.mark.parametrize(("raw", "byte"), [(b'title = "caf\xe9"\n', 12), (b"\xff\xfet\x00", 0)], ids=["latin-1", "utf-16"])
def test_another_encoding_is_told_with_its_byte(stack: Path, raw: bytes, byte: int) -> None:
    """A file that is not UTF-8 is told with the first offending byte."""
    stack.write_bytes(raw)
    found = problem(stack)
    assert found.what == "the file is not UTF-8"
    assert found.where == f"{stack} byte {byte}"


def test_a_byte_order_mark_is_fine(stack: Path) -> None:
    """What editors on Windows put in front is no mistake."""
    stack.write_bytes(b"\xef\xbb\xbf" + stack.read_bytes())
    assert load(stack, Stack).title == "a tiny stack"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that is not there is told with the folder to look in."""
    found = problem(tmp_path / "nonesuch.toml")
    assert found.what == "there is no file nonesuch.toml"
    assert str(tmp_path) in found.next


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('type = "ZeroDivisionError"', 'message = "("', "not a regular expression"),
        ('rung = "imports"', 'rung = "import"', "did you mean 'imports'"),
        ("[explain]", "[[fix]]\nwhy = 'nothing'\n\n[explain]", "must do something"),
        ("[explain]", "[[fix]]\nfile = [{ path = 'x' }]\n\n[explain]", "either text or link_to"),
    ],
)
def test_a_known_failure_is_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A broken expression, an unknown rung and an action that does nothing are mistakes of the file."""
    path = data_folder.make(tmp_path) / "knowledge" / "divides-by-zero.toml"
    edit(path, old, new)
    assert words in str(problem(path, knowledge.KnownFailure))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('version = "1.0"', f'version = "1.0"\ncommit = "{"0" * 40}"', "either a commit or a version"),
        ('version = "1.0"', "", "either a commit or a version"),
        ('version = "1.0"', 'commit = "287ec00"', "forty digits"),
    ],
)
def test_a_revision_is_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A revision is one thing, and a commit is whole."""
    path = data_folder.make(tmp_path) / "matrices" / "subjects" / "tiny.toml"
    edit(path, old, new)
    assert words in str(problem(path, Subject))


def test_the_projects_own_data_is_whole() -> None:
    """Every TOML file of the project loads with its model, and nothing in it refers to nothing."""
    matrix = default()
    assert matrix.selection() is not None
    for identifier in knowledge.all_known():
        assert knowledge.known(identifier).id == identifier
    load(layout.matrices() / "questions.toml", ladder.Questions)
    load(layout.matrices() / "outages.toml", sources.Outages)
    assert isinstance(Matrix(layout.matrices()), Matrix)
