"""tox knows the cells from the matrices and nowhere else, skips what cannot run here with its reason, and finds this machine's Pythons."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from slowfast_verify import layout, provision
from slowfast_verify.matrix import default, runs_here

from . import data_folder

ROOT = Path(__file__).resolve().parents[2]
QUICK = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"


def tox(folder: Path, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("tox")
    env = {key: value for key, value in os.environ.items() if not key.startswith("TOX") and key != "VIRTUAL_ENV"}
    env |= {"SLOWFAST_VERIFY_DATA": str(data)} if data else {}
    argv = [sys.executable, "-m", "tox", *arguments, "--workdir", str(folder), "--colored", "no"]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)


def names(listing: str) -> set[str]:
    return {line.split(" ")[0] for line in listing.splitlines() if " -> " in line}


def test_every_cell_is_an_environment_of_tox(tmp_path: Path) -> None:
    """The matrices' cells and the four Pythons, no other."""
    done = tox(tmp_path, "list")
    suite = tomllib.loads((ROOT / "tox.toml").read_text(encoding="utf-8"))["env_list"]
    assert suite == ["3.11", "3.12", "3.13", "3.14"]
    assert names(done.stdout) == {*suite, *default().cells}


def test_a_cell_outside_the_stacks_is_an_environment_once_it_is_named(tmp_path: Path) -> None:
    """As under nox: every cell that can exist can be asked for; what cannot exist is no environment."""
    cell = next(cell for cell in default().space.cells() if cell.id not in default().cells and not runs_here(cell))
    done = tox(tmp_path, "run", "-e", cell.id)
    assert f"{cell.id}: skipped because" in done.stdout + done.stderr
    wrong = tox(tmp_path, "run", "-e", cell.id.replace("@", "@no-such-"))
    assert wrong.returncode and "not found" in wrong.stdout + wrong.stderr


def test_labels_are_the_values_of_the_axes(tmp_path: Path) -> None:
    """-m uv means every cell of uv; -m selection what runs by default."""
    assert names(tox(tmp_path, "list", "-m", "selection").stdout) == {cell.id for cell in default().selection()}
    classic = {cell.id for cell in default().cells.values() if cell.torch == "1.8.0"}
    assert classic
    assert names(tox(tmp_path, "list", "-m", "torch1.8.0").stdout) == classic


def test_a_cell_that_cannot_run_here_is_skipped_with_its_reason(tmp_path: Path) -> None:
    """Nothing is downloaded for it, and a run of nothing but skips is no success."""
    data = data_folder.make(tmp_path / "data")
    stack = data / "matrices" / "stacks" / "torch-tiny.toml"
    elsewhere = "macos" if sys.platform != "darwin" else "windows"
    stack.write_text(stack.read_text(encoding="utf-8").replace(f'os = ["{data_folder.cell_id().split("-")[0]}"]', f'os = ["{elsewhere}"]')
                     .replace(f'os = "{data_folder.cell_id().split("-")[0]}"', f'os = "{elsewhere}"'), encoding="utf-8")  # fmt: skip
    listed = names(tox(tmp_path / "tox", "list", data=data).stdout)
    (cell,) = (name for name in listed if name.startswith(elsewhere))
    done = tox(tmp_path / "tox", "run", "-e", cell, data=data)
    assert f"skipped because needs {elsewhere}" in done.stdout + done.stderr
    assert done.returncode != 0


def test_a_missing_interpreter_is_a_skip(tmp_path: Path) -> None:
    """What the plan knows beforehand is neither red nor green."""
    data = data_folder.make(tmp_path / "data")
    data_folder.edit(data / "matrices" / "stacks" / "torch-tiny.toml", 'python = ["3.11"]', 'python = ["3.2"]')
    cell = data_folder.cell_id().replace("py3.11", "py3.2")
    done = tox(tmp_path / "tox", "run", "-e", cell, data=data)
    assert "skipped because no Python 3.2 on this machine" in done.stdout + done.stderr


@pytest.mark.parametrize("code", [0, 1, 4])
def test_what_climb_could_not_verify_is_a_skip(code: int) -> None:
    """Exit status 4 is neither red nor green; any other is what it is."""
    errors = pytest.importorskip("tox.tox_env.errors")
    specification = importlib.util.spec_from_file_location("toxfile", ROOT / "toxfile.py")
    assert specification and specification.loader
    toxfile = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(toxfile)
    env = SimpleNamespace(conf=SimpleNamespace(name=next(iter(default().cells))))
    if code == 4:
        with pytest.raises(errors.Skip, match="not verified"):
            toxfile.tox_after_run_commands(env, code, [])
    else:
        toxfile.tox_after_run_commands(env, code, [])


def test_a_python_that_only_pyenv_has_is_found(tmp_path: Path) -> None:
    """tox alone looks on PATH; a version that nobody has stays with tox's own search."""
    from slowfast_verify.interpreter import named

    found = named("3.12")
    if found is None:
        pytest.skip("no Python 3.12 on this machine")
    done = tox(tmp_path, "config", "-e", "3.12", "-k", "base_python")
    assert str(found) in done.stdout


@pytest.mark.heavy
def test_a_real_cell_is_green(tmp_path: Path) -> None:
    """The quick cell, through tox, in the environment that stands."""
    cell = default().cells.get(QUICK)
    if cell is None or not runs_here(cell) or provision.standing(cell, default()) is None:
        pytest.skip(f"{QUICK} does not stand here: slowfast-verify climb {QUICK}")
    done = tox(tmp_path, "run", "-e", QUICK)
    assert done.returncode == 0, done.stdout[-2000:]
    assert f"{QUICK}: OK" in done.stdout and "demo ok" in done.stdout
    assert (layout.reports() / "records" / f"{QUICK}.json").exists()
