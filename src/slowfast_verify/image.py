"""Builds a cell as a container's image, from docker/Dockerfile, through the docker SDK. Runs on the host; only climb calls it.

The same stack, subject and pins as an environment of the cache, but installed inside the image, from what context.py lays.
An image counts once its `cell.json` says so; layers that did not change are the engine's own cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from . import container, context, engine, layout, sources
from .atomic import write_text
from .cell import Cell
from .errors import NotVerifiable
from .knowledge import Failure, diagnose
from .matrix import Matrix
from .provision import InstallFailed
from .record import Provisioned
from .stack import Stack
from .subject import Subject, actions_of

PYTHON = "/opt/slowfast/bin/python"
LOCK = "/opt/slowfast/lock.txt"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")  # the engine keeps these out of the history
Say = Callable[[str], None]


def build(cell: Cell, matrix: Matrix, base: str = "", say: Say = print) -> Path:
    """Build the cell's image if need be; returns the file that describes it (record.Provisioned).

    Raises NotVerifiable (no engine, no base, a cell that no image is made for), Infrastructure or provision.InstallFailed.
    """
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    _refuse(cell, subject, stack)
    client = engine.client()
    base = engine.base_image(base) if base else _base(cell, say)
    folder = layout.home() / "containers" / cell.id
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    state = folder / "cell.json"
    with FileLock(folder / "lock", timeout=3600), tempfile.TemporaryDirectory(prefix="image-") as scratch:
        folder_sent = Path(scratch)
        laid = context.lay(folder_sent, cell, stack, subject)
        arguments = {**laid.arguments, "BASE": base, "PACKAGES": " ".join(row.name for row in container.rules().package)}
        digest = context.digest_of(folder_sent, {**arguments, "base": container.image_id(base)})
        if found := _standing(state, digest):
            say(f"the image stands ({found.created}), nothing to build")
            return state
        before = _image_in(state)
        state.unlink(missing_ok=True)
        begun = time.monotonic()
        _require_python(base, cell)
        image = run_build(client, folder_sent, arguments, folder / "logs" / "build.log", say, tag_of(cell))
        found = Provisioned(
            cell=cell.id, inputs=digest, runner="docker", python=PYTHON, env=image, checkout=laid.checkout, opts=laid.opts,
            variables=laid.variables, lock=named(_lock(image), cell.subject, laid.addresses),
            workarounds=laid.workarounds,
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), seconds=round(time.monotonic() - begun, 1), step_seconds={},
        )  # fmt: skip
        write_text(state, found.model_dump_json(indent=1))
        if before and before != image:
            container.take_away(before)
    return state


def _base(cell: Cell, say: Say) -> str:
    """The base image that the data names, pulled; where no registry can be reached, a Debian that has the cell's Python, made here."""
    rules = container.rules()
    try:
        return engine.base_image(rules.base.format(python=cell.python))
    except NotVerifiable as problem:
        suite = next((row.suite for row in rules.made_here if row.python == cell.python), "")
        if not suite:
            raise
        say(f"{problem.what}: Debian {suite}, which has Python {cell.python}, is made here instead")
        return engine.base_image(f"{engine.MADE_HERE}{suite}")


def _refuse(cell: Cell, subject: Subject, stack: Stack) -> None:
    """Raise NotVerifiable for a cell that the Dockerfile cannot make."""
    if cell.os != "linux" or cell.arch != "x86_64":
        raise NotVerifiable(
            f"no image is made for {cell.id}", cause="an image is Linux on x86_64", next="slowfast-verify cells 'linux-py*'"
        )
    local = [name for name, action in actions_of(subject.at(cell.revision), stack.workarounds)
             if cell.matches(action.when) and (action.run or action.remove or action.uninstall)]  # fmt: skip
    if local:
        raise NotVerifiable(
            f"no image is made for {cell.id}", cause=f"the workaround {local[0]} runs or removes something, which no step of an image does",
            next=f"slowfast-verify climb {cell.id}",
        )  # fmt: skip


