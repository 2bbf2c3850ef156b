"""What a package index answers when it is asked for one distribution: told where an installer only says that it found nothing.

Called by provision after a failed step; runs on the host. pip and uv take a login page, and pip a refusal, for an index without files;
that is an outage, and not the cell's failure. Reads at most one page for each index, and installs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import requests

from .errors import Infrastructure
from .scrub import without_secrets

SECONDS = 15.0
LARGEST = 4_000_000  # bytes; the page of the distribution with the most files has about three million
REFUSALS = (401, 403, 407, 408, 425, 429)
FOUND_NOTHING = re.compile(
    r"satisfies the requirement ([A-Za-z0-9][\w.-]*)[^\n]*\(from versions: none\)"  # pip
    r"|The user requested (?:\(constraint\) )?([A-Za-z0-9][\w.-]*?)(?:[\[=<>!~ ]|$)"  # pip, with constraints
    r"|[Bb]ecause there (?:is|are) no versions? of ([A-Za-z0-9][\w.-]*?)(?:\[[\w,-]*\])?(?:[=<>!~]| and|\s)"  # uv
    r"|[Bb]ecause ([A-Za-z0-9][\w.-]*) was not found in the package registry"
)
A_FILE = re.compile(rb"(?i)href\s*=\s*[\"']?[^\"'>]*\.(?:whl|tar\.gz|tar\.bz2|zip|egg)\b|\"filename\"\s*:")


def outage_behind(text: str, argv: list[str], env: Mapping[str, str], settings: Mapping[str, str]) -> Infrastructure | None:
    """The outage behind "found nothing" in the log of a command; None where the index is one, or nobody was asked over the network."""
    hits = [next(filter(None, groups)) for groups in FOUND_NOTHING.findall(text)]
    for name in dict.fromkeys(hits):
        for address in indexes(argv, env, settings):
            if found := _wrong_with(address, name, settings):
                return found
    return None


def indexes(argv: list[str], env: Mapping[str, str], settings: Mapping[str, str]) -> list[str]:
    """The addresses of the indexes that a command asked, as far as somebody named them; those that are folders aside."""
    named = [argv[place + 1] for place, word in enumerate(argv[:-1]) if word in ("--index-url", "--extra-index-url", "--default-index")]
    if not any(word in ("--index-url", "--default-index") for word in argv):
        named += [env.get(name, "") for name in ("UV_DEFAULT_INDEX", "PIP_INDEX_URL")] + [settings.get("index-url", "")]
    named += f"{env.get('UV_INDEX', '')} {settings.get('extra-index-url', '')}".split()
    return [address for address in dict.fromkeys(named) if address.startswith(("http://", "https://"))]


def _wrong_with(address: str, name: str, settings: Mapping[str, str]) -> Infrastructure | None:
    page = f"{address.rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/"
    again = "look at the network and at pip's configuration (python -m pip config list), then run the same command again"
    where = without_secrets(page)
    trusted: str | bool = settings.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    try:
        with requests.get(page, timeout=SECONDS, verify=trusted, stream=True, headers={"Accept": "text/html"}) as answer:
            body = next(answer.iter_content(LARGEST), b"") if answer.status_code == 200 else b""
    except requests.exceptions.SSLError as error:
        return Infrastructure("the certificate of the package index is not trusted", where=f"{where}: {str(error)[:200]}",
                              next="name the certificate bundle to pip: pip config set global.cert FILE (uv is given it)")  # fmt: skip
    except requests.RequestException as error:
        return Infrastructure("the package index does not answer", where=f"{where}: {type(error).__name__}", next=again)
    if answer.status_code in REFUSALS or answer.status_code >= 500:
        return Infrastructure(
            "the package index refuses or is overloaded", where=f"{where}: {answer.status_code} {answer.reason}", next=again
        )
    if answer.status_code == 200 and "html" in answer.headers.get("Content-Type", "html") and not A_FILE.search(body):
        return Infrastructure("the package index answers with a web page that lists no files", where=where,
                              cause="a login page of the network, or an address that is no index", next=again)  # fmt: skip
    return None
