"""Downloads one file over HTTP so that half a file is never taken for a whole one.

Called by zoo.py, through pooch (`Resuming` is a pooch downloader); runs on the host; may import the standard library, requests,
urllib3, filelock, rich and errors. What is received goes into a `.part` file beside the goal, with a note of what the server said it
was; the next try, in this process or in a later one, asks for the rest of the same version. Only a file that has the length
that was announced and that the caller's check accepts is handed on.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import filelock
import requests
import urllib3
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from .errors import PROBLEMS_FOUND, Infrastructure, Problem

CHUNK: Final = 1 << 16
BUSY: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
Report = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Limits:
    """Seconds, tries and bytes. A server that sends fewer than `slowest` bytes in `stall` seconds has stalled."""

    connect: float = 15.0
    stall: float = 30.0
    slowest: int = 4096
    tries: int = 4
    pause: float = 0.5
    lock: float = 3600.0


@dataclass(frozen=True)
class _Told:
    """What the server said about the file when its first byte came."""

    address: str
    version: str  # a strong ETag or a date, for If-Range; empty: no second request can be known to mean the same file
    total: int | None


class _Again(Exception):
    """This try failed, and another may succeed."""


class Resuming:
    """A pooch downloader: continues `part`, checks it, and moves it to where pooch wants it."""

    def __init__(self, part: Path, check: Callable[[Path], object], report: Report, limits: Limits) -> None:
        self.part = part
        self.note = part.with_name(part.name + ".json")
        self.check = check
        self.report = report
        self.limits = limits

    def __call__(self, url: str, output_file: str | IO[bytes], pooch: Any, check_only: bool = False) -> None:
        """Fetch `url` into `output_file`; raises Problem (refused) or Infrastructure (not reached, not finished)."""
        assert isinstance(output_file, (str, os.PathLike)) and not check_only
        failures, reached = 0, -1
        while True:
            try:
                self._once(url)
                break
            except _Again as error:
                have = self._have()
                failures = 1 if have >= reached + CHUNK and reached >= 0 else failures + 1
                reached = max(reached, have)
                if failures >= self.limits.tries:
                    raise self._unreachable(url, str(error), failures) from None
                time.sleep(self.limits.pause * 2 ** (failures - 1))
        try:
            self.check(self.part)
        except Problem:
            self._forget()
            raise
        self.part.replace(output_file)
        self._forget()

    def _once(self, url: str) -> None:
        told = self._told(url)
        have = self._have() if told else 0
        if told and have and told.total == have:
            return
        headers = {"Accept-Encoding": "identity"}
        if told and have:
            headers |= {"Range": f"bytes={have}-", "If-Range": told.version}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=(self.limits.connect, self.limits.stall)) as answer:
                self._receive(answer, url, told, have)
        except requests.exceptions.SSLError as error:
            raise Infrastructure(
                "the server's certificate was not accepted",
                where=url,
                cause=f"a proxy with a certificate of its own ({_short(error)})",
                next="export REQUESTS_CA_BUNDLE=/path/to/your/ca-bundle.pem, and run the same command again",
                code=PROBLEMS_FOUND,
            ) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise Problem("this is no address to download from", where=url, next="mend it in matrices/zoo.toml") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            raise _Again(_short(error)) from None

    def _receive(self, answer: requests.Response, url: str, told: _Told | None, have: int) -> None:
        status = answer.status_code
        if status in BUSY:
            raise _Again(f"the server answered {status} {answer.reason}")
        if status == 416:
            self._forget()
            raise _Again("the server has no rest to send")
        if status not in (200, 206):
            gone = status in (404, 410)
            raise Problem(
                f"the server refused: {status} {answer.reason}",
                where=url,
                cause="the file was moved or deleted upstream" if gone else "a login, a proxy or a region is required",
                next="look for the new address upstream and mend it in matrices/zoo.toml" if gone else f"curl -fIL {url}",
                code=PROBLEMS_FOUND,
            )
        if status == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
            if told is None or not span or int(span[1]) != have or int(span[2]) != (told.total or int(span[2])):
                self._forget()
                raise _Again("the server sent another part than was asked for")
            told = _Told(url, told.version, int(span[2]))
        else:
            have, told = 0, _what_it_says(answer, url)
        self._write(answer, told, have)

    def _write(self, answer: requests.Response, told: _Told, have: int) -> None:
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self.note.unlink(missing_ok=True)  # so that old bytes never stand beside a new note
            with self.part.open("r+b" if have else "wb") as file:
                file.seek(have)
                file.truncate()
                if told.version:  # without one the rest could be of another file
                    self.note.write_text(json.dumps(vars(told)), encoding="utf-8")
                since, got = time.monotonic(), 0
                while block := answer.raw.read1(CHUNK, decode_content=True):
                    file.write(block)
                    have, got = have + len(block), got + len(block)
                    self.report(have, told.total)
                    if time.monotonic() - since >= self.limits.stall:
                        if got < self.limits.slowest:
                            raise _Again(f"only {got} bytes in {self.limits.stall:.0f} s")
                        since, got = time.monotonic(), 0
        except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError):
            raise
        except OSError as error:
            raise _unwritable(self.part, error) from None
        if told.total is not None and have != told.total:
            if have > told.total:
                self._forget()
            raise _Again(f"it ended at {have:,} of {told.total:,} bytes")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _told(self, url: str) -> _Told | None:
        try:
            told = _Told(**json.loads(self.note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return told if told.address == url else None

    def _forget(self) -> None:
        self.note.unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)

    def _unreachable(self, url: str, reason: str, tries: int) -> Infrastructure:
        kept = f"; {self._have():,} bytes are kept and the next run continues there" if self._told(url) else ""
        return Infrastructure(
            f"the download did not finish: {reason}",
            where=url,
            cause=f"no network, a proxy, or a server that is down ({tries} tries{kept})",
            next=f"curl -fIL {url}",
            code=PROBLEMS_FOUND,
        )


def _what_it_says(answer: requests.Response, url: str) -> _Told:
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    length = answer.headers.get("Content-Length", "")
    tag = answer.headers.get("ETag", "")
    version = "" if tag.startswith("W/") else tag
    version = version or answer.headers.get("Last-Modified", "")
    return _Told(url, "" if encoded else version, int(length) if length.isdecimal() and not encoded else None)


def _short(error: BaseException) -> str:
    """requests wraps urllib3's error in its own: the innermost reason says what a person can use."""
    text = str(error)
    inner = re.search(r"(Name or service not known|Temporary failure in name resolution|Connection refused|timed out)", text)
    return inner[1] if inner else f"{type(error).__name__}: {text[:160]}"


@contextmanager
def bar(name: str, show: bool) -> Iterator[Report]:
    """A progress bar on stderr; `show=False` draws nothing."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        task = progress.add_task(name, total=None)
        yield lambda have, total: progress.update(task, completed=have, total=total)


@contextmanager
def locked(path: Path, limits: Limits) -> Iterator[None]:
    """One process at a time; the lock ends with the process that holds it, however it ends."""
    lock = filelock.FileLock(path, timeout=limits.lock)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise Infrastructure(
            "another process has been downloading this file for too long",
            where=str(path),
            next="end that process, or wait for it, and run the same command again",
            code=PROBLEMS_FOUND,
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        yield
    finally:
        lock.release()


def _unwritable(path: Path, error: OSError) -> Infrastructure:
    return Infrastructure(
        f"the download cannot be written: {error.strerror or error}",
        where=str(path),
        cause="a full disk, or a folder that may not be written",
        next="free space, or name another folder: export SLOWFAST_VERIFY_HOME=/path/with/space",
        code=PROBLEMS_FOUND,
    )
