"""One question to uv's resolver, and what its answer means. Runs on the host; installs nothing. Called by resolve.

The answer is uv's pylock (PEP 751), which names the files that fit the platform; what went wrong is read from its message. Of pip's
settings the index, the certificate and the proxy count; extra indexes and find-links do not: the answer is for machines without them.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from . import installer, package_index
from .data import Row
from .request import Asked, declared_version, is_pure, rules
from .resolution import Verdict
from .wheel_tags import highest, lowest, place_of, system_of

SILENT = re.compile(
    r"(?i)error sending request|failed to fetch|request failed after|connection (?:refused|reset|error)|dns error|timed out"
)
PLATFORMS = re.compile(r"hint: Wheels are available for `([\w.-]+)` \(v([^)]+)\) on the following platforms?: (.+?)(?: hint:|$)")
PYTHONS = re.compile(
    r"we only found wheels for `([\w.-]+)` \(v([^)]+)\) with the following Python (?:implementation|ABI) tags?: (.+?)(?: hint:|$)"
)
UNTOLD = re.compile(r"Failed to (?:build|download and build|read metadata|prepare)[^`]*`([^`]+)`")
#: The person's own settings of uv that would make the answer one for this machine alone.
OWN = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_CONFIG", "UV_CONFIG_FILE", "UV_INDEX_STRATEGY", "UV_CONSTRAINT",
       "UV_OVERRIDE", "UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_RESOLUTION", "UV_CACHE_DIR", "UV_NO_CACHE")  # fmt: skip


class Answer(Row):
    """What one question came to; see resolution.Resolution for the words."""

    verdict: Verdict
    reason: str = ""
    versions: dict[str, str] = {}
    sources_only: list[str] = []
    pure_sources: list[str] = []
    declared: list[str] = []
    needs: str = ""
    date: str = ""
    seconds: float = 0.0


@cache
def name() -> str:
    """`uv 0.13.9`."""
    said = subprocess.run([installer.uv(), "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    return " ".join(said.split()[:2])


def resolve(question: Asked, cache_folder: Path, offline: bool = False) -> Answer:
    """Ask. Never raises for what the question's answer may be; an index that does not answer is `not verified`."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slowfast-verify-") as scratch:
        folder = Path(scratch)
        done = _run(question, folder, cache_folder, offline)
        lock = folder / "pylock.toml"
        answer = (
            _resolved(question, tomllib.loads(lock.read_text(encoding="utf-8")))
            if done.returncode == 0 and lock.exists()
            else _failed(question, done.stderr)
        )
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return answer.model_copy(update={"date": date, "seconds": round(time.monotonic() - begun, 2)})


def _run(question: Asked, folder: Path, cache_folder: Path, offline: bool) -> subprocess.CompletedProcess[str]:
    overridden: dict[str, list[str]] = {canonicalize_name(row.name): row.requires for row in rules().declared}
    overridden |= {name: [] for name in question.alone if name not in question.origins}
    indexes = f'[[index]]\nurl = "{package_index.address()}"\ndefault = true\n'
    indexes += f'cache-control = {{ api = "max-age={int(rules().fresh_hours * 3600)}", files = "max-age=365000000, immutable" }}\n'
    metadata = "".join(
        f'[[dependency-metadata]]\nname = "{name}"\nrequires-dist = {list(requires)!r}\n' for name, requires in overridden.items()
    )
    (folder / "uv.toml").write_text(indexes + metadata, encoding="utf-8")
    (folder / "in.txt").write_text("\n".join(question.requirements) + "\n", encoding="utf-8")
    (folder / "limits.txt").write_text("\n".join(question.limits) + "\n", encoding="utf-8")
    arguments = ["--config-file", str(folder / "uv.toml"), "--format", "pylock.toml", "--output-file", str(folder / "pylock.toml"),
                 "--constraint", str(folder / "limits.txt"), "--cache-dir", str(cache_folder)]  # fmt: skip
    if question.index:
        arguments += ["--index", question.index, "--index-strategy", "unsafe-best-match"]
    if question.find_links:
        arguments += ["--find-links", question.find_links]
    argv = installer.resolver(question.platform, question.python, *arguments, *(["--offline"] if offline else []), str(folder / "in.txt"))
    env = {key: value for key, value in installer.environment("uv").items() if key not in OWN}
    env["UV_NO_PROGRESS"] = "1"
    env.pop("MACOSX_DEPLOYMENT_TARGET", None)
    if question.system.startswith("macOS"):
        env["MACOSX_DEPLOYMENT_TARGET"] = question.system.rpartition(" ")[2]
    try:
        return subprocess.run(argv, capture_output=True, text=True, env=env, cwd=folder, timeout=rules().seconds, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"timed out after {rules().seconds:g} s")


