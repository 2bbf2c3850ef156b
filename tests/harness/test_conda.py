"""Conda cells: what their channels are asked for, and real solvers and installers against a channel in a folder.

rattler comes with the suite. Where a conda is on PATH (or CONDA_EXE names one), it gets the same channel, and the doctor to what it made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import active, conda, conda_env, installer, ladder, sources
from slowfast_verify import target as targets
from slowfast_verify.errors import Infrastructure, NotVerifiable
from slowfast_verify.examination import Order, examine
from slowfast_verify.matrix import default
from slowfast_verify.observe import observe
from slowfast_verify.provision import InstallFailed
from slowfast_verify.recipe import recipe_for
from slowfast_verify.subject import subject

from . import conda_channel, data_folder
from .data_folder import append, edit
from .test_provision import VERSION, Ground, ground

__all__ = ["ground"]
CLASSIC = "linux-py3.8-torch1.8.0-cu111-conda-pyslowfast@bac7b67"
LINE = ["pytorch==1.8.0", "torchvision==0.9.0", "torchaudio==0.8.0", "cudatoolkit=11.1"]
POSIX = pytest.mark.skipif(os.name == "nt", reason="not verified: the python package of the test is a link")


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with a python, pip, a torch and a torchvision of a few bytes, and a package that needs activation."""
    folder = tmp_path_factory.mktemp("channel")
    conda_channel.python(folder, Path(installer.sys_python()))
    for version in ("1.23.5", "1.24.4"):
        conda_channel.module(folder, "numpy", version, VERSION)
    conda_channel.module(folder, "pytorch", "1.0.0", VERSION, ["numpy >=1.16"], dist="torch")
    conda_channel.module(folder, "torchvision", "1.0.1", VERSION, ["pytorch 1.0.0"])
    activate = {"etc/conda/activate.d/a.sh": 'export PYTHONPATH="$CONDA_PREFIX/elsewhere"\n', "elsewhere/only_active.py": "x = 1\n"}
    conda_channel.package(folder, "activating", "1.0", activate)
    return folder


@pytest.fixture
def conda_cell(ground: Ground, channel: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """The tiny cell of the provisioning tests, through conda from the channel; pip has its index."""
    edit(ground.stack, 'installer = ["uv"]', 'installer = ["conda"]')
    packages = 'packages = ["pytorch==1.0.0", "torchvision==1.0.1", "numpy<1.24"]'
    edit(ground.stack, "megabytes = 1\n", f'channels = ["{channel.as_uri()}"]\n{packages}\nmegabytes = 1\n')
    append(ground.subject, '[[phase]]\nname = "rest"\ninstall = ["svta"]')
    monkeypatch.setenv(conda_env.BACKEND_VARIABLE, "rattler")
    monkeypatch.setenv("PIP_INDEX_URL", ground.address)
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(ground.root / "rattler-cache"))
    monkeypatch.setattr(data_folder, "cell_id", lambda: "")
    monkeypatch.setattr(Ground, "id", property(lambda self: next(iter(self.matrix.cells))))
    return ground


# ---- what is asked for ----------------------------------------------------------------------------------------------------


def test_the_classic_line_is_among_the_cells() -> None:
    """torch 1.8.0 with CUDA 11.1 from the channels that torch's own page names, as a file and as a line."""
    cell = default().cell(CLASSIC)
    wheels = default().stack_of(cell).wheels_of(cell)
    assert wheels
    assert wheels.packages[:4] == LINE
    text = conda.environment_yml(cell, wheels)
    assert text.startswith("name: slowfast\nchannels:\n  - pytorch\n  - conda-forge\ndependencies:\n  - python=3.8\n  - pip\n")
    assert all(f"  - {spec}\n" in text.replace('"', "") for spec in LINE)
    assert " ".join(conda.line(cell, wheels, "env")).endswith("-c pytorch -c conda-forge")


