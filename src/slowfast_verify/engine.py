"""Finds a container engine that runs, or starts one where it is told to; makes a base image where none can be pulled. Runs on the host.

Called by container.py. The engine is reached through the docker SDK; where its address is not the usual one, DOCKER_HOST carries it to
the `docker` command as well. Starting one is asked for by SLOWFAST_VERIFY_ENGINE=start: a dockerd with a data root, a socket and a pid
file of its own below the suite's cache, ended when the last process that uses it ends. A person's own engine is never touched.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from . import layout
from .errors import Infrastructure, NotVerifiable

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[attr-defined, unused-ignore]

START_VARIABLE = "SLOWFAST_VERIFY_ENGINE"
START_SECONDS = 60.0
BASE_SECONDS = 900.0
_launched: list[subprocess.Popen[bytes]] = []  # ours to bury when they have ended
DEBIAN_PACKAGES = "python3,python3-venv,ca-certificates"
MADE_HERE = "debootstrap:"  # as the name of a base image: made on this machine, pulled from nowhere


@cache
def client() -> DockerClient:
    """A client of the engine that runs here. Raises NotVerifiable with the reason where none does and none is to be started."""
    try:
        import docker  # here and not on top: only what runs in containers needs it
    except ImportError:
        raise NotVerifiable("no container engine: the package `docker` is not installed", next="pip install docker") from None
    told = []
    for address in _addresses():
        if said := _refusal(address):
            told.append(f"{address}: {said}")
            continue
        if address == f"unix://{folder() / 'docker.sock'}":
            _join()  # a parent of this process started it: it must not end before we do
        os.environ["DOCKER_HOST"] = address  # the `docker` command of this process's children asks the same engine
        return docker.DockerClient(base_url=address, timeout=600)
    if os.environ.get(START_VARIABLE) == "start":
        address = start()
        os.environ["DOCKER_HOST"] = address
        return docker.DockerClient(base_url=address, timeout=600)
    raise NotVerifiable(
        "no container engine answers", where="; ".join(told), cause="none is installed, none is running, or this user may not use it",
        next=f"start it (systemctl start docker), or as root let the suite start one: {START_VARIABLE}=start",
    )  # fmt: skip


def _addresses() -> list[str]:
    """Where an engine may listen: what DOCKER_HOST says, the docker command's context, the usual socket."""
    if os.environ.get("DOCKER_HOST"):
        return [os.environ["DOCKER_HOST"]]
    found = []
    try:
        from docker.context import ContextAPI

        context = ContextAPI.get_current_context()
        found += [str(context.Host)] if context and context.Host else []
    except Exception:  # a damaged configuration of the docker command is no reason to look no further
        pass
    found += ["npipe:////./pipe/docker_engine"] if os.name == "nt" else ["unix:///var/run/docker.sock"]
    return list(dict.fromkeys(address.replace("http+unix://", "unix://") for address in found))


def folder() -> Path:
    """Where an engine of ours keeps everything: images survive a run, so that the next one is quick."""
    return layout.home() / "engine"


def missing(commands: list[str]) -> list[str]:
    """Those of the commands that are not on PATH."""
    return [name for name in commands if not shutil.which(name)]


def start() -> str:
    """Start a dockerd of our own, or join the one that another process of ours started; returns its address."""
    lost = missing(["dockerd", "containerd", "docker"])
    if os.name != "posix" or lost:
        raise NotVerifiable(f"no container engine can be started: {', '.join(lost) or 'only on Linux'} is not installed", where="PATH",
                            next="apt-get install --no-install-recommends docker.io debootstrap   (Debian, Ubuntu)")  # fmt: skip
    if os.geteuid() != 0:
        raise NotVerifiable("no container engine can be started: dockerd needs root", next="start the system's own: systemctl start docker")
    place = folder()
    for name in ("users", "run"):
        (place / name).mkdir(parents=True, exist_ok=True)
    address = f"unix://{place / 'docker.sock'}"
    with FileLock(place / "lock", timeout=START_SECONDS * 2):
        _join()
        if _refusal(address):
            _launch(place, address)
    return address


def _launch(place: Path, address: str) -> None:
    (place / "dockerd.pid").unlink(missing_ok=True)
    log = place / "dockerd.log"
    argv = ["dockerd", "--data-root", str(place / "data"), "--exec-root", str(place / "run"), "--pidfile", str(place / "dockerd.pid"),
            "--host", address]  # fmt: skip
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if not _refusal(address):
            _launched.append(process)
            return
        time.sleep(0.1)
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=30)
    said = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "level=error" in line or "failed" in line]
    raise NotVerifiable(
        "no container engine can be started: dockerd ended" + ("" if said else " without a word"), where=str(log),
        cause=(said or ["a kernel without overlay file systems, control groups or bridges"])[-1][-300:],
        next="run it on a machine whose kernel lets containers run",
    )  # fmt: skip


