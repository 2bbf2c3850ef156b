"""A command that runs with its output in a log: bounded, without secrets, and ended with whoever started it. Runs on the host.

Called by ending.run_to_end (installers, fixes, witnesses) and climb (pytest). Imports the standard library, ending and scrub.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import BinaryIO

from .ending import end_group

HEAD, TAIL = 2 << 20, 1 << 20  # bytes of a log that are kept: the longest honest one (a compiler's, of detectron2) has under one million
LONGEST_LINE = 1 << 16  # bytes; what is longer is cut into pieces of this size before it is looked at
KEEPER = Path(__file__).with_name("keeper.py")
LEFT_OPEN_SECONDS = 2.0  # the command has ended, but something that it started holds its output open


class Bounded:
    """Writes to a stream what comes, line by line without its secrets: the beginning at once, of the rest the end when it is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        from .scrub import without_secrets

        self.stream, self.clean = stream, without_secrets
        self.written = self.left_out = self.held = 0
        self.tail: deque[bytes] = deque()
        self.line = b""

    def write(self, data: bytes) -> None:
        """Take some output."""
        *lines, self.line = (self.line + data).split(b"\n")
        if lines:
            self._keep(b"\n".join(lines) + b"\n")
        if len(self.line) > LONGEST_LINE:
            self._keep(self.line)
            self.line = b""

    def close(self) -> None:
        """Write what was held back; says how much is missing in between."""
        if self.line:
            self._keep(self.line)
            self.line = b""
        if self.left_out:
            self.stream.write(f"\n[{self.left_out:,} bytes left out here by slowfast-verify]\n".encode())
        self.stream.write(self._cleaned(b"".join(self.tail)))
        self.stream.flush()
        self.tail.clear()

    def _keep(self, data: bytes) -> None:
        if self.written < HEAD:
            data = self._cleaned(data)
            self.stream.write(data)
            self.stream.flush()
            self.written += len(data)
            return
        self.tail.append(data)
        self.held += len(data)
        while self.held - len(self.tail[0]) > TAIL:
            gone = len(self.tail.popleft())
            self.held -= gone
            self.left_out += gone

    def _cleaned(self, data: bytes) -> bytes:
        return self.clean(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


class Running:
    """A command that was started. `wait` for it, then `end` it: its whole group, and what is left of its output is written."""

    def __init__(self, argv: list[str], stream: BinaryIO, env: dict[str, str], folder: str | None = None) -> None:
        self.failed: OSError | None = None
        self._log, self._lock, self._closed, self._drained = Bounded(stream), threading.Lock(), False, threading.Event()
        self._host = -1
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": env, "cwd": folder}
        if os.name == "posix":
            alive, self._host = os.pipe()
            try:
                kept = [sys.executable, "-I", "-S", str(KEEPER), str(alive), *argv]
                self.process = subprocess.Popen(kept, pass_fds=[alive], start_new_session=True, **how)  # type: ignore[call-overload]
            except BaseException:
                os.close(self._host)
                raise
            finally:
                os.close(alive)
        else:
            self.process = subprocess.Popen(argv, **how)  # type: ignore[call-overload]
        self._pump = threading.Thread(target=self._read, daemon=True)
        self._pump.start()

    def wait(self, seconds: float) -> int:
        """Its exit status, negative for a signal. Raises subprocess.TimeoutExpired."""
        return int(self.process.wait(timeout=seconds))

    def end(self) -> None:
        """End what is left. Raises OSError where its output could not be written (a full disk): a log that is cut would tell nothing."""
        end_group(self.process)
        if self._host >= 0:
            os.close(self._host)
            self._host = -1
        self._drained.wait(LEFT_OPEN_SECONDS)
        with self._lock:
            self._attempt(self._log.close)
            self._closed = True
        if self.failed:
            raise self.failed

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            while data := output.read1(65536):
                with self._lock:
                    self._attempt(self._log.write, data)
        self._drained.set()

    def _attempt(self, work: object, *arguments: bytes) -> None:
        """Write, or remember why not and go on reading: the command must not wait for somebody who reads no more."""
        if self.failed is None and not self._closed:
            try:
                work(*arguments)  # type: ignore[operator]
            except (OSError, ValueError) as error:
                self.failed = error if isinstance(error, OSError) else OSError(0, str(error))
