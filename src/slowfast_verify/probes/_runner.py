# ruff: noqa: F821 (what is not defined here is in the parts that the host puts in front)
"""Puts probes to the interpreter that reads this text from its standard input.

Runs IN THE TARGET, Python 3.6 to today, ASCII only (it travels through shells, pipes and foreign code pages). The host joins
_protocol.py, _processes.py, _supervisor.py and this file into one program (program.py), and puts in front what sets HERE and
REQUEST: {cookie, executable, questions: [{id, probe, args, seconds, memory_mb}], probes: {name: text}, places: {name: path}, parcel: {roots, zip}}.

Where fork exists, this process supervises and a forked worker answers. Where it does not (Windows) the worker runs here with a
watchdog thread, and the host sends the rest again.
"""

import os
import sys
import tempfile
import threading
import time


def watch(request, host, state):
    """The time limit without fork: a thread; and faulthandler's own thread for code that never gives the lock back."""
    spoken = time.monotonic()
    while True:
        time.sleep(POLL_SECONDS)
        if time.monotonic() - spoken > 1:
            spoken = time.monotonic()
            try:
                host.send("alive")
            except (OSError, IOError):
                os._exit(1)  # the host is gone
        if time.monotonic() > state["until"]:
            import faulthandler

            faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
            host.send("died", q=state["q"], limit="time", value=state["allowed"], finished=state["q"] is None)
            remove(state["folder"])
            os._exit(70)


class Watched(object):
    """Tells the watchdog which question is being answered."""

    def __init__(self, host, limits, state, faulthandler):
        self.host, self.limits, self.state, self.faulthandler = host, limits, state, faulthandler

    def send(self, event, **fields):
        if event in ("start", "done"):
            allowed = self.limits[fields["q"]]["seconds"] if event == "start" else EXIT_SECONDS
            self.state.update(q=fields.get("q"), until=time.monotonic() + allowed, allowed=allowed)
            self.faulthandler.dump_traceback_later(allowed + 2, exit=True, file=sys.__stderr__)
        self.host.send(event, **fields)


def unpacked(parcel, folder):
    """{place: path} of the files that came along. They lie below a name with a dot, so that none of it can be imported."""
    import base64
    import io
    import zipfile

    base = os.path.join(folder, ".parcel")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(parcel["zip"]))) as archive:
        archive.extractall(base)
    return dict((place, os.path.join(base, *root.split("/"))) for place, root in parcel["roots"].items())


def placed(value, places):
    """A nested value with {place} in its texts replaced by a path."""
    if isinstance(value, dict):
        return dict((key, placed(item, places)) for key, item in value.items())
    if isinstance(value, list):
        return [placed(item, places) for item in value]
    if isinstance(value, type("")):
        for name, path in places.items():
            value = value.replace("{" + name + "}", path)
    return value


def main(request):
    if sys.version_info < (3, 6):
        sys.exit("this is Python %s; probes need 3.6 or newer" % sys.version.split()[0])
    if request["executable"]:
        sys.executable = request["executable"]  # before multiprocessing reads it
    host = Channel(os.dup(1), request["cookie"])
    request["host_fd"] = host.fd
    os.dup2(2, 1)  # what C code prints to fd 1 goes with the noise
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    folder = tempfile.mkdtemp(prefix="probe-")
    os.chdir(folder)  # or a checkout in the current folder would be imported by accident
    parcel = request.pop("parcel")
    try:
        places = unpacked(parcel, folder) if parcel else request["places"]
    except BaseException:  # no room for the files, most likely: nobody has heard of this folder yet
        remove(folder)
        raise
    absent = [name for name, path in places.items() if not os.path.exists(path)]
    for question in request["questions"]:
        question["args"] = placed(question["args"], places)
    # The host's first line took "" away, so that nothing in the caller's folder shadows what was imported above.
    sys.path[:0] = [""] * HERE
    # Threads of a torch that wait for work by spinning make everything several times slower where cores are shared; read at import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    about = {"python": sys.version, "executable": sys.executable, "fork": hasattr(os, "fork"), "pid": os.getpid()}
    host.send("hello", folder=folder, absent=absent, **about)
    if absent:  # this is another machine, or another root of the file system: the host sends the files along
        remove(folder)
        return
    if hasattr(os, "fork"):
        if supervise(request, host, folder):
            remove(folder)
            os._exit(0)
        return  # the worker: leaves through the interpreter's own shutdown, which is under test too
    limits = dict((question["id"], question) for question in request["questions"])
    state = {"q": None, "until": time.monotonic() + 60, "allowed": 60, "folder": folder}
    faulthandler = prepare_interpreter()
    thread = threading.Thread(target=watch, args=(request, host, state))
    thread.daemon = True
    thread.start()
    answer(Watched(host, limits, state, faulthandler), request["questions"], request["probes"], mark)
    remove(folder)


main(REQUEST)
