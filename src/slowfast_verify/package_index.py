"""The package index that this machine is configured with: its address, and its listing of one distribution (PEP 691). Runs on the host.

Called by release_check and resolve. The address comes from pip's or uv's own configuration; no index stands in this project's files.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from typing import Any
from urllib.parse import unquote

import requests

from . import installer
from .errors import Infrastructure

SECONDS = 30.0
JSON = "application/vnd.pypi.simple.v1+json"


@cache
def address() -> str:
    """The index in use, without its last slash: uv's variables, then pip's settings, then what uv takes of itself."""
    configured = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or installer.pip_settings().get("index-url")
    if not configured:
        asked = subprocess.run(
            [installer.uv(), "pip", "compile", "--no-config", "--offline", "--quiet", "--emit-index-url", "-"],
            input="", capture_output=True, text=True, check=False, timeout=60,
        ).stdout  # fmt: skip
        configured = next((line.split()[1] for line in asked.splitlines() if line.startswith("--index-url")), "")
    if not configured:
        raise Infrastructure("no package index is known", where="uv pip compile --emit-index-url", next="set UV_DEFAULT_INDEX")
    return configured.rstrip("/")


def _way() -> dict[str, Any]:
    """Certificates and proxy as pip is configured with them."""
    proxy = installer.pip_settings().get("proxy")
    verify = os.environ.get("REQUESTS_CA_BUNDLE") or installer.pip_settings().get("cert") or True
    return {"verify": verify, "proxies": {"https": proxy, "http": proxy} if proxy else None}


def listing(name: str, index: str = "", seconds: float = SECONDS) -> dict[str, Any]:
    """What the index lists for a distribution; raises Infrastructure where it does not answer, or answers in HTML only."""
    place = f"{index or address()}/{name}/"
    try:
        answer = requests.get(place, headers={"Accept": JSON}, timeout=seconds, **_way())
        answer.raise_for_status()
        document = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise Infrastructure(
            f"the index does not answer for {name}", where=place, cause=str(error)[:200],
            next="try again later, or set another index: UV_DEFAULT_INDEX, or pip config set global.index-url ADDRESS",
        ) from None  # fmt: skip
    assert isinstance(document, dict)
    return document


def answers(place: str, seconds: float = 10.0) -> str | None:
    """None if something answers under that address, else why not in a few words."""
    try:
        status = requests.head(place, timeout=seconds, allow_redirects=True, **_way()).status_code
    except requests.RequestException as error:
        return f"{type(error).__name__}"
    return None if status < 400 else f"status {status}"


def names(place: str, seconds: float = SECONDS) -> list[str]:
    """The file names that a page lists, whether it answers in JSON or in HTML."""
    try:
        answer = requests.get(place, timeout=seconds, **_way())
        answer.raise_for_status()
    except requests.RequestException as error:
        raise Infrastructure("the index does not answer", where=place, cause=str(error)[:200], next="try again later") from None
    return [unquote(name) for name in re.findall(r">\s*([^<>\s]+\.whl)\s*<", answer.text)]