def test_an_environment_file_is_yaml() -> None:
    """Every spec comes out of a YAML parser as it went in."""
    yaml = pytest.importorskip("yaml", reason="not verified: there is no YAML parser beside the suite")
    for cell in (cell for cell in default().cells.values() if cell.installer == "conda"):
        wheels = default().stack_of(cell).wheels_of(cell)
        assert wheels
        read = yaml.safe_load(conda.environment_yml(cell, wheels))
        assert read["dependencies"] == conda.specs(cell, wheels)
        assert read["channels"] == wheels.channels


def test_no_conda_cell_lets_pip_write_over_conda() -> None:
    """What the stack pins and conda's torch brings along is asked of conda in the same version."""
    for cell in (cell for cell in default().cells.values() if cell.installer == "conda"):
        stack = default().stack_of(cell)
        wheels = stack.wheels_of(cell)
        assert wheels
        for pin in stack.pin:
            if pin.name in ("numpy", "pillow", "setuptools"):
                assert f"{pin.name}{pin.spec}" in wheels.packages, cell.id


def test_the_recipe_makes_the_environment_from_its_file() -> None:
    """The file, the command that reads it, and pip behind `conda run` for all that no channel has."""
    found = recipe_for(CLASSIC)
    text = found.blocks["conda"].text
    assert "cudatoolkit=11.1" in text
    assert "conda env create --prefix ./slowfast-env --file environment.yml" in text
    assert "conda run --no-capture-output --prefix ./slowfast-env python -m pip install --constraint" in text
    assert "install torch==" not in text
    assert found.predicted


# ---- rattler, through nox -------------------------------------------------------------------------------------------------


