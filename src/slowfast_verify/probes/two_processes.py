# with: rank1
# ruff: noqa: F821 (Peer, meet and their kin are in _rank1.py, which the host puts in front)
"""Two processes meet over torch.distributed and compute together: the collectives, a DDP step, and the subject's own helpers.

This process is rank 0. Rank 1 is a child, started by the probe second_process while others were asked, or else here.
"""

import os
import socket
import sys
import tempfile
import time


def free_port():
    """A port that the system says is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def place(method, folder, number):
    """(init_method, variables) of one way to meet."""
    if method == "file":
        return "file:///" + os.path.join(folder, "meeting-%d" % number).replace(os.sep, "/").lstrip("/"), {}
    if method == "tcp":
        return "tcp://127.0.0.1:%d" % free_port(), {}
    return "env://", {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}


def patience(torch, dist, timeout):
    """(what to give as a timeout of so many seconds, how long a wait of one second took or None where it was not measured).

    torch 1.8's store for Windows hands seconds to SO_RCVTIMEO, which takes milliseconds there: a rank that waits for more than 20 ms leaves
    with `Socket Timeout`, and the other one stays in gloo's constructor for ever.
    """
    import datetime

    begun = time.monotonic()
    if os.name != "nt":
        return timeout, None
    try:
        store = dist.TCPStore("127.0.0.1", free_port(), 1, True, datetime.timedelta(seconds=1))
        begun = time.monotonic()
        store.wait(["nobody sets this"], datetime.timedelta(seconds=1))
    except Exception:
        pass  # it is to end so
    return timeout if time.monotonic() - begun > 0.7 else timeout * 1000, time.monotonic() - begun


def probe(step, backend="gloo", methods=("tcp", "file", "env"), module="", functions=(), child=None, timeout=20, start=90):
    """Returns meetings {method: {ranks: [facts of rank 0, of rank 1]}}, helpers (the same, or None), skipped (why nothing was done) and
    one_second (seconds that the store's wait of one took, on Windows).

    module, functions: the subject's helpers, in a meeting of their own. child: the argv of an interpreter that runs a script here.
    """
    facts = {"backend": backend, "skipped": None, "meetings": {}, "helpers": None, "one_second": None}
    if backend == "nccl":
        step("count the GPUs")
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count < 2:
            return dict(facts, skipped="needs two GPUs, here %s" % ("is one" if count else "is none"))
    variables = variables_of(backend)
    folder = tempfile.mkdtemp(prefix="pair-", dir=os.getcwd())
    step("start the second process")
    peer = sys.__dict__.pop("slowfast_verify_rank1", None) if backend == "gloo" and not child else None
    if peer is None or peer.process.poll() is not None:
        peer = Peer(child or [sys.executable], folder, variables)
    os.environ.update(variables)
    try:
        peer.speak_up()
        step("import torch.distributed")
        import torch
        import torch.distributed as dist

        step("wait for the second process to import torch")
        hello = peer.hear(start)
        if "error" in hello:
            raise RuntimeError(hello["error"])
        allowed, facts["one_second"] = patience(torch, dist, timeout)
        for number, method in enumerate(list(methods) + ([module] if module else [])):
            step("%s over %s" % (method, backend) if method == module else "meet over %s by %s" % (backend, method))
            address, variables = place("file" if method == module else method, folder, number)
            order = {
                "backend": backend,
                "init_method": address,
                "env": variables,
                "timeout": allowed,
                "functions": list(functions),
                "module": module if method == module else "",
            }
            peer.tell(order)
            mine = meet(torch, dist, 0, order)
            found = {"ranks": [mine, peer.hear(timeout + 15)]}
            if method == module:
                facts["helpers"] = found
            else:
                facts["meetings"][method] = found
    finally:
        peer.end()
    return facts
