"""What ran under an emulator computes what the same versions compute natively: shown over the evidence, and able to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify import record as records
from slowfast_verify.agreement import differences, predictions_in, twins
from slowfast_verify.record import CheckResult, Record

EVIDENCE = layout.root() / "reports" / "evidence"
EMULATED = sorted(path.name.removesuffix(".json") for path in EVIDENCE.glob("*+*.json"))


def made(cell: str, predictions: dict[str, Any] | None, **rungs: str) -> Record:
    """A record with a check of an outcome on each rung."""
    checks = [CheckResult(id=f"{rung}::a", rung=rung, outcome=outcome) for rung, outcome in rungs.items()]  # type: ignore[arg-type]
    return Record(cell=cell, run="r", suite="s", target={}, checks=checks, predictions=predictions)


@pytest.mark.parametrize("name", EMULATED)
def test_the_evidence_of_an_emulated_cell_agrees_with_a_native_one(name: str) -> None:
    """Labels equal, probabilities within 1e-4, and as far up the ladder as the Linux cell of the same torch and subject."""
    twin = next((cell for cell in twins(name) if (EVIDENCE / f"{cell}.json").exists()), None)
    assert twin, f"no Linux cell of the same versions is in reports/evidence: slowfast-verify climb --evidence {twins(name)[0]}"
    found = differences(records.read(EVIDENCE / f"{twin}.json"), records.read(EVIDENCE / f"{name}.json"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ({"up": [("up", 0.9988), ("up", 0.9)]}, None),
        ({"up": [("up", 0.99885), ("up", 0.90009)]}, None),
        ({"up": [("up", 0.9988), ("up", 0.9002)]}, "up, window 1: up 0.900200 instead of up 0.900000"),
        ({"up": [("down", 0.9988), ("up", 0.9)]}, "up, window 0: down 0.998800 instead of up 0.998800"),
        ({"up": [("up", 0.9988)]}, "up: 1 windows instead of 2"),
        ({}, "up: 0 windows instead of 2"),
        (None, "up: 0 windows instead of 2"),
    ],
)
def test_a_difference_is_told(mine: dict[str, Any] | None, said: str | None) -> None:
    """Another label, another number, a window or a clip that is missing."""
    reference = made("linux", {"up": [("up", 0.9988), ("up", 0.9)]}, demo="passed")
    found = differences(reference, made("windows", mine, demo="passed"))
    assert found == ([said] if said else [])


def test_a_cell_that_does_not_get_as_far_differs() -> None:
    """Even where nothing was predicted; one that gets further does not."""
    far, near = made("a", None, imports="passed", compute="passed"), made("b", None, imports="passed", compute="infrastructure")
    assert differences(far, near) == ["it gets to imports, a to compute"]
    assert not differences(near, far)
    assert differences(far, made("c", None)) == ["it gets to nothing, a to compute"]


def test_a_reference_without_its_demo_proves_nothing() -> None:
    """A record that passed the demo and kept no number is no reference; one whose demo cannot pass is."""
    assert differences(made("a", None, demo="passed"), made("b", None, demo="passed")) == ["a holds no probabilities to compare with"]
    assert not differences(made("a", None, imports="passed"), made("b", None, imports="passed"))


def test_the_numbers_come_from_the_demo() -> None:
    """Of facts with clips, and of nothing else."""
    assert predictions_in({"clips": [{"name": "up", "windows": [["up", 0.99881234567]]}]}) == {"up": [("up", 0.998812)]}
    assert predictions_in({}) is None
    assert predictions_in(None) is None


def test_the_nearest_native_cell_comes_first() -> None:
    """The same Python before any other."""
    found = twins("windows-py3.10-torch2.4.1-cpu-uv-pyslowfast@main+wine")
    assert found[0] == "linux-py3.10-torch2.4.1-cpu-uv-pyslowfast@main"
    assert "linux-py3.11-torch2.4.1-cpu-uv-pyslowfast@main" in found
    assert twins("linux-aarch64-py3.11-torch2.1.2-cpu-uv-pytorchvideo@0.1.5+qemu")[0] == "linux-py3.11-torch2.1.2-cpu-uv-pytorchvideo@0.1.5"


def test_the_command_tells_and_leaves_with_a_status(tmp_path: Path) -> None:
    """0 when they agree, 1 when not."""
    from typer.testing import CliRunner

    from slowfast_verify.cli import app

    for name, p in (("a", 0.9), ("b", 0.90005), ("c", 0.8)):
        records.write(made(name, {"up": [("up", p)]}, demo="passed"), tmp_path)
    agrees = CliRunner().invoke(app, ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert (agrees.exit_code, agrees.output.strip()) == (0, "b agrees with a")
    differs = CliRunner().invoke(app, ["compare", str(tmp_path / "a.json"), str(tmp_path / "c.json")])
    assert differs.exit_code == 1
    assert "window 0" in differs.output
