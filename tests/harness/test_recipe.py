"""What to type: the recipe of a cell, where its versions come from, and what it claims to have run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slowfast_verify import layout, nearest, recipe, recipe_text, resolution
from slowfast_verify.asking import wanted_of
from slowfast_verify.cli import app
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import default
from slowfast_verify.recipe import recipe_for
from slowfast_verify.resolution import Resolution
from slowfast_verify.wanted import Wanted

EVIDENCE = layout.root() / "reports" / "evidence"
SMALL = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"
MAIN = "linux-py3.10-torch2.4.1-cpu-uv-pyslowfast@main"
WINE = "windows-py3.10-torch2.4.1-cpu-uv-pyslowfast@main"


# ---- the recipe of a cell -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [name for name in default().cells if (EVIDENCE / f"{name}.json").exists()])
def test_a_cell_that_ran_is_held_to_its_lock(cell: str) -> None:
    """Every version of the record's lock that an index has stands in the pins, and the pins in every block."""
    found = recipe_for(cell)
    lock = (EVIDENCE / f"{cell}.lock.txt").read_text(encoding="utf-8").splitlines()
    assert found.pins == [line for line in lock if "==" in line and " @ " not in line and not line.startswith("-e")]
    assert found.versions == "lock"
    assert found.evidence and (layout.root() / found.evidence.path).is_file() and (layout.root() / found.evidence.lock).is_file()
    assert all(pin in block.text for block in found.blocks.values() for pin in found.pins)


def test_a_cell_that_never_ran_says_so_first() -> None:
    """In its first line, in both tongues, whatever the language of the commands."""
    cell = next(name for name in default().cells if not recipe.evidence_of(default().cell(name)) and name.startswith("windows"))
    found = nearest.answer(wanted_of("", {}, cell), only=cell)
    assert found.predicted and found.nearest_run
    for form in ("powershell", "cmd"):
        first = recipe_text.printed(found, recipe_text.form_of(found, form)).splitlines()[0]
        assert "predicted, never run" in first
        assert "predicted" in recipe_text.printed(found, recipe_text.form_of(found, form), "zh").splitlines()[0]


def test_the_workarounds_of_main_are_commands() -> None:
    """Each of the cell's known failures is mended by a line of the script, and nothing is left to the reader."""
    text = recipe_for(MAIN).blocks["bash"].text
    for trace in (
        "multigrid_helper.py",
        "'\"PIL\"'",
        "--force-reinstall --no-deps 'pytorchvideo @ git+",
        'ln -sfn "$PWD"/SlowFast links/vision/fair/slowfast',
    ):
        assert trace in text.replace("\\", ""), trace
    assert text.rstrip().endswith('export PYTHONPATH="$PWD"/links:"$PWD"/SlowFast')
    assert not {"{checkout}", "{python}", "{here}", "{site}", "{env}", "{cell}"} & set(re.findall(r"\{\w+\}", text))


def test_a_machine_without_a_compiler_gets_a_recipe_that_needs_none() -> None:
    """`--no-compiler` takes detectron2's extension out before it is built, and asks for no compiler; it claims no run of its own."""
    cell = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
    usual, without = recipe.recipe_for(cell), recipe.recipe_for(cell, compiler=False)
    assert recipe.COMPILERS in usual.needs
    assert recipe.COMPILERS not in without.needs
    text = without.blocks["bash"].text
    assert "ext_modules=[]" in text
    assert "ext_modules=[]" not in usual.blocks["bash"].text
    assert without.blocks["bash"].proof != "ran as printed"


def test_windows_is_offered_what_ran_under_wine() -> None:
    """Without a compiler, with its own variables, in both of its shells, and told as what it is."""
    found = recipe_for(WINE)
    assert set(found.blocks) == {"powershell", "cmd"}
    assert found.evidence and "Wine" in found.evidence.runner
    assert recipe.COMPILERS not in found.needs
    assert 'set "USE_LIBUV=0"' in found.blocks["cmd"].text
    assert "ext_modules" in found.blocks["powershell"].text
    assert "Wine" in recipe_text.headline(nearest.answer(wanted_of("", {}, WINE), only=WINE), "cmd")


def test_only_commands_that_ran_are_said_to_have_run(tmp_path: Path) -> None:
    """The record of a run from the recipe counts for these very commands: a pin changed, and they were never run as they stand."""
    assert recipe_for(SMALL).blocks["bash"].proof == "ran as printed"
    assert recipe_for(SMALL).blocks["dockerfile"].proof == "verified"
    for path in EVIDENCE.glob(f"{SMALL}*"):
        shutil.copy2(path, tmp_path)
    assert recipe_for(SMALL, evidence=tmp_path).proof == "ran as printed"
    recipe.all_evidence.cache_clear()
    lock = tmp_path / f"{SMALL}.lock.txt"
    lock.write_text(lock.read_text(encoding="utf-8").replace("numpy==1.23.5", "numpy==1.23.4"), encoding="utf-8")
    assert recipe_for(SMALL, evidence=tmp_path).proof == "verified"


