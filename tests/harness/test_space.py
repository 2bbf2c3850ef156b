"""The space of cells: every combination is a cell or has a reason, every pair of values that can exist is covered, and nox stays quick."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tomllib
from functools import cache
from typing import Any

import pytest
from packaging.version import Version
from typer.testing import CliRunner

from slowfast_verify import layout
from slowfast_verify.cell import parse
from slowfast_verify.cli import app
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import default
from slowfast_verify.space import place_of

AXES = ("place", "python", "torch", "accelerator", "installer", "subject")


@cache
def listed() -> dict[str, Any]:
    """What the command prints."""
    done = CliRunner().invoke(app, ["cells", "--json"])
    assert done.exit_code == 0
    document: dict[str, Any] = json.loads(done.output)
    return document


def values(cell: dict[str, Any]) -> dict[str, str]:
    return {"place": f"{cell['os']}-{cell['arch']}", "python": cell["python"], "torch": cell["torch"], "accelerator": cell["accelerator"],
            "installer": cell["installer"], "subject": f"{cell['subject']}@{cell['revision']}"}  # fmt: skip


@cache
def admissible() -> set[tuple[str, ...]]:
    """Every combination that can exist, worked out here from the files alone and by other means than the code's."""
    releases = tomllib.loads((layout.matrices() / "torch-releases.toml").read_text(encoding="utf-8"))["release"]
    space = tomllib.loads((layout.matrices() / "space.toml").read_text(encoding="utf-8"))
    lowest = {"pyslowfast": "3.8", "pytorchvideo": "3.7", "slowfast-release": "3.6"}
    found = set()
    wanted = {version for row in space["torch"] for version in row["version"]}
    for row in (row for row in releases if row["torch"] in wanted):
        for place, there in row.get("index", {}).items():
            builds = {"cpu", there["build"], *row.get("elsewhere", {}).get(place, [])}
            if place == "macos-arm64" and Version(row["torch"]) >= Version("1.12"):
                builds.add("mps")
            pythons = set(there["python"]) - set(there.get("without_torchvision", [])) & set(space["python"])
            for python, build, installer, subject in itertools.product(
                pythons & set(space["python"]), builds, space["installer"], space["subject"]
            ):
                if Version(python) >= Version(lowest[subject.partition("@")[0]]):
                    found.add((place, python, row["torch"], build, installer, subject))
    return found


def pairs(rows: set[tuple[str, ...]]) -> set[tuple[int, str, int, str]]:
    return {(i, row[i], j, row[j]) for row in rows for i, j in itertools.combinations(range(len(AXES)), 2)}


def test_there_are_more_than_a_thousand_cells() -> None:
    """The command lists them, each once."""
    ids = [cell["id"] for cell in listed()["cells"]]
    assert len(ids) > 1000
    assert len(set(ids)) == len(ids)


def test_every_admissible_pair_of_axis_values_is_covered() -> None:
    """100 %: no two values that can meet are without a cell in which they do."""
    cells = {tuple(values(cell)[axis] for axis in AXES) for cell in listed()["cells"]}
    missing = pairs(admissible()) - pairs(cells)
    assert not missing
    assert len(pairs(admissible())) > 1000


def test_what_is_listed_is_what_can_exist() -> None:
    """No cell is listed that the tables do not allow, but for those that a stack declares with a revision of its own."""
    cells = {tuple(values(cell)[axis] for axis in AXES): cell for cell in listed()["cells"]}
    assert admissible() <= set(cells)
    for more in set(cells) - admissible():
        assert cells[more]["stack"], more


