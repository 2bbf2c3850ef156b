"""The workflows, executed here line by line: plan, fan-out, merge, issues, page; and what GitHub, zizmor and the schema say of the files.

Stubs stand for most cells (green, red, crashed before it wrote a record, not verifiable); one real cell runs where it stands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from slowfast_verify import fanout, provision
from slowfast_verify import record as records
from slowfast_verify.matrix import default, runs_here
from slowfast_verify.record import CheckResult, Record

from .actions import AT_MOST, OUTPUT_BYTES, Service
from .expressions import filled, value_of
from .issue_server import REPOSITORY, TOKEN, Server, issue_server

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, ROOT / "action.yml"]
QUICK = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"
GREEN, RED, CRASH, NOTHING = (
    "linux-py3.8-torch1.8.0-cpu-uv-slowfast-release@1.0", "windows-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5",
    "linux-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5", "linux-aarch64-py3.11-torch2.1.2-cpu-uv-pytorchvideo@0.1.5",
)  # fmt: skip
SHIM = """#!{python}
import json, os, signal, subprocess, sys
from pathlib import Path
real = [{python!r}, "-m", "slowfast_verify"]
stubs = json.loads({stubs!r})
if sys.argv[1] == "climb" and sys.argv[2] in stubs:
    how = stubs[sys.argv[2]]
    if how == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    place = Path(os.environ["SLOWFAST_VERIFY_REPORTS"]) / "records"
    assert len(sys.argv) == 3 or sys.argv[3:] == ["--checkout", "."]
    place.mkdir(parents=True, exist_ok=True)
    code, text = how
    (place / (sys.argv[2] + ".json")).write_text(text)
    (place / (sys.argv[2] + ".lock.txt")).write_text("torch==1.8.0\\n")
    print("stub:", sys.argv[2])
    sys.exit(code)
sys.exit(subprocess.call([*real, *sys.argv[1:]]))
"""
PYTHON = """#!/bin/sh
if [ "$1 $2 $3" = "-m pip install" ]; then echo "stands: $*"; exit 0; fi
exec {python} "$@"
"""
UV = """#!/bin/sh
if [ "$1 $2" = "python install" ]; then echo "stands: $*"; exit 0; fi
exit 2
"""


def stub(cell: str, outcome: records.Outcome, message: str = "") -> str:
    failure = records.FailureDetail(how="raised", type="RuntimeError", message=message) if outcome == "failed" else None
    checks = [
        CheckResult(id="install::environment_stands", rung="install", outcome="passed", phase="provision"),
        CheckResult(id="demo::real_demo_runs", rung="demo", outcome=outcome, phase="observe", failure=failure, reason=message or None),
    ]
    made = Record(cell=cell, run="2026-11-23T10:04:11Z-3f9c", suite="0", target={"python": "3.8.18"}, checks=checks)
    return made.model_dump_json(by_alias=True, exclude_none=True)


STUBS = {
    GREEN: (0, stub(GREEN, "passed")), RED: (1, stub(RED, "failed", "the decoder gave no frames")), CRASH: "crash",
    NOTHING: (4, stub(NOTHING, "not verified", "no such interpreter")),
}  # fmt: skip

pytestmark = pytest.mark.skipif(os.name == "nt" or not shutil.which("bash"), reason="the lines of the workflows need bash and its programs")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with issue_server() as found:
        yield found


@pytest.fixture
def github(tmp_path: Path, server: Server) -> Callable[..., Service]:
    """GitHub for one run, with the programs of a job's machine first on PATH."""

    def begin(**event: object) -> Service:
        place = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        programs = place / "bin"
        programs.mkdir(parents=True)
        python = sys.executable
        for name, text in (
            ("slowfast-verify", SHIM.format(python=python, stubs=json.dumps(STUBS))), ("python", PYTHON.format(python=python)), ("uv", UV),
        ):  # fmt: skip
            (programs / name).write_text(text, encoding="utf-8")
            (programs / name).chmod(0o755)
        env = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
        env |= {"PATH": f"{programs}{os.pathsep}{env['PATH']}", "PYTHONPATH": str(ROOT / "src"), "SLOWFAST_VERIFY_DATA": str(ROOT),
                "SLOWFAST_VERIFY_REPORTS": "reports"}  # fmt: skip
        event = {"repository": {"default_branch": "main"}, **event}
        facts = {"repository": REPOSITORY, "ref_name": "main", "ref": "refs/heads/main", "token": TOKEN, "event_name": "workflow_dispatch",
                 "api_url": server.address, "server_url": "https://example.org", "run_id": "7", "sha": "0" * 40}  # fmt: skip
        return Service(ROOT, place, env, event, facts)

    return begin


