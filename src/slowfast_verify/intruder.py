"""A file that stands for one of Python's own modules (a random.py on PYTHONPATH), found in what a Python said when it ended.

Runs on the host; called by standstill.py. Standard library only.
"""

from __future__ import annotations

import re
import sys
from pathlib import PurePosixPath, PureWindowsPath

FRAME = re.compile(r'^\s*File "([^"\n]+)", line \d+', re.MULTILINE)
HOME_OF_PYTHON = re.compile(r"(?i)[\\/](?:lib[\\/]python\d|lib64[\\/]python\d|python\d+[\\/]lib)|[\\/](?:site|dist)-packages[\\/]")


def intruder(said: str) -> tuple[str, str] | None:
    """(file, module) of the innermost frame that lies outside of Python and bears the name of one of its modules."""
    for file in reversed(FRAME.findall(said)):
        path = PureWindowsPath(file) if "\\" in file else PurePosixPath(file)
        name = path.parent.name if path.stem == "__init__" else path.stem
        if name in sys.stdlib_module_names and not HOME_OF_PYTHON.search(file):
            return file, name
    return None
