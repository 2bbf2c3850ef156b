"""The command line as a person meets it: each mistake ends in one clear message with its exit code, and no half record."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slowfast_verify import interpreter, layout
from slowfast_verify.errors import NotVerifiable

CELL = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with variables on top of ours."""
    return subprocess.run(
        [sys.executable, "-m", "slowfast_verify", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=120,
        check=False,
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the project's data and code that a test may spoil."""
    copy = tmp_path / "checkout"
    for name in ("src", "matrices", "knowledge", "tests/verify"):
        shutil.copytree(layout.root() / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "fixtures").symlink_to(layout.fixtures())
    return copy


def test_misspelt_cell_gets_the_nearest_one() -> None:
    """A cell that no stack spans ends with exit code 2 and the nearest id."""
    done = run("climb", CELL.replace("bac7b67", "bac7b68"))
    assert done.returncode == 2 and f"did you mean '{CELL}'?" in said(done) and "Traceback" not in said(done)


def test_word_that_is_no_cell_is_told_what_an_id_looks_like() -> None:
    """Something that is no id at all ends with exit code 2 and an example."""
    done = run("climb", "everything")
    assert done.returncode == 2 and "is not the id of a cell" in said(done) and "Traceback" not in said(done)


def test_broken_toml_is_named_with_its_place(data: Path) -> None:
    """A stack with a syntax error ends with exit code 2, the file and the line."""
    stack = data / "matrices" / "stacks" / "torch-1.8.toml"
    stack.write_text(stack.read_text().replace('version = "1.8.0"', 'version = "1.8.0'))
    done = run("cells", PYTHONPATH=str(data / "src"))
    assert done.returncode == 2 and "torch-1.8.toml" in said(done) and "line " in said(done) and "Traceback" not in said(done)


def test_unknown_key_is_named_with_its_line(data: Path) -> None:
    """A misspelt key ends with exit code 2, the file, the line, the key and the nearest known key."""
    stack = data / "matrices" / "stacks" / "torch-1.8.toml"
    stack.write_text(stack.read_text().replace("megabytes = 2600", "megabyte = 2600"))
    line = next(n for n, text in enumerate(stack.read_text().splitlines(), 1) if "megabyte =" in text)
    done = run("cells", PYTHONPATH=str(data / "src"))
    assert (
        done.returncode == 2
        and f"torch-1.8.toml, line {line}, key wheels[0].megabyte" in said(done)
        and "did you mean 'megabytes'" in said(done)
    )


def test_target_that_is_no_python_is_told_so() -> None:
    """A program that is no Python ends with exit code 2 and the command to try by hand."""
    done = run("verify", "/bin/ls")
    assert (
        done.returncode == 2
        and "did not run our program" in said(done)
        and "try it by hand" in said(done)
        and "Traceback" not in said(done)
    )


def test_reports_folder_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    """Where reports/ cannot be written the run ends with a message that names it, and nothing is left behind."""
    blocked = tmp_path / "reports"
    blocked.write_text("a file where a folder should be")
    done = run("climb", "linux-aarch64-py3.8-torch2.15.0-cpu-uv-pytorchvideo@0.1.5", SLOWFAST_VERIFY_REPORTS=str(blocked))
    assert done.returncode == 2
    done = run("climb", "windows-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5", SLOWFAST_VERIFY_REPORTS=str(blocked))
    assert done.returncode == 2 and "cannot be written" in said(done) and str(blocked) in said(done) and "Traceback" not in said(done)


def test_cell_of_another_system_is_not_verified(tmp_path: Path) -> None:
    """A cell of another operating system ends with exit code 4 and a record that says why, neither pass nor fail."""
    done = run("climb", "windows-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5", SLOWFAST_VERIFY_REPORTS=str(tmp_path))
    (record,) = (tmp_path / "records").glob("*.json")
    assert done.returncode == 4 and '"outcome": "not verified"' in record.read_text() and "needs another system" in record.read_text()


HAVING_SOURCES = (CELL, *(f"linux-py{version}-torch2.13.0-cpu-uv-pyslowfast@main" for version in ("3.11", "3.12", "3.13")))


def _there(version: str) -> bool:
    try:
        return bool(interpreter.find(version))
    except NotVerifiable:
        return False


def test_unreachable_source_is_not_verified(tmp_path: Path) -> None:
    """A repository that does not answer makes its cell `not verified: source unreachable`, by exit code 4 and by record."""
    config = tmp_path / "gitconfig"
    config.write_text('[url "https://localhost:1/"]\n\tinsteadOf = https://github.com/\n')
    cell = next((name for name in HAVING_SOURCES if _there(name.partition("-py")[2].partition("-")[0])), None)
    if cell is None:
        pytest.skip("not verified: this machine has none of the Pythons of these cells")
    done = run(
        "climb",
        cell,
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_GLOBAL=str(config),
        SLOWFAST_VERIFY_REPORTS=str(tmp_path),
        SLOWFAST_VERIFY_HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 4, said(done)
    (record,) = (tmp_path / "records").glob("*.json")
    assert "source unreachable" in record.read_text() and '"outcome": "failed"' not in record.read_text()


def test_interrupt_while_building_leaves_no_record_and_no_environment(tmp_path: Path) -> None:
    """Ctrl-C in the middle of an installation: one line, no record, no environment that would be taken for whole, no process left."""
    home = tmp_path / "home"
    env = {**os.environ, "SLOWFAST_VERIFY_HOME": str(home), "SLOWFAST_VERIFY_REPORTS": str(tmp_path / "reports")}
    cell = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"
    process = subprocess.Popen(
        [sys.executable, "-m", "slowfast_verify", "climb", cell], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None and not list(home.glob("cells/*/logs/*.log")):
        time.sleep(0.05)
    if process.poll() is not None:
        said_so = process.communicate()[0]
        pytest.skip(f"the cell could not be built here: {said_so[-300:]}")
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in text and "Traceback" not in text
    assert not list(home.glob("cells/*/cell.json")) and not list(tmp_path.glob("reports/**/*.json"))


def test_help_names_every_command() -> None:
    """--help lists what the README promises."""
    done = run("--help")
    assert done.returncode == 0 and all(
        word in done.stdout for word in ("cells", "plan", "climb", "verify", "report", "sniff", "fixtures", "clean")
    )