def _resolved(question: Asked, lock: dict[str, Any]) -> Answer:
    versions: dict[str, str] = {}
    sources: list[str] = []
    systems: list[str] = []
    for package in lock.get("packages", []):
        distribution = canonicalize_name(package["name"])
        versions[distribution] = package.get("version", "")
        files = [_file(row) for row in package.get("wheels", [])]
        if not files:
            sources.append(distribution)
        else:
            systems.append(lowest(_system(file) for file in files))
    for own, address in question.origins.items():
        versions[own] = declared_version(address)
        sources = [name for name in sources if name != own]
    compiled = sorted({*question.compiled_origins, *(name for name in sources if not is_pure(name))})
    declared = {canonicalize_name(row.name) for row in rules().declared} & set(sources) | {*question.origins, *question.alone}
    return Answer(
        verdict="resolves", versions=dict(sorted(versions.items())), sources_only=compiled,
        pure_sources=sorted(name for name in sources if is_pure(name)), declared=sorted(declared),
        needs=highest(system for system in systems if system),
    )  # fmt: skip


def _file(row: dict[str, Any]) -> str:
    return str(row.get("name") or str(row.get("url") or row.get("path") or "").rpartition("/")[2])


def _system(file: str) -> str:
    return lowest(system_of(tag.platform) for tag in parse_wheel_filename(file.replace("%2B", "+"))[3])


def _failed(question: Asked, said: str) -> Answer:
    text = " ".join(said.split())
    if "network was disabled" in text:
        return Answer(verdict="not verified", reason="not all of its metadata is in the cache, and the network was not asked")
    if SILENT.search(text) and "No solution found" not in text:
        return Answer(verdict="not verified", reason=_silent(said))
    if found := PLATFORMS.search(text):
        return _no_wheel(question, found[1], found[2], re.findall(r"`([^`]+)`", found[3]))
    if found := PYTHONS.search(text):
        tags = ", ".join(re.findall(r"`([^`]+)`", found[3]))
        return Answer(verdict="no wheel", reason=f"{found[1]} {found[2]} has no wheel for Python {question.python}, only for {tags}")
    if "No solution found" in text:
        return Answer(verdict="conflicts", reason=sentence(said))
    if found := UNTOLD.search(text):
        return Answer(verdict="not verified", reason=f"what {found[1]} requires can be told only by building it, which failed here")
    line = next((line.strip() for line in said.splitlines() if line.strip()), "the resolver left without a word")
    return Answer(verdict="not verified", reason=f"the resolver failed: {line[:200]}")


def _silent(said: str) -> str:
    place = re.search(r"https?://([^/\s`)]+)", said)
    return f"the index {place[1]} does not answer" if place else "the index does not answer"


def _no_wheel(question: Asked, distribution: str, version: str, platforms: list[str]) -> Answer:
    here = _place(question.platform)
    systems = [system_of(platform) for platform in platforms if place_of(platform) == here]
    needs = lowest(system for system in systems if system)
    reason = f"{distribution} {version} has no wheel for {question.system}"
    reason += f"; from {needs} on there is one" if needs else f" on {here}, at no version of it"
    return Answer(verdict="no wheel", reason=reason, needs=needs)


def _place(platform: str) -> str | None:
    """The place of uv's name for a platform."""
    if platform.endswith("windows-msvc"):
        return "windows-x86_64"
    if platform.endswith("apple-darwin"):
        return "macos-arm64" if platform.startswith("aarch64") else "macos-x86_64"
    return f"linux-{platform.split('-')[0]}"


def sentence(said: str) -> str:
    """The resolver's reason in one sentence: what asks for what, without the conclusions that lead from one to the next."""
    text = re.sub(r"\s+", " ", re.sub(r"(?m)^\s*hint:.*", "", said))
    text = re.sub(r"^.*?No solution found when resolving dependencies:?\s*(?:cause:|╰─▶)?\s*", "", text)
    text = re.sub(r",? we can conclude that .*?(?=\.? (?:And )?[Bb]ecause |$)", ".", text)
    facts = [fact.strip(" ,.:") for fact in re.split(r"(?:And because|Because|because) ", text) if fact.strip(" ,.:")]
    return "; ".join(dict.fromkeys(facts or [text[:200]]))[:400]
