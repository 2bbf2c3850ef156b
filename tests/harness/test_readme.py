"""Every command block of both READMEs is executed against what is printed, or parsed where readme.toml says why it is not run."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from slowfast_verify import knowledge, layout
from slowfast_verify.cli import app
from slowfast_verify.emulator import all_emulators
from slowfast_verify.matrix import default

ROOT = layout.root()
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
ROWS: dict[str, dict[str, Any]] = {
    row["line"].strip(): row for row in tomllib.loads((Path(__file__).parent / "readme.toml").read_text(encoding="utf-8"))["command"]
}


def blocks(name: str) -> list[list[str]]:
    """The commands of each block, without comments and empty lines."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = [block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    return [[line for raw in block if (line := re.sub(r"(^|\s)\s*# .*$", "", raw).strip())] for block in found]


BLOCKS = blocks(ENGLISH)
WORDS = [line for block in BLOCKS for line in block]


def test_both_languages_have_the_same_blocks() -> None:
    """The same commands in the same order and grouping, whatever the comments say; and the same workflow for a fork."""
    assert blocks(CHINESE) == BLOCKS
    workflows = [re.findall(r"```yaml\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL) for name in (ENGLISH, CHINESE)]
    assert workflows[0] == workflows[1] != []


def test_both_languages_have_the_same_table() -> None:
    """What people want and what they type for it: the same commands in the same order."""
    rows = [re.findall(r"^\| [^|`]+ \| (.*) \|$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE) for name in (ENGLISH, CHINESE)]
    english, chinese = ([re.findall(r"`[^`]+`", row) for row in table if "`" in row] for table in rows)
    assert len(english) > 15 and english == chinese


def test_every_command_says_how_it_is_tried() -> None:
    """Each command has its row and each row its command; what is not run has a reason; most are run."""
    assert set(WORDS) == set(ROWS)
    assert [line for line, row in ROWS.items() if row["how"] == "parsed" and not row.get("reason")] == []
    assert {row["how"] for row in ROWS.values()} == {"run", "parsed"}
    ours = [row for line, row in ROWS.items() if re.search(r"slowfast-verify (?!climb)", line)]
    assert sum(row["how"] == "run" for row in ours) > 2 / 3 * len(ours)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder where what the blocks name lies ready: an empty environment, a broken command, logs, a checkpoint, records, our commands."""
    folder = tmp_path / "place"
    (folder / "tools").mkdir(parents=True)
    (folder / "bin").mkdir()
    launcher = folder / "bin" / "slowfast-verify"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m slowfast_verify "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    (folder / "bin" / "python").symlink_to(sys.executable)
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder / "path" / "to" / "env")
    example = knowledge.known("pytorchvideo-cat-all-gather").example
    assert example
    (folder / "tools" / "run_net.py").write_text(f"import sys\nprint({example.text!r}, file=sys.stderr)\nsys.exit(1)\n", encoding="utf-8")
    (folder / "train.log").write_text(example.text, encoding="utf-8")
    (folder / "unknown.log").write_text("flumox.errors.FlumoxError: the quux of clip 3 is frobnicated\n", encoding="utf-8")
    shutil.copy(sorted((layout.fixtures() / "weights").glob("*.pyth"))[0], folder / "model.pyth")
    records = sorted((ROOT / "reports" / "evidence").glob("*.json"), key=lambda path: (path.stat().st_size, path.name))
    (folder / "reports" / "evidence").mkdir(parents=True)
    for path in records[:3]:
        shutil.copy(path, folder / "reports" / "evidence")
    shutil.copy(records[0], folder / "first.json")
    return folder


def tried(line: str, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """The line in a shell, in that folder, with the empty environment as the active one."""
    known = {name: value for name, value in os.environ.items() if name not in ("CONDA_PREFIX", "SLOWFAST_VERIFY_REPORTS")}
    env = {
        **known, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(folder / "path" / "to" / "env"),
        "SLOWFAST_VERIFY_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1",
    }  # fmt: skip
    if " recipe" not in line:  # which needs all the records that are kept, and writes none
        env["SLOWFAST_VERIFY_REPORTS"] = str(folder / "reports")
    return subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=240, check=False)  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are written for a POSIX shell")
@pytest.mark.parametrize("block", [block for block in BLOCKS if any(ROWS.get(line, {}).get("how") == "run" for line in block)],
                         ids=lambda block: "-".join(re.findall(r"[a-z]+", block[0])[2:5]))  # fmt: skip
def test_a_block_does_what_is_said(block: list[str], place: Path, tmp_path: Path) -> None:
    """Each line of the block that can be run, in order: its exit status, what it prints, what it leaves."""
    home = tmp_path / "home"
    for name in ("last-week", "all"):
        if any(f"{name}.jsonl" in line for line in block):
            assert tried(f"slowfast-verify report merge first.json --output {name}.jsonl", place, home).returncode == 0
    for line in block:
        row = ROWS[line]
        if row["how"] != "run":
            continue
        done = tried(line, place, home)
        said = done.stdout + done.stderr
        wanted = row.get("exit", 0)
        assert done.returncode in (wanted if isinstance(wanted, list) else [wanted]), f"{line}: {done.returncode}\n{said[-3000:]}"
        assert re.search(row.get("says", ""), said), f"{line} does not say {row['says']!r}:\n{said[-3000:]}"
        assert "Traceback (most recent call last)" not in done.stderr, said[-3000:]
        assert (place / row.get("leaves", "")).exists(), f"{line} leaves no {row['leaves']}"


def accepted(argv: list[str]) -> str:
    """Why our command line does not take these words; empty where it does. Nothing is executed."""
    command: Any = typer.main.get_command(app)
    name = "slowfast-verify"
    own = {flag: param for param in command.params for flag in param.opts}
    while argv and argv[0] in own:  # options of the program itself stand before the command
        alone = own[argv[0]].is_flag
        argv = argv[1:] if alone else argv[2:]
        if alone and not argv:
            return ""
    while hasattr(command, "commands"):
        if not argv or argv[0] not in command.commands:
            return f"{name} has no command {argv[:1]}"
        name, command, argv = argv[0], command.commands[argv[0]], argv[1:]
    try:
        command.make_context(name, list(argv))
    except Exception as error:
        return f"{name}: {type(error).__name__}: {error}"
    cells = [word for word in argv if re.match(r"(linux|windows|macos)-", word) and name not in ("cells", "resolve", "plan")]
    return "; ".join(f"no cell {cell}" for cell in cells if cell not in default().everything)


def refused(line: str) -> str:
    """Why a line cannot be right; empty where nothing speaks against it."""
    told = []
    for part in re.split(r"&&|\|", line.replace("2>&1", "").replace("$(slowfast-verify packages)", "")):
        words = shlex.split(re.sub(r"^(\s*[A-Z_]+=\w+ )+", "", part))
        program = words[0].rpartition("/")[2] if words else ""
        if program == "slowfast-verify":
            told.append(accepted([word for word in words[1:] if word != "..."]))
        elif program == "nox" and "-s" in words:
            session = words[words.index("-s") + 1].partition("(")[0]
            there = re.search(rf"^def {re.escape(session)}\(", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
            told.append("" if there else f"no session {session}")
        elif program == "apt-get":
            packages = {name for row in all_emulators().values() for name in row.debian}
            packages |= set(tomllib.loads((layout.matrices() / "containers.toml").read_text(encoding="utf-8"))["starter"]["debian"])
            told += [f"{word} is no package of the data" for word in words[2:] if not word.startswith("-") and word not in packages]
        elif program == "docker":
            known = re.findall(r"^ARG (\w+)", (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
            told += [f"the Dockerfile has no ARG {name}" for name in re.findall(r"--build-arg (\w+)=", part) if name not in known]
        elif program == "gh":
            workflow = yaml.safe_load((ROOT / ".github" / "workflows" / words[3]).read_text(encoding="utf-8"))
            inputs = (workflow.get("on") or workflow.get(True))["workflow_dispatch"]["inputs"]
            given = {word.partition("=")[0] for flag, word in itertools.pairwise(words) if flag == "-f"}
            told += [f"{words[3]} has no input {name}" for name in given - set(inputs)]
    return "; ".join(filter(None, told))


@pytest.mark.parametrize("line", WORDS)
def test_a_line_of_a_block_parses(line: str) -> None:
    """Commands, options, cells, sessions, packages and build arguments exist."""
    assert refused(line) == ""


@pytest.mark.parametrize("name", [ENGLISH, CHINESE, "CONTRIBUTING.md"])
def test_a_command_in_the_text_parses(name: str) -> None:
    """The same for every command that stands in a sentence or a table."""
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = [code for code in re.findall(r"`([^`\n]+)`", text) if re.match(r"(slowfast-verify|nox) .", code)]
    assert found
    found = [code for code in found if not re.search(r"\[|CELL|\{", code)]
    assert {code: why for code in found if (why := refused(code.replace("ADDRESS", "a")))} == {}


@pytest.mark.parametrize("line", [
    "slowfast-verify doctr", "slowfast-verify doctor --no-such-option", "slowfast-verify --tongue zh doctor",
    "slowfast-verify climb linux-py3.8-torch1.8.1-cpu-uv-pyslowfast@nowhere",
    "nox -s nothing", "apt-get install wyne", "docker build docker --build-arg TOTCH=1", "gh workflow run gpu.yml -f label=x",
])  # fmt: skip
def test_a_wrong_line_is_refused(line: str) -> None:
    """The counter-examples: what does not exist is said."""
    assert refused(line)
