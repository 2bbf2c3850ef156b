"""Builds a cell as a container's image, from docker/Dockerfile, through the docker SDK. Runs on the host; only climb calls it.

The same stack, subject and pins as an environment of the cache, but installed by pip inside the image. What pip is configured with on this
machine goes into the first stage only. An image counts once its `cell.json` says so; layers that did not change are the engine's own cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from . import container, engine, installer, layout, sources
from .atomic import write_text
from .cell import Cell
from .errors import NotVerifiable
from .knowledge import Failure, diagnose
from .matrix import Matrix, Stack, Wheels
from .provision import InstallFailed
from .record import Provisioned
from .subject import Subject, actions_of

PYTHON = "/opt/slowfast/bin/python"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")  # the engine keeps these out of the history
#: What of pip's configuration means the same inside: addresses, not folders of this machine.
CARRIED = ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "timeout", "default-timeout", "retries", "no-index")
Say = Callable[[str], None]


def build(cell: Cell, matrix: Matrix, base: str = "", say: Say = print) -> Path:
    """Build the cell's image if need be; returns the file that describes it (record.Provisioned).

    Raises NotVerifiable (no engine, no base, a cell that no image is made for), Infrastructure or provision.InstallFailed.
    """
    stack, subject = matrix.stack_of(cell), matrix.subjects[cell.subject]
    revision = subject.at(cell.revision)
    _refuse(cell, subject, stack)
    client = engine.client()
    base = engine.base_image(base) if base else _base(cell, say)
    folder = layout.home() / "containers" / cell.id
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    state = folder / "cell.json"
    with FileLock(folder / "lock", timeout=3600), tempfile.TemporaryDirectory(prefix="image-") as scratch:
        context = Path(scratch)
        arguments = lay_context(context, cell, stack, subject, revision.version or "")
        arguments |= {"BASE": base, "PACKAGES": " ".join(row.name for row in container.rules().package)}
        digest = digest_of(context, {**arguments, "base": container.image_id(base)})
        if found := _standing(state, digest):
            say(f"the image stands ({found.created}), nothing to build")
            return state
        before = _image_in(state)
        state.unlink(missing_ok=True)
        begun = time.monotonic()
        _require_python(base, cell)
        image = run_build(client, context, arguments, folder / "logs" / "build.log", say, tag_of(cell))
        variables = {key: value for _, action in actions_of(revision, stack.workarounds) if cell.matches(action.when)
                     for key, value in action.env.items()}  # fmt: skip
        found = Provisioned(
            cell=cell.id, inputs=digest, runner="docker", python=PYTHON, env=image, checkout=None, opts={},
            variables={**subject.env, **variables},
            workarounds=list(dict.fromkeys(name for name, _ in actions_of(revision, stack.workarounds))), lock=_lock(image),
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
    """Raise NotVerifiable for a cell that the Dockerfile cannot make; each says what would."""
    if cell.os != "linux" or cell.arch != "x86_64" or cell.installer != "pip":
        raise NotVerifiable(f"no image is made for {cell.id}", cause="an image is Linux on x86_64, and pip installs in it",
                            next="slowfast-verify cells 'linux-py*-pip-*'")  # fmt: skip
    revision = subject.at(cell.revision)
    local = [name for name, action in actions_of(revision, stack.workarounds)
             if cell.matches(action.when) and (action.file or action.run or action.remove or action.uninstall)]  # fmt: skip
    if subject.source.git or local or any("git+" in word for _, action in actions_of(revision, []) for word in action.install):
        raise NotVerifiable(
            f"no image is made for {cell.subject}@{cell.revision}",
            cause="it needs a repository, and only what an index has is installed in an image",
            next="slowfast-verify cells 'linux-py*-pip-pytorchvideo@0.1.5'",
        )  # fmt: skip


def lay_context(context: Path, cell: Cell, stack: Stack, subject: Subject, version: str) -> dict[str, str]:
    """Write what the engine is sent: the Dockerfile, pip's configuration, the pins, a file per step. Returns the build arguments."""
    wheels = stack.wheels_of(cell)
    assert wheels  # the matrix refuses a cell without
    shutil.copy2(layout.docker() / "Dockerfile", context)
    lay_trust(context / "trust")
    steps = context / "install" / "steps"
    steps.mkdir(parents=True)
    trio = {"torch": stack.torch.version + wheels.local, "torchvision": stack.torch.torchvision + wheels.local}
    pins = [f"{name}=={number}{wheels.also if name == 'torch' else ''}" for name, number in trio.items()]
    pins += [f"{pin.name}{pin.spec}" for pin in stack.pin if cell.matches(pin.when)]
    write_text(context / "install" / "constraints.txt", "\n".join(pins) + "\n")
    for number, phase in enumerate(subject.phase, 1):
        if phase.install and cell.matches(phase.when):
            words = [word.replace("{version}", version) for word in phase.install]
            write_text(steps / f"{number}-{phase.name}.txt", shlex.join(words) + "\n")
    every = actions_of(subject.at(cell.revision), stack.workarounds)
    actions = [action for _, action in every if action.install and cell.matches(action.when)]
    write_text(steps / "9-workarounds.txt", "".join(shlex.join(action.install) + "\n" for action in actions))
    return {"PYTHON": f"python{cell.python}", "TORCH": trio["torch"], "TORCHVISION": trio["torchvision"], "TORCH_FROM": _where(wheels)}


