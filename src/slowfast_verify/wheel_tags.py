"""What the tags of a wheel say about where it runs: the place, and the oldest system. Runs on the host; packaging and re only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.version import Version

from .torch_releases import Place

#: The names that glibc versions had before PEP 600.
NAMED = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}


def place_of(platform: str) -> Place | None:
    """The place of a platform tag; None for one that no cell has (musl, 32 bits, any)."""
    if platform == "win_amd64":
        return "windows-x86_64"
    if platform.startswith("macosx"):
        return "macos-arm64" if platform.endswith("arm64") else "macos-x86_64" if platform.endswith("x86_64") else None
    if platform.startswith("manylinux") or platform.startswith("linux_"):
        return "linux-x86_64" if platform.endswith("_x86_64") else "linux-aarch64" if platform.endswith("_aarch64") else None
    return None


def system_of(platform: str) -> str:
    """The oldest system that a platform tag names: `glibc 2.28`, `macOS 14.0`; empty where it names none."""
    if found := re.match(r"manylinux_(\d+)_(\d+)_", platform):
        return f"glibc {found[1]}.{found[2]}"
    if found := re.match(r"(manylinux\d+)_", platform):
        return f"glibc {NAMED[found[1]]}" if found[1] in NAMED else ""
    if found := re.match(r"macosx_(\d+)_(\d+)_", platform):
        return f"macOS {found[1]}.{found[2]}"
    return ""


def number(system: str) -> Version:
    """The version in `glibc 2.28`; 0 for none."""
    return Version(system.rpartition(" ")[2] or "0")


def lowest(systems: Iterable[str]) -> str:
    """The oldest of several; empty (runs on any) is older than all."""
    return min(systems, key=number, default="")


def highest(systems: Iterable[str]) -> str:
    """The newest of several."""
    return max(systems, key=number, default="")
