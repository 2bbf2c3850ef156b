"""A cell's id is derived from its axes and leads back to them."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowfast_verify import cell as cells
from slowfast_verify.cell import Cell
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import default

number = st.integers(0, 99).map(str)
made = st.builds(
    Cell,
    os=st.sampled_from(["linux", "windows", "macos"]),
    arch=st.sampled_from(["x86_64", "aarch64", "arm64"]),
    python=st.tuples(st.just("3"), number).map(".".join),
    torch=st.lists(number, min_size=2, max_size=3).map(".".join),
    accelerator=st.from_regex(r"[a-z][a-z0-9.]*", fullmatch=True),
    installer=st.from_regex(r"[a-z]+", fullmatch=True),
    subject=st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True),
    revision=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", fullmatch=True),
)


@given(made)
def test_an_id_leads_back_to_its_cell(cell: Cell) -> None:
    """parse(cell.id) is the cell, whatever its axes hold."""
    assert cells.parse(cell.id) == cell


def test_every_id_of_the_matrix_leads_back() -> None:
    """The same for every cell of the project's own matrix, whose ids are all different."""
    everything = default().cells
    assert len(everything) > 50
    for name, cell in everything.items():
        assert name == cell.id
        assert cells.parse(name) == cell.model_copy(update={"stack": ""})
        assert default().cell(name) is cell


def test_the_id_is_the_documented_one() -> None:
    """The documents' example is what the code derives."""
    cell = Cell(
        os="linux", python="3.8", torch="1.8.0", accelerator="cpu", installer="uv", subject="pyslowfast", revision="bac7b67"
    )  # fmt: skip
    assert cell.id == "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"


@pytest.mark.parametrize("text", ["", "linux", "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast", "beos-py3.8-torch1.8.0-cpu-uv-pyslowfast@main"])
def test_what_is_no_id_is_told(text: str) -> None:
    """A text that is no id ends in a message with an example."""
    with pytest.raises(Problem, match="not the id of a cell") as caught:
        cells.parse(text)
    assert "looks like linux-py3.8" in caught.value.next


@given(made)
def test_a_when_matches_its_own_values(cell: Cell) -> None:
    """Every axis matches its own value, one value of several, and no other."""
    for axis in get_args(cells.Axis):
        assert cell.matches({axis: cell.axis(axis)})
        assert cell.matches({axis: ["other", cell.axis(axis)]})
        assert not cell.matches({axis: cell.axis(axis) + "x"})
    assert cell.matches({})
    assert cell.matches({"subject": f"{cell.subject}@{cell.revision}"})
    assert not cell.matches({"os": cell.os, "python": "2.7"})