def test_the_environment_from_the_recipe_is_the_cells_own() -> None:
    """Where a cell was made both ways, both locks are one, and the record says which commands made it."""
    both = list(EVIDENCE.glob("*+recipe.json"))
    assert both
    for path in both:
        raw = json.loads(path.read_text(encoding="utf-8"))
        native = path.with_name(path.name.replace("+recipe.json", ".lock.txt"))
        assert path.with_name(path.name.replace(".json", ".lock.txt")).read_text(encoding="utf-8") == native.read_text(encoding="utf-8")
        assert len(raw["installation"]["scripts"]["bash"]) == 64


# ---- the command ----------------------------------------------------------------------------------------------------------


def test_the_command_gives_every_language_in_json() -> None:
    """One document: the blocks, the evidence, the differences."""
    done = CliRunner().invoke(app, ["recipe", "--cell", SMALL, "--json"])
    told = json.loads(done.stdout)
    assert set(told["recipe"]["blocks"]) == {"bash", "dockerfile"}
    assert told["recipe"]["cell"] == SMALL
    assert told["predicted"] is False


@pytest.mark.parametrize("arguments", [["--os", "beos"], ["--shell", "fish"], ["--cell", "nothing"], ["--os", "linux", "--shell", "cmd"]])
def test_a_value_that_is_none_is_told(arguments: list[str]) -> None:
    """With the values that there are; and no traceback."""
    done = CliRunner().invoke(app, ["recipe", *arguments])
    assert isinstance(done.exception, Problem)
    assert done.exception.code == 2


# ---- versions from a resolution -------------------------------------------------------------------------------------------


@pytest.fixture
def resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Resolution], None]]:
    """Keep resolutions of the test's own in the place of the project's."""

    def keep(*rows: Resolution) -> None:
        (tmp_path / "resolve.json").write_text(resolution.pack(list(rows), "2026-11-22T00:00:00Z", "uv"), encoding="utf-8")
        resolution.load.cache_clear()
        recipe._resolutions.cache_clear()

    monkeypatch.setattr(resolution, "path", lambda: tmp_path / "resolve.json")
    yield keep
    resolution.load.cache_clear()
    recipe._resolutions.cache_clear()


NEVER_RAN = "macos-arm64-py3.11-torch2.15.0-cpu-uv-pytorchvideo@main"
CUDA = "linux-py3.10-torch2.4.1-cu118-uv-pytorchvideo@main"


def test_a_prediction_takes_its_versions_from_the_resolution(resolved: Callable[..., None]) -> None:
    """What fits together is pinned whole, but for what comes from an address; the first line dates it and stays a prediction."""
    versions = {"torch": "2.15.0", "torchvision": "0.29.2", "numpy": "2.4.6", "pytorchvideo": "0.1.5"}
    row = Resolution(
        cell=NEVER_RAN, verdict="resolves", versions=versions, origins={"pytorchvideo": "git+https://x/y@z"}, date="2026-11-22T10:00:00Z"
    )
    resolved(row)
    found = recipe_for(NEVER_RAN)
    assert found.pins == ["numpy==2.4.6", "torch==2.15.0", "torchvision==0.29.2"]
    told = nearest.answer(wanted_of("", {}, NEVER_RAN), only=NEVER_RAN)
    assert (
        recipe_text.headline(told, "bash")
        == "predicted, never run: these versions resolve together (uv, 2026-11-22), nobody installed them"
    )


def test_a_build_out_of_reach_takes_all_but_torch_from_its_twin(resolved: Callable[..., None]) -> None:
    """The twin's own torch and the libraries of its build are not this cell's."""
    versions = {"torch": "2.4.1", "torchvision": "0.19.1", "numpy": "2.2.6", "nvidia-nccl-cu12": "2.20.5", "triton": "3.0.0"}
    twin = CUDA.replace("cu118", "cpu")
    resolved(Resolution(cell=CUDA, verdict="not verified", reason="no way out", versions=versions, twin=twin, date="2026-11-22T10:00:00Z"))
    found = recipe_for(CUDA)
    assert {"numpy==2.2.6", "torch==2.4.1+cu118", "torchvision==0.19.1+cu118"} <= set(found.pins)
    assert not [pin for pin in found.pins if pin.startswith(("nvidia", "triton"))]
    assert found.proof == "predicted"
    told = nearest.answer(wanted_of("", {}, CUDA), only=CUDA)
    assert "was out of reach; what goes beside it was resolved" in recipe_text.headline(told, "bash")


def test_what_cannot_be_installed_is_not_offered(resolved: Callable[..., None]) -> None:
    """A conflict costs more than any difference; another torch is taken."""
    asked = Wanted(os="macos", arch="arm64", python="3.11", subject="pytorchvideo", revision="main")
    best = nearest.answer(asked).recipe.cell
    resolved(Resolution(cell=best, verdict="conflicts", reason="a wants b"))
    assert nearest.answer(asked).recipe.cell != best