def _where(wheels: Wheels) -> str:
    index = ["--index-url", wheels.index] if wheels.index != "default" else []
    return shlex.join([*index, *(["--find-links", wheels.find_links] if wheels.find_links else [])])


def lay_trust(folder: Path) -> None:
    """pip's configuration of this machine as far as it holds in a container, and the certificates that it names."""
    folder.mkdir(parents=True)
    settings = installer.pip_settings()
    lines = ["[global]"]
    for key in CARRIED:
        words = [word for word in settings.get(key, "").split() if "://" not in word or not word.startswith("file:")]
        words = [word for word in words if not word.startswith(("/", "~", "."))]
        if words:
            lines.append(f"{key.replace('default-timeout', 'timeout')} = {' '.join(words)}")
    bundle = Path(settings.get("cert", "") or "nowhere")
    if bundle.is_file():
        shutil.copyfile(bundle, folder / "ca.pem")
        lines.append("cert = /trust/ca.pem")
    write_text(folder / "pip.conf", "\n".join(dict.fromkeys(lines)) + "\n")


def digest_of(context: Path, arguments: dict[str, str]) -> str:
    """A digest over everything that decides what comes out; how pip reaches its index does not."""
    parts = [f"{key}={value}" for key, value in sorted(arguments.items())]
    for path in sorted(context.rglob("*")):
        if path.is_file() and "trust" not in path.relative_to(context).parts:
            parts.append(f"{path.relative_to(context).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def tag_of(cell: Cell) -> str:
    """What the image of a cell is called: without a name the engine's `image prune` would take it."""
    return f"slowfast-verify:{cell.id.replace('@', '-')}"


def run_build(client: object, context: Path, arguments: dict[str, str], log: Path, say: Say, tag: str | None = None) -> str:
    """Have the engine build the context; its words go to `log`. Returns the image's id; raises as `build` does."""
    proxies = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
    for path in [context, *context.rglob("*")]:
        os.utime(path, (0, 0))  # the engine's cache looks at contents, and old ones at times as well
    image, text, begun, step = "", "", time.monotonic(), ""
    with log.open("w", encoding="utf-8") as stream:
        for event in client.api.build(path=str(context), buildargs={**arguments, **proxies}, rm=True, forcerm=True, decode=True, tag=tag):  # type: ignore[attr-defined]
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


def _lock(image: str) -> list[str]:
    target = container.of_cell(image, PYTHON)
    done = subprocess.run([*target.argv, "-m", "pip", "freeze", "--all"], capture_output=True, text=True, timeout=300, check=True)
    return [line for line in done.stdout.splitlines() if line and not line.startswith("#")]


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
