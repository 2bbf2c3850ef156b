"""Never answers; with a token, a child that must not outlive it carries the token in its arguments."""

import subprocess
import sys
import time


def probe(step, how="python", token="", children=1, apart=False, say=""):
    step("hang in " + how)
    if say:
        print(say)
    for _ in range(children if token else 0):
        subprocess.Popen(["sleep", token], start_new_session=apart)
    if how == "lock":
        import ctypes

        ctypes.PyDLL(None).sleep(1000)  # holds the interpreter's lock all the while
    if how == "deaf":
        import signal

        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if how == "forking":
        while True:
            subprocess.Popen(["sleep", token])
            time.sleep(0.05)
    number = 0
    while True:
        if how == "steps":
            step("step %d" % number)
            number += 1
        elif how == "python":
            time.sleep(1000)
        elif how == "noise":
            sys.stdout.write("x" * 1000 + "\n")
