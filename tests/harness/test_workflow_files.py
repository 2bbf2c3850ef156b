"""What the workflows' files say: by their schema, zizmor and actionlint, and by the rules of this project; nothing of them is executed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from slowfast_verify import fanout
from slowfast_verify.matrix import default

from .expressions import filled, value_of
from .issue_server import REPOSITORY

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, ROOT / "action.yml"]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_five_lines_are_what_the_action_takes(name: str) -> None:
    """The snippet for a fork: valid, five lines, inputs that exist, the same checkout as our own workflows."""
    (snippet,) = re.findall(r"```yaml\n(steps:.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    first, second = yaml.safe_load(snippet)["steps"]
    assert len(snippet.splitlines()) == 5
    assert first["uses"] in WORKFLOWS[0].read_text(encoding="utf-8") and second["uses"] == "OWNER/slowfast-verify@COMMIT"
    assert set(second["with"]) <= set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"])
    assert default().cell(second["with"]["cell"])


def test_the_files_fit_the_schema_of_their_service() -> None:
    """Valid by the schema that editors use."""
    pytest.importorskip("check_jsonschema")
    for schema, files in (("vendor.github-workflows", WORKFLOWS), ("vendor.github-actions", [ROOT / "action.yml"])):
        argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    """No injection, no unpinned action, no right too many, by zizmor's word, offline."""
    zizmor = shutil.which("zizmor") or shutil.which("zizmor", path=str(Path(sys.executable).parent))
    if not zizmor:
        pytest.skip("zizmor is not installed")
    argv = [zizmor, "--offline", "--no-progress", "--quiet", str(ROOT / ".github"), str(ROOT / "action.yml")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    """Valid by actionlint's word, where it is installed."""
    if not shutil.which("actionlint"):
        pytest.skip("actionlint is not installed")
    done = subprocess.run(["actionlint", "-color=never"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def steps(text: object) -> Iterator[dict[str, object]]:
    """Every step of a file."""
    if isinstance(text, dict):
        for key, value in text.items():
            if key == "steps":
                yield from value
            yield from steps(value)


def test_actions_are_pinned_to_one_commit_each() -> None:
    """Forty digits with the version behind them, the same everywhere."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        for line in path.read_text(encoding="utf-8").splitlines():
            if (uses := re.match(r"\s*(?:- )?uses: (\S+)(.*)", line)) and not uses[1].startswith("$/"):
                name, _, commit = uses[1].partition("@")
                assert re.fullmatch(r"[0-9a-f]{40}", commit) and re.fullmatch(r" # v\d+\.\d+\.\d+", uses[2]), line
                found.setdefault(name, set()).add(commit)
    assert len(found) == 6 and all(len(commits) == 1 for commits in found.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_expression_stands_in_a_command(path: Path) -> None:
    """What comes from outside reaches a command as a variable."""
    lines = [str(step["run"]) for step in steps(yaml.safe_load(path.read_text(encoding="utf-8"))) if "run" in step]
    assert lines and not [line for line in lines if "${{" in line]


def test_rights_are_the_least() -> None:
    """Everything reads; one job writes issues, one publishes, and neither runs what a cell brought along."""
    rights = {}
    for path in WORKFLOWS:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert text["permissions"] == {}
        rights |= {f"{path.stem}/{name}": job["permissions"] for name, job in text["jobs"].items()}
    more = {name: right for name, right in rights.items() if right != {"contents": "read"}}
    assert more == {"matrix/issues": {"contents": "read", "issues": "write"}, "matrix/pages": {"pages": "write", "id-token": "write"}}


@pytest.mark.parametrize(
    ("event", "label", "source", "runs"),
    [
        ("workflow_dispatch", None, None, True),
        ("pull_request", "gpu", REPOSITORY, True),
        ("pull_request", "gpu", "eve/slowfast-verify", False),
        ("pull_request", "documentation", REPOSITORY, False),
    ],
)
def test_the_gpu_never_runs_a_forks_code(event: str, label: str | None, source: str | None, runs: bool) -> None:
    """By hand, or for a labelled pull request of this repository; everything else hangs on that job."""
    text = yaml.safe_load((ROOT / ".github" / "workflows" / "gpu.yml").read_text(encoding="utf-8"))
    head = {"repo": {"full_name": source}}
    about = {"event_name": event, "repository": REPOSITORY, "event": {"label": {"name": label}, "pull_request": {"head": head}}}
    condition = text["jobs"]["plan"]["if"].strip().removeprefix("${{").removesuffix("}}")
    assert bool(value_of(condition, {"github": about}, {})) is runs
    assert text["jobs"]["climb"]["needs"] == "plan" and "if" not in text["jobs"]["climb"]
    assert "pull_request_target" not in text[True]


def test_one_job_at_a_time_has_the_gpu() -> None:
    """One run for each kind of machine, one matrix of it, one job of that."""
    text = yaml.safe_load((ROOT / ".github" / "workflows" / "gpu.yml").read_text(encoding="utf-8"))
    groups = {
        filled(text["concurrency"]["group"], {"inputs": {"labels": labels}, "vars": {}}, {}) for labels in ('["a"]', '["b"]', "")
    }  # fmt: skip
    assert len(groups) == 3 and text["concurrency"]["cancel-in-progress"] is False
    climb = text["jobs"]["climb"]
    assert climb["strategy"]["max-parallel"] == 1 and climb["with"]["at_once"] == 1
    cells = yaml.safe_load((ROOT / ".github" / "workflows" / "cells.yml").read_text(encoding="utf-8"))
    assert cells["jobs"]["climb"]["strategy"]["max-parallel"] == "${{ inputs.at_once }}"


def test_every_push_is_checked_on_three_systems() -> None:
    """Lint, tests, what resolves and a quick cell on each; Wine and a container on Linux; the tests on every Python."""
    text = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8"))
    jobs = text["jobs"]
    assert {name.partition("-")[0] for name in jobs["suite"]["strategy"]["matrix"]["os"]} == {"ubuntu", "windows", "macos"}
    lines = {str(step.get("run", "")).partition("\n")[0].split(" '")[0] for step in jobs["suite"]["steps"]}
    assert {"nox -s lint", "nox -s tests", "slowfast-verify resolve"} <= lines
    quick = fanout.fan_out(default(), "quick")
    assert {job.cell.partition("-")[0] for chunk in quick.chunks for job in chunk.jobs} == {"linux", "windows", "macos"}
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert "nox -s elsewhere" in {step.get("run") for step in jobs["elsewhere"]["steps"]}
