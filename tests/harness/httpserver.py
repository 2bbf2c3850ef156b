"""A web server on a free port of this machine, for as long as a test needs it; what it says is its handler's.

The servers of these tests: scripted_site.py (downloads), issue_server.py (a tracker), ../faults/indexes.py (package indexes).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar


class Server(ThreadingHTTPServer):
    """closing: set at the end, for handlers that wait."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of these tests."""


class Handler(BaseHTTPRequestHandler):
    """Quiet."""

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def say(self, status: int, body: bytes, headers: dict[str, str | int] | None = None) -> None:
        """A whole answer; another Content-Length than the body's may be given."""
        self.send_response(status)
        for key, value in ({"Content-Length": len(body)} | (headers or {})).items():
            self.send_header(key, str(value))
        self.end_headers()
        self.wfile.write(body)


S = TypeVar("S", bound=Server)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """It answers until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
