# ruff: noqa: F821 (what is not defined here is in _protocol.py and _processes.py, which the host puts in front)
"""Where fork exists: a supervisor that has imported nothing but the standard library, and a forked worker that answers.

Runs IN THE TARGET, after _protocol.py and _processes.py in the same program (see _runner.py). The supervisor sees the true cause of the worker's death (a
`docker exec` or `conda run` in between loses it), enforces the limits, ends what the worker leaves behind, and forks the next worker
for the questions that are left.
"""

import json
import os
import sys
import time
import traceback


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
        current, since, finished, verdict = None, time.monotonic(), False, None
        looked, pause = time.monotonic() - POLL_SECONDS, 0.0
        while True:
            select.select([worker.event_fd] * worker.open + [worker.noise_fd] * worker.noisy, [], [], POLL_SECONDS)
            worker.drain_noise()
            status = worker.reap()
            for event in worker.events():
                kind, number = event.pop("event"), event.get("q")
                if kind == "start":
                    current, since = number, time.monotonic()
                elif kind in ("answer", "raised"):
                    event["noise"] = worker.take_noise(number)
                    questions = [question for question in questions if question["id"] != number]
                    current, since = None, time.monotonic()
                elif kind == "done":
                    finished, since = True, time.monotonic()
                host.send(kind, **event)
            if gone.poll(0):
                leave()
            if status is not None:
                break
            allowed = limits[current]["seconds"] if current is not None else EXIT_SECONDS
            if time.monotonic() - since > allowed:
                verdict = {"limit": "time", "value": allowed}
            elif current is not None and time.monotonic() - looked > pause:  # not for every event: it reads all of /proc
                looked, limit = time.monotonic(), limits[current]["memory_mb"] * 1048576
                used = memory_in_use(worker.pid, limit)
                pause = max(POLL_SECONDS, 4 * (time.monotonic() - looked))  # looking takes a quarter of the time at the most
                if used > limit:
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
