"""Sessions only, no logic: what each does is told by `slowfast-verify --help` and docs/how-it-works.md."""

import atexit
import subprocess
import sys
from pathlib import Path

import nox

from slowfast_verify.closing import close_run, standing
from slowfast_verify.elsewhere import arguments, rows
from slowfast_verify.matrix import Elsewhere
from slowfast_verify.planning import offered

nox.needs_version = ">=2025.2"
nox.options.sessions = ["matrix"]
nox.options.default_venv_backend = "none"  # a cell's environment belongs to the suite, which keeps it between runs

CELLS = [nox.param(cell.id, id=cell.id) for cell in offered(sys.argv)]
ELSEWHERE = [nox.param(row, id=row.cell) for row in rows()]
PYTHON = sys.executable
NOTHING_VERIFIED = 4
if "--parallel-worker" not in sys.argv:
    atexit.register(close_run, standing())  # one table for all cells, below nox's own list; says nothing where no cell was climbed


@nox.session(venv_backend="none")
def plan(session: nox.Session) -> None:
    """Which cells will run, what they cost, what is skipped and why; fails if none can run."""
    session.run(PYTHON, "-m", "slowfast_verify", "plan", *(param.args[0] for param in CELLS), external=True)


@nox.session(venv_backend="none", requires=["plan"], allow_parallel=True)
@nox.parametrize("cell", CELLS)
def matrix(session: nox.Session, cell: str) -> None:
    """Build one cell's environment and climb the ladder in it."""
    jobs = "1" if session.parallel else "2"
    _climb(session, cell, "--jobs", jobs)


@nox.session(venv_backend="none")
@nox.parametrize("row", ELSEWHERE)
def elsewhere(session: nox.Session, row: Elsewhere) -> None:
    """Climb the cells of other systems: Windows binaries under Wine, a container; `slowfast-verify packages` names what they need."""
    _climb(session, *arguments(row))


def _climb(session: nox.Session, *words: str) -> None:
    code = subprocess.run([PYTHON, "-m", "slowfast_verify", "climb", *words, *session.posargs], check=False).returncode
    if code == NOTHING_VERIFIED:
        session.skip("not verified: the reason stands above")
    if code:
        session.error(f"exit status {code}")


@nox.session(venv_backend="none", allow_parallel=True)
@nox.parametrize("cell", CELLS)
def recipe(session: nox.Session, cell: str) -> None:
    """Make a cell's environment by the commands that `slowfast-verify recipe` prints for it, and climb the ladder there."""
    code = subprocess.run([PYTHON, "-m", "slowfast_verify", "climb", cell, "--recipe", *session.posargs], check=False).returncode
    if code == NOTHING_VERIFIED:
        session.skip("not verified: the reason stands above")
    if code:
        session.error(f"exit status {code}")


@nox.session(venv_backend="none")
def verify(session: nox.Session) -> None:
    """Climb the ladder in an existing environment: nox -s verify -- TARGET."""
    session.run(PYTHON, "-m", "slowfast_verify", "verify", *(session.posargs or ["--help"]), external=True)


@nox.session(venv_backend="none")
def doctor(session: nox.Session) -> None:
    """Examine an environment that exists and say what is wrong with it: nox -s doctor -- [TARGET] [options]."""
    session.run(PYTHON, "-m", "slowfast_verify", "doctor", *session.posargs, external=True)


@nox.session(venv_backend="none")
def loops(session: nox.Session) -> None:
    """Break, diagnose, fix, green: every known failure that can be reproduced here; nox -s loops -- -k NAME for one."""
    code = subprocess.run([PYTHON, "-m", "pytest", "tests/loops", "-n", "2", "-q", *session.posargs], check=False).returncode
    session.run(PYTHON, "-m", "slowfast_verify.loop_table", external=True)
    if code:
        session.error(f"exit status {code}")


@nox.session(venv_backend="none")
def sabotage(session: nox.Session) -> None:
    """Break environments on purpose, stand-ins and clones of provisioned cells, and see what doctor says; writes reports/SABOTAGE.md."""
    env = {"SABOTAGE_REAL": "1", "SABOTAGE_TABLE": str(Path("reports") / "SABOTAGE.md")}
    session.run(PYTHON, "-m", "pytest", "tests/harness/sabotage", "-q", "-n", "2", *session.posargs, env=env, external=True)


@nox.session(venv_backend="none")
def bisect(session: nox.Session) -> None:
    """Find the first commit of a subject at which a rung falls: nox -s bisect -- CELL GOOD BAD [--rung RUNG]."""
    session.run(PYTHON, "-m", "slowfast_verify", "bisect", *session.posargs, external=True)


@nox.session(venv_backend="none")
def resolve(session: nox.Session) -> None:
    """The first rung for cells of any system, without installing: nox -s resolve -- [GLOB ...] [--json] [--offline] [--keep]."""
    session.run(PYTHON, "-m", "slowfast_verify", "resolve", *session.posargs, external=True, success_codes=[0, 1, 4])
    if "--keep" in session.posargs:
        session.run(PYTHON, "-m", "slowfast_verify.prediction_table", external=True)


