"""Changes our own code in small ways and sees whether a test turns red: `nox -s mutation`, or `-- SUBJECT ...` for some of it.

mutmut makes the mutants, chooses the tests that reach a changed function and forks a process for each mutant. It works in copies of this
checkout in the suite's cache, one for each subject of tests/mutation/subjects.toml, never in the checkout. What came of it is kept in
reports/mutation.json; mutation_page.py makes docs/mutation.md of that. Runs on the host, in a checkout, on systems with fork.
"""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from pydantic import Field

from . import layout
from .atomic import write_text
from .data import Row, load
from .errors import HEALTHY, TOOL_FAILED, Problem, did_you_mean
from .provenance import suite_revision

SURVIVED, NO_TESTS, NOT_RUN = (0,), (5, 33), (None,)  # exit statuses as mutmut keeps them
TIMED_OUT = (36, 24, -24, 152, 255, -9)  # its own limits, in processor time and by the clock, and those of tests/harness/mutated.py
COPIED = ("src", "tests", "matrices", "knowledge", "fixtures", "reports", "docker", "docs", "bench")
SHOW = (
    "import json, sys; from mutmut.mutation.diff_apply import get_diff_for_mutant as change; "
    "print(json.dumps({name: change(name, path=file) for file, name in json.load(sys.stdin)}))"
)
KEEPS = ("classmethod", "staticmethod")  # the decorators that mutmut understands by itself


class Subject(Row):
    """What is mutated and with which tests. files, tests: paths; why: why these files, and why these tests suffice."""

    files: list[str]
    tests: list[str]
    why: str
    deselect: list[str] = []
    deselect_why: str = ""


class Subjects(Row):
    """tests/mutation/subjects.toml."""

    limit_factor: float
    limit_seconds: float
    limit_why: str
    subject: dict[str, Subject]


class Survivor(Row):
    """A mutant that no test noticed. before, after: the lines that the change took away and put there."""

    file: str
    function: str
    line: int
    before: str
    after: str
    reached: bool = True


class Outcome(Row):
    """What became of one subject's mutants. suite: the commit, + for changes to it; seconds: of all mutants, one after another."""

    date: str
    suite: str = ""
    seconds: float
    mutants: int
    killed: int
    timed_out: int
    not_run: int = 0
    files: dict[str, int]
    survivors: list[Survivor]


class Run(Row):
    """reports/mutation.json."""

    tool: str
    machine: str
    subjects: dict[str, Outcome] = Field(default_factory=dict)


def subjects() -> Subjects:
    """tests/mutation/subjects.toml; raises Problem outside a checkout."""
    return load(layout.root() / "tests" / "mutation" / "subjects.toml", Subjects)


def kept() -> Path:
    """The results that the page is made of."""
    return layout.root() / "reports" / "mutation.json"


def results() -> Run:
    """What is kept; nothing where no subject was ever run."""
    if kept().exists():
        return Run.model_validate_json(kept().read_text(encoding="utf-8"))
    return Run(tool="", machine="")


def undecorated(source: str) -> str:
    """The same program with `@a` above `def f` written as `f = a(f)` below it: mutmut leaves a decorated function alone.

    Functions of one of KEEPS alone, setters and those without a body of their own (a Protocol's) stay as they are.
    """
    lines = source.splitlines()
    for node in sorted(_functions(ast.parse(source)), key=lambda found: -found.lineno):
        words = [ast.unparse(decorator) for decorator in node.decorator_list]
        empty = isinstance(node.body[-1], ast.Expr) and isinstance(node.body[-1].value, ast.Constant)
        if not words or (len(words) == 1 and words[0] in KEEPS) or empty or any(word.endswith((".setter", "overload")) for word in words):
            continue
        calls = node.name
        for word in reversed(words):
            calls = f"{word}({calls})"
        assert node.end_lineno is not None
        lines.insert(node.end_lineno, f"{' ' * node.col_offset}{node.name} = {calls}")
        first = node.decorator_list[0].lineno - 1
        lines[first : node.lineno - 1] = [""] * (node.lineno - 1 - first)
    return "\n".join(lines) + "\n"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