def test_plan_fan_out_merge_with_one_job_that_crashed(github: Callable[..., Service], server: Server) -> None:
    """Green, red, crashed, not verifiable: each is in the summary as what it is, one issue is opened, the page is published."""
    run = github()
    results = run.run("matrix.yml", {"cells": " ".join([GREEN, RED, CRASH, NOTHING])})
    assert results == {"plan": "success", "climb": "failure", "merge": "success", "issues": "success", "pages": "success"}
    assert {name: run.job(f"/ {name}").result for name in STUBS} == {
        GREEN: "success", RED: "failure", CRASH: "failure", NOTHING: "success"
    }  # fmt: skip
    kept = {path.name for path in run.artifacts.iterdir()}
    assert kept == {"plan", f"cell-{GREEN}", f"cell-{RED}", f"cell-{NOTHING}", "merged", "github-pages"}
    assert (run.artifacts / f"cell-{RED}" / f"{RED}.lock.txt").exists()
    rows = {line.split("`")[1]: line for line in run.summary.splitlines() if line.startswith("| `")}
    assert {name: rows[name].split("|")[2].strip() for name in STUBS} == {
        GREEN: "passed", RED: "failed", CRASH: "infrastructure", NOTHING: "not verified"
    }  # fmt: skip
    assert "ended without a record" in run.summary and "not verified::" in run.job(f"/ {NOTHING}").said
    assert [(call[0], call[1]) for call in server.calls if call[0] != "GET"] == [("POST", f"/repos/{REPOSITORY}/issues")]
    assert RED in server.issues[1]["body"] and "https://example.org/ann/slowfast-verify/actions/runs/7" in server.issues[1]["body"]
    assert run.published and any(run.published.iterdir())


def test_the_next_night_opens_no_second_issue(github: Callable[..., Service], server: Server) -> None:
    """The same cause again changes nothing on the tracker; a schedule's event names no branch, and is the default branch's all the same."""
    for event_name in ("workflow_dispatch", "schedule"):
        run = github()
        run.github["event_name"] = event_name
        run.event = {} if event_name == "schedule" else run.event
        assert run.run("matrix.yml", {"cells": RED})["issues"] == "success"
    assert server.changes() == [("POST", f"/repos/{REPOSITORY}/issues")]


def test_a_run_of_another_branch_opens_nothing_and_publishes_nothing(github: Callable[..., Service], server: Server) -> None:
    """Somebody who tries a branch by hand gets the summary alone."""
    run = github()
    run.github["ref_name"] = "try"
    results = run.run("matrix.yml", {"cells": RED})
    assert (results["merge"], results["issues"], results["pages"]) == ("success", "skipped", "skipped")
    assert not server.calls and run.published is None


@pytest.mark.parametrize("cells", ["linux-py9.9-*", "$(touch pwned)", "--plan", "`touch pwned`; x"])
def test_what_a_person_types_is_never_a_command(github: Callable[..., Service], cells: str) -> None:
    """Cells that are none stop the plan with a sentence; nothing of them is executed."""
    run = github()
    results = run.run("matrix.yml", {"cells": cells})
    assert results["plan"] == "failure" and results["climb"] == results["merge"] == "skipped"
    assert not list(run.place.rglob("pwned"))
    assert "next:" in run.job("plan").said


@pytest.mark.heavy
def test_a_real_cell_goes_through_the_workflow(github: Callable[..., Service], server: Server) -> None:
    """The quick cell, climbed by the workflow's own lines in the environment that stands; a stub crashes beside it."""
    cell = default().cell(QUICK)
    if not runs_here(cell) or provision.standing(cell, default()) is None:
        pytest.skip(f"{QUICK} does not stand here: slowfast-verify climb {QUICK}")
    run = github()
    results = run.run("matrix.yml", {"cells": f"{QUICK} {CRASH}"})
    assert results == {"plan": "success", "climb": "failure", "merge": "success", "issues": "success", "pages": "success"}
    assert run.job(f"/ {QUICK}").result == "success", run.job(f"/ {QUICK}").said
    (made,) = (run.artifacts / f"cell-{QUICK}").glob("*.json")
    assert records.read(made).reached() == "demo" and not server.calls