@POSIX
def test_a_cell_stands_on_what_the_channel_has(conda_cell: Ground) -> None:
    """rattler solves and installs, pip adds the rest, and the lock tells which is whose."""
    found = conda_cell.build()
    by_conda = [line.rpartition("=")[0].removeprefix("conda::") for line in found.lock if line.startswith("conda::")]
    assert [line for line in by_conda if not line.startswith("p")] == ["numpy=1.23.5", "torchvision=1.0.1"]
    assert {line.partition("=")[0] for line in by_conda if line.startswith("p")} == {"pip", "python", "pytorch"}
    assert [line for line in found.lock if not line.startswith("conda::")] == ["svta==1.0"]
    code = "import sys, torch, svta; print(sys.prefix, torch.__version__)"
    said = subprocess.run([found.python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(Path(found.env)), "1.0.0"]
    steps = [path.name for path in (conda_cell.folder / "logs").glob("*-torch*.log")]
    assert len(steps) == 1, "pip was asked for what the channel had given"
    assert conda_cell.build().reused


@POSIX
def test_a_solver_that_finds_nothing_is_a_failure_of_the_cell(conda_cell: Ground) -> None:
    """The channel answers, and has no such version: that is red, with the solver's own words."""
    edit(conda_cell.stack, "pytorch==1.0.0", "pytorch==7.0.0")
    with pytest.raises(InstallFailed, match=r"pytorch ==7\.0\.0"):
        conda_cell.build()


@POSIX
@pytest.mark.parametrize("address", ["file:///there/is/no/such/channel", "http://127.0.0.1:9/channel"])
def test_a_channel_that_does_not_answer_is_no_failure_of_the_cell(conda_cell: Ground, channel: Path, address: str) -> None:
    """Infrastructure, never red."""
    edit(conda_cell.stack, channel.as_uri(), address)
    with pytest.raises(Infrastructure, match="a conda channel does not answer"):
        conda_cell.build()


def test_without_any_conda_the_cell_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the reason says what would help."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotVerifiable, match="there is no conda") as found:
        conda_env.backend()
    assert "py-rattler" in found.value.next


def test_condas_own_words_of_an_outage_are_known() -> None:
    """As conda 26.11 printed them on a machine without a way out."""
    text = (
        "CondaHTTPError: HTTP 000 CONNECTION FAILED for url <https://conda.anaconda.org/conda-forge/linux-64/current_repodata.json>\n"
        "Elapsed: -\n\nAn HTTP error occurred when trying to retrieve this URL.\n"
    )
    assert "conda channel" in str(sources.outage_in(text))


# ---- a real conda, and the doctor -----------------------------------------------------------------------------------------


@pytest.fixture
def conda_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The conda of this machine, with environments and packages of the test's own."""
    found = targets.conda_command()
    if not shutil.which(found):
        pytest.skip("not verified: no conda is on PATH, and CONDA_EXE names none")
    for name in list(os.environ):
        if name.startswith("CONDA_") and name not in ("CONDA_EXE", "CONDA_SOLVER"):
            monkeypatch.delenv(name)
    (tmp_path / "condarc").write_text("notify_outdated_conda: false\n", encoding="utf-8")
    monkeypatch.setenv("CONDARC", str(tmp_path / "condarc"))
    monkeypatch.setenv("CONDA_PKGS_DIRS", str(tmp_path / "pkgs"))
    monkeypatch.setenv("CONDA_ENVS_DIRS", str(tmp_path / "envs"))
    return found


def conda_runs(command: str, *arguments: str) -> str:
    """What conda says; it has to succeed."""
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@POSIX
def test_conda_itself_takes_the_environment_file(conda_command: str, channel: Path, tmp_path: Path) -> None:
    """`conda env create` with the file of a cell whose channel is a folder."""
    cell = default().cell(CLASSIC).model_copy(update={"python": VERSION})
    wheels = default().stack_of(cell).wheels_of(default().cell(CLASSIC))
    assert wheels
    wheels = wheels.model_copy(update={"channels": [channel.as_uri()], "packages": ["pytorch==1.0.0", "torchvision==1.0.1", "numpy<1.24"]})
    (tmp_path / conda.FILE).write_text(conda.environment_yml(cell, wheels), encoding="utf-8")
    conda_runs(conda_command, "env", "create", "--yes", "--quiet", "--prefix", str(tmp_path / "e"), "--file", str(tmp_path / conda.FILE))
    assert [path.name for path in (tmp_path / "e" / "conda-meta").glob("numpy-*.json")] == ["numpy-1.23.5-0.json"]
    line = [word if word != "conda" else conda_command for word in conda.line(cell, wheels, str(tmp_path / "f"))]
    conda_runs(line[0], *line[1:], "--override-channels", "--quiet")
    assert (tmp_path / "f" / "bin" / "python").exists()


@POSIX
@pytest.mark.parametrize("how", ["conda", "conda-prefix"])
def test_the_doctor_looks_into_a_conda_environment(conda_command: str, channel: Path, tmp_path: Path, how: str) -> None:
    """By name and by prefix, through `conda run`: with the variables that only its activation sets, which the bare interpreter lacks."""
    prefix = tmp_path / "envs" / "sick"
    specs = [f"python={VERSION}", "pip", "torchvision", "activating"]
    conda_runs(conda_command, "create", "--yes", "--quiet", "--override-channels", "-c", channel.as_uri(), "--prefix", str(prefix), *specs)
    target = active.target_of("conda:sick" if how == "conda" else f"conda-prefix:{prefix}")
    assert target.kind == how
    told = facts_of(target)
    assert told["prefix"] == str(prefix)
    assert any(entry.endswith("elsewhere") for entry in told["path"])
    assert {"torch", "numpy", "torchvision"} <= set(told["distributions"])
    bare = facts_of(active.target_of(str(prefix)))
    assert not any(entry.endswith("elsewhere") for entry in bare["path"])
    found = examine(Order(target, rung="environment"))
    assert any("not installed" in cause.title for cause in found.causes), "an environment without a SlowFast is not healthy"


def facts_of(target: targets.Target) -> dict[str, Any]:
    """The inventory of a target."""
    seen = observe(target, [ladder.inventory_question(subject("pyslowfast"))])["inventory"]
    assert seen.facts is not None, seen
    return dict(seen.facts)


def test_a_conda_that_is_only_a_shell_function_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """conda's own variable leads to it where PATH does not."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CONDA_EXE", str(tmp_path / "conda"))
    assert targets.conda_command() == "conda"
    (tmp_path / "conda").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "conda").chmod(0o755)
    if sys.platform != "win32":
        assert targets.parse("conda:x").argv[0] == str(tmp_path / "conda")
