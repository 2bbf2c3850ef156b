"""How a target answers: events over a private channel, marks in the noise, one question after the other.

Runs IN THE TARGET, Python 3.6 to today, ASCII only. First of the parts that the host joins into one program (see _runner.py).
"""

import json
import os
import sys
import threading
import time
import traceback

NOISE_KEPT = 16384  # bytes of stdout+stderr kept per question; a flood costs no memory
ANSWER_LIMIT = 8 << 20  # characters of one answer
EXIT_SECONDS = 20  # a worker that has answered everything may take this long to leave
POLL_SECONDS = 0.1
STEP_KEPT = 2000  # characters of a step's name
MARK = b"\x00\x01probe\x01\x00"


class Channel(object):
    """JSON lines behind a random cookie, on a private copy of a file descriptor."""

    def __init__(self, fd, cookie):
        self.fd, self.prefix, self.lock = fd, cookie + " ", threading.Lock()

    def send(self, event, **fields):
        fields["event"] = event
        text = json.dumps(fields, default=repr)
        if len(text) > ANSWER_LIMIT:
            text = json.dumps(
                {
                    "event": "raised",
                    "q": fields.get("q"),
                    "type": "AnswerTooLong",
                    "seconds": 0,
                    "message": "the probe's answer has %d characters" % len(text),
                    "traceback": "",
                }
            )
        data = (self.prefix + text + "\n").encode("ascii")
        with self.lock:
            while data:
                data = data[os.write(self.fd, data) :]


def chain_of(error):
    """The exception and what led to it, outermost first: [{type, message}]."""
    seen, out = set(), []
    while error is not None and id(error) not in seen and len(out) < 10:
        seen.add(id(error))
        out.append({"type": type(error).__name__, "message": text_of(error)})
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return out


def text_of(error):
    try:
        return str(error)[:20000]
    except Exception as second:
        return "<no text: %s>" % type(second).__name__


def flush():
    """What was printed belongs to the question that printed it: empty Python's buffers, and those of C's stdio."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # the probe closed or replaced it
    try:
        sys.modules["ctypes"].CDLL(None).fflush(None)
    except Exception:
        pass  # no ctypes here, or no C library of that name (Windows)


def mark(number):
    """Write into the noise whose it is from here on."""
    flush()
    data = MARK + str(number).encode("utf-8") + MARK
    while data:
        data = data[os.write(2, data) :]


def load_probe(name, text):
    namespace = {"__name__": "probe_" + name, "__builtins__": __builtins__}
    exec(compile(text, "<probe %s>" % name, "exec"), namespace)
    return namespace["probe"]


def answer(channel, questions, probes, mark=None):
    """Answer the questions one after another in this process; mark(id) separates their noise."""
    myself = os.getpid()
    for question in questions:
        number = question["id"]
        if mark:
            mark(number)
        channel.send("start", q=number)

        def step(text, number=number):
            channel.send("step", q=number, step=str(text)[:STEP_KEPT])

        begun, failed = time.monotonic(), None
        try:
            facts = load_probe(question["probe"], probes[question["probe"]])(step, **question.get("args", {}))
            if not isinstance(facts, dict):
                raise TypeError("a probe returns a dict of facts, this one a %s" % type(facts).__name__)
            json.dumps(facts, default=repr)
        except BaseException as error:  # SystemExit too: a module that calls sys.exit() while imported is a finding
            failed = error
        if os.getpid() != myself:
            os._exit(0)  # a copy that the probe forked and forgot: it must not answer a second time
        flush()
        if failed is not None:
            error = failed
            shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            channel.send(
                "raised",
                q=number,
                type=type(error).__name__,
                message=text_of(error),
                chain=chain_of(error),
                traceback=shown[-20000:],
                seconds=time.monotonic() - begun,
            )
            failed = error = None
        else:
            channel.send("answer", q=number, facts=facts, seconds=time.monotonic() - begun)
    channel.send("done")


def prepare_interpreter():
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        del main.__file__  # "<stdin>" is no file: multiprocessing's spawned children would try to open it
    import faulthandler

    faulthandler.enable(sys.__stderr__, all_threads=True)
    return faulthandler


def remove(folder):
    """Take the folder away in which the probes ran."""
    import shutil

    os.chdir(os.path.dirname(folder))
    shutil.rmtree(folder, ignore_errors=True)
