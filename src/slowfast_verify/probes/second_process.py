# with: rank1
# ruff: noqa: F821 (Peer and its kin are in _rank1.py, which the host puts in front)
"""Starts the second of two processes, so that it imports torch while this one is asked other things; two_processes takes it from there."""

import os
import sys
import tempfile


def probe(step):
    """Returns its process id. Whatever becomes of it is told by the question that needs it, which starts one of its own where there is none."""
    step("start the second process")
    folder = tempfile.mkdtemp(prefix="pair-", dir=os.getcwd())
    sys.slowfast_verify_rank1 = Peer([sys.executable], folder, variables_of("gloo"))
    return {"pid": sys.slowfast_verify_rank1.process.pid}
