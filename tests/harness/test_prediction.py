"""Predictions: the conditions of known failures against versions and axes, what is not predicted, and how predictions are scored."""

from __future__ import annotations

import pytest

from slowfast_verify import prediction, prediction_table
from slowfast_verify.cell import Cell
from slowfast_verify.errors import Problem
from slowfast_verify.knowledge import all_known
from slowfast_verify.matrix import default
from slowfast_verify.prediction import Condition
from slowfast_verify.record import CheckResult, Record
from slowfast_verify.resolution import Prediction, Resolution

CELL = Cell(os="windows", python="3.10", torch="2.4.1", accelerator="cu121", installer="uv", subject="pyslowfast", revision="main")


@pytest.mark.parametrize(
    ("name", "text", "met"),
    [
        ("numpy", ">=2", "numpy 2.1.0"), ("numpy", "<2", None), ("numpy", "any", "numpy 2.1.0"), ("numpy", "absent", None),
        ("torchaudio", "absent", "no torchaudio"), ("torchaudio", ">=1", None),
        ("python", ">=3.10", "Python 3.10"), ("python", "<3.9", None),
        ("os", "windows or macos", "os windows"), ("os", "linux", None), ("accelerator", "cu*", "accelerator cu121"),
        ("revision", "main or main-as-is", "revision main"), ("subject", "pyslowfast", "subject pyslowfast"),
        ("pytorchvideo", "==0.1.5 from an index", None), ("pytorchvideo", "==0.1.5 from git", "pytorchvideo 0.1.5 from git"),
        ("pytorchvideo", "any from git", "pytorchvideo 0.1.5 from git"), ("Huggingface_Hub", ">=0.26", "huggingface-hub 1.0"),
    ],
)  # fmt: skip
def test_conditions(name: str, text: str, met: str | None) -> None:
    """A key is an axis or a distribution; its words say range, source or absence."""
    versions = {"numpy": "2.1.0", "pytorchvideo": "0.1.5", "huggingface-hub": "1.0"}
    assert Condition(name, text).holds(CELL, versions, {"pytorchvideo": "git+https://example.org/p@0"}) == met


def test_a_condition_that_cannot_be_read_names_its_file() -> None:
    """A misspelt range is an error with file and key."""
    row = all_known()["torch-windows-libuv"].model_copy(update={"applies": {"torch": "2.4 and newer"}})
    with pytest.raises(Problem) as problem:
        prediction.conditions(row)
    assert "knowledge/torch-windows-libuv.toml, key applies.torch" in problem.value.where


def test_every_condition_of_the_data_can_be_read() -> None:
    """All of knowledge/, and an axis has a value that some cell has."""
    cells = list(default().everything.values())
    values = {axis: {cell.axis(axis) for cell in cells} for axis in prediction.AXES}  # type: ignore[arg-type]
    for row in all_known().values():
        for condition in prediction.conditions(row):
            if condition.axis:
                known = values[condition.name]
                assert all(any(prediction.fnmatchcase(value, word) for value in known) for word in condition.words), (
                    row.id,
                    condition.words,
                )


def test_what_the_cell_mends_is_not_predicted() -> None:
    """The same versions with and without the workaround."""
    matrix = default()
    versions = {"torch": "2.4.1", "torchvision": "0.19.1", "pytorchvideo": "0.1.5", "numpy": "2.0.0"}
    mended = matrix.cell("linux-py3.10-torch2.4.1-cpu-uv-pyslowfast@main")
    as_is = matrix.cell("linux-py3.10-torch2.4.1-cpu-uv-pyslowfast@main-as-is")
    assert "vision-fair-import" in {row.id for row in prediction.predict(as_is, matrix, versions, {})}
    assert "vision-fair-import" not in {row.id for row in prediction.predict(mended, matrix, versions, {})}


def test_what_depends_on_more_than_versions_is_not_predicted() -> None:
    """torch 2.6 refuses some checkpoints; nobody can tell from versions which ones a person has."""
    matrix = default()
    cell = matrix.cell("linux-py3.11-torch2.13.0-cpu-uv-pytorchvideo@main")
    assert all_known()["torch26-weights-only"].provided
    assert "torch26-weights-only" not in {row.id for row in prediction.predict(cell, matrix, {"torch": "2.13.0"}, {})}


def test_a_prediction_says_why_and_on_which_rung() -> None:
    """numpy 2 beside an old torch: the failure, its rung and the versions that meet it; the lowest rung comes first."""
    matrix = default()
    found = prediction.predict(
        matrix.cell("windows-py3.10-torch2.1.2-cpu-uv-pytorchvideo@0.1.5"), matrix, {"torch": "2.1.2", "numpy": "2.0.1"}, {}
    )
    row = next(row for row in found if row.id == "numpy-2-under-old-torch")
    assert (row.rung, row.by) == ("imports", "applies")
    assert row.why == "torch 2.1.2, numpy 2.0.1"


def test_expectations_are_marked_as_such() -> None:
    """What a stack or a subject says of such cells is a prediction of another kind."""
    matrix = default()
    found = prediction.predict(matrix.cell("linux-py3.10-torch2.4.1-cpu-uv-pyslowfast@main"), matrix, {}, {})
    assert {row.by for row in found if row.id == "yacs-type-mismatch"} == {"expect"}


def record(*checks: tuple[str, str, str | None]) -> Record:
    rows = [CheckResult(id=f"{rung}::x{n}", rung=rung, outcome=outcome, knowledge=cause) for n, (rung, outcome, cause) in enumerate(checks)]  # type: ignore[arg-type]
    return Record(cell=CELL.id, run="2026-11-23T00:00:00Z-0000", suite="s", target={}, checks=rows)  # type: ignore[call-arg]


def told(*rows: tuple[str, str, str]) -> Resolution:
    return Resolution(cell=CELL.id, verdict="resolves", predicted=[Prediction(id=i, rung=rung, why="", by=by) for i, rung, by in rows])  # type: ignore[arg-type]


def test_the_score_tells_right_false_missed_and_out_of_reach() -> None:
    """Each way that a prediction may meet its record, and the two figures that follow."""
    ran = record(
        ("imports", "failed as expected", "a"), ("compute", "passed", None), ("demo", "failed as expected", "d"), ("config", "failed", "m")
    )
    said = told(
        ("a", "imports", "applies"),
        ("b", "compute", "applies"),
        ("c", "demo", "applies"),
        ("e", "train", "applies"),
        ("m", "config", "expect"),
    )
    found = prediction_table.score([("r", ran, said)], ("applies",))
    assert [identifier for _, identifier in found.right] == ["a"]
    assert [identifier for _, identifier in found.false_alarm] == ["b"]
    assert {identifier for _, identifier in found.out_of_reach} == {"c", "e"}  # masked by another cause; never climbed
    assert {identifier for _, identifier in found.missed} == {"d", "m"}
    assert (found.precision, found.recall) == (0.5, 1 / 3)
    both = prediction_table.score([("r", ran, said)], ("applies", "expect"))
    assert both.recall == 2 / 3


def test_nothing_predicted_has_no_precision() -> None:
    """No prediction is not a precision of 100 %."""
    found = prediction_table.score([("r", record(("imports", "passed", None)), told())], ("applies",))
    assert (found.precision, found.recall) == (None, None)
