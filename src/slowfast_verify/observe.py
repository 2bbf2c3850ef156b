"""Puts questions to a target and says what became of each. Runs on the host; asserts nothing.

Called by the pytest plugin (and by doctor). One program travels to the target's standard input (probes/_runner.py): nothing is
installed there and nothing is quoted for a shell. A question that kills its process is one failed observation; the others go on.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from . import death
from .ending import end_group
from .target import Target

PROBES = Path(__file__).resolve().parent / "probes"
START_SECONDS = 60.0  # an interpreter on a slow disk, behind conda run or ssh, says hello within this
GRACE_SECONDS = 30.0  # beyond its own limits, before the host ends a target that enforces none
LEFT_OPEN_SECONDS = 1.0  # a process has ended, but something that it started holds its output open
TAIL = 16384
MARK = b"\x00\x01probe\x01\x00"  # as in the runner: what follows it was printed for the question named

How = Literal["answered", "raised", "died", "hung", "memory", "unreachable"]


class Question(BaseModel):
    """One question: which probe, with which arguments, and its limits (seconds of wall time, MiB of resident memory)."""

    model_config = ConfigDict(frozen=True)
    id: str
    probe: str
    args: dict[str, Any] = {}
    seconds: float = 60.0
    memory_mb: int = 6144


class Observation(BaseModel):
    """What became of one question. `how` is answered, raised, died, hung, memory or unreachable; facts only when answered.

    step is the last step that the probe named; stderr_tail what was printed while it ran (stdout too); stack what faulthandler
    wrote. at_exit tells of a process that answered everything and then died.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    how: How
    facts: dict[str, Any] | None = None
    type: str | None = None
    message: str | None = None
    chain: list[dict[str, str]] = []
    traceback: str | None = None
    step: str | None = None
    signal: str | None = None
    exit: int | None = None
    seconds: float = 0.0
    stderr_tail: str = ""
    at_exit: str | None = None

    @property
    def text(self) -> str:
        """Everything a signature may match: message, chained messages, traceback, noise."""
        parts = [f"{link['type']}: {link['message']}" for link in self.chain] or [f"{self.type}: {self.message}" if self.type else ""]
        return "\n".join([*parts, self.message or "", self.traceback or "", self.stderr_tail])


@cache
def probe_text(name: str) -> str:
    """The source of a probe, after that of what its first line asks for (`# with: NAME`: probes/_NAME.py).

    Tests add folders of their own through SOURCES.
    """
    for folder in SOURCES:
        path = folder / f"{name}.py"
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            first = text.partition("\n")[0]
            wanted = first.removeprefix("# with: ").split() if first.startswith("# with: ") else []
            return "".join((PROBES / f"_{shared}.py").read_text(encoding="utf-8") for shared in wanted) + text
    raise KeyError(f"no probe {name!r} in {', '.join(map(str, SOURCES))}")


SOURCES: list[Path] = [PROBES]


def program(cookie: str, questions: Iterable[Question]) -> bytes:
    """The text that the target's Python reads: ASCII, whatever the paths and the probes contain."""
    questions = list(questions)
    request = {
        "cookie": cookie,
        "questions": [question.model_dump() for question in questions],
        "probes": {name: probe_text(name) for name in {question.probe for question in questions}},
    }
    quoted = json.dumps(json.dumps(request))  # the outer quoting is a Python string literal as well: both escape to ASCII
    runner = (PROBES / "_runner.py").read_text(encoding="ascii")
    # Until the runner has left the caller's folder, a json.py or random.py there must not stand for the standard library's.
    first = "import sys\nHERE = sys.path[:1] == ['']\nsys.path[:HERE] = []\n"
    return f"{first}import json\nREQUEST = json.loads({quoted})\n{runner}".encode("ascii")


