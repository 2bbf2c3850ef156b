"""Puts questions to a target and says what became of each. Runs on the host; asserts nothing.

Called by the pytest plugin (and by doctor). One program travels to the target's standard input (program.py): nothing is installed
there and nothing is quoted for a shell. A question that kills its process is one failed observation; the others go on.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import death
from .ending import end_group
from .parcel import TOO_LARGE, Parcel, parcel_for
from .program import PROBES, SOURCES, probe_text, program
from .question import How, Observation, Question
from .target import Target

__all__ = ["PROBES", "SOURCES", "Observation", "Question", "observe", "probe_text", "program"]  # one import for whoever asks

START_SECONDS = 60.0  # an interpreter on a slow disk, behind conda run or ssh, says hello within this
GRACE_SECONDS = 30.0  # beyond its own limits, before the host ends a target that enforces none
SLOWEST = 1e6  # bytes a second at which a parcel may arrive
LEFT_OPEN_SECONDS = 1.0  # a process has ended, but something that it started holds its output open
TAIL = 16384
MARK = b"\x00\x01probe\x01\x00"  # as in the runner: what follows it was printed for the question named


def _plain(value: Any) -> Any:
    """A lone surrogate (the name of a file that is no valid UTF-8) can be written to no record: spell it out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def observe(
    target: Target,
    questions: Iterable[Question],
    *,
    places: Mapping[str, str] | None = None,
    on_step: Callable[[str, str], None] | None = None,
    until: Callable[[Observation], bool] | None = None,
    on_final: Callable[[Observation], None] | None = None,
    start_seconds: float | None = None,
) -> dict[str, Observation]:
    """Put the questions to the target, in order, in as few processes as they survive; {id: Observation}, one for each.

    places: files of this machine that arguments name as {NAME}; they travel to a target that does not see them (parcel.py).
    until: told of each observation; where it says True the process is ended there, and what is left has no observation.
    on_final: told of an observation, from another thread, as soon as nothing can change it any more; never told of some (the last of a
    process, and all where no supervisor keeps the questions' noise apart): those are in what is returned.
    start_seconds: how long the interpreter may take to say hello; none: START_SECONDS.
    """
    scale = target.slowness
    left = [q.model_copy(update={"seconds": q.seconds * scale}) for q in questions]
    travels = target.shares_files is False
    found: dict[str, Observation] = {}
    again = False
    while left := [q for q in left if q.id not in found]:
        parcel = parcel_for(left, places or {}, travels=travels)
        if refused := parcel.refused(left):
            found.update(
                {number: Observation(id=number, how="unreachable", type=TOO_LARGE, message=why) for number, why in refused.items()}
            )
            continue
        run = _Run(target, left, parcel, on_step, until, on_final, START_SECONDS if start_seconds is None else start_seconds)
        run.go()
        if run.stopped:
            return {**found, **run.found}
        if run.absent and not travels:  # it might have shared this machine's files, and does not
            travels = True
            continue
        found.update(run.found)
        if not run.found and run.killed_early and not again:
            again = True  # nothing of the target's had run yet: somebody else ended it
            continue
        if not run.found:  # not one answer and no culprit: asking again would not end
            reason = run.unreachable or "the target went away without an answer"
            found.update({q.id: _unreachable(q.id, reason, run) for q in left})
    return found


def _unreachable(number: str, reason: str, run: _Run) -> Observation:
    return Observation(id=number, how="unreachable", type="Unreachable", message=reason, stderr_tail=run.stderr(), exit=run.returncode)


class _Run:
    """One process of the target, from its start to the end of its last descendant."""

    def __init__(self, target: Target, questions: list[Question], parcel: Parcel, on_step: Callable[[str, str], None] | None,
                 until: Callable[[Observation], bool] | None, on_final: Callable[[Observation], None] | None,
                 start_seconds: float) -> None:  # fmt: skip
        self.target, self.questions, self.parcel, self.on_step = target, questions, parcel, on_step
        self.until, self.on_final, self.start_seconds = until, on_final, start_seconds * target.slowness
        self.told: set[str] = set()
        self.stopped = False
        self.found: dict[str, Observation] = {}
        self.cookie = secrets.token_hex(8)
        self.hello = False
        self.absent: list[str] = []  # places that the target does not see
        self.folder: Path | None = None  # where the probes run
        self.forks = True
        self.accounted = False  # the end of the process was told of by the target itself
        self.current: str | None = None
        self.step: str | None = None
        self.began = time.monotonic()
        self.deadline = self.began + self.start_seconds
        self.unreachable: str | None = None
        self.returncode: int | None = None
        self._stderr, self._whose = bytearray(), ""
        self._noise: dict[str, str] = {}
        self._foreign = bytearray()

    def go(self) -> None:
        """Start it, feed it, read it to the end, end what is left."""
        text = program(self.cookie, self.questions, self.parcel, self.target.argv[-1] if self.target.kind == "qemu" else "")
        self.deadline += len(text) / SLOWEST
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
            while threads[2].is_alive() and not self.stopped:
                threads[2].join(0.05)
                if time.monotonic() > self.deadline:
                    self._late()
                    break
                if process.poll() is not None:  # what it left behind may hold its output open for ever
                    gone = gone or time.monotonic()
                    if time.monotonic() > gone + LEFT_OPEN_SECONDS:
                        break
            if not self.stopped:
                self.returncode = self._wait(process)
                threads[1].join(LEFT_OPEN_SECONDS)
        finally:
            end_group(process)
        threads[2].join(LEFT_OPEN_SECONDS)  # each closes its own stream: closing what another thread is reading would wait for it
        if self.folder and self.target.local and self.folder.name.startswith("probe-"):  # crashed without a supervisor to take it away
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self.stopped:
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
                if self.stopped:
                    continue  # what comes while it is being ended was not asked for any more
                try:
                    self._take(event)
                except (KeyError, TypeError, ValueError, AttributeError):
                    continue  # not what our runner says: whoever knows the cookie can write anything, and none of it is acted on
                if self.until and event["event"] in ("answer", "raised", "died") and str(event.get("q")) in self.found:
                    self.stopped = self.stopped or self.until(self.found[str(event["q"])])

    def _take(self, event: dict[str, Any]) -> None:
        kind, number = event["event"], event.get("q")
        limits = {q.id: q.seconds for q in self.questions}
        if number is not None and number not in limits:
            return  # nobody asked that: an answer to it would count as progress for ever
        if kind == "hello":
            self.hello, self.forks, self.absent, self.folder = True, event["fork"], event["absent"], Path(event["folder"])
            self.deadline = time.monotonic() + START_SECONDS + GRACE_SECONDS
        elif kind == "start":
            self._tell_finals()
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

    def _tell_finals(self) -> None:
        """The next question has begun: what came before it stays as it is, unless its noise is still to be cut from that of the process."""
        if self.on_final and self.forks:
            for number in [number for number in self.found if number not in self.told]:
                self.told.add(number)
                self.on_final(self.found[number])

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
            self.unreachable = f"no sign of life within {self.start_seconds:g} s"
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
            left = f"was {left}" if left.startswith("killed") else left
            self.unreachable = self.unreachable or f"{self.target.name} did not run our program; it {left}{detail}"
            return
        if self.absent:
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

    @property
    def killed_early(self) -> bool:
        """Whether it was ended by SIGKILL before it said hello."""
        return not self.hello and self.returncode == -signal.SIGKILL if os.name == "posix" else False

    def stderr(self) -> str:
        """The last of what the process itself (not its worker) wrote to stderr."""
        return bytes(self._stderr).decode("utf-8", "replace")
