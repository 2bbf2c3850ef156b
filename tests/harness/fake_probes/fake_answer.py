"""Answers at once, with what it was given and where it ran; may print first, and count how often it was asked."""

import os
import sys


def probe(step, say="", count="", sleep=0, **given):
    step("answer")
    if say:
        print(say)
    if count:
        with open(count, "a") as handle:
            handle.write("%d\n" % os.getpid())
    if sleep:
        import time

        time.sleep(sleep)
    return {"given": given, "cwd": os.getcwd(), "pid": os.getpid(), "python": list(sys.version_info[:2]), "file": sys.executable}
