"""Runs the real command on a sabotaged place, in a process of its own, and tells what of its answer is not as it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from slowfast_verify import repair, share, told
from slowfast_verify.ending import end_group
from slowfast_verify.findings import Examination

from .place import Place
from .sabotage import Sabotage

#: What steers Python or names an environment: whoever runs the tests must not be part of the sabotage.
DROPPED = ("PYTHON", "VIRTUAL_ENV", "CONDA", "LD_", "PYTEST", "COV_", "UV_", "PIP_", "SLOWFAST_VERIFY_RE")


def examine(row: Sabotage, place: Place) -> dict[str, Any]:
    """Run the doctor: {exit, seconds, stdout, stderr, document (None where standard output is none)}."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED)}
    environ["PATH"] = os.pathsep.join(
        part for part in environ.get("PATH", "").split(os.pathsep) if Path(part) != Path(sys.executable).parent
    )
    folder = place.path(row.folder)
    environ["PWD"] = str(folder)
    for name, value in row.env.items():
        environ.pop(name, None)
        if value:
            environ[name] = place.fill(value)
    target = [place.fill(row.target)] if row.target else []
    command = [*command_of(), "doctor", *target, "--rung", row.up_to, "--json", *(place.fill(option) for option in row.options)]
    argv = [*(place.fill(part) for part in row.wrap), *command]
    begun = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, cwd=folder,
                               start_new_session=True)  # fmt: skip
    try:
        stdout, stderr = process.communicate(timeout=row.seconds + 60)
    except subprocess.TimeoutExpired:
        end_group(process)
        stdout, stderr = process.communicate()
    seconds = time.monotonic() - begun
    try:
        document = json.loads(stdout)
    except ValueError:
        document = None
    return {
        "exit": process.returncode, "seconds": seconds, "document": document,
        "stdout": stdout.decode("utf-8", "replace"), "stderr": stderr.decode("utf-8", "replace"),
    }  # fmt: skip


def command_of() -> list[str]:
    """The installed command, as a person calls it."""
    script = Path(sys.executable).parent / "slowfast-verify"
    return [str(script)] if script.is_file() else [sys.executable, "-P", "-m", "slowfast_verify"]


def complaints(row: Sabotage, seen: dict[str, Any], fill: Callable[[str], str] = str) -> list[str]:
    """What is not as it should be; empty where the doctor did its work."""
    row = row.model_copy(update={"culprit": [*map(fill, row.culprit)], "problem": [*map(fill, row.problem)]})
    found = [f"process {number} is left" for number in _left(Path(fill(row.leaves)) if row.leaves else None)]
    own = f"{seen['stdout']}\n{seen['stderr']}" if seen["document"] is None else seen["stderr"]
    if "Traceback (most recent call last)" in own or "fault of slowfast-verify itself" in own:
        found.append(f"a traceback of its own:\n{own[-3000:]}")
    if seen["seconds"] > row.seconds:
        found.append(f"it took {seen['seconds']:.1f} s, and {row.seconds:g} are allowed")
    if seen["exit"] != row.exit:
        found.append(f"exit status {seen['exit']}, not {row.exit}: {seen['stderr'][-600:]}")
    if row.problem:
        found += [f"the message does not say {word!r}: {seen['stderr'][-600:]}" for word in row.problem if word not in seen["stderr"]]
        return found
    document = seen["document"]
    if document is None:
        return [*found, f"no document: {seen['stdout'][-300:]}{seen['stderr'][-600:]}"]
    if document["verdict"] != row.verdict:
        found.append(f"the verdict is {document['verdict']}, not {row.verdict}")
    found += [
        f"a check failed by itself: {one['reason']}" for one in document["not_verified"] if "the check itself failed" in one["reason"]
    ]
    return found + _untold(document) + _unnamed(row, document)


def _left(folder: Path | None) -> list[int]:
    numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder else []
    return [number for number in numbers if psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE]


def _untold(document: dict[str, Any]) -> list[str]:
    """The same document as sentences, as commands for a person's shell, and as a report that is read again."""
    examination = Examination.model_validate(document)
    said = "\n".join(told.lines(examination))
    found = [] if said.splitlines()[0].strip() else ["the first line is empty"]
    found += [f"the sentences do not name {cause.title!r}" for cause in examination.causes if cause.title not in said]
    found += ["--dry-run has nothing to say"] if not repair.written(examination) else []
    report = share.shared(document, said, environ={})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.md"
        path.write_bytes(report.encode("utf-8", "backslashreplace"))
        again = share.read_shared(path)
    return found if again["verdict"] == document["verdict"] else [*found, "the shared report cannot be read again"]


def _unnamed(row: Sabotage, document: dict[str, Any]) -> list[str]:
    rows = document["notes"] if row.note else document["causes"][:1]
    found = []
    for one in rows:
        told = "\n".join(_texts(one))
        found = [f"the culprit's word {word!r} is not named" for word in row.culprit if word not in told]
        found += [f"it stands at {one['rung']}, not at {row.rung}"] if row.rung and one["rung"] != row.rung else []
        found += [f"it is called {one['id']}, not {row.named}"] if row.named and one["id"] != row.named else []
        if not found:
            return []
    if not rows:
        return ["nothing is named" + (" in the notes" if row.note else "")] if row.culprit or row.named else []
    return [*found, "said: " + (json.dumps(rows[0], ensure_ascii=False)[:900] if rows else "nothing")]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else [str(value)]


def said(document: dict[str, Any] | None, stderr: str) -> str:
    """What the doctor named, in one line, for the table."""
    if document is None:
        return (stderr.strip().splitlines() or ["nothing"])[0]
    first = [*document["causes"], *document["notes"]]
    return f"[{first[0]['rung']}] {first[0]['title']}" if first else document["verdict"]
