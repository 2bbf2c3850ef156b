"""The commits of a git source, and which of them is the first bad one: git's own bisect, driven by somebody's verdicts. Runs on the host.

Called by bisection.py. Nothing is checked out here: git only says which commit to look at next.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .errors import Infrastructure, Problem
from .sources import outage_in

Word = Literal["good", "bad", "skip"]
GIT_SECONDS = 600
FORTY = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Found:
    """The first bad commit; where only skipped commits were left, `first` is empty and `candidates` are those it may be."""

    first: str = ""
    candidates: list[str] = field(default_factory=list)


class History:
    """The history that a repository on this machine holds or can fetch."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    def fetch(self) -> None:
        """Get every commit of the remote `origin`, without the files (git fetches those that a checkout needs)."""
        shallow = self._git("rev-parse", "--is-shallow-repository").strip() == "true"
        self._git("fetch", "--quiet", "--tags", "--filter=blob:none", *(["--unshallow"] if shallow else []), "origin")

    def commit(self, name: str) -> str:
        """The forty digits of a commit, branch or tag; raises Problem where there is none of that name."""
        for spelt in (name, f"origin/{name}"):
            if found := self._asked("rev-parse", "--verify", "--quiet", "--end-of-options", f"{spelt}^{{commit}}"):
                return found
        if FORTY.fullmatch(name):  # of a pull request, say: on no branch, but the host may hand it out
            self._git("fetch", "--quiet", "--filter=blob:none", "origin", name)
            return name
        raise Problem(
            f"no commit is called {name!r}",
            where=self._asked("remote", "get-url", "origin") or str(self.repository),
            cause="it is misspelt, or was never pushed there",
            next="name it by the digits that `git log` prints, by a branch or a tag",
        )

    def told(self, commit: str) -> tuple[str, str]:
        """(date as 2024-08-13, subject) of a commit."""
        date, _, subject = self._git("show", "--no-patch", "--format=%cs %s", commit).strip().partition(" ")
        return date, subject

    def require_ancestor(self, good: str, bad: str) -> None:
        """Raise Problem unless `good` came before `bad` on one line of history."""
        done = self._run("merge-base", "--is-ancestor", good, bad)
        if done.returncode == 0 and good != bad:
            return
        swapped = good != bad and self._run("merge-base", "--is-ancestor", bad, good).returncode == 0
        raise Problem(
            "both are the same commit" if good == bad else f"{good[:7]} is no ancestor of {bad[:7]}",
            where=str(self.repository),
            cause="the two were swapped: the good one is the older" if swapped else "they are on different branches, or one is misspelt",
            next=f"git merge-base {good[:7]} {bad[:7]} tells the newest commit that both have",
        )

    def between(self, good: str, bad: str) -> int:
        """How many commits the first bad one can be."""
        return int(self._git("rev-list", "--count", f"{good}..{bad}"))

    def listed(self, good: str, bad: str) -> list[str]:
        """The commits from the bad one back to the good one, both with it, newest first."""
        return [*self._git("rev-list", f"{good}..{bad}").split(), good]

    def search(self, good: str, bad: str, judge: Callable[[str], Word]) -> Found:
        """Ask `judge` about as few commits as git needs; what interrupts it leaves nothing behind."""
        try:
            self._git("bisect", "start", "--no-checkout", bad, good)
            while not (found := self._ending(good, bad)):
                commit = self._git("rev-parse", "--verify", "BISECT_HEAD").strip()
                done = self._run("bisect", judge(commit), commit)
                if done.returncode and not self._ending(good, bad):
                    raise Problem("git bisect came to no end", where=str(self.repository), cause=done.stderr.strip(), code=3)
            return found
        finally:
            self._run("bisect", "reset")

    def _ending(self, good: str, bad: str) -> Found | None:
        """What git's log of the bisection says was found, if anything was."""
        log = self._git("bisect", "log")
        if first := re.search(r"^# first bad commit: \[([0-9a-f]{40})\]", log, re.MULTILINE):
            return Found(first.group(1))
        if "# only skipped commits left to test" in log:
            return Found(candidates=re.findall(r"^# possible first bad commit: \[([0-9a-f]{40})\]", log, re.MULTILINE))
        return Found(bad) if self.between(good, bad) == 1 else None

    def _asked(self, *arguments: str) -> str:
        done = self._run(*arguments)
        return done.stdout.strip() if done.returncode == 0 else ""

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            problem = outage_in(said)
            raise problem or Problem(f"git {arguments[0]} failed", where=str(self.repository), cause=said[-500:], code=3)
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key.startswith("GIT_CONFIG")}
        env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C.UTF-8"}
        try:
            return subprocess.run(
                ["git", "-C", str(self.repository), *arguments], capture_output=True, text=True, encoding="utf-8", errors="replace",
                env=env, timeout=GIT_SECONDS, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError:
            raise Problem("git is not installed", next="install git and run the same command again") from None
        except subprocess.TimeoutExpired:
            raise Infrastructure(f"git {arguments[0]} came to no end", where=str(self.repository)) from None
