"""A real headless Chromium for the dashboard's tests and its benchmark, through Playwright for Python: the system's, never a download."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

VARIABLE = "SLOWFAST_VERIFY_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The browser that is installed here: the variable's, or the first of the usual names on PATH."""
    return os.environ.get(VARIABLE) or next((found for name in NAMES if (found := shutil.which(name))), None)


def missing() -> str:
    """Why no browser can be started here, or empty."""
    if not chromium():
        return "no Chromium on PATH (Debian: apt-get install chromium)"
    try:
        import playwright  # noqa: F401 (only whether it is there)
    except ImportError:
        return "the package playwright is not installed (it belongs to the extra `dev`)"
    return ""


@contextmanager
def started() -> Iterator[Any]:
    """The browser, running."""
    from playwright.sync_api import sync_playwright

    sandbox = [] if os.name == "nt" or os.geteuid() else ["--no-sandbox"]  # Chromium's sandbox refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*sandbox, "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()
