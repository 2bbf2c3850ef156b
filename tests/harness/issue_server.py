"""A tracker on this machine that speaks as much of GitHub's REST interface as we use, and writes down every call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import httpserver

REPOSITORY = "ann/slowfast-verify"
TOKEN = "a-token-of-the-test"


class Server:
    """issues: {number: issue}; calls: (method, path, body); refuse: an exit status for every call; address: of the interface."""

    def __init__(self) -> None:
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: list[tuple[int, str]] = []
        self.calls: list[tuple[str, str, Any]] = []
        self.refuse, self.address = 0, ""

    def add(self, **what: Any) -> int:
        """An issue; returns its number."""
        number = len(self.issues) + 1
        self.issues[number] = {"number": number, "state": "open", "title": "", "body": "", "labels": [], **what}
        return number

    def changes(self) -> list[tuple[str, str]]:
        """Every call that changed something."""
        return [(method, path) for method, path, _ in self.calls if method != "GET"]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """What GitHub would say."""
        base = f"/repos/{REPOSITORY}/issues"
        if self.refuse:
            return self.refuse, {"message": "refused"}
        if method == "GET" and path == base:
            wanted, page, size = query["labels"][0], int(query["page"][0]), int(query["per_page"][0])
            assert query["state"] == ["all"]
            rows = [row for row in self.issues.values() if wanted in row["labels"]]
            return 200, rows[(page - 1) * size : page * size]
        if method == "POST" and path == base:
            return 201, self.issues[self.add(**body)]
        number = int(path.removeprefix(base).strip("/").split("/")[0])
        if number not in self.issues:
            return 404, {"message": "Not Found"}
        if method == "POST" and path.endswith("/comments"):
            self.comments.append((number, body["body"]))
            return 201, {}
        assert method == "PATCH"
        self.issues[number] |= body
        return 200, self.issues[number]


@contextmanager
def issue_server() -> Iterator[Server]:
    """Serve on a free port of this machine."""
    server = Server()

    class Handler(httpserver.Handler):
        def _speak(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            server.calls.append((self.command, parts.path, body))
            allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            status, answer = server.answer(self.command, parts.path, parse_qs(parts.query), body) if allowed else (401, {})
            said = json.dumps(answer).encode()
            self.say(status, said, {"Content-Type": "application/json"})

        do_GET = do_POST = do_PATCH = _speak  # noqa: N815 (the names that http.server calls)

    with httpserver.serving(httpserver.Server(Handler)) as web:
        server.address = web.address
        yield server