def _refusal(address: str) -> str:
    """What is said where no engine answers; empty where one does."""
    import docker

    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:  # the SDK leaves one open that leads nowhere
            door.settimeout(10)
            try:
                door.connect(address.removeprefix("unix://"))
            except OSError as error:
                return error.strerror or str(error)
    asked = docker.APIClient(base_url=address, version="1.40", timeout=10)  # with a version it asks nothing before `ping`
    try:
        return "" if asked.ping() else "it does not answer a ping"
    except (docker.errors.DockerException, OSError) as error:
        return plain(error)
    finally:
        asked.close()


def _join() -> None:
    """Say that this process uses our engine; the last one to leave ends it."""
    mine = folder() / "users" / str(os.getpid())
    if not mine.exists():
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.touch()
        atexit.register(_leave, os.getpid())


def _leave(process: int) -> None:
    if os.getpid() != process:
        return  # a fork of the process that joined
    place = folder()
    with FileLock(place / "lock", timeout=START_SECONDS):
        for mark in (place / "users").glob("*"):
            if mark.name == str(process) or not alive(int(mark.name)):
                mark.unlink(missing_ok=True)
        if not list((place / "users").glob("*")):
            stop()


def stop() -> None:
    """End the engine that we started, by the id in its pid file; its images stay."""
    pid_file = folder() / "dockerd.pid"
    try:
        process = int(pid_file.read_text(encoding="ascii"))
        if Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip() != "dockerd":
            return  # the id belongs to somebody else by now
        os.kill(process, 15)
    except (OSError, ValueError):
        return  # it is not there
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and Path(f"/proc/{process}").exists() and not _is_zombie(process):
        time.sleep(0.1)
    for started in _launched:
        with suppress(subprocess.TimeoutExpired):
            started.wait(timeout=10)
    _launched.clear()


def _is_zombie(process: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return True


def alive(process: int) -> bool:
    """Whether a process of that id runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# ---- a base image ----------------------------------------------------------------------------------------------------------


def base_image(name: str) -> str:
    """The base image of that name, present in the engine: as it is, pulled, or for `debootstrap:bookworm` made on this machine.

    Raises NotVerifiable where it can be neither had nor made.
    """
    import docker

    engine = client()
    made_here = name.startswith(MADE_HERE)
    tag = f"slowfast-verify-base:{name.removeprefix(MADE_HERE)}" if made_here else name
    try:
        engine.images.get(tag)
        return tag
    except docker.errors.ImageNotFound:
        pass
    if made_here:
        archive = debian_archive(name.removeprefix(MADE_HERE))
        said = engine.api.import_image(str(archive), repository="slowfast-verify-base", tag=tag.partition(":")[2])
        if "error" in str(said):
            raise Infrastructure("the engine does not take the base image", where=str(archive), cause=str(said)[-300:])
        return tag
    try:
        engine.images.pull(*_name_and_tag(name))
    except docker.errors.APIError as error:
        raise NotVerifiable(
            f"the base image {name} cannot be pulled", where=plain(error),
            cause="its name is misspelt, or the registry is not reachable from here",
            next=f"docker pull {name}   (on Debian without a registry: {MADE_HERE}bookworm)",
        ) from None  # fmt: skip
    return name


def debian_archive(suite: str) -> Path:
    """A small Debian with its Python as a tar file, made by debootstrap once and kept in the cache: about 90 s and 200 MB."""
    archive = layout.home() / "engine" / f"{suite}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(archive.with_suffix(".lock"), timeout=BASE_SECONDS):
        if archive.exists():
            return archive
        if not shutil.which("debootstrap") or os.geteuid() != 0:
            raise NotVerifiable("no base image can be made: debootstrap and root are needed", where="PATH",
                                next="apt-get install --no-install-recommends debootstrap, and run as root")  # fmt: skip
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            root = Path(scratch) / "root"
            argv = ["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", suite, str(root)]
            _told(argv, suite)
            shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
            fresh = archive.with_suffix(".part")
            _told(["tar", "--create", "--numeric-owner", "--one-file-system", "--file", str(fresh), "--directory", str(root), "."], suite)
            fresh.rename(archive)
    return archive


def _told(argv: list[str], suite: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=BASE_SECONDS, check=False, errors="replace")
    except subprocess.TimeoutExpired:
        raise Infrastructure(f"{argv[0]} gave no answer within {BASE_SECONDS:g} s", where=suite) from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"{argv[0]} said nothing").splitlines()
        raise Infrastructure(f"no base image of {suite} could be made", where=" ".join(argv[:3]), cause=said[-1][:300],
                             next="look at the network: debootstrap fetches from Debian's mirror")  # fmt: skip


def _name_and_tag(name: str) -> tuple[str, str | None]:
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def plain(error: Any) -> str:
    """One line of an error of the SDK, which wraps the system's in two layers of its own."""
    return str(getattr(error, "explanation", None) or error).replace("Error while fetching server API version: ", "")[:300]
