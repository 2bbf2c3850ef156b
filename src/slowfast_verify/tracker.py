"""One issue for each new cause: opened when a cause first shows, brought up to date while it is open, opened again when it comes back.

Called by the `issues` command after a fan-out. Runs on the host; talks to GitHub's REST interface and to nothing else. Which issue belongs
to which cause stands in a comment inside its body that nobody sees. Outages and what is expected to fail never open one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import requests

from . import causes
from .causes import Cause
from .errors import Infrastructure, Problem
from .harmless import code, line
from .record import Record

LABEL = "slowfast-verify"
PAGE = 100
PAGES = 50
SECONDS = 30
MOST_NEW = 10  # in one run: more new causes than that are one accident of ours, not so many of SlowFast's
CELLS_SHOWN = 50
_MARK = re.compile(r"<!-- slowfast-verify cause: ([\w:.@-]{1,160}) -->")
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+")
Deed = Literal["opened", "opened again", "brought up to date", "unchanged", "left alone", "not opened"]


class Tracker:
    """The issues of one repository. address: of the REST interface; repository: owner/name; token: with the right to write issues."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise Problem(f"{repository!r} is no repository", where="GITHUB_REPOSITORY", next="owner/name")
        self.base = f"{address.rstrip('/')}/repos/{repository}/issues"
        self.session = requests.Session()
        self.session.headers.update({
            "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": LABEL,
            **({"Authorization": f"Bearer {token}"} if token else {}),
        })  # fmt: skip

    def issues(self) -> Iterator[dict[str, Any]]:
        """Every issue with our label, open or closed; what is a pull request is left out."""
        for page in range(1, PAGES + 1):
            found = self._ask("GET", "", params={"labels": LABEL, "state": "all", "per_page": PAGE, "page": page})
            if not isinstance(found, list):
                raise Infrastructure("the tracker's answer is no list of issues", where=self.base)
            yield from (row for row in found if isinstance(row, dict) and "pull_request" not in row)
            if len(found) < PAGE:
                return

    def open(self, title: str, body: str) -> int:
        """Open an issue; returns its number."""
        return int(self._ask("POST", "", json={"title": title, "body": body, "labels": [LABEL]})["number"])

    def change(self, number: int, **what: str) -> None:
        """Change an issue's body or state."""
        self._ask("PATCH", f"/{number}", json=what)

    def say(self, number: int, text: str) -> None:
        """Add a comment."""
        self._ask("POST", f"/{number}/comments", json={"body": text})

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self.session.request(method, self.base + path, timeout=SECONDS, allow_redirects=False, **more)
        except requests.RequestException as error:
            raise Infrastructure(
                "the tracker does not answer", where=f"{self.base}: {type(error).__name__}", next="run it again later"
            ) from None
        if answer.status_code in (401, 403, 404, 410):
            raise Problem(f"the tracker refuses: {answer.status_code}", where=f"{method} {self.base}{path}",
                          cause="the token may not write issues, or there are none", next="permissions: issues: write")  # fmt: skip
        if answer.status_code >= 300:
            raise Infrastructure(
                f"the tracker answers {answer.status_code}", where=f"{method} {self.base}{path}", next="run it again later"
            )
        try:
            return answer.json()
        except ValueError:
            raise Infrastructure("the tracker's answer is no JSON", where=f"{method} {self.base}{path}") from None


@dataclass(frozen=True)
class Done:
    """What became of one cause; number: its issue's, 0 where there is none."""

    key: str
    deed: Deed
    number: int
    title: str


def key_of(cause: Cause) -> str:
    """The same for the same cause in every run: the known failure, or a digest of what was said, its numbers aside; and the rung."""
    said = cause.evidence.removeprefix(f"{cause.check}: ")
    return f"{cause.rung}:{cause.id or hashlib.sha256(_VARYING.sub('#', said).encode()).hexdigest()[:12]}"


def title_of(cause: Cause) -> str:
    """One line, without anything that a page would act on."""
    return line(f"{cause.rung}: {cause.title or cause.evidence}", 150)


def body_of(cause: Cause, run: str) -> str:
    """What failed, where, how to see it again. Text of a run stands in code marks: it mentions nobody and links nowhere."""
    cells = sorted(cause.cells)
    lines = [f"<!-- slowfast-verify cause: {key_of(cause)} -->", f"{code(cause.evidence)}", ""]
    lines += [cause.cause, ""] if cause.cause else []
    lines += [f"In {len(cells)} cell{'s' if len(cells) > 1 else ''}:", "", *(f"- {code(cell)}" for cell in cells[:CELLS_SHOWN])]
    lines += [f"- and {len(cells) - CELLS_SHOWN} more"] if len(cells) > CELLS_SHOWN else []
    again = causes.reproduce(cells[0], cause.check)
    lines += ["", "Again:", "", *(f"- {code(command)}" for command in again)] if again else []
    lines += ["", "What mends it:", "", *(f"- {code(step)}" for step in cause.fix)] if cause.fix else []
    return "\n".join([*lines, "", *([f"Last seen by {run}"] if run else [])]).rstrip() + "\n"


def bring_up_to_date(tracker: Tracker, records: Iterable[Record], run: str) -> list[Done]:
    """Open, change or open again, an issue for each cause that nobody expects; run: the address of the workflow's run, or empty.

    Somebody's decision stands: what was closed as not planned is left alone.
    """
    found = {key_of(cause): cause for cause in reversed(causes.gather(records)) if cause.kind == "failed"}
    known: dict[str, dict[str, Any]] = {}
    for issue in tracker.issues() if found else ():
        mark = _MARK.search(str(issue.get("body") or ""))
        if mark and (mark[1] not in known or issue.get("state") == "open"):
            known[mark[1]] = issue
    done, opened = [], 0
    for key in reversed(found):
        issue = known.get(key, {})
        if not issue and opened >= MOST_NEW:
            done.append(Done(key, "not opened", 0, title_of(found[key])))
        elif not issue:
            done.append(Done(key, "opened", tracker.open(title_of(found[key]), body_of(found[key], run)), title_of(found[key])))
            opened += 1
        else:
            done.append(_again(tracker, issue, key, found[key], run))
    return done


def _again(tracker: Tracker, issue: dict[str, Any], key: str, cause: Cause, run: str) -> Done:
    number, title = int(issue["number"]), title_of(cause)
    if issue.get("state") == "closed":
        if issue.get("state_reason") == "not_planned":
            return Done(key, "left alone", number, title)
        tracker.change(number, state="open", body=body_of(cause, run))
        tracker.say(number, "It is back." + (f" Seen by {run}" if run else ""))
        return Done(key, "opened again", number, title)
    if _without_run(str(issue.get("body") or "")) == _without_run(body_of(cause, "")):
        return Done(key, "unchanged", number, title)
    tracker.change(number, body=body_of(cause, run))
    return Done(key, "brought up to date", number, title)


def _without_run(body: str) -> str:
    """The part that tells of the cause: a new run that says the same changes nothing, and tells nobody."""
    return "\n".join(row.rstrip() for row in body.replace("\r\n", "\n").splitlines() if not row.startswith("Last seen by ")).rstrip()
