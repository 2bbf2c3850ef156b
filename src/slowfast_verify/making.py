"""Makes the fixtures again, in a provisioned cell: the networks are trained there, with the real SlowFast. Runs on the host."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import layout
from .errors import Problem
from .matrix import default
from .provision import provision
from .target import of_python

#: Where the shipped fixtures were made: the last SlowFast whose commands run, on the versions that it was written for.
MAKER = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"


def make_fixtures(output: Path, only: str | None) -> int:
    """Run fixtures/make in the maker's environment (built if need be); returns its exit status."""
    matrix = default()
    stands = provision(matrix.cell(MAKER), matrix)
    maker = layout.fixtures() / "make" / "__main__.py"
    if not maker.exists() or stands.checkout is None:
        raise Problem("the maker of the fixtures is missing", where=str(maker), next="run it in a checkout of the repository")
    target = of_python(stands.python).with_env(stands.variables)
    arguments = [str(maker), "--slowfast", stands.checkout, "--output", str(output), *(["--only", only] if only else [])]
    return subprocess.run(target.command(*arguments), env=target.environ(), check=False).returncode
