"""A person who knows nothing reaches green: break a clone, run the doctor, execute what it prints as it stands, run the doctor again.

Only the text that is printed is used: the lines below `fix:`. What a shell can execute is executed in one bash, so that a variable set in
it stays set; a sentence is for the person and changes nothing here. `nox -s loops -- -k following`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import slowfast_verify
from slowfast_verify import fix, healthy, knowledge, layout
from slowfast_verify.action import Action
from slowfast_verify.data import Row, load
from slowfast_verify.errors import Infrastructure, NotVerifiable
from slowfast_verify.fix import Place

HERE = Path(__file__).parent
ROUNDS = 3  # how often a person tries again before giving up
SECONDS = 600
BUILTINS = ("export", "unset", "cd", "test", "[", "{")


class Seeded(Row):
    """One broken environment; the fields are told in seeded.toml."""

    id: str
    environment: str = "classic"
    known: str = ""
    uninstall: list[str] = []
    install: list[str] = []
    remove: list[str] = []
    write: dict[str, str] = {}
    cut: dict[str, int] = {}
    env: dict[str, str] = {}
    options: list[str] = []
    knows: dict[str, str] = {}
    up_to: str = "imports"
    says: str


class SeededFile(Row):
    """seeded.toml."""

    seeded: list[Seeded]


ROWS = load(HERE / "seeded.toml", SeededFile).seeded


@pytest.fixture
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A clone of the cell, which the test may break."""
    folder = layout.home() / "clones" / f"following-{request.node.callspec.id}-{os.getpid()}"
    try:
        place, _ = healthy.healthy(request.node.callspec.params["row"].environment, folder)
    except (NotVerifiable, Infrastructure) as problem:
        pytest.skip(str(problem))
    yield place
    shutil.rmtree(folder, ignore_errors=True)


def run(label: str, argv: list[str], place: Place) -> None:
    """A command that breaks the clone."""
    done = subprocess.run(argv, env=fix.environ(place), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{label}: {done.stdout}{done.stderr}"


def break_it(row: Seeded, place: Place) -> None:
    """What seeded.toml says is done."""
    carry = partial(fix.carry_out, place=place, run=lambda label, argv: run(label, argv, place), label=row.id)
    for action in knowledge.known(row.known).reproduce if row.known else []:
        if not action.when:
            carry(action)
    if row.uninstall or row.install:
        carry(Action(uninstall=row.uninstall, install=row.install))
    for pattern in row.remove:
        found = list(place.site.glob(pattern))
        assert found, f"nothing to take away: {pattern}"
        for path in found:
            path.unlink()
    for name, text in row.write.items():
        (place.folder / name).write_text(text, encoding="utf-8")
    for name, kept in row.cut.items():
        (place.folder / name).write_bytes((layout.fixtures() / "weights" / name).read_bytes()[:kept])
    if row.env:
        carry(Action(env=row.env))


def launcher(folder: Path) -> Path:
    """The command `slowfast-verify` of this very code, whatever PYTHONPATH says: that variable is the person's."""
    path = folder / "bin" / "slowfast-verify"
    path.parent.mkdir(exist_ok=True)
    source = str(Path(slowfast_verify.__file__).parent.parent)
    start = f"import sys; sys.path.insert(0, {source!r}); from slowfast_verify.cli import main; main()"
    path.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", start])} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


class Shell:
    """The shell that the person sits at: one bash, into which lines are typed. Its variables are those of the clone's user."""

    def __init__(self, place: Place) -> None:
        kept = {key: value for key, value in fix.environ(place).items() if key not in ("VIRTUAL_ENV", "PYTHONPATH", "PTYTHONPATH")}
        own = {key: place.told(value) for key, value in place.variables.items()}
        path = os.pathsep.join([str(launcher(place.folder).parent), str(Path(sys.executable).parent), os.environ["PATH"]])  # uv, bash, sed
        tool = {"PATH": path, "SLOWFAST_VERIFY_DATA": str(layout.root()), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        self.env = {**kept, **own, **tool}
        self.folder = place.checkout or place.folder

    def type(self, line: str) -> tuple[int, str]:
        """Execute one line as it stands; what it exports is there for the next one."""
        told = self.folder.parent / "shell-env"
        script = f"{line}\nstatus=$?\nenv -0 > {shlex.quote(str(told))}\nexit $status\n"
        done = subprocess.run(["bash", "-c", script], env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=SECONDS, check=False)  # fmt: skip
        if told.exists():
            rows = told.read_text(encoding="utf-8", errors="surrogateescape").split("\0")
            self.env = dict(row.split("=", 1) for row in rows if "=" in row and not row.startswith(("_=", "SHLVL=", "PWD=", "OLDPWD=")))
        return done.returncode, done.stdout


def printed_fixes(text: str) -> list[str]:
    """The lines below each `fix:` of a report."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith("   fix: "):
            inside = True
            lines.append(line.removeprefix("   fix: "))
        elif inside and line.startswith("        "):
            lines.append(line.strip())
        else:
            inside = False
    return lines


def executable(line: str, shell: Shell) -> bool:
    """Whether a shell knows the first word of a line: a command, not a sentence."""
    word = re.split(r"\s", line, maxsplit=1)[0].strip("'\"")
    return word in BUILTINS or shutil.which(word, path=shell.env["PATH"]) is not None


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_following_what_is_printed_leads_to_green(row: Seeded, clone: Place) -> None:
    """The report names the cause; its commands, executed as they stand, end in a report that says healthy."""
    break_it(row, clone)
    shell = Shell(clone)
    words = [clone.fill(word) for word in row.options]
    doctor = shlex.join(["slowfast-verify", "doctor", str(clone.env), "--rung", row.up_to, *words])
    told = f"export PYTHONPATH in the clone: {shell.env.get('PYTHONPATH', '')}\n"
    status, said = shell.type(doctor)
    told += f"$ {doctor}\n{said}"
    assert status == 1 and row.says in said, f"the seeded failure does not show\n{told}"
    for _ in range(ROUNDS):
        lines = printed_fixes(said)
        commands = [line for line in lines if executable(line, shell)]
        assert commands, f"nothing that is printed can be executed\n{told}"
        for line in commands:
            for word, value in row.knows.items():
                line = line.replace(word, clone.fill(value))
            status, said = shell.type(line)
            told += f"$ {line}\n{said[-1500:]}"
            assert status == 0, f"a printed command fails as it stands: {line}\n{told}"
        status, said = shell.type(doctor)
        told += f"$ {doctor}\n{said}"
        if status == 0:
            break
    if os.environ.get("FOLLOWING_LOG"):
        (Path(os.environ["FOLLOWING_LOG"]) / f"{row.id}.txt").write_text(told, encoding="utf-8")
    assert status == 0 and "healthy:" in said, f"whoever does what is printed is not at green\n{told}"
