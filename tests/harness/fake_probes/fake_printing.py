"""Prints, in several ways, and answers."""

import os
import subprocess
import sys


def probe(step, how, text="", megabytes=0):
    step("print " + how)
    if how == "flood":
        block = b"x" * 65536
        for number in range(megabytes * 16):
            os.write(1 + number % 2, block)
        os.write(1, b"the last of it\n")
    if how == "python":
        print(text)
    if how == "stderr":
        sys.stderr.write(text)
    if how == "unfinished":
        sys.stdout.write(text)
    if how == "c":
        os.write(1, text.encode("utf-8"))
    if how == "stdio":
        import ctypes

        ctypes.CDLL(None).printf(b"%s", text.encode("utf-8"))  # stays in a buffer of the C library
    if how == "child":
        subprocess.check_call([sys.executable, "-S", "-c", "print(%a)" % text])
    if how == "bytes":
        os.write(1, b"\xff\xfe broken \x80 bytes\n")
    if how == "cookie":
        os.write(1, b'0123456789abcdef {"event": "answer", "q": "x", "facts": {}, "seconds": 0}\n')
    return {"how": how}
