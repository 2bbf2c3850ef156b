"""Runs a command for a host that may be killed at any moment: when the host is gone, so are the command and all that it started.

A program of its own (`python keeper.py FD COMMAND...`), started by running.py on POSIX; standard library only, as it starts before every
installer. FD is the reading end of a pipe whose writing end only the host holds: its end is told by the system however the host ends, by
SIGKILL too. The command's own end, by a signal too, becomes the keeper's.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

PASSES = 20  # a process may fork while it is being ended
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(host: int, argv: list[str]) -> int:
    """Run the command to its end, or to the host's; returns its exit status."""
    set_on_linux(PR_SET_CHILD_SUBREAPER, 1)  # what loses its parent below becomes ours, and can be found
    waking, wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    child = os.fork()
    if child == 0:
        start(argv)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # they went to the whole group: the command answers for it
        signal.signal(number, lambda number, frame: None)
    while (status := ended(child)) is None:
        ready, _, _ = select.select([host, waking], [], [])
        if host in ready:
            end_all()
        try:
            os.read(waking, 4096)
        except BlockingIOError:
            pass
    if os.WIFSIGNALED(status):
        leave_by(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def start(argv: list[str]) -> None:
    """Become the command. Never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        set_on_linux(PR_SET_PDEATHSIG, signal.SIGKILL)  # the keeper may be killed, too
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode(errors="replace"))
    finally:
        os._exit(127)


def ended(child: int) -> int | None:
    """The status of the command if it has ended; reaps whatever else has."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == child:
            return status
        if pid == 0:
            return None


def end_all() -> None:
    """The host is gone: end everything below, then the group, this process with it."""
    for _ in range(PASSES):
        left = below(os.getpid())
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if not left:
            break
        time.sleep(0.02)
    os.killpg(0, signal.SIGKILL)


def below(root: int) -> list[int]:
    """The living descendants of a process; none where there is no /proc."""
    parents = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 (no pathlib: this starts before every command)
    except OSError:
        return []
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as handle:  # noqa: PTH123
                rest = handle.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if rest[0] != b"Z":
            parents[int(name)] = int(rest[1])
    found = []
    for pid in parents:
        above, depth = parents[pid], 0
        while above not in (0, 1, root) and depth < 64:
            above, depth = parents.get(above, 0), depth + 1
        if above == root:
            found.append(pid)
    return found


def leave_by(number: int) -> None:
    """End as the command did, without a second core file."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    signal.signal(number, signal.SIG_DFL) if number not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), number)
    time.sleep(1)


def set_on_linux(option: int, value: int) -> None:
    """prctl; elsewhere nothing."""
    if sys.platform == "linux":
        try:
            import ctypes

            ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)
        except (ImportError, OSError, AttributeError):
            pass


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
