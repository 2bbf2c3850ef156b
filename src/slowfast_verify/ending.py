"""Runs a command to its end, and ends a process with everything in its process group. Standard library and errors; runs on the host.

Called by whoever starts something that starts more: observe (a target), provision (an installer), climb (pytest).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import BinaryIO

from .errors import Infrastructure

GENTLE_SECONDS = 3.0


def run_to_end(argv: list[str], stream: BinaryIO, env: dict[str, str], seconds: float = 3600, folder: str | None = None) -> int:
    """Run a command (in `folder`) with its output in `stream`; all that it started ends with it, when we are interrupted, and when we die.

    Its exit status, negative for a signal. Raises Infrastructure without an end in time, OSError where its output cannot be written.
    """
    from .running import Running  # which ends what it runs through this module

    command = Running(argv, stream, env, folder)
    try:
        return command.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Infrastructure(f"no end after {seconds / 60:.0f} minutes", where=" ".join(argv)[:300]) from None
    finally:
        command.end()


def run_through_pipes(argv: list[str], env: dict[str, str], seconds: float, folder: str) -> tuple[int | None, bytes]:
    """(exit status, output) of a command whose standard streams are pipes, which Wine wants; no status: no end within the time limit."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=folder, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=seconds)
        return process.returncode, said
    except subprocess.TimeoutExpired as late:
        return None, late.output or b""
    finally:
        end_group(process)
        for stream in (process.stdin, process.stdout):
            if stream and not stream.closed:
                stream.close()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group: gently first, so that a supervisor can end what it supervises."""
    if os.name == "posix":
        # The whole group is asked: behind `sh -c` or `conda run` the supervisor is not the process that was started.
        until = time.monotonic() + GENTLE_SECONDS
        _signalled(process.pid, signal.SIGTERM)
        while time.monotonic() < until and (process.poll() is None or _signalled(process.pid, 0)):  # an unreaped leader is a member
            time.sleep(0.01)
        _signalled(process.pid, signal.SIGKILL)
    else:
        process.terminate()
    if process.poll() is None:
        process.kill()
        process.wait()


def _signalled(group: int, number: int) -> bool:
    """Send a signal to a process group (0 only asks); whether there is one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
