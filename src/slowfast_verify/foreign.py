"""Installing for another system: uv resolves and unpacks for a platform that is not this machine's. Runs on the host, starts nothing.

Called by installer: an interpreter that this machine cannot start by itself (a python.exe here, the Python of an unpacked aarch64 system)
is told by its file, so that fixes, workarounds and clones install into it with the same words as anywhere.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .emulator import all_emulators
from .wine import windows_path


@dataclass(frozen=True)
class Foreign:
    """platform: as uv names it; version: `3.8`; site: where packages go; builder: a Python of this machine that builds pure sources."""

    kind: str
    platform: str
    version: str
    site: Path
    builder: Path


def foreign(python: Path) -> Foreign | None:
    """What to tell uv for an interpreter of another system; None for one of this machine's own."""
    if os.name != "posix":
        return None
    if python.name == "python.exe":
        found = [match for path in python.parent.glob("python3*.dll") if (match := re.fullmatch(r"python3(\d+)\.dll", path.name))]
        if not found:
            return None
        return _of("wine", f"3.{found[0][1]}", python.parent / "Lib" / "site-packages", python.parent)
    root = python.parent
    inside = sorted(root.glob("usr/bin/python3.*[0-9]"))
    if python.name == "python" and inside:
        version = inside[-1].name.removeprefix("python")
        return _of("qemu", version, root / "usr" / "local" / "lib" / f"python{version}" / "dist-packages", root)
    return None


def _of(kind: str, version: str, site: Path, env: Path) -> Foreign:
    own = env.parent / "build" / "bin" / "python"
    return Foreign(kind, all_emulators()[kind].uv_platform, version, site, own if own.exists() else Path(sys.executable))


def settle(python: Path) -> None:
    """Lay libraries where an installation on Windows itself would have: beside python.exe, and not among the packages."""
    other = foreign(python)
    if other and other.kind == "wine":
        for path in other.site.glob("*.dll"):
            if not (python.parent / path.name).exists():
                shutil.copy2(path, python.parent / path.name)


def respell(site: Path, checkout: Path) -> None:
    """An editable installation made from here names the checkout as this machine spells it; Windows programs need it their way."""
    here, there = str(checkout), windows_path(checkout)
    spelled = {".py": there.replace("\\", "\\\\"), ".json": "/" + there.replace("\\", "/")}  # .json: an address, file:///Z:/...
    for pattern in ("__editable__*", "*.pth", "*.egg-link", "*.dist-info/direct_url.json"):
        for path in site.glob(pattern):
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if here in text:
                path.unlink()  # it may be a hard link into the installer's cache
                path.write_text(text.replace(here, spelled.get(path.suffix, there)), encoding="utf-8")
