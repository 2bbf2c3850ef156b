"""Puts probes to the interpreter that reads this text from its standard input, and reports over a private channel.

Runs IN THE TARGET, Python 3.6 to today, ASCII only (it travels through shells, pipes and foreign code pages). The host puts a
line that sets REQUEST in front: {cookie, questions: [{id, probe, args, seconds, memory_mb}], probes: {name: text}}.

Where fork exists, this process supervises and a forked worker answers. The supervisor has imported nothing but the standard
library, so it sees the true cause of the worker's death (a `docker exec` or `conda run` in between loses it), enforces the limits,
ends what the worker leaves behind, and forks the next worker for the questions that are left. Where it does not (Windows) the
worker runs here with a watchdog thread, and the host sends the rest again.
"""
import json
import os
import sys
import tempfile
import threading
import time
import traceback

NOISE_KEPT = 16384       # bytes of stdout+stderr kept per question; a flood costs no memory
ANSWER_LIMIT = 8 << 20   # characters of one answer
EXIT_SECONDS = 20        # a worker that has answered everything may take this long to leave
POLL_SECONDS = 0.1
STEP_KEPT = 2000         # characters of a step's name
MARK = b"\x00\x01probe\x01\x00"


class Channel(object):
    """JSON lines behind a random cookie, on a private copy of a file descriptor."""

    def __init__(self, fd, cookie):
        self.fd, self.prefix, self.lock = fd, cookie + " ", threading.Lock()

    def send(self, event, **fields):
        fields["event"] = event
        text = json.dumps(fields, default=repr)
        if len(text) > ANSWER_LIMIT:
            text = json.dumps({"event": "raised", "q": fields.get("q"), "type": "AnswerTooLong", "seconds": 0,
                               "message": "the probe's answer has %d characters" % len(text), "traceback": ""})
        data = (self.prefix + text + "\n").encode("ascii")
        with self.lock:
            while data:
                data = data[os.write(self.fd, data):]


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
        data = data[os.write(2, data):]


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

        begun, failed = time.time(), None
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
            channel.send("raised", q=number, type=type(error).__name__, message=text_of(error), chain=chain_of(error),
                         traceback=shown[-20000:], seconds=time.time() - begun)
            failed = error = None
        else:
            channel.send("answer", q=number, facts=facts, seconds=time.time() - begun)
    channel.send("done")


def prepare_interpreter():
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        del main.__file__  # "<stdin>" is no file: multiprocessing's spawned children would try to open it
    import faulthandler
    faulthandler.enable(sys.__stderr__, all_threads=True)
    return faulthandler


# ---- where fork exists -------------------------------------------------------------------------------------------------


def processes_below(root):
    """{pid: resident bytes} of the worker's session and of every descendant of this process; Linux only."""
    parents, sessions, sizes = {}, {}, {}
    page = os.sysconf("SC_PAGE_SIZE")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as handle:
                rest = handle.read().rpartition(b")")[2].split()
        except (OSError, IOError):
            continue
        if rest[0] == b"Z":
            continue
        pid = int(name)
        parents[pid], sessions[pid], sizes[pid] = int(rest[1]), int(rest[3]), int(rest[21]) * page
    mine = os.getpid()
    found = {}
    for pid in parents:
        above, depth = pid, 0
        while above not in (0, 1, mine) and depth < 64:
            above, depth = parents.get(above, 0), depth + 1
        if pid != mine and (above == mine or sessions[pid] == root):
            found[pid] = sizes[pid]
    return found


def end_all(root):
    """End the worker, its session and whatever it left behind. Several passes: a process may fork while it is being ended."""
    import signal
    for _ in range(20):
        try:
            if root is not None:
                os.killpg(root, signal.SIGKILL)
        except OSError:
            pass
        try:
            left = processes_below(root)
        except (OSError, IOError):
            left = {}
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except OSError:
            pass
        if not left:
            return
        time.sleep(0.02)


def adopt_orphans():
    """Linux: orphaned grandchildren become children of this process instead of init's, so that they can be found and ended."""
    try:
        import ctypes
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    except Exception:
        pass


def end_with_parent(number):
    """Linux: the worker ends when its supervisor does, even if that was killed."""
    try:
        sys.modules["ctypes"].CDLL(None).prctl(1, int(number), 0, 0, 0)  # PR_SET_PDEATHSIG
    except Exception:
        pass


