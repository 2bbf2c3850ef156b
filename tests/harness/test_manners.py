"""How the command behaves at a terminal: narrow ones, other code pages, no colour, Chinese, words that are misspelt."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import columns
from slowfast_verify.knowledge import known

LOG = "ModuleNotFoundError: No module named 'scipy'\n"
COMMANDS = (["--help"], ["doctor", "--help"], ["cells"], ["explain", "missing-scipy"], ["recipe", "--os", "linux", "--shell", "bash"])
FIX = "pip install scipy"


def run(*words: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, its output as bytes."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("LC_ALL", "LC_MESSAGES", "LANG", "SLOWFAST_VERIFY_LANG", "COLUMNS")
    }
    return subprocess.run([sys.executable, "-m", "slowfast_verify", *words], input=text.encode(), capture_output=True,
                          env={**kept, **variables}, timeout=120, check=False)  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "cp850", "ascii", "utf-8"])
def test_a_code_page_hides_no_command(encoding: str) -> None:
    """Whatever the terminal's code page, nothing crashes and the command to type stands there as it is, in English and in Chinese."""
    for language in ("en", "zh"):
        done = run("--lang", language, "diagnose", "-", text=LOG, PYTHONIOENCODING=encoding)
        told = done.stdout.decode(encoding)
        assert done.returncode == 1 and FIX in told and b"Traceback" not in done.stderr
        chinese = language == "zh" and encoding in ("cp936", "utf-8")
        assert ("高斯模糊" in told) == chinese and "\\u" not in told  # what cannot be shown in Chinese is told in English
    for words in COMMANDS:
        done = run(*words, PYTHONIOENCODING=encoding)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, (words, done.stderr)
        lines = [line for line in done.stdout.decode(encoding).splitlines() if "message: " not in line]  # a signature's quotes
        assert not re.search(r"\\u[0-9a-f]{4}|\\x[0-9a-f]{2}", "\n".join(lines)), words


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_is_kept_to(width: int) -> None:
    """diagnose and explain write no line wider than the terminal, but for words that are longer by themselves; Chinese counts double."""
    for language in ("en", "zh"):
        for words, text in ((["diagnose", "-"], LOG), (["explain", "yaml-tab-or-indent"], "")):
            told = run("--lang", language, *words, text=text, COLUMNS=str(width), PYTHONIOENCODING="utf-8").stdout.decode()
            quoted = [line for line in told.splitlines() if not line.startswith("  | ") and not line.startswith("yaml-tab")]
            wide = [line for line in quoted if columns.wide(line) > width and len(line.split()) > 2 and "http" not in line]
            assert not wide, wide


def test_wrapping_loses_no_character() -> None:
    """What is wrapped is the same text, in columns; Chinese punctuation starts no line."""
    text = "slowfast/datasets/transform.py 用 scipy.ndimage 做高斯模糊，但 setup.py 都没有列出 scipy。照文档安装就会缺它。"
    for width in (40, 60, 80):
        lines = columns.wrapped(text, width, "  ", "    ")
        assert "".join("".join(lines).split()) == "".join(text.split())
        assert all(columns.wide(line) <= width for line in lines) and not any(line.strip()[0] in "，。" for line in lines)


def test_the_locale_and_the_variable_choose_the_language() -> None:
    """--lang over SLOWFAST_VERIFY_LANG over the locale; another language than ours is a mistake with its four lines."""
    for variables, words, chinese in (
        ({"LC_ALL": "zh_CN.UTF-8"}, [], True), ({"LANG": "zh_TW.UTF-8"}, [], True), ({"LANG": "de_DE.UTF-8"}, [], False),
        ({"LC_ALL": "zh_CN.UTF-8", "SLOWFAST_VERIFY_LANG": "en"}, [], False), ({"SLOWFAST_VERIFY_LANG": "en"}, ["--lang", "zh"], True),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, [], False),
    ):  # fmt: skip
        for command, text in ((["diagnose", "-"], LOG), (["explain", "missing-scipy"], "")):
            told = run(*words, *command, text=text, PYTHONIOENCODING="utf-8", **variables).stdout.decode()
            first = told.index("slowfast/datasets/transform.py")
            assert ("用" in told[first : first + 40]) == chinese, (variables, words, told)
            title = known("missing-scipy").title_zh if chinese else known("missing-scipy").title
            assert "".join(title.split()) in "".join(told.split()), (variables, words, told)
    wrong = run("--lang", "zn", "cells")
    assert wrong.returncode == 2 and b"did you mean 'zh'?" in wrong.stderr and b"Traceback" not in wrong.stderr


