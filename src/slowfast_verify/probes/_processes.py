"""The processes below this one: which there are, what memory they use, and how all of them end. POSIX; what reads /proc is Linux.

Runs IN THE TARGET, after _protocol.py in the same program (see _runner.py).
"""

import os
import sys
import time


def processes_below(root):
    """{pid: resident bytes} of the worker's session and of every descendant of this process; Linux only."""
    parents, sessions, sizes = {}, {}, {}
    page = os.sysconf("SC_PAGE_SIZE")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as handle:
                rest = handle.read().rpartition(b")")[2].split()
        except (OSError, IOError):
            continue
        if rest[0] == b"Z":
            continue
        pid = int(name)
        parents[pid], sessions[pid], sizes[pid] = int(rest[1]), int(rest[3]), int(rest[21]) * page
    mine = os.getpid()
    found = {}
    for pid in parents:
        above, depth = pid, 0
        while above not in (0, 1, mine) and depth < 64:
            above, depth = parents.get(above, 0), depth + 1
        if pid != mine and (above == mine or sessions[pid] == root):
            found[pid] = sizes[pid]
    return found


def proportional(pid, resident):
    """Bytes of a process where a page that n processes share counts as an n-th; its resident size where nobody tells."""
    try:
        with open("/proc/%d/smaps_rollup" % pid, "rb") as handle:
            for line in handle:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except ProcessLookupError:
        return 0  # it has just ended
    except (OSError, IOError, ValueError):
        pass  # a kernel before 4.14, or a process of somebody else
    return resident


def memory_in_use(root, limit):
    """Bytes that the worker and all below it use.

    Resident sizes count what forked children share with their parent once for each: cheap to read, and too much. Only where their sum is
    beyond the limit is it worth the walk over every page.
    """
    try:
        sizes = processes_below(root)
    except (OSError, IOError):
        return 0
    used = sum(sizes.values())
    return used if used <= limit else sum(proportional(pid, size) for pid, size in sizes.items())


def end_all(root):
    """End the worker, its session and whatever it left behind. Several passes: a process may fork while it is being ended."""
    import signal

    for _ in range(20):
        try:
            if root is not None:
                os.killpg(root, signal.SIGKILL)
        except OSError:
            pass
        try:
            left = processes_below(root)
        except (OSError, IOError):
            left = {}
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except OSError:
            pass
        if not left:
            return
        time.sleep(0.02)


def adopt_orphans():
    """Linux: orphaned grandchildren become children of this process instead of init's, so that they can be found and ended."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    except Exception:
        pass


def end_with_parent(number):
    """Linux: the worker ends when its supervisor does, even if that was killed."""
    try:
        sys.modules["ctypes"].CDLL(None).prctl(1, int(number), 0, 0, 0)  # PR_SET_PDEATHSIG
    except Exception:
        pass
