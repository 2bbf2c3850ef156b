"""Where things lie: the data folders of the project, and the folders of this machine that the suite may fill.

In a checkout the data folders stand at the top level; in an installed wheel they lie beside the package as `_data/`.
May import the standard library and platformdirs only.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import platformdirs

from .errors import Problem

DATA_VARIABLE = "SLOWFAST_VERIFY_DATA"
HOME_VARIABLE = "SLOWFAST_VERIFY_HOME"
REPORTS_VARIABLE = "SLOWFAST_VERIFY_REPORTS"
INSTALLED = "_data"  # the folder beside the package that holds all data in a wheel


@cache
def root() -> Path:
    """The folder that holds matrices/, knowledge/ and fixtures/. SLOWFAST_VERIFY_DATA names another (the suite's own tests do)."""
    if os.environ.get(DATA_VARIABLE):
        return Path(os.environ[DATA_VARIABLE]).resolve()
    package = Path(__file__).resolve().parent
    for candidate in (package.parent.parent, package / INSTALLED):
        if (candidate / "matrices").is_dir() and (candidate / "knowledge").is_dir():
            return candidate
    raise Problem(
        "the data folders of slowfast-verify are missing",
        where=str(package),
        cause="the package was copied without matrices/, knowledge/ and fixtures/",
        next="install it again: python -m pip install --force-reinstall slowfast-verify",
        code=3,
    )


def matrices() -> Path:
    """TOML: what environments exist."""
    return root() / "matrices"


def docker() -> Path:
    """The Dockerfile of a container cell."""
    return root() / "docker"


def knowledge() -> Path:
    """TOML: known failures, one file each."""
    return root() / "knowledge"


def fixtures() -> Path:
    """What the checks feed on: clips, checkpoints, configs, expected values."""
    return root() / "fixtures"


def suites() -> Path:
    """The suites that are put to a target: tests/verify."""
    return root() / "tests" / "verify"


def kept() -> Path:
    """What the project has found out so far and hands on: evidence/, resolve.json. Read wherever a run writes its own reports."""
    return root() / "reports"


def reports() -> Path:
    """Where records and reports are written: reports/ of the checkout, of the current folder where we are installed.

    SLOWFAST_VERIFY_REPORTS names another folder.
    """
    override = os.environ.get(REPORTS_VARIABLE)
    if override:
        return Path(override).expanduser().resolve()
    return Path.cwd() / "reports" if root().name == INSTALLED else kept()


def home() -> Path:
    """The cache of this machine: environments, checkouts, wheels, logs. SLOWFAST_VERIFY_HOME moves it."""
    override = os.environ.get(HOME_VARIABLE)
    return Path(override).expanduser().resolve() if override else platformdirs.user_cache_path("slowfast-verify")
