"""Whatever in the matrix refers to nothing is an error with its file and key; a cell that is asked for is found or suggested."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowfast_verify import subject as subjects
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import Matrix, default, runnable, runs_here

from . import data_folder
from .data_folder import append, cell_id, edit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The matrices/ of a valid data root."""
    return data_folder.make(tmp_path) / "matrices"


@pytest.fixture
def stack(folder: Path) -> Path:
    """The file of its only stack."""
    return folder / "stacks" / "torch-tiny.toml"


def problem(folder: Path) -> Problem:
    subjects.all_subjects.cache_clear()  # a test breaks one file after the other
    with pytest.raises(Problem) as caught:
        Matrix(folder)
    assert caught.value.where
    assert caught.value.next
    return caught.value


def test_a_folder_of_ones_own_is_read_whole(folder: Path) -> None:
    """Matrix(folder) has that folder's stacks and subjects, and none of the project's."""
    matrix = Matrix(folder)
    assert list(matrix.subjects) == ["tiny"]
    assert list(matrix.cells) == [cell_id()]
    assert runs_here(matrix.cell(cell_id()))
    assert matrix.stack_of(matrix.cell(cell_id())).name == "torch-tiny"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ('[[exclude]]\nwhen = { python = "2.7" }\nreason = "r"', "exclude[0].when"),
        ('[[expect]]\ncheck = "imports::*"\nwhen = { accelerator = "cu999" }\ncause = "torch-six-removed"', "expect[0].when"),
        ('[[pin]]\nname = "a"\nspec = "<1"\nreason = "r"\nwhen = { installer = "conda" }', "pin[0].when"),
        ('[[wheels]]\nwhen = { subject = "tiny@two" }\nmegabytes = 1\nnote = "n"', "wheels[1].when"),
    ],
)
def test_a_when_that_matches_nothing_is_an_error(folder: Path, stack: Path, row: str, key: str) -> None:
    """A row that speaks of no cell is stale or misspelt, and is told with its key and its values."""
    append(stack, row)
    found = problem(folder)
    assert "matches no cell" in found.what
    assert found.where == f"matrices/stacks/torch-tiny.toml, key {key}"


def test_an_expectation_of_a_subject_that_matches_nothing_is_an_error(folder: Path) -> None:
    """The same in a subject's file."""
    append(folder / "subjects" / "tiny.toml", '[[expect]]\ncheck = "imports::*"\nwhen = { python = "2.7" }\ncause = "torch-six-removed"')
    found = problem(folder)
    assert found.where == "matrices/subjects/tiny.toml, key expect[0].when"


def test_a_row_that_no_longer_matches_after_an_exclude_is_an_error(folder: Path, stack: Path) -> None:
    """An expectation for cells that are excluded is stale."""
    edit(stack, 'python = ["3.11"]', 'python = ["3.11", "3.12"]')
    append(stack, '[[exclude]]\nwhen = { python = "3.12" }\nreason = "r"')
    Matrix(folder)
    append(stack, '[[expect]]\ncheck = "imports::*"\nwhen = { python = "3.12" }\ncause = "torch-six-removed"')
    assert "matches no cell" in problem(folder).what


@pytest.mark.parametrize(
    ("row", "table"),
    [
        ('[[expect]]\ncheck = "imports::*"\ncause = "torch-six-remove"', "expect"),
        ('[[pin]]\nname = "a"\nspec = "<1"\nreason = "r"\nknown = "torch-six-remove"', "pin"),
    ],
)
def test_an_unknown_known_failure_is_an_error_with_a_suggestion(folder: Path, stack: Path, row: str, table: str) -> None:
    """A cause or an avoided failure that has no file is told with the nearest one."""
    append(stack, row)
    found = problem(folder)
    assert found.what == "there is no known failure 'torch-six-remove'"
    assert "did you mean 'torch-six-removed'" in found.cause


