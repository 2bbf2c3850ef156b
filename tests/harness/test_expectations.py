"""Which checks an expectation speaks of: exactly one, or those that a * stands for; brackets are part of a check's id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowfast_verify.cell import parse
from slowfast_verify.expectation import Expectation, check_matches

CELL = parse("linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@main")
names = st.text("abz_:[].?*!-", min_size=1, max_size=12)


@given(names.filter(lambda name: "*" not in name and "?" not in name))
def test_a_check_matches_its_own_id(name: str) -> None:
    """An id without a star fits itself and nothing longer."""
    assert check_matches(name, name)
    assert not check_matches(name, name + "x")


@pytest.mark.parametrize(
    ("pattern", "check", "fits"),
    [
        ("imports::module_imports[slowfast.*]", "imports::module_imports[slowfast.utils]", True),
        ("imports::module_imports[slowfast.*]", "imports::module_imports[vision]", False),
        ("imports::*", "imports::name_exists[a.b]", True),
        ("imports::*", "demo::runs", False),
        ("imports::module_imports[s]", "imports::module_importss", False),
        ("demo::a?b", "demo::axb", False),
        ("demo::a?b", "demo::a?b", True),
        ("demo::Runs", "demo::runs", False),
    ],
)
def test_only_the_star_is_special(pattern: str, check: str, fits: bool) -> None:
    """Brackets and question marks mean themselves, and case counts."""
    assert check_matches(pattern, check) is fits


def test_an_expectation_concerns_the_cells_of_its_when() -> None:
    """It speaks of its checks in its cells, and never of an environment that is no cell."""
    row = Expectation(check="imports::*", when={"subject": "pyslowfast@main"}, cause="x")
    assert row.is_glob
    assert row.concerns(CELL, "imports::a")
    assert not row.concerns(CELL, "demo::a")
    assert not row.concerns(CELL.model_copy(update={"revision": "bac7b67"}), "imports::a")
    assert not row.concerns(None, "imports::a")
    assert not Expectation(check="imports::a", cause="x").is_glob
