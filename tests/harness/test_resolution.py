"""reports/resolve.json: what is written comes back, each distinct resolution is kept once, and a damaged file says what to do."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from slowfast_verify import resolution
from slowfast_verify.cell import parse
from slowfast_verify.errors import Problem
from slowfast_verify.resolution import Prediction, Resolution

A = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
B = "linux-aarch64-py3.11-torch2.1.2-cpu-pip-slowfast-release@1.0"
C = "macos-arm64-py3.12-torch2.4.1-mps-uv-pytorchvideo@main"


def rows() -> list[Resolution]:
    common = {"verdict": "resolves", "versions": {"numpy": "1.23.5", "torch": "1.8.0"}, "date": "2026-11-22T00:00:00Z", "seconds": 1.5}
    return [
        Resolution(cell=A, **common, predicted=[Prediction(id="x", rung="imports", why="numpy 1.23.5")]),  # type: ignore[arg-type]
        Resolution(cell=A.replace("-uv-", "-pip-"), **common, predicted=[Prediction(id="x", rung="imports", why="numpy 1.23.5")]),  # type: ignore[arg-type]
        Resolution(cell=B, verdict="conflicts", reason="a needs b<2 and c needs b>=2."),
        Resolution(cell=C, verdict="not verified", reason="the index cannot be reached", twin=C.replace("-mps-", "-cpu-")),
    ]


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    """Every cell of the file is given back as it was put in."""
    file = tmp_path / "resolve.json"
    file.write_text(resolution.pack(rows(), "2026-11-22", "uv 0"), encoding="utf-8")
    found = resolution.load(file)
    assert set(found.ids()) == {row.cell for row in rows()}
    assert [found.of(row.cell) for row in rows()] == rows()
    assert len(found) == 4


def test_equal_resolutions_are_kept_once() -> None:
    """Two cells with the same outcome share one row."""
    document = json.loads(resolution.pack(rows(), "2026-11-22", "uv 0"))
    assert len(document["cases"]) == len(document["answers"]) + 1 == 3  # conflict and outage brought no versions: one empty answer
    assert len(document["predictions"]) == 1
    assert document["packages"] == ["numpy==1.23.5", "torch==1.8.0"]


def test_a_cell_that_was_never_asked_is_none() -> None:
    """Never asked is not the same as not verified."""
    found = resolution.Resolutions(json.loads(resolution.pack(rows(), "2026-11-22", "uv 0")))
    assert found.of(A.replace("3.8", "3.9")) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99}'])
def test_a_file_of_another_kind_says_what_to_do(tmp_path: Path, text: str) -> None:
    """A damaged file ends in a Problem with the command that makes it anew."""
    file = tmp_path / "resolve.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Problem) as problem:
        resolution.load(file)
    assert "slowfast-verify resolve" in problem.value.next


def test_no_file_says_what_to_do(tmp_path: Path) -> None:
    """Nothing kept yet is said as that."""
    with pytest.raises(Problem, match="no resolutions are kept yet"):
        resolution.load(tmp_path / "none.json")


@pytest.mark.parametrize("cell", [A, B, C])
def test_an_id_is_split_before_its_installer(cell: str) -> None:
    """Subjects and places have hyphens of their own."""
    place, rest = resolution.split(cell)
    assert f"{place}-{rest}" == cell
    assert rest.split("-")[0] in ("uv", "pip")


def test_what_the_project_keeps_has_a_thousand_verdicts_and_a_reason_for_every_other() -> None:
    """reports/resolve.json: 1,000 cells or more have a verdict; each that has none says why."""
    kept = resolution.load()
    rows = [row for identifier in kept.ids() if (row := kept.of(identifier))]
    assert sum(row.verdict != "not verified" for row in rows) >= 1000
    assert not [row.cell for row in rows if row.verdict == "not verified" and not row.reason]
    assert not [row.cell for row in rows if row.verdict == "resolves" and not row.versions]


def test_pairs_without_a_verdict_are_builds_that_lie_elsewhere() -> None:
    """Every pair of axis values that can meet has a cell with a verdict, but for accelerators and installers outside the package index."""
    kept = resolution.load()
    axes = ("os", "arch", "python", "torch", "accelerator", "installer", "subject", "revision")
    told: set[tuple[str, str, str, str]] = set()
    all_pairs: set[tuple[str, str, str, str]] = set()
    for identifier in kept.ids():
        cell, row = parse(identifier), kept.of(identifier)
        assert row
        found = {(a, cell.axis(a), b, cell.axis(b)) for a, b in itertools.combinations(axes, 2)}  # type: ignore[arg-type]
        all_pairs |= found
        if row.verdict != "not verified":
            told |= found
    missing = all_pairs - told
    assert len(told) > 800
    assert not [pair for pair in missing if "accelerator" not in (pair[0], pair[2]) and "conda" not in pair]
