"""One cell, from nothing to its record: provision, put the suites to it, say how far it got. Runs on the host.

Called by the `climb` command, which each nox session of the matrix runs. Whatever happens ends in a record or in a Problem, never
in half a record: the suites write theirs whole or not at all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from . import carried, ground, image, layout, moving, provision, recipe_run, report
from . import record as records
from . import target as targets
from .cell import Cell
from .emulator import emulator_of, label
from .errors import HEALTHY, PROBLEMS_FOUND, TOOL_FAILED, USAGE, Infrastructure, NotVerifiable, Problem, no_room
from .knowledge import RUNGS
from .matrix import Matrix, default
from .provenance import stamp
from .recipe import FROM_RECIPE
from .record import CheckResult, FailureDetail, Provisioned, Record
from .running import Running
from .sitting import STEP_SECONDS, latest_step, sit
from .sources import outage_in

NOTHING_VERIFIED = 4
PYTEST_USAGE = 4


def climb(cell: Cell, matrix: Matrix, folder: Path, *, jobs: int = 2, container: bool = False,
          base: str = "", fresh: bool = False, from_recipe: bool = False, checkout: Path | None = None) -> tuple[Record, int]:  # fmt: skip
    """Provision the cell and verify it; returns its record (written to `folder`) and the exit code.

    container: as an image, made from `base` (empty: the one that matrices/containers.toml names). fresh: also where nothing has changed
    since the last verdict, which is carried over otherwise. from_recipe: by the commands that `slowfast-verify recipe` prints for it.
    checkout: with the code of this working copy in the place of the cell's own.
    """
    wheels = matrix.stack_of(cell).wheels_of(cell)
    print(
        f"{cell.id}: about {wheels.megabytes if wheels else 0} MB and {wheels.minutes if wheels else 0:g} minutes if nothing stands yet",
        flush=True,
    )
    made: Path | None = None
    runner = "docker" if container else FROM_RECIPE if from_recipe else moving.RUNNER if checkout else ""
    try:
        if container:
            made = image.build(cell, matrix, base, say=lambda text: print(text, flush=True))
        elif from_recipe:
            made = recipe_run.carry_out(cell, matrix, say=lambda text: print(text, flush=True))
        else:
            standing = provision.provision(cell, matrix, say=lambda text: print(text, flush=True))
            if checkout:
                made = moving.with_checkout(cell, matrix, standing, checkout, say=lambda text: print(text, flush=True))
            elif not fresh and (found := carried.carried_over(standing)):
                print(report.carried_notice(found), flush=True)
                records.write(found, folder, lock=standing.lock)
                return found, exit_code(found)
    except NotVerifiable as problem:
        print(str(problem), flush=True)
        return _unbuilt(cell, "install", "not verified", folder, problem.what, problem.where, runner), NOTHING_VERIFIED
    except Infrastructure as problem:
        print(str(problem), flush=True)
        return _unbuilt(cell, "install", "infrastructure", folder, problem.what, problem.where, runner), NOTHING_VERIFIED
    except provision.InstallFailed as failed:
        print(f"{failed.step} failed: {failed.message}\n  log: {failed.log}\n  known failure: {failed.known or 'none'}", flush=True)
        return _install_failed(cell, matrix, failed, folder, runner)
    record, code = verify_cell(cell, folder, jobs=jobs, made=made)
    if checkout:
        record = moving.without_expectations(record)
        records.write(record, folder)
        code = exit_code(record)
    return record, code


def verify_cell(cell: Cell, folder: Path, *, jobs: int = 2, made: Path | None = None) -> tuple[Record, int]:
    """Put the suites to a cell that stands; returns its record and the exit code. made: the file of what is no environment of the cache."""
    standing = Provisioned.model_validate_json(made.read_text(encoding="utf-8")) if made else provision.standing(cell, default())
    log = (made.parent if made else provision.folder_of(cell)) / "logs" / "verify.log"
    try:
        if standing:
            ground.require_start(standing)
        return _sat(cell, standing, folder, jobs, log, made)
    except (Infrastructure, OSError) as error:
        if not isinstance(error, Infrastructure) and not no_room(error):
            raise
        problem = error if isinstance(error, Infrastructure) else Infrastructure("the disk is full", where=str(error))
        print(str(problem), flush=True)
        detail = problem.cause or problem.where
        return _unbuilt(cell, "environment", "infrastructure", folder, reason=problem.what, detail=detail), NOTHING_VERIFIED
    finally:
        if standing:
            ground.release(standing)


def _sat(cell: Cell, standing: Provisioned | None, folder: Path, jobs: int, log: Path, made: Path | None) -> tuple[Record, int]:
    """The suites in this process; of the cell's own environment, what they found is kept for the next run."""
    own = standing if standing and not made else None
    with tempfile.TemporaryDirectory(prefix="verify-") as shared:
        state: list[str] = []  # as the environment is when the run begins: what changes meanwhile is a change
        looking = threading.Thread(target=lambda: state.append(carried.state_of(own)) if own else None, daemon=True)
        looking.start()
        try:
            found = sit(cell.id, made, jobs, Path(shared), log, lambda text: print(text, flush=True))
        except Infrastructure:
            raise
        except Problem as problem:
            if standing:
                ground.require_start(standing)  # an emulator that broke down meanwhile is told as that
            raise _without_record(cell, problem) from problem
        records.write(found, folder, lock=standing.lock if standing else None)
        looking.join()
        if own:
            carried.keep(own, found, state[0] if state else "")
    return found, exit_code(found)