@nox.session(venv_backend="none")
def faults(session: nox.Session) -> None:
    """Kill, fill up, cut off and crowd the suite, a hundred kills and more; writes reports/faults.json and docs/reliability.md."""
    env = {"FAULTS_WHOLE": "1", "FAULTS_RESULTS": str(Path("reports") / "faults.json"), "FAULTS_ANEW": "" if session.posargs else "1"}
    session.run(PYTHON, "-m", "pytest", "tests/faults", "-q", "-n", "2", *session.posargs, env=env, external=True)
    session.run(PYTHON, "-m", "slowfast_verify.fault_table", external=True)


@nox.session(venv_backend="none")
def mutation(session: nox.Session) -> None:
    """Change the suite's own code in small ways and see whether a test turns red: nox -s mutation -- [SUBJECT ...] [--again]."""
    session.run(PYTHON, "-m", "slowfast_verify.mutation", *session.posargs, external=True)
    session.run(PYTHON, "-m", "slowfast_verify.mutation_page", external=True)


@nox.session(venv_backend="none")
def report(session: nox.Session) -> None:
    """Merge the records that are there into reports/collection.jsonl; write COMPATIBILITY.md from the kept ones, and check it."""
    command = (PYTHON, "-m", "slowfast_verify", "report")
    if session.posargs:
        session.run(*command, *session.posargs, external=True)
        return
    there = [place for place in ("reports/evidence", "reports/records", "reports/collection.jsonl") if Path(place).exists()]
    session.run(*command, "merge", *there, "--output", "reports/collection.jsonl", external=True)  # earlier runs stay as history
    session.run(*command, external=True)
    session.run(*command, "--check", external=True)
    session.run(PYTHON, "-m", "slowfast_verify.prediction_table", external=True)  # what was foretold for the cells that now ran


@nox.session(venv_backend="none")
def dashboard(session: nox.Session) -> None:
    """Write reports/dashboard/index.html from the records kept under reports/evidence: nox -s dashboard -- [RECORDS...] [--output DIR]."""
    session.run(PYTHON, "-m", "slowfast_verify", "report", "render", *session.posargs, external=True)


@nox.session(venv_backend="virtualenv", reuse_venv=True)
def tests(session: nox.Session) -> None:
    """The suite's own tests, in an environment of their own."""
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run("pytest", "tests/harness", "tests/faults", "-n", "2", *session.posargs)


@nox.session(venv_backend="virtualenv", reuse_venv=True)
def lint(session: nox.Session) -> None:
    """ruff and mypy, both strict, the generated files against what they are made from, the workflows by schema and zizmor."""
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("slowfast-verify", "report", "--check")
    session.run("slowfast-verify", "report", "schema", "--check")
    session.run("python", "-m", "slowfast_verify.loop_table", "--check")
    session.run("python", "-m", "slowfast_verify.fault_table", "--check")
    session.run("python", "-m", "slowfast_verify.mutation_page", "--check")
    session.run("slowfast-verify", "bisect", "--check")
    session.run("python", "-m", "slowfast_verify.reference", "--check")
    session.run("python", "bench/table.py", "--check")
    session.run("python", "docs/pictures/make.py", "--check")
    session.run("python", "docs/contents.py", "--check")
    session.run("slowfast-verify", "resolve", "--check")
    session.run("python", "-m", "slowfast_verify.prediction_table", "--check")
    session.run("pytest", "tests/harness/test_workflow_files.py", "-q", "-n0")


@nox.session(venv_backend="none")
def dryrun(session: nox.Session) -> None:
    """Execute .github/workflows/matrix.yml here, line by line: plan, jobs (stubs, one crashed, one real cell), merge, issues, page."""
    session.run(PYTHON, "-m", "pytest", "tests/harness/test_workflows.py", "-n0", "-v", "-k", "fan_out or real_cell", external=True)


@nox.session(venv_backend="none")
def fixtures(session: nox.Session) -> None:
    """Make every fixture again from nothing, in a provisioned pyslowfast cell."""
    session.run(PYTHON, "-m", "slowfast_verify", "fixtures", *session.posargs, external=True)


@nox.session(venv_backend="none")
@nox.parametrize("what", [nox.param(name, id=name) for name in (
    "verify_over_floor", "plain", "provision", "matrix", "recipe", "diagnose", "doctor", "report", "dashboard", "resolve", "new_user",
    "help",
)])  # fmt: skip
def bench(session: nox.Session, what: str) -> None:
    """Measure, in a quiet moment of the machine; writes bench/*.json, from which `python bench/table.py` makes the README's table."""
    session.run(PYTHON, f"bench/{what}.py", *session.posargs, external=True)
