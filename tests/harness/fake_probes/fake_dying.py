"""Ends its process, in several ways."""

import os
import signal
import time


def probe(step, how):
    step("die by " + how)
    os.write(2, ("last words of " + how + "\n").encode())
    if how == "SEGV":
        import ctypes

        ctypes.string_at(0)
    if how == "_exit":
        os._exit(3)
    if how == "_exit0":
        os._exit(0)
    if how == "at_exit":
        import atexit

        atexit.register(lambda: os.kill(os.getpid(), signal.SIGSEGV))
        return {"how": how}
    if how == "exit_status":
        import atexit

        atexit.register(lambda: os._exit(9))
        return {"how": how}
    if how == "supervisor":
        time.sleep(0.3)  # what was answered before has been told
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    os.kill(os.getpid(), getattr(signal, "SIG" + how))
    signal.pause()