def test_an_unknown_workaround_is_an_error(folder: Path, stack: Path) -> None:
    """The same for a stack's and for a revision's workarounds."""
    edit(stack, 'title = "a tiny stack"', 'title = "a tiny stack"\nworkarounds = ["nonesuch"]')
    assert "no known failure 'nonesuch'" in problem(folder).what
    edit(stack, 'workarounds = ["nonesuch"]', "")
    edit(folder / "subjects" / "tiny.toml", 'version = "1.0"', 'version = "1.0"\nworkarounds = ["nonesuch"]')
    assert "no known failure 'nonesuch'" in problem(folder).what


def test_an_unknown_subject_is_an_error_with_a_suggestion(folder: Path, stack: Path) -> None:
    """An axis value that names no subject is told with the nearest one; so is a value without a revision."""
    edit(stack, '"tiny@one"', '"tinny@one"')
    found = problem(folder)
    assert found.what == "unknown subject 'tinny@one'"
    assert found.where == "matrices/stacks/torch-tiny.toml, key axes.subject"
    assert "did you mean 'tiny'" in found.cause
    edit(stack, '"tinny@one"', '"tiny"')
    assert problem(folder).what == "unknown subject 'tiny'"


def test_an_unknown_revision_is_an_error_with_a_suggestion(folder: Path, stack: Path) -> None:
    """An axis value whose revision the subject has not."""
    edit(stack, '"tiny@one"', '"tiny@ones"')
    found = problem(folder)
    assert found.what == "tiny has no revision 'ones'"
    assert "did you mean 'one'" in found.cause


def test_a_cell_without_wheels_is_an_error(folder: Path, stack: Path) -> None:
    """A cell for which nothing says where its torch comes from."""
    edit(stack, 'accelerator = ["cpu"]', 'accelerator = ["cpu", "cu999"]')
    edit(stack, "when = { os", 'when = { accelerator = "cpu", os')
    found = problem(folder)
    assert "no [[wheels]] row" in found.what
    assert "cu999" in found.what


def test_one_cell_in_two_stacks_is_an_error(folder: Path, stack: Path) -> None:
    """A cell belongs to one stack."""
    (stack.parent / "torch-twin.toml").write_text(stack.read_text(encoding="utf-8"), encoding="utf-8")
    found = problem(folder)
    assert found.what == f"two stacks span the cell {cell_id()}"
    assert "torch-tiny" in found.where
    assert "torch-twin" in found.where


def test_a_chosen_cell_that_does_not_exist_is_an_error(folder: Path) -> None:
    """The default selection names cells that some stack spans."""
    (folder / "selection.toml").write_text(f'[[chosen]]\ncell = "{cell_id()[:-3]}two"\nreason = "r"\n', encoding="utf-8")
    with pytest.raises(Problem, match="no stack spans the cell"):
        Matrix(folder).selection()


def test_a_misspelt_cell_is_told_with_the_nearest() -> None:
    """A cell of a command line that does not exist is told with one that does."""
    with pytest.raises(Problem, match="no stack spans") as caught:
        default().cell("linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b68")
    assert "did you mean 'linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67'" in caught.value.cause
    with pytest.raises(Problem, match="not the id of a cell"):
        default().cell("everything")


def test_a_glob_without_a_match_is_an_error_and_not_an_empty_run() -> None:
    """`-k` with a misspelt glob does not end in a green run of nothing."""
    assert len(default().select("linux-py3.8-torch1.8.0-cpu-*")) > 3
    with pytest.raises(Problem, match="no cell fits"):
        default().select("linux-*torch9*")


def test_an_unknown_subject_of_a_command_line_is_told() -> None:
    """--subject with a misspelt name."""
    with pytest.raises(Problem, match="no subject 'pyslowfas'") as caught:
        subjects.subject("pyslowfas")
    assert "did you mean 'pyslowfast'" in caught.value.cause


def test_the_default_selection_runs_here_or_nowhere() -> None:
    """What is selected by default belongs to this operating system and processor."""
    assert all(runnable(cell) for cell in default().selection())
