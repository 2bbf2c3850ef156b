"""Which run of which suite made a record. Runs on the host; may import the standard library and layout only."""

from __future__ import annotations

import secrets
import subprocess
import time

from . import __version__, layout


def run_id() -> str:
    """`2026-11-23T10:04:11Z-3f9c`."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}-{secrets.token_hex(2)}"


def suite_revision() -> str:
    """The commit of the suite (with + for uncommitted changes), or its version outside a checkout."""
    git = ["git", "-C", str(layout.root())]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()
        dirty = subprocess.run([*git, "status", "--porcelain", "--", "src", "tests", "matrices", "knowledge", "fixtures"],
                               capture_output=True, text=True, check=True, timeout=20).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return __version__
    return commit + ("+" if dirty else "")
