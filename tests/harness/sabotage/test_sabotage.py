"""Every sabotaged environment ends in a verdict that names the culprit, within its time limit, never in a traceback of the doctor's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import clone, layout
from slowfast_verify.record import Provisioned

from . import sabotage, standin
from .conftest import KEY
from .sabotage import Place, Sabotage

ROWS = sabotage.all_of()
SMALL = [number for number, row in ROWS.items() if row.ground == "standin" and not row.slow]
REAL = [number for number, row in ROWS.items() if row.ground != "standin" or row.slow]


def tell(record: Callable[[str, object], None], row: Sabotage, seen: dict[str, Any] | None, why: str = "") -> None:
    """Hand the row of the table over."""
    rung, said = "", why
    if seen is not None:
        causes = [*seen["document"]["causes"], *seen["document"]["notes"]] if seen["document"] else []
        rung, said = causes[0]["rung"] if causes else "", sabotage.said(seen["document"], seen["stderr"])
    record(KEY, {"id": row.id, "what": row.what, "ground": row.ground, "seconds": seen["seconds"] if seen else 0.0, "limit": row.seconds,
                 "said": said, "rung": rung})  # fmt: skip


@pytest.mark.parametrize("number", SMALL)
def test_the_culprit_is_named(number: str, template: Path, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """In a stand-in of a few files."""
    row = ROWS[number]
    why = sabotage.missing(row)
    if why:
        tell(record_property, row, None, why)
        pytest.skip(why)
    env = tmp_path / "env"
    standin.copy(template, env)
    place = Place(tmp_path, env)
    for deed in row.do:
        place.carry_out(deed)
    seen = sabotage.examine(row, place)
    tell(record_property, row, seen)
    found = sabotage.complaints(row, seen, place.fill)
    assert not found, f"{row.what}\n" + "\n".join(found)


@pytest.mark.heavy
@pytest.mark.skipif(not os.environ.get("SABOTAGE_REAL"), reason="nox -s sabotage: clones provisioned cells, minutes")
@pytest.mark.parametrize("number", REAL)
def test_the_culprit_is_named_in_a_real_environment(number: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """In a clone of a provisioned cell, or in a stand-in where the doctor has to wait for its own limits."""
    row = ROWS[number]
    why = sabotage.missing(row) or sabotage.missing(row.model_copy(update={"needs": [f"cell {row.ground}"] * (row.ground != "standin")}))
    if why:
        tell(record_property, row, None, why)
        pytest.skip(why)
    if row.ground == "standin":
        standin.make(tmp_path / "env")
        place = Place(tmp_path, tmp_path / "env")
    else:
        cell = Provisioned.model_validate_json((layout.home() / "cells" / row.ground / "cell.json").read_bytes())
        made = clone.clone_cell(cell, tmp_path / "cell")
        place = Place(tmp_path, Path(made.env), Path(made.checkout) if made.checkout else None)
        row = row.model_copy(update={"env": {**made.variables, **row.env}})
    for deed in row.do:
        place.carry_out(deed)
    seen = sabotage.examine(row, place)
    tell(record_property, row, seen)
    shutil.rmtree(tmp_path / "cell", ignore_errors=True)
    found = sabotage.complaints(row, seen, place.fill)
    assert not found, f"{row.what}\n" + "\n".join(found)


def test_the_list_is_long_enough_and_reasoned() -> None:
    """40 sabotages or more, each with its reason and something that must be named."""
    assert len(ROWS) >= 40
    broken = [row for row in ROWS.values() if row.verdict == "problems" or row.note or row.problem]
    assert len(broken) >= 40
    assert not [row.id for row in broken if not (row.culprit or row.named or row.problem)]
    assert not [row.id for row in ROWS.values() if len(row.reason) < 20 or len(row.what) < 10]


def test_the_judge_of_the_judge() -> None:
    """A doctor that says nothing, that is late, that has a traceback or blames somebody else does not pass."""
    row = Sabotage(id="x", what="x", reason="x", culprit=["numpy"], rung="imports", named="missing-numpy")
    cause = {"id": "missing-numpy", "rung": "imports", "title": "numpy is missing"}
    document = {"verdict": "problems", "causes": [cause], "notes": []}
    good: dict[str, Any] = {"exit": 1, "seconds": 1.0, "stdout": "{}", "stderr": "", "document": document}
    assert sabotage.complaints(row, good) == []
    for worse in (
        {"exit": 3}, {"seconds": 99.0}, {"document": None}, {"stderr": "Traceback (most recent call last)\n"},
        {"document": {"verdict": "healthy", "causes": [], "notes": []}},
        {"document": {"verdict": "problems", "causes": [{**cause, "title": "torch", "id": "torch"}, cause], "notes": []}},
        {"document": {"verdict": "problems", "causes": [{**cause, "rung": "demo"}], "notes": []}},
    ):  # fmt: skip
        assert sabotage.complaints(row, {**good, **worse}) != []


def test_the_stand_in_is_healthy(template: Path, tmp_path: Path) -> None:
    """What is not broken has no problem: the culprit of every sabotage is the sabotage."""
    row = Sabotage(id="none", what="nothing is broken", reason="the counter-example of all others", verdict="healthy", exit=0)
    env = tmp_path / "env"
    standin.copy(template, env)
    assert sabotage.complaints(row, sabotage.examine(row, Place(tmp_path, env))) == []
