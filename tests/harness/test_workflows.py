"""The workflows, executed here line by line: plan, fan-out, merge, issues, page.

Stubs stand for most cells (green, red, crashed before it wrote a record, not verifiable); one real cell runs where it stands.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slowfast_verify import provision
from slowfast_verify import record as records
from slowfast_verify.matrix import default, runs_here
from slowfast_verify.record import CheckResult, Record

from .actions import Service
from .issue_server import REPOSITORY, TOKEN, Server, issue_server

ROOT = Path(__file__).resolve().parents[2]
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