@pytest.mark.parametrize(("cell", "result"), [(GREEN, "success"), (RED, "failure"), (CRASH, "failure")])
def test_the_action_tells_a_fork_how_far_it_gets(github: Callable[..., Service], cell: str, result: str) -> None:
    """Its lines, with the fork's checkout as workspace: the record is kept and shown, and the job is red where the cell is."""
    run = github()
    ended = run.action(ROOT / "action.yml", {"cell": cell}, lambda folder: (folder / "setup.py").touch())
    assert ended.result == result, ended.said
    assert f"stands: python install {cell.partition('-py')[2].partition('-')[0]}" in ended.said
    kept = run.artifacts / f"slowfast-verify-{cell}"
    assert (kept / f"{cell}.json").exists() is (cell != CRASH)
    assert (f"`{cell}`" in run.summary) is (cell != CRASH)
    assert ended.outputs["records"].endswith("slowfast-verify/records")


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_five_lines_are_what_the_action_takes(name: str) -> None:
    """The snippet for a fork: valid, five lines, inputs that exist, the same checkout as our own workflows."""
    (snippet,) = re.findall(r"```yaml\n(steps:.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    first, second = yaml.safe_load(snippet)["steps"]
    assert len(snippet.splitlines()) == 5
    assert first["uses"] in WORKFLOWS[0].read_text(encoding="utf-8") and second["uses"] == "OWNER/slowfast-verify@COMMIT"
    assert set(second["with"]) <= set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"])
    assert default().cell(second["with"]["cell"])


# ---- the plan ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [row.name for row in fanout.runners().round])
def test_every_round_fits_githubs_matrices(name: str) -> None:
    """No chunk has more jobs than GitHub takes, no cell is planned twice, every cell of a round has a machine of its own system."""
    plan = fanout.fan_out(default(), name)
    jobs = [job for chunk in plan.chunks for job in chunk.jobs]
    assert all(0 < len(chunk.jobs) <= AT_MOST for chunk in plan.chunks)
    assert len({job.cell for job in jobs}) == len(jobs) == plan.count
    assert not plan.skipped
    assert len(json.dumps([chunk.model_dump() for chunk in plan.chunks]).encode("utf-16-le")) <= OUTPUT_BYTES
    system = {"ubuntu": "linux", "windows": "windows", "macos": "macos"}
    assert all(job.cell.startswith(system[job.runner.partition("-")[0]]) for job in jobs)


def test_a_round_beyond_the_limit_becomes_chunks() -> None:
    """Every Linux cell of the stacks in matrices of ten: nothing is lost, and each chunk says which it is."""
    plan = fanout.fan_out(default(), "nightly", "linux-*")
    small = fanout.fan_out(default(), "nightly", "linux-*", fanout.runners().model_copy(update={"at_most": 10}))
    assert plan.count == small.count == sum(len(chunk.jobs) for chunk in small.chunks)
    assert len(small.chunks) == -(-plan.count // 10)
    assert [chunk.name for chunk in small.chunks][-1] == f"{len(small.chunks)} of {len(small.chunks)}"


def test_a_silent_job_is_an_outage_and_no_verdict(tmp_path: Path) -> None:
    """What stands for it is read as a record, and is not there twice."""
    plan = fanout.fan_out(default(), "quick")
    records.write(records.Record.model_validate_json(stub(QUICK, "passed")), tmp_path / "cell")
    silent = fanout.stand_ins(plan, tmp_path)
    assert set(silent) == {job.cell for chunk in plan.chunks for job in chunk.jobs} - {QUICK}
    assert {records.read(tmp_path / f"{cell}.json").outcome() for cell in silent} == {"infrastructure"}
    assert fanout.stand_ins(plan, tmp_path) == []


# ---- the files -----------------------------------------------------------------------------------------------------------


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
