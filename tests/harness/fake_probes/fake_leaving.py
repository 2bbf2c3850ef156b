"""Answers, and leaves something behind."""

import os
import subprocess
import threading
import time


def probe(step, how, token="", children=1):
    step("leave " + how)
    if how == "thread":
        threading.Thread(target=time.sleep, args=(1000,)).start()
    if how == "child":
        for _ in range(children):
            subprocess.Popen(["sleep", token])
    if how == "apart":
        for _ in range(children):
            subprocess.Popen(["sleep", token], start_new_session=True)
    if how == "daemon":
        subprocess.check_call(["sh", "-c", "setsid sleep %s >/dev/null 2>&1 & exit 0" % token])
    if how == "copy" and os.fork() == 0:
        return {"how": "the copy"}
    if how == "raising copy" and os.fork() == 0:
        raise SystemExit(0)
    if how == "closed":
        os.close(1)
        os.close(2)
        time.sleep(0.5)
    return {"how": how, "pid": os.getpid()}