def prepare(name: str, subject: Subject, data: Subjects) -> Path:
    """A copy of the checkout in which mutmut may work; the earlier one is taken away. Returns its folder."""
    folder = layout.home() / "mutation" / name
    shutil.rmtree(folder, ignore_errors=True)
    refresh(folder, subject, data)
    return folder


def refresh(folder: Path, subject: Subject, data: Subjects) -> None:
    """Bring the copy up to date; what mutmut found out about functions that did not change stays."""
    root = layout.root()
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"], capture_output=True, check=True)
    there = [Path(name) for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]
    for path in there:
        text = undecorated((root / path).read_text(encoding="utf-8")).encode() if path.as_posix() in subject.files else None
        made = folder / path
        new = (root / path).read_bytes() if text is None else text
        if not made.exists() or made.read_bytes() != new:
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(new)
            shutil.copymode(root / path, made)
    (folder / "mutants" / "src").mkdir(parents=True, exist_ok=True)  # on PYTHONPATH: Python never looks again where nothing was
    config = {
        "source_paths": ["src", "tests/verify"],
        "only_mutate": subject.files,
        "also_copy": sorted({path.parts[0] for path in there} - {"src", "tests"}),
        "pytest_add_cli_args": [
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.harness.mutated",
            *(f"--deselect={test}" for test in subject.deselect),
        ],
        "pytest_add_cli_args_test_selection": subject.tests,
        "timeout_multiplier": data.limit_factor,
        "timeout_constant": data.limit_seconds,
    }
    rows = "\n".join(f"{key} = {json.dumps(value)}" for key, value in config.items())
    plain = (root / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"{plain}\n[tool.mutmut]\n{rows}\nuse_git_change_detection = false\n", encoding="utf-8")
    for made in sorted((folder / "mutants").glob("tests/**/*.py")):  # mutmut copies tests anew, and leaves behind those that are gone
        if not (root / made.relative_to(folder / "mutants")).exists():
            made.unlink()


