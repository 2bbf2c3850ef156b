"""The house keeps its shape: who may import whom, how long a file may be, and what no file may contain."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import slowfast_verify
from slowfast_verify.program import program

PACKAGE = Path(slowfast_verify.__file__).parent
ROOT = PACKAGE.parent.parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)
HOST = [path for path in MODULES if path.parent.name != "probes"]
PROBES = [path for path in MODULES if path.parent.name == "probes"]
LONGEST = 320
#: What makes records and findings: a report can be made where nothing can be run.
MAKERS = {
    "observe",
    "target",
    "provision",
    "installer",
    "plugin",
    "verdict",
    "climb",
    "examination",
    "judge",
    "staged",
    "fix",
    "ground",
    "image",
}
REPORTS = ("record", "reading", "collection", "causes", "compatibility", "difference", "query", "report", "schema", "harmless", "findings")
#: module -> modules of ours that it must never reach, not even through another one.
NEVER = {
    **dict.fromkeys(REPORTS, MAKERS),
    "data": {"observe", "target", "provision", "installer", "record"},
    "cell": {"observe", "target", "provision", "installer", "record"},
    "matrix": {"observe", "target", "provision", "installer", "record"},
    "knowledge": {"observe", "target", "provision", "installer", "record"},
    "recipe": {"observe", "target", "provision", "installer"},
    "nearest": {"observe", "target", "provision", "installer"},
    "recipe_text": {"observe", "target", "provision", "installer"},
    "observe": {"provision", "installer", "record", "matrix", "verdict", "plugin"},
}
#: Modules that ask the installer something and install nothing.
ASKS = ("here", "reach", "package_index", "resolver")
#: Modules that describe and decide, and never start anything.
QUIET = (
    "data",
    "errors",
    "action",
    "cell",
    "subject",
    "matrix",
    "expectation",
    "stack",
    "knowledge",
    *REPORTS,
    "atomic",
    "layout",
    "death",
    "ladder",
)


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports at its top level or inside a function; ours by their bare name with a leading dot."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found |= {f".{node.module.split('.')[0]}"} if node.module else {f".{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def reached_from(name: str) -> set[str]:
    """Every module of ours that a module reaches through imports at the top level of files."""
    seen: set[str] = set()
    left = [name]
    while left:
        path = PACKAGE / f"{left.pop()}.py"
        for found in imports_of(path) if path.exists() else ():
            ours = found.removeprefix("slowfast_verify.").removeprefix(".") if found.startswith((".", "slowfast_verify.")) else ""
            if ours and ours not in seen:
                seen.add(ours)
                left.append(ours)
    return seen


@pytest.mark.parametrize("name", [name for name in NEVER if (PACKAGE / f"{name}.py").exists()])
def test_imports_go_one_way(name: str) -> None:
    """Records and reports never reach what observes or installs; data reaches nothing that acts; observing installs nothing."""
    assert not reached_from(name) & NEVER[name]


@pytest.mark.parametrize("path", [path for path in HOST if path.parent.name in ("formats", "dashboard")],
                         ids=lambda path: f"{path.parent.name}/{path.name}")  # fmt: skip
def test_reports_never_reach_what_makes_them(path: Path) -> None:
    """No format and no page reaches what observes, judges, installs or mends, also not through another module."""
    names = {found.removeprefix("slowfast_verify.").removeprefix(".") for found in imports_of(path)}
    assert not (names | set().union(*map(reached_from, names))) & MAKERS


def test_the_walk_finds_what_is_there() -> None:
    """The counter-example: what judges does reach what observes and what installs, through other modules too."""
    assert {"observe", "target", "provision", "installer", "ending"} <= reached_from("verdict")


@pytest.mark.parametrize("name", QUIET)
def test_what_describes_starts_nothing(name: str) -> None:
    """Models and data start no process and open no connection."""
    roots = {found.split(".")[0] for found in imports_of(PACKAGE / f"{name}.py")}
    assert not roots & {"subprocess", "socket", "requests", "urllib", "multiprocessing", "pooch"}


@pytest.mark.parametrize("path", PROBES, ids=lambda path: path.name)
def test_a_probe_imports_nothing_of_ours(path: Path) -> None:
    """A probe is one file: it imports neither the package nor another probe."""
    found = imports_of(path)
    siblings = {other.stem for other in PROBES}
    assert not [name for name in found if name.startswith(".") or name.split(".")[0] in {"slowfast_verify", *siblings}]


def test_the_parts_of_the_runner_know_each_other() -> None:
    """The parts of the runner import nothing of each other: joined, as they travel, no name is undefined."""
    text = program("cookie", [])
    assert b"# ruff: noqa: F821" in text  # in the parts; here it would silence the whole
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "-"],
        input=text.replace(b"# ruff: noqa", b"#"), capture_output=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout.decode()


def test_no_part_of_the_runner_replaces_what_another_defines() -> None:
    """Joined into one namespace, no function, class or constant is defined twice."""
    defined = []
    for node in ast.parse(program("cookie", [])).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.append(node.name)
        elif isinstance(node, ast.Assign):
            defined += [name.id for name in node.targets if isinstance(name, ast.Name)]
    assert len(defined) > 30
    assert sorted(set(defined)) == sorted(defined)


def test_only_provision_and_fix_install() -> None:
    """One file installs, with what it stands on; and the one that carries out fixes, and the one that lays what an image is built from.

    `room` asks the installers where their caches lie and what they hold.
    """
    callers = {path.stem for path in HOST if ".installer" in imports_of(path)}
    assert callers <= {"provision", "ground", "fix", "context", "recipe_run", "room"} | set(ASKS)
    assert set(re.findall(r"installer\.(\w+)\(", (PACKAGE / "room.py").read_text(encoding="utf-8"))) == {"cache_folder", "holds"}


@pytest.mark.parametrize("name", ASKS)
def test_what_only_asks_the_installer_installs_nothing(name: str) -> None:
    """What reads its settings or asks its resolver calls nothing of it that changes an environment."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "installer"}
    assert used
    assert used <= {"uv", "uv_command", "pip_settings", "resolver", "environment"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_is_short_and_opens_with_its_contract(path: Path) -> None:
    """A module has a docstring and a length that one can read in one go."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text))


def test_nothing_is_called_utils() -> None:
    """A drawer for everything is a place for nothing."""
    assert not [path.name for path in MODULES if path.stem in ("utils", "util", "helpers", "common", "misc")]


def tracked() -> list[Path]:
    """The project's files: those that git knows or would."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listing.stdout.decode("utf-8").split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file() and (ROOT / name).stat().st_size < 2_000_000]


#: Written so that this file does not contain them.
FORBIDDEN = {
    "a folder of one machine": "/" + r"(?:work|root|opt/wheels|opt/pypi)(?:/|\b)",
    "a person's home": "/(?:home|Users)/" + r"(?!me\b|ann\b|user\b|you\b|runner\b|NAME\b|\{|<|\.\.\.)\w+",
    "a folder of one machine, as Windows spells it": r"\b[A-Za-z]:(?:/|\\+)(?:work|root)(?:/|\\)",
    "a host of a package registry": r"(?i)\b(?:files\." + r"pythonhosted\.org|pypi\." + r"org|test\.pypi\." + r"org)\b",
}
ALLOWED = {
    "README.md", "README.zh-CN.md", "CONTRIBUTING.md",  # may show people where packages come from
}  # fmt: skip


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    """No file of the project names a folder of the machine that it was made on, or the host of a package registry."""
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a clip, a checkpoint
        if path == Path(__file__) or path.name in ALLOWED:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line.strip()[:120]}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)
        ]
    assert not found, "\n".join(found)
