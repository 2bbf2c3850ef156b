"""Takes memory and forks children that share it: they only sleep, or write to every page, which makes it their own."""

import os
import time


def probe(step, megabytes, children=3, touch=False, seconds=1.0):
    step("take %d MiB" % megabytes)
    held = bytearray(b"x") * (megabytes << 20)  # of zeros it would be lent, not taken
    pids = []
    for _ in range(children):
        pid = os.fork()
        if not pid:
            if touch:
                held[:: 1 << 12] = b"y" * len(range(0, len(held), 1 << 12))
            time.sleep(1000)
            os._exit(0)
        pids.append(pid)
    time.sleep(seconds)
    resident = 0
    for pid in [os.getpid(), *pids]:
        with open("/proc/%d/statm" % pid) as handle:
            resident += int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"resident_mb": resident >> 20}