def test_every_other_combination_has_its_reason() -> None:
    """The product of all axes falls apart into cells and into what is excluded with a reason; nothing is both, nothing is neither."""
    axes = listed()["axes"]
    excluded: dict[tuple[tuple[str, str], ...], str] = {}
    for row in listed()["excluded"]:
        when = dict(row["when"])
        if "os" in when:
            when["place"] = f"{when.pop('os')}-{when.pop('arch')}"
        excluded[tuple(sorted(when.items()))] = row["reason"]
        assert row["reason"]
    shapes = {tuple(key for key, _ in when) for when in excluded}
    can = {row[:4] + row[5:] for row in admissible()}
    for row in itertools.product(axes["place"], axes["python"], axes["torch"], axes["accelerator"], axes["subject"]):
        at = dict(zip(("place", "python", "torch", "accelerator", "subject"), row, strict=True))
        fits = any(tuple((key, at[key]) for key in shape) in excluded for shape in shapes)
        assert fits != (row in can), (row, fits)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("windows-py3.13-torch2.5.1-cpu-uv-pyslowfast@main", "none for 3.13"),
        ("macos-py3.11-torch2.4.1-cpu-uv-pyslowfast@main", "2.2.2 was the last"),
        ("macos-arm64-py3.11-torch2.4.1-cu121-uv-pyslowfast@main", "CUDA or ROCm on macOS"),
        ("windows-py3.11-torch2.4.1-rocm6.1-uv-pyslowfast@main", "ROCm builds for Linux"),
        ("linux-py3.11-torch2.4.1-mps-uv-pyslowfast@main", "Apple's own processors"),
        ("linux-py3.11-torch2.4.1-cu117-uv-pyslowfast@main", "not for cu117"),
        ("macos-arm64-py3.8-torch1.8.0-cpu-uv-pytorchvideo@main", "torchvision 0.9.0, torch 1.8.0's partner, has no wheel"),
        ("linux-py3.7-torch1.8.0-cpu-uv-pyslowfast@main", "needs Python >=3.8"),
        ("linux-py3.8-torch1.8.2-cpu-uv-pyslowfast@main", "spans no cells"),
    ],
)  # fmt: skip
def test_the_reason_says_what_is_missing(cell: str, reason: str) -> None:
    """A person who asks for a cell that cannot exist is told the plainest reason."""
    done = CliRunner().invoke(app, ["cells", "--why", cell])
    assert done.exit_code == 1
    assert reason in done.output
    with pytest.raises(Problem) as problem:
        default().cell(cell)
    assert reason in problem.value.cause


def test_a_cell_without_a_stack_gets_one_by_rule() -> None:
    """Pins and workarounds follow from the torch; its torch comes from where the table says."""
    matrix = default()
    cell = matrix.cell("linux-py3.11-torch2.1.2-cu118-pip-pyslowfast@main")
    stack = matrix.stack_of(cell)
    wheels = stack.wheels_of(cell)
    assert wheels
    assert (wheels.index, wheels.local) == ("https://download.pytorch.org/whl/cu118", "+cu118")
    by_hand = matrix.stacks["torch-2.1"].pin  # worked out for the same torch
    assert stack.pin[: len(by_hand)] == by_hand
    assert {pin.name for pin in stack.pin[len(by_hand) :]} == {"simplejson"}
    fresh = matrix.stack_of(matrix.cell("windows-py3.10-torch2.5.1-cpu-uv-pyslowfast@main"))
    assert "torch-six-removed" in fresh.workarounds
    assert {pin.name for pin in fresh.pin} == {"setuptools", "moviepy", "simplejson"}


def test_torchaudio_is_left_out_where_it_has_no_wheel() -> None:
    """torchaudio 0.8.1 has none for aarch64: asking for it would make the cell impossible."""
    matrix = default()
    assert matrix.stack_of(matrix.cell("linux-aarch64-py3.8-torch1.8.1-cpu-uv-pytorchvideo@main")).torch.torchaudio == ""
    assert matrix.stack_of(matrix.cell("linux-py3.8-torch1.8.1-cpu-uv-pytorchvideo@main")).torch.torchaudio == "0.8.1"


def test_every_cell_has_somewhere_to_get_its_torch_from() -> None:
    """No cell of the space is without a row that says where its torch lies."""
    matrix = default()
    assert not [cell.id for cell in matrix.everything.values() if matrix.stack_of(cell).wheels_of(cell) is None]


def test_ids_stay_as_they_are() -> None:
    """The id of every cell reads back into the same cell."""
    for cell in default().everything.values():
        assert parse(cell.id).model_copy(update={"stack": cell.stack}) == cell


def test_a_glob_of_the_stacks_means_them_alone() -> None:
    """What `nox` and `plan` select stays the stacks; a glob that fits none of them is looked for in the whole space."""
    matrix = default()
    assert all(cell.stack in matrix.stacks for cell in matrix.select("linux-*"))
    assert matrix.select("*-torch2.5.1-*")
    assert len(matrix.select("linux-*", everywhere=True)) > len(matrix.select("linux-*"))


def test_listing_sessions_does_not_make_the_space() -> None:
    """`nox -l` builds the stacks' cells and leaves the thousands alone."""
    program = (
        "from slowfast_verify.planning import offered; from slowfast_verify.matrix import default; "
        "offered([]); print('everything' in vars(default()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_places_are_spelt_as_in_ids() -> None:
    """A cell of a place is found under the place's name."""
    assert {place_of(cell) for cell in default().everything.values()} == set(listed()["axes"]["place"])
