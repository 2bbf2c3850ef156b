"""Makes a conda environment through nox's own backends: micromamba, mamba, conda, or rattler, which needs none of them installed.

It is done in a process of its own, so that the backend's output becomes the log of a step like any other installer's. Runs on the host.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import NotVerifiable

COMMANDS = ("micromamba", "mamba", "conda")
BACKEND_VARIABLE = "SLOWFAST_VERIFY_CONDA"
#: Given by -c: what steers Python, and so what would lead to this package, is kept from an installer's process.
PROGRAM = """import sys
from nox.virtualenv import CondaEnv, RattlerEnv

backend, prefix, python, *rest = sys.argv[1:]
if backend == "rattler":
    RattlerEnv(prefix, interpreter=python, venv_params=rest).create()
else:  # rattler asks only the channels that it is given
    CondaEnv(prefix, interpreter=python, venv_params=["--override-channels", *rest], conda_cmd=backend).create()
"""


def backend() -> str:
    """The backend that is at hand, or the one that SLOWFAST_VERIFY_CONDA names. Raises NotVerifiable where there is none."""
    named = os.environ.get(BACKEND_VARIABLE, "")
    found = [name for name in COMMANDS if shutil.which(name)]
    found += ["rattler"] if importlib.util.find_spec("rattler") else []
    if named in found or (found and not named):
        return named or found[0]
    raise NotVerifiable(
        f"there is no {named or 'conda'}", where=f"PATH{f' ({BACKEND_VARIABLE}={named})' if named else ''}",
        cause="no conda, mamba or micromamba is on PATH, and py-rattler is not installed beside the suite",
        next=f"{sys.executable} -m pip install py-rattler",
    )  # fmt: skip


def command(chosen: str, prefix: Path, python: str, channels: Sequence[str], specs: Sequence[str]) -> list[str]:
    """The command that makes an environment; specs: without Python and pip, which every backend of nox adds."""
    where = [word for channel in channels for word in ("-c", channel)]
    return [sys.executable, "-c", PROGRAM, chosen, str(prefix), python, *where, *specs]
