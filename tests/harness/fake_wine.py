"""A `wine` that is none: a script on PATH that says Wine's version and then breaks down in one way or another."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from slowfast_verify import emulator

WAYS = {
    "crashes": "echo 'wine: could not load kernel32.dll, status c0000135' >&2; exit 53",
    "is killed": "kill -SEGV $$",
    "says nothing": "exit 0",
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
