"""What GitHub does with a workflow file, on this machine: jobs in their order, matrices, steps' `run:` lines, outputs, artifacts.

The lines are executed as they stand. Stood in for: checkout and setup-python (the folder and the Python are there), artifacts
(folders), Pages. What the stand-in does not know, or GitHub would refuse, is an error.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .expressions import filled, value_of

AT_MOST = 256  # jobs of one matrix
OUTPUT_BYTES = 1024 * 1024  # of one job
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
NO_NAME = re.compile(r'[":<>|*?\r\n\\/]')


@dataclass
class Ended:
    """How a job ended: success, failure or skipped; what it put out, and what its steps printed."""

    name: str
    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""
    seconds: float = 0.0


@dataclass
class Service:
    """GitHub, for one run: the checkout, the event, the artifacts so far, the summary, what was published."""

    checkout: Path
    place: Path
    env: dict[str, str]
    event: dict[str, Any] = field(default_factory=dict)
    github: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    jobs: list[Ended] = field(default_factory=list)
    permissions: dict[str, dict[str, str]] = field(default_factory=dict)
    published: Path | None = None

    @property
    def summary(self) -> str:
        """The step summary of all jobs."""
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self.place.glob("*/summary.md")))

    @property
    def artifacts(self) -> Path:
        """Where artifacts lie, a folder each."""
        return self.place / "artifacts"

    def run(self, workflow: str, inputs: dict[str, Any] | None = None) -> dict[str, str]:
        """Run a workflow of the checkout; {job: result}."""
        return {name: ended.result for name, ended in self._run(self._file(workflow), inputs or {}, "").items()}

    def _file(self, name: str) -> dict[str, Any]:
        found = yaml.safe_load((self.checkout / ".github" / "workflows" / name).read_text(encoding="utf-8"))
        assert found.get("permissions") == {}, "what a job may do is said by the job"
        return dict(found)

    def _run(self, text: dict[str, Any], inputs: dict[str, Any], above: str) -> dict[str, Ended]:
        done: dict[str, Ended] = {}
        waiting = dict(text["jobs"])
        while waiting:
            name = next(name for name, job in waiting.items() if all(need in done for need in needs(job)))
            done[name] = self._job(name, waiting.pop(name), text, inputs, done, above)
        return done

    def _job(
        self, name: str, job: dict[str, Any], text: dict[str, Any], inputs: dict[str, Any], done: dict[str, Ended], above: str
    ) -> Ended:
        before = {need: {"result": done[need].result, "outputs": done[need].outputs} for need in needs(job)}
        good = all(row["result"] == "success" for row in before.values())
        functions = {"success": lambda: good, "failure": lambda: not good, "always": lambda: True, "cancelled": lambda: False}
        contexts = {"github": {**self.github, "event": self.event}, "inputs": inputs, "needs": before, "vars": self.variables}
        condition = str(job.get("if", "success()")).strip().removeprefix("${{").removesuffix("}}")
        if not value_of(condition, contexts, functions):
            return self._note(Ended(f"{above}{name}", "skipped"))
        found = []
        for values in matrix_of(job, contexts, functions):
            here = {**contexts, "matrix": values}
            label = f"{above}{filled(str(job.get('name', name)), here, functions)}"
            if "uses" in job:
                found.append(self._called(label, job, here, functions))
            else:
                self.permissions[label] = dict(job["permissions"])
                found.append(self._note(self._machine(label, job, text, here)))
        worst = "failure" if any(ended.result == "failure" for ended in found) else "success"
        return Ended(f"{above}{name}", worst, {key: value for ended in found for key, value in ended.outputs.items()})

    def _called(self, label: str, job: dict[str, Any], contexts: dict[str, Any], functions: dict[str, Any]) -> Ended:
        assert job["uses"].startswith("$/.github/workflows/"), job["uses"]
        text = self._file(job["uses"].rpartition("/")[2])
        asked = text[True]["workflow_call"]["inputs"]  # YAML 1.1 reads `on` as true
        given = {key: filled(str(value), contexts, functions) for key, value in job.get("with", {}).items()}
        assert set(given) <= set(asked), f"no such input: {set(given) - set(asked)}"
        assert all(key in given for key, row in asked.items() if row.get("required")), "an input is missing"
        inputs = {key: given.get(key, row.get("default")) for key, row in asked.items()}
        inputs = {key: value if isinstance(value, str | int) else yaml.safe_dump(value) for key, value in inputs.items()}
        done = self._run(text, inputs, f"{label} / ")
        return Ended(label, "failure" if any(ended.result == "failure" for ended in done.values()) else "success")

    def _machine(self, label: str, job: dict[str, Any], text: dict[str, Any], contexts: dict[str, Any]) -> Ended:
        """A job's steps, one after another, on a machine of its own: a folder that starts as a copy of what is tracked."""
        number = len(list(self.place.glob("job-*")))
        here = self.place / f"job-{number:03d}"
        workspace = here / "workspace"
        workspace.mkdir(parents=True)
        begun = time.monotonic()
        contexts = {**contexts, "steps": {}, "runner": {"temp": str(here / "temp"), "os": "Linux"}}
        functions: dict[str, Any] = {}
        runs_on = filled(str(job["runs-on"]), contexts, functions)
        assert runs_on, f"{label} has no machine"
        assert 0 < int(filled(str(job["timeout-minutes"]), contexts, functions)) <= 360
        assert text["defaults"]["run"]["shell"] == "bash"
        base = {key: str(filled(str(value), contexts, functions)) for key, value in job.get("env", {}).items()}
        contexts["env"] = base
        good, said = self._steps(label, job["steps"], here, contexts, base)
        outputs = {key: str(filled(str(value), contexts, functions)) for key, value in job.get("outputs", {}).items()}
        assert sum(len(value.encode("utf-16-le")) for value in outputs.values()) <= OUTPUT_BYTES, "GitHub cuts outputs at a megabyte"
        return Ended(label, "success" if good else "failure", outputs, said, round(time.monotonic() - begun, 1))

    def action(self, file: Path, inputs: dict[str, str], workspace: Callable[[Path], None]) -> Ended:
        """Run a composite action in a job of its own; workspace: puts there what the job has checked out."""
        text = yaml.safe_load(file.read_text(encoding="utf-8"))
        asked = text["inputs"]
        assert set(inputs) <= set(asked), f"no such input: {set(inputs) - set(asked)}"
        here = self.place / "job-action"
        (here / "workspace").mkdir(parents=True)
        workspace(here / "workspace")
        contexts = {
            "github": {**self.github, "event": self.event}, "steps": {}, "runner": {"temp": str(here / "temp"), "os": "Linux"},
            "inputs": {name: inputs.get(name, row.get("default")) for name, row in asked.items()},
        }  # fmt: skip
        assert text["runs"]["using"] == "composite"
        assert all("uses" in step or step["shell"] == "bash" for step in text["runs"]["steps"])
        good, said = self._steps("action", text["runs"]["steps"], here, contexts, {"GITHUB_ACTION_PATH": str(file.parent)})
        outputs = {name: str(filled(row["value"], contexts, {})) for name, row in text["outputs"].items()}
        return self._note(Ended("action", "success" if good else "failure", outputs, said))

    def _steps(
        self, label: str, steps: list[dict[str, Any]], here: Path, contexts: dict[str, Any], base: dict[str, str]
    ) -> tuple[bool, str]:
        """Run steps one after another; whether all went well, and what they printed."""
        workspace, said, good = here / "workspace", "", True
        functions = {"success": lambda: good, "failure": lambda: not good, "always": lambda: True, "cancelled": lambda: False}
        for position, step in enumerate(steps):
            condition = str(step.get("if", "success()")).strip().removeprefix("${{").removesuffix("}}")
            if not value_of(condition, contexts, functions):
                continue
            files = {name: here / f"{name}-{position}" for name in ("output", "env", "path")}
            own = {key: str(filled(str(value), contexts, functions)) for key, value in step.get("env", {}).items()}
            if "run" in step:
                assert "${{" not in step["run"], f"{label}: text of an expression would be run as a command: {step['run']}"
                env = {**self.env, **base, **own, **self._variables(files, here), "GITHUB_JOB": label}
                status, text_ = bash(step["run"], workspace, env)
                said += f"$ {step['run'].strip()}\n{text_}"
            else:
                given = {key: str(filled(str(value), contexts, functions)) for key, value in step.get("with", {}).items()}
                status, text_ = self._action(step["uses"], given, workspace)
                said += f"uses {step['uses']}\n{text_}"
            good = good and status == 0
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": outputs_of(files["output"])}
        return good, said

    def _variables(self, files: dict[str, Path], here: Path) -> dict[str, str]:
        return {
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(files["output"]), "GITHUB_ENV": str(files["env"]),
            "GITHUB_PATH": str(files["path"]), "GITHUB_STEP_SUMMARY": str(here / "summary.md"), "RUNNER_TEMP": str(here / "temp"),
            "GITHUB_WORKSPACE": str(here / "workspace"), "GITHUB_REPOSITORY": str(self.github.get("repository", "")),
            "GITHUB_API_URL": str(self.github.get("api_url", "")), "GITHUB_SHA": str(self.github.get("sha", "")),
        }  # fmt: skip

    def _action(self, uses: str, given: dict[str, str], workspace: Path) -> tuple[int, str]:
        assert PINNED.fullmatch(uses), f"{uses} is not pinned to a commit"
        name = uses.partition("@")[0]
        if name == "actions/checkout":
            assert given == {"persist-credentials": "False"}
            copy_tracked(self.checkout, workspace)
        elif name == "actions/upload-artifact":
            return self._upload(given, workspace)
        elif name == "actions/download-artifact":
            return self._download(given, workspace)
        elif name == "actions/upload-pages-artifact":
            return self._upload({"name": "github-pages", "path": given["path"], "if-no-files-found": "error"}, workspace)
        elif name == "actions/deploy-pages":
            self.published = self.artifacts / "github-pages"
            return (0, "") if self.published.is_dir() else (1, "no artifact github-pages\n")
        else:
            assert name == "actions/setup-python", f"no stand-in for {name}"
        return 0, ""

    def _upload(self, given: dict[str, str], workspace: Path) -> tuple[int, str]:
        assert not NO_NAME.search(given["name"]), f"GitHub refuses the name {given['name']!r}"
        source, target = workspace / given["path"].strip(), self.artifacts / given["name"]
        if not source.exists() or not any(source.rglob("*")):
            return (1 if given.get("if-no-files-found") == "error" else 0), f"no files were found at {given['path']}\n"
        assert not target.exists(), f"an artifact {given['name']} is there already: GitHub refuses a second"
        shutil.copytree(source, target)
        return 0, ""

    def _download(self, given: dict[str, str], workspace: Path) -> tuple[int, str]:
        into = workspace / given["path"]
        into.mkdir(parents=True, exist_ok=True)
        wanted = given.get("name") or given["pattern"]
        found = [path for path in sorted(self.artifacts.glob("*")) if fnmatch.fnmatchcase(path.name, wanted)]
        if "name" in given and not found:
            return 1, f"no artifact {wanted}\n"
        for path in found:
            assert "name" in given or given.get("merge-multiple") == "True"
            shutil.copytree(path, into, dirs_exist_ok=True)
        return 0, ""

    def _note(self, ended: Ended) -> Ended:
        self.jobs.append(ended)
        return ended

    def job(self, name: str) -> Ended:
        """The job of that name."""
        return next(ended for ended in self.jobs if ended.name.endswith(name))


