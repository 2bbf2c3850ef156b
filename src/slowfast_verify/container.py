"""Containers as targets: one that is started from an image for a run and taken away afterwards, or one that somebody else runs.

Runs on the host. Called by consultation, verdict and ground. Starts and removes containers through the docker SDK; code is then put to
them as to any target, by an argv (`docker exec -i ID python3`). Data: matrices/containers.toml. Installs nothing and builds nothing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from typing import Any

from . import engine, layout
from .data import Row, load
from .errors import Infrastructure, NotVerifiable, Problem
from .target import Target

LABEL = "slowfast-verify.of"  # on every container of ours: the machine and the process that it belongs to


class SystemPackage(Row):
    """A Debian package that wheels take something from, and why."""

    name: str
    reason: str


class Starter(Row):
    """The commands that start an engine of ours and make its base image, and Debian's packages that bring them."""

    commands: list[str]
    debian: list[str]


class MadeHere(Row):
    """The Debian release that has a Python, for a base image that cannot be pulled."""

    python: str
    suite: str


class Containers(Row):
    """matrices/containers.toml. base: the image that a cell's is made from; shm: size of /dev/shm; keep_seconds: the longest life."""

    base: str
    starter: Starter
    made_here: list[MadeHere]
    shm: str
    shm_reason: str
    keep_seconds: int
    package: list[SystemPackage]


@cache
def rules() -> Containers:
    """How containers are made and started."""
    return load(layout.matrices() / "containers.toml", Containers)


def stand(target: Target) -> Target:
    """The target with its container: an image's is started here and goes when this process ends; any other target is as it was.

    Raises Problem for an image that there is not, NotVerifiable without an engine, Infrastructure where the engine cannot start it.
    """
    if target.kind == "container":
        return replace(target, made_of=_image_of(target.argv[-2]))
    if target.kind != "docker":
        return target
    image = target.argv[-2]
    found = start(image, gpus=True)
    return replace(target, argv=("docker", "exec", "-i", found, target.argv[-1]), shown=target.name, made_of=image_id(image))


def of_cell(image: str, python: str) -> Target:
    """The target that is a cell's image, in a container that lives as long as this process. A cpu cell gets no GPU."""
    found = start(image, gpus=False)
    shown = f"docker run --rm -i {image} {python}"
    return Target(argv=("docker", "exec", "-i", found, python), kind="docker", shown=shown, made_of=image_id(image))


def start(image: str, *, gpus: bool) -> str:
    """Start a container that does nothing, and have it removed when this process ends; returns its id."""
    import docker

    client = engine.client()
    sweep(client)
    name = image_id(image)
    options: dict[str, Any] = {
        "entrypoint": ["sleep", str(rules().keep_seconds)], "command": [], "detach": True, "auto_remove": True, "init": True,
        "shm_size": rules().shm, "labels": {LABEL: f"{_machine()}:{os.getpid()}"},
    }  # fmt: skip
    wanted = [docker.types.DeviceRequest(count=-1, capabilities=[["gpu"]])] if gpus and host_has_gpus() else []
    try:
        made = client.containers.run(name, device_requests=wanted, **options)
    except docker.errors.APIError as error:
        if wanted and "device driver" in str(error):
            raise NotVerifiable(
                "the container cannot be given the GPUs of this machine", where=engine.plain(error),
                cause="the NVIDIA Container Toolkit is not installed, or the engine was not restarted since",
                next="nvidia-ctk runtime configure --runtime=docker, then restart the engine",
            ) from None  # fmt: skip
        raise Infrastructure(
            f"no container of {image} can be started", where=engine.plain(error),
            cause="the image has no `sleep`, or the engine is in trouble",
            next=f"docker run --rm {image} true",
        ) from None  # fmt: skip
    atexit.register(_remove, made, os.getpid())
    return str(made.short_id)


def image_id(image: str) -> str:
    """The full id of an image that the engine has. Raises Problem, helpful where the name is a container's."""
    import docker

    client = engine.client()
    try:
        return str(client.images.get(image).id)
    except docker.errors.ImageNotFound:
        pass
    except docker.errors.APIError as error:
        raise Problem(f"{image!r} is no name of an image", where=engine.plain(error), next="docker images") from None
    try:
        running = client.containers.get(image).name
    except docker.errors.APIError:
        raise Problem(
            f"the engine has no image {image!r}", where=os.environ.get("DOCKER_HOST", ""),
            cause="it was not pulled or built, or its name is misspelt",
            next=f"docker pull {image}   (docker images lists what is there)",
        ) from None  # fmt: skip
    raise Problem(
        f"{image!r} is a container, not an image", where=f"docker:{image}",
        cause="docker:IMAGE starts a container of its own and takes it away afterwards; container:ID is one that runs",
        next=f"--target container:{running}",
    )  # fmt: skip


def _image_of(name: str) -> str:
    """The id of the image that a running container was made from; empty where nobody says: the examination itself finds out why."""
    import docker

    try:
        return str(engine.client().containers.get(name).image.id)
    except (NotVerifiable, docker.errors.DockerException):
        return ""


def take_away(image: str) -> None:
    """Remove an image that nobody needs any more; one that is in use, or gone, stays as it is. What of it other builds share stays too."""
    import docker

    try:
        engine.client().images.remove(image)
    except (NotVerifiable, docker.errors.DockerException, OSError):
        return


def sweep(client: Any) -> list[str]:
    """Take away containers of ours whose process was killed before it could; returns their ids. Those of other machines are left alone."""
    gone = []
    for found in client.containers.list(filters={"label": LABEL}):
        machine, _, process = str(found.labels.get(LABEL, "")).rpartition(":")
        if machine == _machine() and process.isdigit() and not engine.alive(int(process)):
            _remove(found, os.getpid())
            gone.append(str(found.short_id))
    return gone


@cache
def host_has_gpus() -> bool:
    """Whether NVIDIA's driver answers here."""
    if not shutil.which("nvidia-smi"):
        return False
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=30, check=False).stdout.startswith(b"GPU ")
    except (OSError, subprocess.TimeoutExpired):
        return False


def _machine() -> str:
    import platform

    return platform.node() or "here"


def _remove(found: Any, process: int) -> None:
    import docker

    if os.getpid() != process:
        return  # a fork of the process that started it
    try:
        found.remove(force=True)
    except (docker.errors.DockerException, OSError):
        return  # it is gone already, or its engine is