class Worker(object):
    """A forked process that answers, watched through two pipes: its events and its noise."""

    def __init__(self, request, questions):
        import fcntl
        import signal
        event_read, event_write = os.pipe()
        noise_read, noise_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            end_with_parent(signal.SIGKILL)
            os.close(event_read)
            os.close(noise_read)
            os.close(request["host_fd"])
            os.dup2(noise_write, 1)
            os.dup2(noise_write, 2)
            os.close(noise_write)
            faulthandler = prepare_interpreter()
            if hasattr(faulthandler, "register"):
                faulthandler.register(signal.SIGUSR1, file=sys.__stderr__, all_threads=True)

            answer(Channel(event_write, ""), questions, request["probes"], mark)
            os.close(event_write)
            return
        os.close(event_write)
        os.close(noise_write)
        for fd in (event_read, noise_read):
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        self.event_fd, self.noise_fd = event_read, noise_read
        self.pending, self.status, self.open, self.noisy = b"", None, True, True
        self.noise, self.noise_of, self.unmarked = {None: b""}, None, b""

    def read(self, fd):
        try:
            return os.read(fd, 65536)
        except (BlockingIOError, InterruptedError):
            return None

    def drain_noise(self):
        """Events and noise come through two pipes, so the noise carries marks of its own: whose it is does not depend on timing."""
        for _ in range(64):  # bounded, or a flood would keep the clock from being looked at
            data = self.read(self.noise_fd) if self.noisy else None
            if not data:
                self.noisy = self.noisy and data is None  # closed: waiting for more would spin
                return
            data, self.unmarked = self.unmarked + data, b""
            cut = data.rfind(b"\x00", 1 - len(MARK))
            held = data[cut:] if cut >= 0 and MARK.startswith(data[cut:]) else b""  # perhaps the first half of a mark
            pieces = data[: len(data) - len(held)].split(MARK)
            self.unmarked = (MARK + pieces.pop() if len(pieces) % 2 == 0 else b"") + held
            for index, piece in enumerate(pieces):
                if index % 2:
                    self.noise_of = piece.decode("utf-8")
                    self.noise[self.noise_of] = b""
                else:
                    self.noise[self.noise_of] = (self.noise.get(self.noise_of, b"") + piece)[-NOISE_KEPT:]

    def events(self):
        while self.open:
            data = self.read(self.event_fd)
            if data is None:
                break
            if not data:
                self.open = False
                break
            self.pending += data
        lines = self.pending.split(b"\n")
        self.pending = lines.pop()
        return [json.loads(line.decode("ascii")) for line in lines if line.strip()]

    def take_noise(self, number=None):
        """What was printed while question `number` was being answered; without one, the last that was printed at all."""
        self.drain_noise()
        return self.noise.pop(self.noise_of if number is None else number, b"").decode("utf-8", "replace")

    def reap(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status


def supervise(request, host, folder):
    """True in the supervisor when all is answered, False in a worker that has answered and is to leave by itself."""
    myself, state = os.getpid(), {"worker": None}

    def leave(signum=0, frame=None):
        if os.getpid() == myself:
            end_all(state["worker"])
            remove(folder)
        os._exit(128 + signum if signum else 1)

    try:
        return ask_workers(request, host, state, leave)
    except BaseException:
        if os.getpid() != myself:
            raise
        try:
            traceback.print_exc()  # usually a broken pipe, because the host is gone and nobody reads any more
        finally:
            leave()


def ask_workers(request, host, state, leave):
    import select
    import signal

    adopt_orphans()
    questions = list(request["questions"])
    limits = dict((question["id"], question) for question in questions)
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), leave)
    gone = select.poll()
    gone.register(host.fd, 0)  # only errors: the reading end was closed, the host is no more
    while questions:
        worker = Worker(request, questions)
        if worker.pid == 0:
            return False
        state["worker"] = worker.pid
        current, since, finished, verdict, looked = None, time.time(), False, None, 0.0
        while True:
            select.select([worker.event_fd] * worker.open + [worker.noise_fd] * worker.noisy, [], [], POLL_SECONDS)
            worker.drain_noise()
            status = worker.reap()
            for event in worker.events():
                kind, number = event.pop("event"), event.get("q")
                if kind == "start":
                    current, since = number, time.time()
                elif kind in ("answer", "raised"):
                    event["noise"] = worker.take_noise(number)
                    questions = [question for question in questions if question["id"] != number]
                    current, since = None, time.time()
                elif kind == "done":
                    finished, since = True, time.time()
                host.send(kind, **event)
            if gone.poll(0):
                leave()
            if status is not None:
                break
            allowed = limits[current]["seconds"] if current is not None else EXIT_SECONDS
            if time.time() - since > allowed:
                verdict = {"limit": "time", "value": allowed}
            elif current is not None and abs(time.time() - looked) > POLL_SECONDS:  # not for every event: it reads all of /proc
                looked = time.time()
                try:
                    used = sum(processes_below(worker.pid).values())
                except (OSError, IOError):
                    used = 0
                if used > limits[current]["memory_mb"] * 1048576:
                    verdict = {"limit": "memory", "value": used // 1048576}
            if verdict:
                os.kill(worker.pid, signal.SIGUSR1)  # faulthandler writes the stack of every thread
                time.sleep(0.3)
                break
        noise = worker.take_noise(current)
        end_all(worker.pid)
        os.close(worker.event_fd)
        os.close(worker.noise_fd)
        status = worker.status
        death = verdict or {}
        if not verdict and status is not None:
            if os.WIFSIGNALED(status):
                death = {"signal": os.WTERMSIG(status)}
            elif os.WEXITSTATUS(status) or not finished:
                death = {"exit": os.WEXITSTATUS(status)}
        if death:
            host.send("died", q=current, noise=noise, finished=finished, **death)
        if current is not None:
            questions = [question for question in questions if question["id"] != current]
        elif not finished and questions:
            # It died between two questions: the next one pays, or a worker that dies at once would be forked for ever.
            host.send("died", q=questions[0]["id"], noise=noise, finished=False, **(death or {"exit": 0}))
            questions = questions[1:]
        elif finished:
            questions = []
    host.send("end")
    return True


# ---- where it does not -------------------------------------------------------------------------------------------------


def watch(request, host, state):
    """The time limit without fork: a thread; and faulthandler's own thread for code that never gives the lock back."""
    spoken = time.time()
    while True:
        time.sleep(POLL_SECONDS)
        if abs(time.time() - spoken) > 1:
            spoken = time.time()
            try:
                host.send("alive")
            except (OSError, IOError):
                os._exit(1)  # the host is gone
        if time.time() > state["until"]:
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
            self.state.update(q=fields.get("q"), until=time.time() + allowed, allowed=allowed)
            self.faulthandler.dump_traceback_later(allowed + 2, exit=True, file=sys.__stderr__)
        self.host.send(event, **fields)


def remove(folder):
    import shutil
    os.chdir(os.path.dirname(folder))
    shutil.rmtree(folder, ignore_errors=True)


def main(request):
    if sys.version_info < (3, 6):
        sys.exit("this is Python %s; probes need 3.6 or newer" % sys.version.split()[0])
    host = Channel(os.dup(1), request["cookie"])
    request["host_fd"] = host.fd
    os.dup2(2, 1)  # what C code prints to fd 1 goes with the noise
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    folder = tempfile.mkdtemp(prefix="probe-")
    os.chdir(folder)  # or a checkout in the current folder would be imported by accident
    # The host's first line took "" away, so that nothing in the caller's folder shadows what was imported above.
    sys.path[:0] = [""] * HERE  # noqa: F821
    # Threads of a torch that wait for work by spinning make everything several times slower where cores are shared; read at import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    host.send("hello", python=sys.version, executable=sys.executable, fork=hasattr(os, "fork"), pid=os.getpid())
    if hasattr(os, "fork"):
        if supervise(request, host, folder):
            remove(folder)
            os._exit(0)
        return  # the worker: leaves through the interpreter's own shutdown, which is under test too
    limits = dict((question["id"], question) for question in request["questions"])
    state = {"q": None, "until": time.time() + 60, "allowed": 60, "folder": folder}
    faulthandler = prepare_interpreter()
    thread = threading.Thread(target=watch, args=(request, host, state))
    thread.daemon = True
    thread.start()
    answer(Watched(host, limits, state, faulthandler), request["questions"], request["probes"], mark)
    remove(folder)


main(REQUEST)  # noqa: F821 (the host writes it in front)