def run(folder: Path, mutants: list[str]) -> None:
    """Let mutmut try the mutants, or all of which nothing is known yet. Raises Problem where it cannot begin: a test is red without one."""
    variables = {**os.environ, "PYTHONPATH": str(folder / "mutants" / "src"), "NO_COLOR": "1"}
    variables.pop(layout.DATA_VARIABLE, None)
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *mutants]
    with (folder / "mutmut.log").open("a", encoding="utf-8") as log:
        done = subprocess.run(command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if done.returncode:
        said = re.split(r"[\r\n]+", (folder / "mutmut.log").read_text(encoding="utf-8", errors="replace"))
        raise Problem(
            "mutmut could not begin", where=str(folder), cause="\n".join(said[-25:]), next="mend the test that is red without a mutant",
            code=TOOL_FAILED,
        )  # fmt: skip


def verdicts(folder: Path, file: str) -> dict[str, int | None]:
    """{mutant of a file: the exit status of its tests, None where they were not run}."""
    meta = folder / "mutants" / f"{file}.meta"
    found: dict[str, int | None] = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"] if meta.exists() else {}
    return found


def survivors(folder: Path, subject: Subject) -> list[str]:
    """The names of the mutants that no test noticed."""
    return [name for file in subject.files for name, code in verdicts(folder, file).items() if code in (*SURVIVED, *NO_TESTS, *NOT_RUN)]


def changes(folder: Path, mutants: list[tuple[str, str]]) -> dict[str, str]:
    """{mutant: its change as a unified diff} of (file, mutant) pairs; one process of mutmut's Python tells of all."""
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=folder, input=json.dumps(mutants), capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def told(file: str, mutant: str, change: str, code: int | None) -> Survivor:
    """A survivor in the words of its change; the line is that of the checkout's file."""
    shown = change.splitlines()
    hunk = next(i for i, line in enumerate(shown) if line.startswith("@@"))
    at = int(re.findall(r"-(\d+)", shown[hunk])[0])
    gone: list[tuple[int, str]] = []
    put: list[str] = []
    for shown_line in shown[hunk + 1 :]:
        if shown_line.startswith("+"):
            put.append(shown_line[1:].strip())
            continue
        if shown_line.startswith("-"):
            gone.append((at, shown_line[1:].strip()))
        at += 1
    function = mutant.rpartition(".")[2].partition("__mutmut")[0]
    function = ".".join(function.split("ǁ")[1:]) if "ǁ" in function else function.removeprefix("x_")
    source = (layout.root() / file).read_text(encoding="utf-8")
    expected = line_of(source, function) + gone[0][0] - 1
    same = [n for n, text in enumerate(source.splitlines(), 1) if text.strip() == gone[0][1]]
    line = min(same, key=lambda number: abs(number - expected), default=expected)
    before = " ".join(text for _, text in gone)
    return Survivor(file=file, function=function, line=line, before=before, after=" ".join(put), reached=code not in NO_TESTS)


def line_of(source: str, function: str) -> int:
    """The line in which a function (or `Class.method`) begins, 1 where there is none."""
    *_, name = function.split(".")
    return next((node.lineno for node in _functions(ast.parse(source)) if node.name == name), 1)


def seconds_of(folder: Path, file: str) -> float:
    """How long the mutants of a file took, one after another; those that were tried again with their last time."""
    meta = folder / "mutants" / f"{file}.meta"
    return float(sum(json.loads(meta.read_text(encoding="utf-8"))["durations_by_key"].values())) if meta.exists() else 0.0


def outcome(folder: Path, subject: Subject) -> Outcome:
    """What became of all mutants of a subject."""
    codes = {(file, name): code for file in subject.files for name, code in verdicts(folder, file).items()}
    left = {row: code for row, code in codes.items() if code in (*SURVIVED, *NO_TESTS)}
    shown = changes(folder, list(left))
    alive = [told(file, name, shown[name], code) for (file, name), code in left.items()]
    timed_out = sum(code in TIMED_OUT for code in codes.values())
    not_run = sum(code in NOT_RUN for code in codes.values())
    return Outcome(
        date=time.strftime("%Y-%m-%d", time.gmtime()), suite=suite_revision(),
        seconds=round(sum(seconds_of(folder, file) for file in subject.files)),
        mutants=len(codes), killed=len(codes) - timed_out - not_run - len(alive), timed_out=timed_out, not_run=not_run,
        files={file: len(verdicts(folder, file)) for file in subject.files},
        survivors=sorted(alive, key=lambda row: (row.file, row.line, row.after)),
    )  # fmt: skip


def keep(name: str, found: Outcome) -> None:
    """Put one subject's outcome into the kept results, beside those of the others."""
    before = results()
    now = Run(
        tool=f"mutmut {version('mutmut')}", machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        subjects=dict(sorted({**before.subjects, name: found}.items())),
    )  # fmt: skip
    write_text(kept(), now.model_dump_json(indent=1) + "\n")


def main(arguments: list[str]) -> int:
    """Run all subjects, or those named. --again: try only what survived; --results: nothing, read what is there."""
    data = subjects()
    names = [word for word in arguments if not word.startswith("--")] or list(data.subject)
    for name in names:
        if name not in data.subject:
            raise Problem(
                f"there is no subject {name!r} to mutate", where="tests/mutation/subjects.toml",
                cause=did_you_mean(name, list(data.subject)), next=f"one of {', '.join(data.subject)}",
            )  # fmt: skip
    for name in names:
        subject = data.subject[name]
        folder = layout.home() / "mutation" / name
        if "--results" in arguments:
            pass
        elif "--again" in arguments and folder.exists():
            refresh(folder, subject, data)
            run(folder, [])
            run(folder, survivors(folder, subject) or [])
        else:
            run(prepare(name, subject, data), [])
        found = outcome(folder, subject)
        keep(name, found)
        print(f"{name}: {found.mutants} mutants, {found.killed} killed, {found.timed_out} timed out, {len(found.survivors)} survived")
    return HEALTHY


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        print(problem)
        sys.exit(problem.code)
