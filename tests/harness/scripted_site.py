"""A loopback web server whose answers are scripted, for tests of downloads: it cuts, stalls, resumes and lies."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .httpserver import Handler, Server, serving


class Site(Server):
    """Gives the answers of its script one after the other, the last one for ever; remembers what was asked."""

    script: tuple[Answer, ...] = ()

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.asked: list[dict[str, str]] = []
        self._lock = threading.Lock()

    def says(self, *script: Answer) -> None:
        self.script, self.asked = script, []

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    def next_answer(self, headers: dict[str, str]) -> Answer:
        with self._lock:
            self.asked.append(headers)
            return self.script[min(len(self.asked), len(self.script)) - 1]


class _Handler(Handler):
    server: Site

    def do_GET(self) -> None:
        self.server.next_answer({key.title(): value for key, value in self.headers.items()})(self)
        self.close_connection = True

    def begin(self, status: int, headers: dict[str, str | int]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()


Answer = Callable[[_Handler], None]


def whole(data: bytes, tag: str = '"v1"', ranges: bool = True) -> Answer:
    """The file; or, where a range of this same version is asked for, the rest of it."""

    def answer(handler: _Handler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        headers: dict[str, str | int] = {"ETag": tag} if tag else {}
        if asked and ranges and handler.headers.get("If-Range") in (None, tag):
            start = int(asked[1])
            headers |= {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}", "Content-Length": len(data) - start}
            handler.begin(206, headers)
            handler.wfile.write(data[start:])
        else:
            handler.begin(200, headers | {"Content-Length": len(data)})
            handler.wfile.write(data)

    return answer


def cut(data: bytes, at: int, tag: str = '"v1"', told: bool = True) -> Answer:
    """The first `at` bytes, then the end of the connection. `told`: the full length was announced."""

    def answer(handler: _Handler) -> None:
        handler.begin(200, ({"ETag": tag} if tag else {}) | ({"Content-Length": len(data)} if told else {}))
        handler.wfile.write(data[:at])

    return answer


def slow(data: bytes, at: int, every: float | None = None) -> Answer:
    """The first `at` bytes at once; then silence, or a byte `every` so many seconds, until the test is over."""

    def answer(handler: _Handler) -> None:
        handler.begin(200, {"ETag": '"v1"', "Content-Length": len(data)})
        handler.wfile.write(data[:at])
        for i in range(at, len(data)):
            if handler.server.closing.wait(every or 60):
                return
            handler.wfile.write(data[i : i + 1])

    return answer


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """This status, body and headers, whatever is asked."""

    def answer(handler: _Handler) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        handler.say(status, body, {**named})

    return answer


@contextmanager
def site() -> Iterator[Site]:
    """A server on a free port of this machine, gone at the end."""
    with serving(Site()) as server:
        yield server
