"""What the probes of SlowFast's commands share: tools/run_net.py in this process, what it said, and everything back in its place.

Runs in the target. Not a probe: the host puts this text in front of each probe that opens with `# with: run_net`. Python 3.6 syntax.
Several commands and other probes share one process, so a command must leave no trace there: not its arguments, its current folder,
its search path, its log handlers or its random seed.
"""

import contextlib
import io
import logging
import multiprocessing
import os
import re
import runpy
import shutil
import sys
import tempfile


class Tee(io.TextIOBase):
    """Passes text on and keeps it: SlowFast says only in its log which weights it did not load."""

    def __init__(self, under):
        self.under, self.kept = under, []

    def write(self, text):
        self.kept.append(text)
        self.under.write(text)
        return len(text)

    def flush(self):
        self.under.flush()

    def text(self):
        return "".join(self.kept)


@contextlib.contextmanager
def told():
    """Keeps what is printed meanwhile; yields a Tee."""
    stdout, tee = sys.stdout, Tee(sys.stdout)
    sys.stdout = tee
    try:
        yield tee
    finally:
        sys.stdout = stdout


@contextlib.contextmanager
def workplace(checkout, threads=2):
    """An empty folder that is the current one, with the checkout on the search path; afterwards all is as it was."""
    import torch

    root, here = logging.getLogger(), os.getcwd()
    before = (
        list(sys.path),
        list(sys.argv),
        list(root.handlers),
        root.level,
        root.propagate,
        torch.get_num_threads(),
        torch.get_rng_state(),
    )
    folder = tempfile.mkdtemp(prefix="work-", dir=here)
    os.chdir(folder)
    if checkout and checkout not in sys.path:
        # Not sys.path[0] = ...: the first entry is the standard library's zip on an embedded Windows Python.
        sys.path.insert(0, checkout)
    torch.set_num_threads(threads)
    try:
        yield folder
    finally:
        sys.path[:], sys.argv[:], root.handlers[:], level, root.propagate, threads, seed = before
        root.setLevel(level)
        torch.set_num_threads(threads)
        torch.set_rng_state(seed)
        os.chdir(here)
        shutil.rmtree(folder, ignore_errors=True)


def end_children(spared):
    """End the processes that a command left behind: SlowFast's drawing processes wait for more until their parent leaves."""
    for child in multiprocessing.active_children():
        if child not in spared:
            child.terminate()
            child.join(10)


def run_net(checkout, configs, options):
    """`python tools/run_net.py --cfg CONFIGS --opts OPTIONS`, here; options is a dict. Returns what it wrote to stdout."""
    tools = os.path.join(checkout, "tools")
    if tools not in sys.path:
        sys.path.insert(0, tools)  # as Python does for the folder of a script; runpy does not
    script = os.path.join(tools, "run_net.py")
    if not os.path.isfile(script):
        raise FileNotFoundError("no tools/run_net.py in the checkout %r: only the packages are installed here" % checkout)
    sys.argv = [script, "--cfg"] + list(configs) + ["--opts"] + [text for pair in options.items() for text in map(str, pair)]
    before = multiprocessing.active_children()
    try:
        with told() as tee:
            runpy.run_path(script, run_name="__main__")
    finally:
        end_children(before)
    return tee.text()


def warnings_in(text):
    """What a log says about weights: the lists it prints, and the lines that mean a wrong answer with exit status 0."""
    found = {}
    for key, pattern in (
        ("missing_keys", r"missing keys: (.*)"),
        ("unexpected_keys", r"unexpected keys: (.*)"),
        ("not_loaded", r"Network weights (\S+) not loaded"),
        ("not_used", r"Network weights (\S+) not used"),
    ):
        found[key] = sorted(set(re.findall(pattern, text)) - {"[]"})
    found["random_initialization"] = "random initialization" in text
    found["weights_read"] = len(re.findall(r"missing keys: ", text))
    return found


def video_facts(path):
    """A video as OpenCV reads it: frames that decode, size, bytes."""
    import cv2

    if not os.path.exists(path):
        return {"exists": False, "frames": 0}
    capture, frames, shape = cv2.VideoCapture(path), 0, (0, 0)
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames, shape = frames + 1, frame.shape
    capture.release()
    return {"exists": True, "bytes": os.path.getsize(path), "frames": frames, "height": shape[0], "width": shape[1]}
