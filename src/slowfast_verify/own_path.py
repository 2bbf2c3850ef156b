"""Puts what PYTHONPATH and the current folder name behind the tool's own modules. Imported first by cli.py; acts when it is imported.

PYTHONPATH is meant for the environment that is examined, and a random.py or typing.py in it is one of the things to be found: the tool
must not fall over it. The targets still get the variable as it is. Imports nothing that Python has not imported by itself.
"""

import os
import sys


def behind(path: list[str], named: list[str]) -> list[str]:
    """The search path with the named entries at its end, in their order."""
    last = {entry for entry in named if entry}
    return [entry for entry in path if entry not in last and entry] + [entry for entry in path if entry in last or not entry]


def entries_of(variable: str) -> list[str]:
    """The entries of PYTHONPATH, as they are and as Python makes them absolute."""
    found = [entry for entry in variable.split(os.pathsep) if entry]
    try:
        return found + [os.path.abspath(entry) for entry in found]  # noqa: PTH100 (pathlib is not imported yet, and that is the point)
    except OSError:  # the current folder is gone
        return found


sys.path[:] = behind(sys.path, entries_of(os.environ.get("PYTHONPATH", "")))
