"""CONTRIBUTING.md's examples, carried out in a copy of the project: files written, commands run, what they print looked for."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from slowfast_verify import layout

ROOT = layout.root()
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^## (I want to add .*?)\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the examples edit, with an empty environment and our commands beside it."""
    folder = tmp_path / "checkout"
    for name in ("src", "matrices", "knowledge", "tests/verify", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "fixtures").symlink_to(layout.fixtures())
    (folder / "reports").mkdir()
    (folder / "bin").mkdir()
    for name, words in {"slowfast-verify": "-m slowfast_verify", "pytest": "-m pytest", "python": ""}.items():
        script(folder / "bin" / name, f'exec {shlex.quote(sys.executable)} {words} "$@"')
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder / "path" / "to" / "env")
    script(folder / "bin" / "podman", f'shift 4; exec {shlex.quote(str(folder / "path/to/env/bin/python"))} "$@"')  # exec -i NAME python3
    return folder


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def put(folder: Path, where: str, text: str) -> None:
    """`PATH`: the whole file; `PATH +`: at its end; `PATH after WORD`: below the line that has the word."""
    name, how, word = [*where.split(" ", 2), "", ""][:3]
    path = folder / name
    before = path.read_text(encoding="utf-8") if how else ""
    if how == "after":
        line = re.search(rf"^.*{re.escape(word)}.*\n", before, re.MULTILINE)
        assert line, f"{name} has no line with {word}"
        text = before[: line.end()] + text + before[line.end() :]
    elif how:
        text = f"{before}\n{text}"
    path.write_text(text, encoding="utf-8")


def test_there_are_the_five() -> None:
    """Each of the examples that are promised, and each with commands that print something."""
    assert [title[len("I want to add a ") :] for title in SECTIONS] == [
        "torch release",
        "known failure",
        "check",
        "subject",
        "place to run",
    ]
    assert all("# prints " in text for text in SECTIONS.values())


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are written for a POSIX shell")
@pytest.mark.parametrize("title", SECTIONS)
def test_an_example_works_as_it_stands(title: str, copy: Path, tmp_path: Path) -> None:
    """From the first block to the last: every file is written, every command prints what the text says."""
    known = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "SLOWFAST_VERIFY_REPORTS")}
    env = {
        **known, "PATH": f"{copy / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(copy / "src"),
        "SLOWFAST_VERIFY_DATA": str(copy), "SLOWFAST_VERIFY_HOME": str(tmp_path / "home"), "COLUMNS": "200", "NO_COLOR": "1",
    }  # fmt: skip
    for kind, where, text in BLOCK.findall(SECTIONS[title]):
        if kind != "sh":
            put(copy, where, text)
            continue
        for line in text.splitlines():
            command, _, promised = line.partition("# prints ")
            done = subprocess.run(["bash", "-c", command], cwd=copy, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                  timeout=200, check=False)  # fmt: skip
            said = done.stdout + done.stderr
            assert promised and promised in said, f"{command.strip()} left with {done.returncode}\n{said[-3000:]}"


def test_a_check_that_does_not_hold_is_red(copy: Path, tmp_path: Path) -> None:
    """The counter-example: the same check with a year that has not come prints no `1 passed`."""
    title = "I want to add a check"
    broken = SECTIONS[title].replace(">= 2020", ">= 9999")
    assert broken != SECTIONS[title]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SECTIONS, title, broken)
        with pytest.raises(AssertionError, match="1 failed"):
            test_an_example_works_as_it_stands(title, copy, tmp_path)
