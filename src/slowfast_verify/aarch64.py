"""The aarch64 system of a cell that runs under qemu-user: Debian's arm64 packages, fetched and checked by apt, unpacked, not installed.

Data: matrices/aarch64.toml. Called by ground; runs on the host; starts apt-get (with a configuration, lists and a cache of its own: the
host's packages are neither read nor changed) and dpkg-deb. Nothing of what is unpacked is started here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

from . import layout
from .atomic import write_text
from .data import Row, load
from .errors import Infrastructure, NotVerifiable

FETCH_SECONDS = 900.0
NEEDED = ("lib/ld-linux-aarch64.so.1", "lib/aarch64-linux-gnu/libc.so.6", "usr/bin/python{python}")


class Debian(Row):
    """Which Debian, from where, who signs it; python is the one that it has; megabytes: of the download.

    mirror, security: addresses of archives; empty for what this machine's own apt is configured with.
    """

    suite: str
    mirror: str
    security: str
    keyring: str
    python: str
    megabytes: int


class Package(Row):
    """A package of it, and why; what it depends on comes along, unless it is wanted alone."""

    name: str
    alone: bool = False
    reason: str


class System(Row):
    """matrices/aarch64.toml."""

    debian: Debian
    package: list[Package]


@cache
def system() -> System:
    """What the system is made of, with the archives that this machine's apt fetches from where the data names none."""
    found = load(layout.matrices() / "aarch64.toml", System)
    named = {"mirror": found.debian.mirror or archive("debian"), "security": found.debian.security or archive("debian-security")}
    return found.model_copy(update={"debian": found.debian.model_copy(update=named)})


def archive(name: str, etc: Path = Path("/etc/apt")) -> str:
    """The address of an archive (`debian`, `debian-security`) in apt's sources, of either form; empty where none is named."""
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            text = re.sub(r"(?m)^\s*#.*$", "", path.read_text(encoding="utf-8", errors="replace"))
            found = re.search(rf"\b\w+:/\S*/{re.escape(name)}(?=/?\s)", text + "\n")
            if found:
                return found[0]
    return ""


def stand(version: str) -> Path:
    """The folder of the system with Python `3.11`, unpacked once and kept in the cache. Its file `version` says which patch release it is.

    Raises NotVerifiable where Debian has no such Python or apt is missing, Infrastructure where the mirror does not answer.
    """
    offer(version)
    folder = root_of(version)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=FETCH_SECONDS):
        if not kept(version):
            require()
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                packages = fetch(Path(scratch))
                fresh = Path(scratch) / "root"
                unpack(packages, fresh)
                write_text(fresh / "version", _exact(packages, version))
                shutil.rmtree(folder, ignore_errors=True)
                fresh.rename(folder)
    return folder


def offer(version: str) -> None:
    """Raise NotVerifiable for a Python that this Debian has not."""
    if version != system().debian.python:
        raise NotVerifiable(
            f"no aarch64 Python {version}", where="matrices/aarch64.toml",
            cause=f"Debian {system().debian.suite} has {system().debian.python} and no other",
            next=f"take a cell with Python {system().debian.python}: slowfast-verify cells 'linux-aarch64-*'",
        )  # fmt: skip


def root_of(version: str) -> Path:
    """Where the system lies, or would; named after what it is made of, so that another list makes another one."""
    parts = [system().debian.suite, version, *(row.name for row in system().package)]
    return layout.home() / "aarch64" / f"{parts[0]}-py{version}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:8]}"


def kept(version: str) -> bool:
    """Whether it was unpacked before, to the end."""
    return (root_of(version) / "version").exists()


def exact_version(folder: Path) -> str:
    """`3.11.2` of a folder that `stand` made."""
    return (folder / "version").read_text(encoding="utf-8").strip()


def place(source: Path, env: Path) -> None:
    """Put the system into an environment's folder, by hard links where that goes."""

    def linked(old: str, new: str) -> None:
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError:
            shutil.copy2(old, new)

    shutil.copytree(source, env, symlinks=True, copy_function=linked)


def restore(env: Path) -> None:
    """Put back what an environment has lost of its system, which is no part of what is under test; raises as `check` does."""
    try:
        check(env)
    except Infrastructure:
        source = root_of(system().debian.python)
        for name in NEEDED:
            part = env / name.format(python=system().debian.python)
            whole = source / part.relative_to(env)
            if whole.exists() and not (part.exists() and part.stat().st_size):
                part.unlink(missing_ok=True)
                shutil.copy2(whole, part)  # what a link leads to: the link's own target may be what was lost
        check(env)


def check(root: Path) -> None:
    """Raise Infrastructure where an unpacked system has lost what nothing starts without: that is no fault of what is installed in it."""
    needed = [name.format(python=system().debian.python) for name in NEEDED]
    lost = [name for name in needed if not (root / name).exists() or not (root / name).stat().st_size]
    if lost:
        raise Infrastructure("the aarch64 system is damaged", where=f"{root}: {', '.join(lost)} is missing or empty",
                             cause="the disk was full, or somebody cleaned up", next=f"rm -r {root.parent}, and run again")  # fmt: skip


