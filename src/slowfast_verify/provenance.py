"""Which run of which suite made a record. Runs on the host; may import the standard library and layout only.

Three answers to "which suite", each for one question. `suite_revision`, a commit: which text was it, asked by a person. `suite_sha256`, the
contents of checks and probes, in every record: did two machines ask the same. `suite_state`, names and times of everything that has a say
in a verdict, host code and data too, kept beside an environment: may this machine's last verdict be carried over. Contents of all that
would say the last as well, in three times the time.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

from . import __version__, layout

#: variable -> the service that runs a job and sets it. Nothing else of the environment is written.
SERVICES = {"GITHUB_ACTIONS": "github-actions", "GITLAB_CI": "gitlab-ci", "BUILDKITE": "buildkite", "TF_BUILD": "azure-pipelines"}


def run_id() -> str:
    """`2026-11-23T10:04:11Z-3f9c`."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}-{secrets.token_hex(2)}"


def suite_revision() -> str:
    """The commit of the suite (with + for uncommitted changes), or its version outside a checkout; as it was when first asked."""
    return _revision(layout.root())


@cache
def _revision(root: Path) -> str:
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()
        dirty = subprocess.run([*git, "status", "--porcelain", "--", "src", "tests", "matrices", "knowledge", "fixtures"],
                               capture_output=True, text=True, check=True, timeout=20).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return __version__
    return commit + ("+" if dirty else "")


#: What has a say in a verdict. Reports, documents and the tests of the code have none.
JUDGING = ("src/slowfast_verify", "tests/verify", "matrices", "knowledge", "fixtures")


@cache
def suite_sha256() -> str:
    """A digest of what is asked and judged (tests/verify and the probes): the same in a checkout and in a wheel, on every system.

    A commit tells which text the suite had; this tells whether two runs asked the same, though other files changed in between.
    """
    whole = hashlib.sha256()
    for folder in (layout.suites(), Path(__file__).with_name("probes")):
        for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
            whole.update(path.relative_to(folder).as_posix().encode() + b"\0")
            whole.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")  # git on Windows may write the others
    return whole.hexdigest()


@cache
def suite_state() -> str:
    """A digest of the names, sizes and times of all that has a say in a verdict; of an installed package, of its version too."""
    found = [__version__]
    for name in JUDGING:
        folder = layout.root() / name
        folder = folder if folder.is_dir() else Path(__file__).parent
        for place, folders, files in os.walk(folder):
            folders[:] = sorted(row for row in folders if row != "__pycache__")
            for file in sorted(files):
                about = (Path(place) / file).stat()
                found.append(f"{place}/{file} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def stamp() -> dict[str, Any]:
    """What every record says of the run that made it: run, suite, suite_sha256, tool, and the machine that judged (no names, no paths)."""
    host = {
        "os": f"{platform.system()} {platform.release()}", "machine": platform.machine(), "python": platform.python_version(),
        "ci": next((name for variable, name in SERVICES.items() if os.environ.get(variable)), ""),
    }  # fmt: skip
    return {
        "run": run_id(), "suite": suite_revision(), "suite_sha256": suite_sha256(), "tool": f"slowfast-verify {__version__}", "host": host
    }  # fmt: skip