def needs(job: dict[str, Any]) -> list[str]:
    """The jobs that a job waits for."""
    found = job.get("needs", [])
    return [found] if isinstance(found, str) else list(found)


def matrix_of(job: dict[str, Any], contexts: dict[str, Any], functions: dict[str, Any]) -> list[dict[str, Any]]:
    """The values of each job of a matrix; one empty for a job without."""
    axes = job.get("strategy", {}).get("matrix")
    if axes is None:
        return [{}]
    known = {key: filled(value, contexts, functions) if isinstance(value, str) else value for key, value in axes.items()}
    included = known.pop("include", [])
    rows = [dict(zip(known, values, strict=True)) for values in itertools.product(*known.values())] if known else []
    rows += included
    assert 0 < len(rows) <= AT_MOST, f"GitHub refuses a matrix of {len(rows)} jobs"
    return rows


def outputs_of(file: Path) -> dict[str, str]:
    """What a step wrote to GITHUB_OUTPUT."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def bash(lines: str, folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run lines as GitHub's `shell: bash` does; (exit status, output)."""
    done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", lines], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False)  # fmt: skip
    return done.returncode, done.stdout


def copy_tracked(checkout: Path, folder: Path) -> None:
    """What a checkout would put there: links to the data folders, as nothing writes into them."""
    for path in checkout.iterdir():
        if path.name not in (".git", ".tox", ".nox", ".venv", "reports"):
            (folder / path.name).symlink_to(path)
    (folder / "reports").mkdir()
    shutil.copytree(checkout / "reports" / "evidence", folder / "reports" / "evidence")