def require() -> None:
    """Raise NotVerifiable where something is missing that the unpacking needs, with the line that installs it."""
    lost = [name for name in ("apt-get", "dpkg-deb") if not shutil.which(name)]
    if lost:
        raise NotVerifiable(
            f"no aarch64 system: {', '.join(lost)} is not installed", where="PATH", cause="Debian's arm64 packages are fetched by apt",
            next="run it on Debian or Ubuntu, or hand in a system of your own: --target qemu:ROOT",
        )  # fmt: skip
    if not system().debian.mirror:
        raise NotVerifiable(
            "no aarch64 system: this machine's apt names no archive of Debian", where="/etc/apt",
            next="name one in matrices/aarch64.toml (mirror)",
        )  # fmt: skip
    if not Path(system().debian.keyring).exists():
        raise NotVerifiable(
            "no aarch64 system: Debian's keys are not installed", where=system().debian.keyring,
            cause="without them nobody can tell whether the packages are Debian's",
            next="apt-get install --no-install-recommends debian-archive-keyring",
        )  # fmt: skip


def configuration(folder: Path) -> Path:
    """An apt configuration whose lists, cache and record of what is installed (nothing) lie in `folder`; the host's gives the proxy."""
    row = system().debian
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "state" / "status").touch()
    signed = f"[arch=arm64 signed-by={row.keyring}]"
    lines = [f"deb {signed} {row.mirror} {row.suite} main"]
    lines += [f"deb {signed} {row.security} {row.suite}-security main"] if row.security else []
    write_text(folder / "etc" / "sources.list", "\n".join(lines) + "\n")
    settings = {
        "APT::Architecture": "arm64", "APT::Architectures::": "arm64", "APT::Install-Recommends": "false", "APT::Sandbox::User": "",
        "APT::Get::AllowUnauthenticated": "false", "Acquire::AllowInsecureRepositories": "false", "Acquire::Languages": "none",
        "Acquire::Retries": "3", "Dir::State": f"{folder}/state",
        "Dir::State::status": f"{folder}/state/status",
        "Dir::Cache": f"{folder}/cache", "Dir::Etc::sourcelist": f"{folder}/etc/sources.list", "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-", "Dir::Etc::preferencesparts": "-",
    }  # fmt: skip
    path = folder / "apt.conf"
    write_text(path, "#clear APT::Architectures;\n" + "".join(f'{key} "{value}";\n' for key, value in settings.items()))
    return path


def fetch(folder: Path) -> list[Path]:
    """Download the packages and all that they depend on into `folder`; apt checks each against Debian's signature."""
    conf = configuration(folder)
    archives = folder / "cache" / "archives"
    _apt(conf, "update")
    _apt(conf, "install", "--download-only", "--yes", *(row.name for row in system().package if not row.alone))
    if alone := [row.name for row in system().package if row.alone]:
        _apt(conf, "download", *alone, place=archives)
    found = sorted(archives.glob("*.deb"))
    if not found:
        raise Infrastructure("apt fetched no package", where=str(conf))
    return found


def _apt(conf: Path, *arguments: str, place: Path | None = None) -> None:
    env = {**os.environ, "APT_CONFIG": str(conf), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "-o", "Debug::NoLocking=true", "--quiet=2", *arguments]
    try:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False, errors="replace", cwd=place
        )
    except subprocess.TimeoutExpired:
        raise Infrastructure(f"apt-get {arguments[0]} gave no answer within {FETCH_SECONDS:g} s", where=system().debian.mirror) from None
    bad = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W: Failed", "W: GPG error"))]
    if done.returncode or bad:
        raise Infrastructure(
            f"Debian's arm64 packages cannot be fetched (apt-get {arguments[0]})", where=system().debian.mirror,
            cause=(bad or done.stderr.strip().splitlines() or ["apt-get said nothing"])[-1],
            next=f"look at the network and at apt's proxy: curl -I {system().debian.mirror}/dists/{system().debian.suite}/InRelease",
        )  # fmt: skip


def unpack(packages: list[Path], root: Path) -> None:
    """Lay the files of packages into a folder; no script of theirs is run."""
    root.mkdir(parents=True)
    for package in packages:
        done = subprocess.run(["dpkg-deb", "-x", str(package), str(root)], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise Infrastructure(f"{package.name} cannot be unpacked", where=str(root), cause=done.stderr.strip()[-300:])
    check(root)


def _exact(packages: list[Path], version: str) -> str:
    """`3.11.2` out of python3.11-minimal_3.11.2-6+deb12u6_arm64.deb."""
    for package in packages:
        if package.name.startswith(f"python{version}-minimal_"):
            return package.name.split("_")[1].partition("-")[0]
    raise Infrastructure(f"python{version}-minimal is not among the packages", where=str(packages[0].parent))