MISTAKES = (
    (["docter"], "doctor"),
    (["doctor", sys.executable, "--rung", "import"], "imports"),
    (["doctor", sys.executable, "--subject", "pyslowfas"], "pyslowfast"),
    (["explain", "missing-scypi"], "missing-scipy"),
    (["climb", "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b6"], "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"),
    (["cells", "--stack", "torch-1.7"], ""),
    (["recipe", "--os", "linus"], "linux"),
    (["recipe", "--cell", "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b6"], "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"),
    (["report", "show", "/nowhere.json"], ""),
    (["sniff"], ""),
)


@pytest.mark.parametrize(("words", "meant"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_gets_what_was_probably_meant(words: list[str], meant: str) -> None:
    """A mistyped word ends with exit status 2, the nearest word that exists, and no frame of ours."""
    done = run(*words)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 2, told
    assert meant in told and "Traceback" not in told and ".py" not in told.replace(".pyslowfast", ""), told


def test_progress_only_where_somebody_looks(tmp_path: Path) -> None:
    """Piped, the doctor's standard error has plain lines and no escape; at a terminal it shows what it does, with NO_COLOR no colour."""
    argv = [sys.executable, "-m", "slowfast_verify", "doctor", sys.executable, "--rung", "environment"]
    piped = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    assert b"\x1b" not in piped.stdout + piped.stderr
    for variables, coloured in (({"NO_COLOR": "1"}, False), ({}, True)):
        kept = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        seen = at_a_terminal(argv, {**kept, "TERM": "xterm-256color", **variables})
        assert "⠋".encode() in seen or b"looks at" in seen, seen[-500:]
        assert bool(re.search(rb"\x1b\[[\d;]*[1-9]\d*m", seen)) == coloured, seen[-500:]


@pytest.mark.parametrize("words", [["diagnose", "long.log"], ["report", "render", "--output", "page"]], ids=["diagnose", "render"])
def test_what_takes_seconds_says_so_at_a_terminal(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of 24 MB and the dashboard: a line while it lasts, gone afterwards; piped, standard error has nothing of it."""
    line = b"INFO epoch 1 iter 100 loss 0.5, all is well so far\n"
    (tmp_path / "long.log").write_bytes(line * (24_000_000 // len(line)) + LOG.encode())
    monkeypatch.chdir(tmp_path)
    argv = [sys.executable, "-m", "slowfast_verify", *words]
    env = {**{key: value for key, value in os.environ.items() if key != "NO_COLOR"}, "TERM": "xterm-256color", "SLOWFAST_VERIFY_LANG": "en"}
    said = {"diagnose": b"reads long.log", "report": b"draws the dashboard"}[words[0]]
    assert said in at_a_terminal(argv, env)
    piped = subprocess.run(argv, env=env, capture_output=True, timeout=120, check=False)
    assert said not in piped.stdout + piped.stderr


def at_a_terminal(argv: list[str], env: dict[str, str]) -> bytes:
    """What a command writes to a terminal."""
    pty = pytest.importorskip("pty")  # not on Windows
    master, slave = pty.openpty()
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the last one has left
            break
        if not chunk:
            break
        seen += chunk
    process.wait(60)
    os.close(master)
    return seen