def _without_record(cell: Cell, problem: Problem) -> Problem:
    """Why there is none, told as an outage where it tells of one."""
    outage = outage_in(str(problem), ("disk",))
    if isinstance(outage, Infrastructure):
        return outage
    return Problem(f"the suites wrote no record for {cell.id}: {problem.what}", where=problem.where, cause=problem.cause,
                   next="run the same command again; if it stays, report it with these lines", code=TOOL_FAILED)  # fmt: skip


def verify_target(name: str, subject: str, config: str | None, checkpoint: str | None, jobs: int) -> tuple[Record, int]:
    """Put the suites to the target that `name` means; returns the record and the exit code. Raises Problem for a target that is none."""
    targets.parse(name)  # a name that is none is told before anything starts
    folder = layout.reports() / "records"
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        log = Path(scratch) / "verify.log"
        made = Path(scratch) / "records"
        arguments = ["--target", name, "--subject", subject, "--record", str(made)]
        arguments += ["--config", config] if config else []
        arguments += ["--checkpoint", checkpoint] if checkpoint else []
        code = run_suites(arguments, jobs, log)
        found = list(made.glob("*.json"))
        if not found:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            usage = code == PYTEST_USAGE
            text = said.removeprefix("ERROR: ") if usage else said[-1500:]
            raise Problem(
                text if usage else "the suites wrote no record", cause="" if usage else text, code=USAGE if usage else TOOL_FAILED
            )
        record = records.read(found[0])
    records.write(record, folder)
    return record, exit_code(record)


def exit_code(record: Record) -> int:
    """0 healthy (as expected), 1 problems found, 4 nothing could be verified, or an outage kept a part from being verified."""
    outcomes = {check.outcome for check in record.checks}
    if outcomes & {"failed", "passed unexpectedly"}:
        return PROBLEMS_FOUND
    if "infrastructure" in outcomes:  # never red, and not green either
        return NOTHING_VERIFIED
    return HEALTHY if outcomes - {"not verified"} else NOTHING_VERIFIED


def run_suites(arguments: list[str], jobs: int, log: Path) -> int:
    """Run pytest over tests/verify in a process of its own; prints the step at hand now and then, keeps the output in `log`."""
    argv = [
        sys.executable,
        "-P",  # a pytest.py in the folder that a person stands in, somebody's checkout perhaps, is not ours to run
        "-m",
        "pytest",
        str(layout.suites()),
        "-c",
        str(_pytest_ini()),
        "--rootdir",
        str(layout.root()),
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "slowfast_verify.plugin",
        "--tb=short",
    ]
    argv += ["--side-by-side", str(jobs)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="verify-") as shared, log.open("wb") as stream:
        # A person's other plugins are no part of the verdict, and cost a tenth of a second.
        env = {**os.environ, "SLOWFAST_VERIFY_RUN": shared, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        env.pop("PYTEST_ADDOPTS", None)
        env.pop("PYTHONOPTIMIZE", None)  # without their asserts the suites would be green whatever they see
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # or the suites and this package would be compiled again by every run
        command = Running([*argv, *arguments], stream, env)
        begun, said = time.monotonic(), ""
        try:
            while True:
                try:
                    return command.wait(STEP_SECONDS)
                except subprocess.TimeoutExpired:
                    step = latest_step(Path(shared))
                    if step != said:
                        print(f"  {time.monotonic() - begun:4.0f} s  {step}", flush=True)
                        said = step
        finally:
            command.end()


def _pytest_ini() -> Path:
    """The suites bring their own settings: those of the folder that a person stands in are not ours."""
    return layout.suites() / "pytest.ini"


def _unbuilt(cell: Cell, rung: str, outcome: records.Outcome, folder: Path, reason: str, detail: str = "", runner: str = "") -> Record:
    check = CheckResult(
        id=f"{rung}::environment_stands",
        rung=rung,
        outcome=outcome,
        phase="provision",
        reason=reason + (f" ({records.scrub(detail, _places())})" if detail else ""),
    )
    return _write(cell, [check], folder, runner)


def _install_failed(cell: Cell, matrix: Matrix, failed: provision.InstallFailed, folder: Path, runner: str = "") -> tuple[Record, int]:
    name = "resolve::requirements_resolve" if failed.rung == "resolve" else "install::environment_stands"
    expected = any(row.concerns(cell, name) and row.cause == failed.known for row in matrix.expectations(cell))
    detail = FailureDetail(how="raised", type="InstallFailed", message=records.scrub(failed.message, _places()), step=failed.step,
                           stderr_tail=records.scrub(failed.tail, _places())[-2000:])  # fmt: skip
    check = CheckResult(
        id=name,
        rung=failed.rung,
        outcome="failed as expected" if expected else "failed",
        phase="provision",
        failure=detail,
        knowledge=failed.known,
    )
    before = (
        [CheckResult(id="resolve::requirements_resolve", rung="resolve", outcome="passed", phase="provision")]
        if failed.rung == "install"
        else []
    )
    record = _write(cell, [*before, check], folder, runner)
    return record, exit_code(record)


def _places() -> dict[str, str]:
    return {str(Path.home()): "~", str(layout.home()): "{home}", str(layout.root()): "{suite}"}


def _write(cell: Cell, checks: list[CheckResult], folder: Path, runner: str = "") -> Record:
    """The record of a cell that could not be built. runner: `docker` where it was to be an image; empty: what runs such cells here."""
    import platform

    emulated = None if runner else emulator_of(cell)
    facts = {"kind": "none", "platform": platform.platform(), "machine": platform.machine()}
    facts |= {"runner": label(emulated.kind)} if emulated else {}
    name = records.name_of(cell.id, runner or (emulated.kind if emulated else "native"))
    record = Record(cell=name, **stamp(), target=facts,
                    checks=sorted(checks, key=lambda check: RUNGS.index(check.rung)))  # fmt: skip
    records.write(record, folder)
    return record
