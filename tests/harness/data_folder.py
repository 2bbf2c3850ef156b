"""Data folders made for a test: one stack, one subject, one known failure, all tiny; each may be broken before it is read."""

from __future__ import annotations

import shutil
from pathlib import Path

from slowfast_verify import cell as cells
from slowfast_verify import layout

STACK = """title = "a tiny stack"

[torch]
version = "1.0.0"
torchvision = "1.0.1"

[axes]
os = ["{os}"]
arch = ["{arch}"]
python = ["3.11"]
accelerator = ["cpu"]
installer = ["uv"]
subject = ["tiny@one"]

[[wheels]]
when = {{ os = "{os}" }}
megabytes = 1
note = "made by the test"
"""
SUBJECT = """title = "a tiny subject"
python = ">=3.6"
dependency = []

[source]
distribution = "tiny"

[[revision]]
name = "one"
version = "1.0"

[modules]
packages = []

[[phase]]
name = "torch"
trio = true
"""
KNOWN = """title = "the tiny thing divides by zero"
title_zh = "那个小东西除以了零"
rung = "imports"

[[signature]]
type = "ZeroDivisionError"

[explain]
cause = "one is divided by zero"
cause_zh = "除以零"
"""


def make(root: Path) -> Path:
    """A data root with matrices/ and knowledge/, valid as it stands; its stack is torch-tiny, its subject tiny@one."""
    matrices = root / "matrices"
    for folder in (matrices / "stacks", matrices / "subjects", root / "knowledge", root / "fixtures"):
        folder.mkdir(parents=True)
    stack = STACK.format(os=cells.this_os(), arch=cells.this_arch())
    (matrices / "stacks" / "torch-tiny.toml").write_text(stack, encoding="utf-8")
    (matrices / "subjects" / "tiny.toml").write_text(SUBJECT, encoding="utf-8")
    (matrices / "questions.toml").write_text("question = []\n", encoding="utf-8")
    (matrices / "selection.toml").write_text("chosen = []\n", encoding="utf-8")
    for name in ("outages.toml", "room.toml", "share.toml", "system.toml"):
        shutil.copy(layout.matrices() / name, matrices)
    (root / "knowledge" / "divides-by-zero.toml").write_text(KNOWN, encoding="utf-8")
    return root


def cell_id() -> str:
    """The one cell of the tiny stack."""
    place = cells.this_os() if cells.this_arch() == "x86_64" else f"{cells.this_os()}-{cells.this_arch()}"
    return f"{place}-py3.11-torch1.0.0-cpu-uv-tiny@one"


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that must be there once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, text: str) -> None:
    """Add lines at the end of a file."""
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")
