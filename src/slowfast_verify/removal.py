"""Takes away what was built for cells, so that nothing half-gone ever counts as standing. Runs on the host.

Called by provision, before it builds anew, and by the `clean` command. Imports layout.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from . import layout


def forget(folder: Path) -> None:
    """Take away what a build made. Its proof goes first: whoever is killed in the middle leaves nothing that counts as standing."""
    (folder / "cell.json").unlink(missing_ok=True)
    for name in ("env", "src", "logs", "links", "build", "beside", "prefix"):
        shutil.rmtree(folder / name, ignore_errors=True)


def clean(keep: set[str]) -> list[str]:
    """Take away the environments of all cells but those named, and but those that are being built; returns the ids that went."""
    gone = []
    for folder in sorted((layout.home() / "cells").glob("*")):
        if folder.name in keep:
            continue
        try:
            with FileLock(folder / "lock", timeout=0):
                forget(folder)
        except Timeout:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder.name)
    return gone
