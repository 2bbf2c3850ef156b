"""A `wine` that is none: a script on PATH that says Wine's version and then breaks down in one way or another."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from slowfast_verify import emulator
from slowfast_verify.record import Provisioned

CELL = "windows-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"

WAYS = {
    "crashes": "echo 'wine: could not load kernel32.dll, status c0000135' >&2; exit 53",
    "is killed": "kill -SEGV $$",
    "says nothing": "exit 0",
    "answers and crashes": "cat > /dev/null; echo 'it starts'; exit 53",
    "babbles": "cat > /dev/null; echo 'it started'",
}


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, names: tuple[str, ...] = ("wine", "wineserver")) -> None:
    """Make the commands; each says a version, and does `body` for anything else. What is cached of the real one is forgotten."""
    folder.mkdir(exist_ok=True)
    for name in names:
        script = folder / name
        then = "exit 0" if name == "wineserver" else body
        script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo wine-8.0; exit 0; }}\n{then}\n', encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
    (folder / "osslsigncode").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    emulator.version.cache_clear()


def standing(folder: Path, python: Path | None = None) -> Provisioned:
    """An environment that claims to stand in `folder`."""
    python = python or folder / "env" / "python.exe"
    return Provisioned(
        cell=CELL, inputs="", runner="wine", python=str(python), env=str(folder / "env"), checkout=None,
        variables={}, opts={}, workarounds=[], lock=[], created="", seconds=0, step_seconds={},
    )  # fmt: skip


def a_prefix(folder: Path) -> Path:
    """The few files by which a prefix is known."""
    for name in ("system.reg", "user.reg", "drive_c/windows/system32/kernel32.dll"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")
    (folder / "dosdevices" / "z:").mkdir(parents=True)
    return folder