def tag_of(cell: Cell) -> str:
    """What the image of a cell is called: without a name the engine's `image prune` would take it."""
    return f"slowfast-verify:{cell.id.replace('@', '-')}"


def run_build(client: object, folder: Path, arguments: dict[str, str], log: Path, say: Say, tag: str | None = None) -> str:
    """Have the engine build the context; its words go to `log`. Returns the image's id; raises as `build` does."""
    proxies = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (0, 0), follow_symlinks=False)  # the engine's cache looks at contents, and old ones at times as well
    image, text, begun, step = "", "", time.monotonic(), ""
    with log.open("w", encoding="utf-8") as stream:
        for event in client.api.build(path=str(folder), buildargs={**arguments, **proxies}, rm=True, forcerm=True, decode=True, tag=tag):  # type: ignore[attr-defined]
            said = re.sub(r"\x1b\[[0-9;]*m", "", str(event.get("stream") or event.get("error") or ""))
            stream.write(said)
            stream.flush()
            text = (text + said)[-400_000:]
            if found := re.match(r"Step \d+/\d+ : (.*)", said):
                step = found[1].strip()
                say(f"  {time.monotonic() - begun:4.0f} s  {said.strip()[:100]}")
            if found := re.search(r"Successfully built ([0-9a-f]+)", said):
                image = found[1]
            if "error" in event:
                raise sources.outage_in(text) or _failed(step, text, str(event["error"]), log)
    if not image:
        raise _failed(step, text, "the engine says neither that it built nor that it failed", log)
    return container.image_id(image)


def _failed(step: str, text: str, error: str, log: Path) -> InstallFailed:
    last = next((line.strip() for line in reversed(text.splitlines()) if "error" in line.lower() and line.strip() != error), error)
    rung = "resolve" if re.search(r"ResolutionImpossible|No matching distribution|conflicting dependencies", text) else "install"
    return InstallFailed(rung, step[:200], last[:500], diagnose(Failure(text=text[-200_000:])), log, "\n".join(text.splitlines()[-40:]))


def _require_python(base: str, cell: Cell) -> None:
    target = container.of_cell(base, f"python{cell.python}")
    done = subprocess.run([*target.argv, "-c", "import venv, ensurepip"], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise NotVerifiable(
            f"the base image {base} has no Python {cell.python} that makes environments",
            where=(done.stderr.strip().splitlines() or [""])[-1],
            next=f"name another one: --base {container.rules().base.format(python=cell.python)}",
        )  # fmt: skip


def _lock(image: str) -> str:
    """What the installer listed at the end of the build."""
    target = container.of_cell(image, PYTHON)
    return subprocess.run([*target.argv[:-1], "cat", LOCK], capture_output=True, text=True, timeout=300, check=True).stdout


def named(listing: str, subject: str, addresses: dict[str, str]) -> list[str]:
    """The lock from an installer's listing: what came from a tree of the first stage is named by its repository and commit."""
    lines = []
    for line in listing.splitlines():
        for path, address in addresses.items():
            if re.search(rf"{re.escape(path)}(?![\w.-])", line):
                line = f"{line.partition(' @ ')[0] if ' @ ' in line else subject} @ {address}"
        if line and not line.startswith("#"):
            lines.append(line)
    return lines


def clean(keep: set[str]) -> list[str]:
    """Take away the images of all cells but those named, as far as an engine answers; returns the ids of the cells."""
    gone = []
    for folder in sorted((layout.home() / "containers").glob("*")):
        if folder.name not in keep:
            if name := _image_in(folder / "cell.json"):
                container.take_away(name)
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(f"{folder.name} (image)")
    return gone


def _image_in(state: Path) -> str:
    try:
        return Provisioned.model_validate_json(state.read_text(encoding="utf-8")).env
    except (OSError, ValueError):
        return ""


def _standing(state: Path, digest: str) -> Provisioned | None:
    try:
        found = Provisioned.model_validate_json(state.read_text(encoding="utf-8"))
        container.image_id(found.env)
    except Exception:  # it was never built, or the engine has lost the image
        return None
    return found if found.inputs == digest else None
