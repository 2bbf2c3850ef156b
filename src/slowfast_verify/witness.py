"""Looks whether a known failure shows in an environment: a check, a program or a command says so. Runs on the host.

Called by loop.py. A check is judged in a process of its own (one_check.py); programs and commands run as a person would run them, with
the variables that the place has gained, in its empty folder. Red is another exit status than 0, or words that the signature knows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from uuid import uuid4

from . import knowledge, layout
from .emulator import all_emulators
from .ending import run_through_pipes, run_to_end
from .errors import Infrastructure, Problem
from .fix import Place, command, environ
from .knowledge import Failure, KnownFailure, Witness, matches
from .record import Provisioned
from .wine import end_server

SUBJECT = "pyslowfast"
START_SECONDS = 60.0  # pytest, the inventory; on a busy machine
SAID_KEPT = 20_000  # characters; a traceback of torch has four thousand

#: No GPU, as the cells mean the CPU; nothing is written beside shared files; one thread, as two loops run at a time.
QUIET = {"CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Seen:
    """What a look gave: red or green, what was said, and the known failure that diagnose names for it."""

    red: bool
    said: str
    names: str | None
    seconds: float


def look(row: KnownFailure, witness: Witness, place: Place, commands: dict[str, list[str]]) -> Seen:
    """Look once. Raises Problem where nothing can be judged, Infrastructure where there is no end within the time limit."""
    begun = time.monotonic()
    if witness.check:
        red, said, names = _judged(witness, place)
    else:
        argv = [*place.start, "-c", place.told(witness.python)] if witness.python else words(witness.command, place, commands)
        status, said = ran(argv, place, witness.seconds * _slowness(place))
        failure = Failure(text=said)
        red = status != 0 or any(matches(signature, failure) for signature in row.signature)
        names = knowledge.diagnose(failure) if red else None
    return Seen(red, said, names, round(time.monotonic() - begun, 1))


def words(argv: list[str], place: Place, commands: dict[str, list[str]]) -> list[str]:
    """The argv with the commands of matrices/loops.toml in the place of {NAME}, and SlowFast's overrides in the place of {opts}."""
    found: list[str] = []
    for word in argv:
        name = word[1:-1] if word.startswith("{") and word.endswith("}") else ""
        if name == "opts":
            found += [part for key, value in place.opts.items() for part in (key, value)]
        else:
            found += commands.get(name, [word])
    return command(place, found)


def ran(argv: list[str], place: Place, seconds: float) -> tuple[int, str]:
    """(exit status, what was printed) of a command in the place; a limit that passes is an exit status of its own, 124.

    pip gets a cache of ours: a fix may empty it.
    """
    env = {**environ(place), **QUIET, "PIP_CACHE_DIR": str(layout.home() / "pip-cache")}
    if argv[0] == "wine":
        return _ran_under_wine(argv, place, seconds, env)
    log = place.folder / f"said-{uuid4().hex}.log"
    with log.open("wb") as stream:
        try:
            status = run_to_end(argv, stream, env, seconds, str(place.tmp))
        except Infrastructure:
            status = 124
        except OSError as error:
            return 127, f"{argv[0]}: {error.strerror}"
    return status, log.read_text(encoding="utf-8", errors="replace")[-SAID_KEPT:]


def _slowness(place: Place) -> float:
    return all_emulators()[place.runner].slowness if place.runner in all_emulators() else 1.0


def _ran_under_wine(argv: list[str], place: Place, seconds: float, env: dict[str, str]) -> tuple[int, str]:
    env = {**env, "PYTHONIOENCODING": "utf-8"}  # into a console Python writes every letter, into a pipe what the code page has
    status, said = run_through_pipes(argv, env, seconds, str(place.tmp))
    if status is None:
        end_server(place.folder / "prefix")  # its programs are no members of the group that was started
    return 124 if status is None else status, _decoded(said, env.get("LC_ALL", ""))[-SAID_KEPT:]


def _decoded(said: bytes, locale: str) -> str:
    """What a Windows program wrote: UTF-8 if it can be, else the code page of the system's language."""
    for encoding in ("utf-8", "gbk" if locale.startswith("zh") else "cp1252"):
        try:
            return said.decode(encoding).replace("\r\n", "\n")
        except UnicodeDecodeError:
            continue
    return said.decode("utf-8", "replace").replace("\r\n", "\n")


def _judged(witness: Witness, place: Place) -> tuple[bool, str, str | None]:
    unique = uuid4().hex
    asked, answer = place.folder / f"asked-{unique}.json", place.folder / f"answer-{unique}.json"
    environment = Provisioned(
        cell="", inputs="", runner=place.runner, python=str(place.python), env=str(place.env),
        checkout=str(place.checkout) if place.checkout else None,
        variables=place.variables, opts=place.opts, workarounds=[], lock=[], created="", seconds=0, step_seconds={},
    )  # fmt: skip
    text = {
        "environment": environment.model_dump(), "subject": SUBJECT, "check": witness.check, "folder": str(place.folder),
        "given": {}, "answer": str(answer),
    }  # fmt: skip
    asked.write_text(json.dumps(text), encoding="utf-8")
    env = {**environ(place), "PATH": os.environ.get("PATH", "")}
    for name in ("VIRTUAL_ENV", *place.variables):
        env.pop(name, None)  # the target's own variables travel in the question, not through the judge
    try:
        done = subprocess.run(
            [sys.executable, "-m", "slowfast_verify.one_check", str(asked)], capture_output=True, text=True, env=env, check=False,
            timeout=(witness.seconds + START_SECONDS) * _slowness(place), cwd=place.tmp,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Problem("the check came to no end", where=witness.check, cause=f"not within {witness.seconds:g} s", code=3) from None
    if not answer.exists():
        raise Problem("the check could not be judged", where=witness.check, cause=(done.stdout + done.stderr)[-3000:], code=3)
    found = json.loads(answer.read_text(encoding="utf-8"))
    if found["unreachable"]:
        return True, found["unreachable"], knowledge.diagnose(Failure(text=found["unreachable"]))
    red = [result for result in found["results"] if result["outcome"] == "failed"]
    if not red and not any(result["outcome"] == "passed" for result in found["results"]):
        reasons = sorted({str(result["reason"]) for result in found["results"]}) or [f"no check has such an id\n{done.stdout[-1500:]}"]
        raise Problem("the witness judged nothing", where=witness.check, cause="; ".join(reasons), code=3)
    said = "\n".join(f"{result['id']}: {result['failure']['type']}: {result['failure']['message']}" for result in red)
    names = sorted({str(result["knowledge"]) for result in red})
    return bool(red), said, (names[0] if len(names) == 1 else " and ".join(names)) if red else None
