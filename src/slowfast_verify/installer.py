"""The installers, uv and pip: how each makes an environment, installs, and says what came out. Runs on the host.

Arguments are written as pip spells them; uv understands the ones that the data uses. What pip is configured with is handed on to
uv, which reads none of it: behind a mirror people have configured pip alone.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .errors import Problem
from .foreign import foreign

#: pip's setting -> uv's variable. uv separates several values by spaces, in UV_FIND_LINKS by commas; no-index it takes as a flag only.
UV_VARIABLE = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
INSTALLERS = ("uv", "pip")


@cache
def pip_settings() -> dict[str, str]:
    """What pip on this machine is configured with: files first, PIP_* over them, as pip itself reports it."""
    listing = ""
    for command in ([sys.executable, "-m", "pip"], [getattr(sys, "_base_executable", sys.executable), "-m", "pip"], ["pip"]):
        if command != ["pip"] or shutil.which("pip"):  # an environment that uv or virtualenv made has no pip of its own
            done = subprocess.run([*command, "config", "list"], capture_output=True, text=True, timeout=60, check=False)
            if done.returncode == 0:
                listing = done.stdout
                break
    settings: dict[str, str] = {}
    for wanted_env in (False, True):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            section, _, key = name.rpartition(".")
            if not key or (section == ":env:") != wanted_env or section not in (":env:", "global", "install"):
                continue
            try:
                settings[key] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                settings[key] = value
    return settings


def uv_environment(settings: dict[str, str] | None = None) -> dict[str, str]:
    """The variables that give uv what pip is configured with; one that the person has set for uv itself stays."""
    out = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "UV_NO_CONFIG": "1"}
    for key, value in (pip_settings() if settings is None else settings).items():
        variable = UV_VARIABLE.get(key)
        if variable and variable not in os.environ:
            out[variable] = ",".join(value.split()) if variable == "UV_FIND_LINKS" else " ".join(value.split())
    if "UV_INDEX" in out and "UV_INDEX_STRATEGY" not in os.environ:
        out["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes the best version of all its indexes; uv would stop at the first
    return {key: value for key, value in out.items() if key not in os.environ or key.startswith("UV_NO") or key == "UV_PYTHON_DOWNLOADS"}


@cache
def uv() -> str:
    """The uv that was installed with the suite."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise Problem(
            "uv is not installed beside the suite",
            where=sys.executable,
            next=f"{sys.executable} -m pip install uv",
            code=3,
        ) from None


def uv_command(environ: Mapping[str, str] | None = None) -> str:
    """`uv` where a person can type it, else the path of the one that was installed with this suite; empty where there is neither."""
    if shutil.which("uv", path=(os.environ if environ is None else environ).get("PATH")):
        return "uv"
    try:
        return uv()
    except Problem:
        return ""


def sys_python() -> str:
    """The Python that the suite itself was installed for."""
    return getattr(sys, "_base_executable", None) or sys.executable


def environment(installer: str) -> dict[str, str]:
    """The variables for a command of this installer, without those that steer Python."""
    from .target import STEERING

    base = {key: value for key, value in os.environ.items() if key not in STEERING and not key.startswith("NOX_")}
    base |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**base, **uv_environment()} if installer == "uv" else base


def make(installer: str, python: Path, env: Path) -> list[list[str]]:
    """The commands that make an empty environment."""
    if installer == "uv":
        return [[uv(), "venv", "--quiet", "--python", str(python), "--no-python-downloads", str(env)]]
    return [[str(python), "-m", "venv", str(env)]]


def _no_index(installer: str) -> list[str]:
    if installer == "uv" and pip_settings().get("no-index", "").lower() in ("1", "on", "t", "true", "y", "yes"):
        return ["--no-index"]
    return []


def install(installer: str, python: Path, arguments: list[str], constraints: Path | None = None) -> list[str]:
    """The command that installs; arguments in pip's spelling."""
    limits = ["--constraint", str(constraints)] if constraints else []
    if other := foreign(python):
        where = ["--python-platform", other.platform, "--python-version", other.version, "--target", str(other.site)]
        return [uv(), "pip", "install", "--python", str(other.builder), *where, *_no_index("uv"), *limits, *arguments]
    if installer == "uv":
        return [uv(), "pip", "install", "--python", str(python), *_no_index(installer), *limits, *arguments]
    return [str(python), "-m", "pip", "install", "--no-input", *limits, *arguments]


def resolver(platform: str, version: str, *arguments: str) -> list[str]:
    """The command that says what would be installed for another platform (as uv names it) and Python; it installs nothing."""
    where = ["--python", sys.executable, "--python-platform", platform, "--python-version", version]
    return [uv(), "pip", "compile", "--quiet", "--no-header", *where, *arguments]


def unpack(python: Path, requirement: str, folder: Path) -> list[str]:
    """The command that puts what a distribution holds for the system of this interpreter into a folder, and nothing that it requires."""
    other = foreign(python)
    assert other  # this machine's own has its libraries from its system
    where = ["--python-platform", other.platform, "--python-version", other.version, "--target", str(folder)]
    return [uv(), "pip", "install", "--python", str(other.builder), *where, *_no_index("uv"), "--no-deps", requirement]


@cache
def cache_folder(installer: str) -> str:
    """Where this installer keeps what it fetched."""
    argv = [uv(), "cache", "dir"] if installer == "uv" else [sys.executable, "-m", "pip", "cache", "dir"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment(installer))
    said = done.stdout.strip()
    return said if done.returncode == 0 and said else str(Path.home())  # an environment without pip, a pip without a cache


def holds(version: str, platform: str, arguments: list[str]) -> bool:
    """Whether uv's cache has all that these arguments would install for that Python (and platform, empty: this one)."""
    with tempfile.TemporaryDirectory(prefix="nothing-") as nowhere:
        argv = [uv(), "pip", "install", "--offline", "--dry-run", "--target", nowhere, "--python", sys.executable]
        argv += ["--python-version", version, *(["--python-platform", platform] if platform else []), *_no_index("uv"), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment("uv"))
    return done.returncode == 0 and "Would download" not in done.stderr


def uninstall(installer: str, python: Path, names: list[str]) -> list[str]:
    """The command that takes distributions away."""
    if other := foreign(python):
        return [uv(), "pip", "uninstall", "--target", str(other.site), *names]
    if installer == "uv":
        return [uv(), "pip", "uninstall", "--python", str(python), *names]
    return [str(python), "-m", "pip", "uninstall", "--yes", *names]


def freeze(installer: str, python: Path) -> list[str]:
    """The command that lists what came out, one requirement a line."""
    if other := foreign(python):
        return [uv(), "pip", "freeze", "--path", str(other.site)]
    if installer == "uv":
        return [uv(), "pip", "freeze", "--python", str(python)]
    return [str(python), "-m", "pip", "freeze", "--all"]


def wheel(installer: str, python: Path, source: str, folder: Path) -> list[str]:
    """The command that compiles a source tree against what the environment holds (its torch), into a wheel.

    For another system only sources without compiled parts can be built: by this machine's own Python.
    """
    if other := foreign(python):
        installer, python = "uv", other.builder
    if installer == "uv":
        return [uv(), "build", "--wheel", "--no-build-isolation", "--python", str(python), "--out-dir", str(folder), source]
    return [str(python), "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), source]
