"""A package index on this machine that behaves as its mode says: slow, cut off, a login page, refusing, with a certificate of its own."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..harness.httpserver import Handler, Server, serving

LOGIN = b"<html><head><title>Login</title></head><body>Please <a href='/help'>log in</a> to use this network.</body></html>"


class Index(Server):
    """Serves the folder that tiny_wheel.index has made."""

    def __init__(self, folder: Path, mode: str) -> None:
        super().__init__(_Handler)
        self.folder, self.mode = folder, mode
        self.scheme = "https" if mode == "certificate" else "http"

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/simple"


class _Handler(Handler):
    server: Index

    def give(self, status: int, body: bytes, kind: str = "text/html", length: int | None = None) -> None:
        self.say(status, body, {"Content-Type": kind, "Content-Length": len(body) if length is None else length})

    def do_GET(self) -> None:
        mode = self.server.mode
        if mode == "page" or mode.isdigit():
            self.give(200 if mode == "page" else int(mode), LOGIN if mode == "page" else b"no")
            return
        parts = [part for part in self.path.split("/") if part][1:]
        path = self.server.folder.joinpath(*parts)
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.give(404, b"")
            return
        data, torch = path.read_bytes(), path.name.startswith("torch-")
        if not torch or mode == "certificate":
            self.give(200, data, "text/html" if path.suffix == ".html" else "application/octet-stream")
        elif mode == "wheel page":
            self.give(200, LOGIN)
        elif mode == "dropped":
            self.close_connection = True
        elif mode.startswith("wheel "):
            self.give(int(mode[6:]), b"no")
        elif mode == "cut":
            self.give(200, data[: len(data) // 2], "application/octet-stream", len(data))
        elif mode == "slow":
            self.give(200, data[:20], "application/octet-stream", len(data))
            self.wfile.flush()
            self.server.closing.wait(60)
        else:
            self.give(200, data, "application/octet-stream")

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.end_headers()


def certificate(folder: Path) -> Path:
    """A certificate that nobody trusts, with its key, made here. Raises FileNotFoundError without openssl."""
    path = folder / "own.pem"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path), "-out", str(folder / "cert.pem")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name, *files]
    subprocess.run(made, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (folder / "cert.pem").read_bytes())
    return path


@contextmanager
def serving_index(folder: Path, mode: str, pem: Path | None = None) -> Iterator[Index]:
    """An index over a folder, gone at the end."""
    server = Index(folder, mode)
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        yield server
