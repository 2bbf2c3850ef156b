"""Where code is fetched from: whether it answers, how it is checked out, and how an outage looks in a log. Runs on the host.

An address that does not answer makes a cell `not verified: source unreachable`, never red. git's own `insteadOf` is honoured, as
everything goes through git. Data: matrices/outages.toml.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Literal

from . import layout
from .data import Row, load
from .errors import Infrastructure, NotVerifiable

ANSWER_SECONDS = 25


class Outage(Row):
    """A log line that means: not the cell's fault. kind: source (a repository), index, disk."""

    pattern: str
    kind: Literal["source", "index", "disk"]
    title: str
    next: str


class Outages(Row):
    """matrices/outages.toml."""

    outage: list[Outage]


@cache
def _outages() -> list[Outage]:
    return load(layout.matrices() / "outages.toml", Outages).outage


def outage_in(text: str, kinds: tuple[str, ...] = ("source", "index", "disk")) -> NotVerifiable | Infrastructure | None:
    """The outage that a log tells of: NotVerifiable for a repository, Infrastructure for the index and the disk; or None."""
    text = re.sub(r"(?m)^.*Retry\(total=[1-9].*$", "", text)  # pip tried again, and only its last try counts
    for row in _outages():
        hit = row.kind in kinds and re.search(row.pattern, text)
        if hit:
            line = text[text.rfind("\n", 0, hit.start()) + 1 : hit.end() + 200].split("\n")[0].strip()
            kind = NotVerifiable if row.kind == "source" else Infrastructure
            return kind(row.title, where=line[:300], next=row.next)
    return None


@cache
def reachable(address: str) -> str | None:
    """None if the repository answers within 25 s, else the last line of what git said."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
    try:
        done = subprocess.run(
            ["git", "ls-remote", "--quiet", "--", address, "HEAD"],
            capture_output=True,
            text=True,
            env=env,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return "git is not installed"
    except subprocess.TimeoutExpired:
        return f"no answer within {ANSWER_SECONDS} s"
    if done.returncode == 0 and (done.stdout.strip() or not address.startswith("http")):
        return None
    if done.returncode == 0:  # git takes a web page for a repository without branches
        return "it answers, and not with a repository: a login page of the network, or another address"
    return (done.stderr.strip().splitlines() or [f"git left with status {done.returncode}"])[-1]


def require_reachable(addresses: list[str]) -> None:
    """Raise NotVerifiable for the first address that does not answer."""
    for address in dict.fromkeys(addresses):
        said = reachable(address)
        if said:
            raise NotVerifiable(
                "source unreachable",
                where=f"{address}: {said}",
                cause="no network to that host, a proxy that git does not know, or git missing",
                next=f"git ls-remote {address}   (a local copy serves too: git config url.COPY.insteadOf {address})",
            )


def checkout_commands(address: str, commit: str, folder: Path, sparse: list[str]) -> list[list[str]]:
    """The git commands that put one commit there: without history's files, and only the paths of `sparse` (patterns) if there are any."""
    git = ["git", "-C", str(folder)]
    commands = [
        ["git", "init", "--quiet", str(folder)],
        [*git, "config", "advice.detachedHead", "false"],
        [*git, "remote", "add", "origin", address],
        [*git, "config", "remote.origin.promisor", "true"],
        [*git, "config", "remote.origin.partialclonefilter", "blob:none"],
    ]
    if sparse:
        commands.append([*git, "sparse-checkout", "set", "--no-cone", *sparse])
    return [
        *commands,
        [*git, "fetch", "--quiet", "--filter=blob:none", "--depth", "1", "origin", commit],
        [*git, "checkout", "--quiet", commit],
    ]