def _plain(value: Any) -> Any:
    """A lone surrogate (the name of a file that is no valid UTF-8) can be written to no record: spell it out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def observe(target: Target, questions: Iterable[Question], *, on_step: Callable[[str, str], None] | None = None) -> dict[str, Observation]:
    """Put the questions to the target, in order, in as few processes as they survive; {id: Observation}, one for each."""
    scale = target.slowness
    left = [q.model_copy(update={"seconds": q.seconds * scale}) for q in questions]
    found: dict[str, Observation] = {}
    while left:
        run = _Run(target, left, on_step)
        run.go()
        found.update(run.found)
        rest = [q for q in left if q.id not in found]
        if len(rest) == len(left) and rest:  # not one answer and no culprit: asking again would not end
            reason = run.unreachable or "the target went away without an answer"
            found.update({q.id: _unreachable(q.id, reason, run) for q in rest})
            break
        left = rest
    return found


def _unreachable(number: str, reason: str, run: _Run) -> Observation:
    return Observation(id=number, how="unreachable", type="Unreachable", message=reason, stderr_tail=run.stderr(), exit=run.returncode)


class _Run:
    """One process of the target, from its start to the end of its last descendant."""

    def __init__(self, target: Target, questions: list[Question], on_step: Callable[[str, str], None] | None) -> None:
        self.target, self.questions, self.on_step = target, questions, on_step
        self.found: dict[str, Observation] = {}
        self.cookie = secrets.token_hex(8)
        self.hello = False
        self.forks = True
        self.accounted = False  # the end of the process was told of by the target itself
        self.current: str | None = None
        self.step: str | None = None
        self.began = time.monotonic()
        self.deadline = self.began + START_SECONDS * target.slowness
        self.unreachable: str | None = None
        self.returncode: int | None = None
        self._stderr, self._whose = bytearray(), ""
        self._noise: dict[str, str] = {}
        self._foreign = bytearray()

    def go(self) -> None:
        """Start it, feed it, read it to the end, end what is left."""
        text = program(self.cookie, self.questions)
        group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x00000200}
        try:
            process = subprocess.Popen(
                self.target.command("-B", "-u", "-"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.target.environ(), **group,
            )  # fmt: skip
        except OSError as error:
            self.unreachable = f"cannot start {self.target.name}: {error.strerror or error}"
            return
        try:
            work = ((self._feed, (process, text)), (self._read_noise, (process,)), (self._read_events, (process,)))
            threads = [threading.Thread(target=function, args=arguments, daemon=True) for function, arguments in work]
            for thread in threads:
                thread.start()
            gone: float | None = None
            while threads[2].is_alive():
                threads[2].join(0.05)
                if time.monotonic() > self.deadline:
                    self._late()
                    break
                if process.poll() is not None:  # what it left behind may hold its output open for ever
                    gone = gone or time.monotonic()
                    if time.monotonic() > gone + LEFT_OPEN_SECONDS:
                        break
            self.returncode = self._wait(process)
            threads[1].join(LEFT_OPEN_SECONDS)
        finally:
            end_group(process)
        threads[2].join(LEFT_OPEN_SECONDS)  # each closes its own stream: closing what another thread is reading would wait for it
        self._conclude()

    def _feed(self, process: subprocess.Popen[bytes], text: bytes) -> None:
        assert process.stdin
        with suppress(OSError), process.stdin as stream:  # it left before it read: the exit status and stderr say why
            stream.write(text)

    def _read_noise(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        with process.stderr as stream:
            while data := stream.read1(65536):  # type: ignore[attr-defined]
                self._stderr += data
                while self._stderr.count(MARK) > 1:  # without a supervisor the marks between the questions' noise come here
                    before, number, after = self._stderr.split(MARK, 2)
                    self._noise[self._whose] = before[-TAIL:].decode("utf-8", "replace")
                    self._whose, self._stderr = number.decode("utf-8", "replace"), after
                del self._stderr[:-TAIL]

    def _read_events(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        prefix = self.cookie.encode() + b" "
        with process.stdout as stream:
            while line := stream.readline(16 << 20):
                _, mark, rest = line.partition(prefix)  # noise without a newline may stand before the cookie
                if not mark:
                    self._foreign += line[:TAIL]
                    del self._foreign[:-TAIL]
                    continue
                try:
                    event = _plain(json.loads(rest))
                except ValueError:
                    continue  # cut off by the death of its writer
                self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        kind, number = event["event"], event.get("q")
        limits = {q.id: q.seconds for q in self.questions}
        if kind == "hello":
            self.hello, self.forks = True, event["fork"]
            self.deadline = time.monotonic() + START_SECONDS + GRACE_SECONDS
        elif kind == "start":
            self.current, self.step, self.began = number, None, time.monotonic()
            self.deadline = self.began + limits[str(number)] + GRACE_SECONDS
        elif kind == "step":
            self.step = event["step"]
            if self.on_step:
                self.on_step(str(number), event["step"])
        elif kind in ("answer", "raised"):
            common = {"id": number, "seconds": event["seconds"], "stderr_tail": event.get("noise", "")}
            if kind == "answer":
                self.found[str(number)] = Observation(how="answered", facts=event["facts"], step=self.step, **common)
            else:
                keys = ("type", "message", "chain", "traceback")
                self.found[str(number)] = Observation(how="raised", step=self.step, **common, **{k: event[k] for k in keys if k in event})
            self.current = None
            self.deadline = time.monotonic() + GRACE_SECONDS
        elif kind == "died":
            self.accounted = True
            self._died(event)
        elif kind == "end":
            self.accounted = True

    def _died(self, event: dict[str, Any]) -> None:
        number, limit = event.get("q"), event.get("limit")
        noise = event.get("noise", "")
        how: How = "hung" if limit == "time" else "memory" if limit == "memory" else "died"
        if limit == "time":
            message = f"{'no answer' if number is not None else 'it answered and did not leave'} within {event['value']:.4g} s"
        elif limit == "memory":
            message = f"more than the memory limit: {event['value']} MiB were in use"
        else:
            message = death.describe(event.get("signal"), event.get("exit"))
        if number is None:  # everything was answered: the process died on its way out
            last = next(reversed(self.found), None)
            if last:
                self.found[last] = self.found[last].model_copy(
                    update={"at_exit": message, "stderr_tail": (self.found[last].stderr_tail + noise)[-TAIL:]}
                )
            return
        signal_number = event.get("signal")
        self.found[str(number)] = Observation(
            id=number, how=how, message=message, step=self.step, exit=event.get("exit"), stderr_tail=noise,
            signal=death.signal_name(signal_number) if signal_number else None, seconds=time.monotonic() - self.began,
        )  # fmt: skip
        self.current = None

    def _late(self) -> None:
        if not self.hello:
            self.unreachable = f"no sign of life within {START_SECONDS * self.target.slowness:g} s"
        elif self.current is not None:
            self._died({"q": self.current, **self._overdue(), "noise": self.stderr()})

    def _overdue(self) -> dict[str, Any]:
        return {"limit": "time", "value": time.monotonic() - self.began}

    def _wait(self, process: subprocess.Popen[bytes]) -> int | None:
        try:
            return process.wait(timeout=5 if time.monotonic() < self.deadline else 0.1)
        except subprocess.TimeoutExpired:
            return None

    def _conclude(self) -> None:
        if not self.hello:
            said = (self.stderr() or self._foreign.decode("utf-8", "replace")).strip().splitlines()
            detail = f": {said[-1][:300]}" if said else ""
            left = death.describe(*death.split_status(self.returncode)) if self.returncode is not None else "had to be ended"
            self.unreachable = self.unreachable or f"{self.target.name} did not run our program; it {left}{detail}"
            return
        if not self.accounted and self.returncode is not None:
            signal_number, code = death.split_status(self.returncode)
            status: dict[str, Any] = {"signal": signal_number, "exit": code, "noise": self.stderr() if self.forks else ""}
            culprit = next((q for q in self.questions if q.id not in self.found), None)
            if culprit:  # no supervisor there (Windows), or it was killed itself: the status is what the host saw
                late = not self.forks and time.monotonic() - self.began > culprit.seconds  # faulthandler's own alarm ended it
                self._died({"q": culprit.id, **status, **(self._overdue() if late else {})})
            elif self.returncode:
                self._died({"q": None, **status})
        for number, noise in {**self._noise, self._whose: self.stderr()}.items():
            if number in self.found:
                self.found[number] = self.found[number].model_copy(update={"stderr_tail": noise})

    def stderr(self) -> str:
        """The last of what the process itself (not its worker) wrote to stderr."""
        return bytes(self._stderr).decode("utf-8", "replace")
