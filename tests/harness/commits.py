"""A git repository of a test's own, and the record of what is seen at one of its commits."""

from __future__ import annotations

import subprocess
from pathlib import Path

from slowfast_verify.record import CheckResult, FailureDetail, Outcome, Record


def git(folder: Path, *arguments: str) -> str:
    """What git says; nothing of the settings of whoever runs the tests gets in."""
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def begin(folder: Path) -> None:
    """An empty repository on branch main, which serves any commit, whole or in part, as the big hosts do."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")


def commit(folder: Path, files: dict[str, str], subject: str) -> str:
    """Write these files and commit them; the commit's digits."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


def record(**outcomes: Outcome) -> Record:
    """A record with one check at each rung that is named."""
    checks = [
        CheckResult(id=f"{rung}::stub", rung=rung, outcome=outcome, knowledge="stub" if outcome.startswith("failed") else None,
                    failure=FailureDetail(how="raised", type="Stub", message=f"{rung} fell") if outcome.startswith("failed") else None)
        for rung, outcome in outcomes.items()
    ]  # fmt: skip
    return Record(cell="stub", run="2026-01-01", suite="0", target={}, checks=checks)
