"""A command of the subject, run as its documents write it: how it ends, and whether it says what it should."""

import os
import subprocess
import sys


def probe(step, words, says=""):
    """words: what follows `python`; says: a text that its output must hold. Returns command, status, said, and the tail of the output."""
    step("run python " + " ".join(words))
    child = subprocess.Popen(
        [sys.executable] + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=os.getcwd()
    )
    text = child.communicate()[0].decode("utf-8", "replace")
    return {"command": "python " + " ".join(words), "status": child.returncode, "said": says in text, "tail": text[-1500:]}
