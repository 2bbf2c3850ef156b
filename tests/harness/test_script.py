"""A script says the same in every language: what is quoted arrives as it was, in a real bash and in Wine's cmd.exe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import script
from slowfast_verify.action import Action, Edit, File
from slowfast_verify.mending import mending
from slowfast_verify.script import Do, Link, Places, Say, Step, Variable, Write
from slowfast_verify.wine import wine_variables

HARD = ["plain", "two words", "a<b,>=c", "50%", "a&b|c", "(x)", "it's", "100%PATH%", "a;b=c", "!x!", "", "pkg @ git+https://h/x@0f"]
TEXT = "import re\n\n  (\"'x', [^\\n]+ >= (1, 8) & 50% | <y> ^\"!\n"
LINUX = Places(python="3.8", windows=False, checkout="SlowFast")
WINDOWS = Places(python="3.8", windows=True, checkout="SlowFast")


def in_bash(steps: list[Step], folder: Path) -> str:
    """What the steps print when a real bash runs them."""
    (folder / "x.sh").write_text(script.written(steps, LINUX, "bash"), encoding="utf-8")
    done = subprocess.run(["bash", "-e", "x.sh"], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.fixture(scope="module")
def cmd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables that start Wine in a prefix of its own."""
    if not shutil.which("wine") or not shutil.which("wineserver"):
        pytest.skip("not verified: cmd.exe needs Wine here (apt-get install wine wine64)")
    env = {**os.environ, **wine_variables(tmp_path_factory.mktemp("wine") / "prefix")}
    made = subprocess.run(
        ["wine", "cmd", "/c", "ver"], env=env, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.PIPE
    )
    if made.returncode:
        pytest.skip(f"not verified: Wine's cmd.exe does not start: {made.stderr[-300:]}")
    return env


def in_cmd(text: str, folder: Path, env: dict[str, str]) -> str:
    """What a script prints when Wine's cmd.exe runs it."""
    (folder / "x.cmd").write_text(text.replace("\n", "\r\n"), encoding="ascii", newline="")
    argv = ["wine", "cmd", "/q", "/c", "x.cmd"]
    done = subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout


def test_bash_hands_on_every_argument_as_it_was(tmp_path: Path) -> None:
    """Blanks, quotes, signs that a shell reads, nothing at all; and the folder that the script is started in."""
    (tmp_path / "show.py").write_text("import sys; print(sys.argv[1:])", encoding="utf-8")
    said = in_bash([Do(argv=[sys.executable, "show.py", *HARD, "{here}/a b"])], tmp_path)
    assert said == f"{[*HARD, f'{tmp_path}/a b']}\n"


def test_bash_writes_a_file_as_it_was_and_sets_variables(tmp_path: Path) -> None:
    """A file line for line; a search path of two folders; a link whose folders above did not exist; a comment does nothing."""
    (tmp_path / "SlowFast").mkdir()
    show = "import os; print(os.environ['A'], os.environ['B']); print(os.path.realpath('links/vision/fair'))"
    steps = [
        Say(text="a comment $(exit 3)"),
        Write(path="x.txt", text=TEXT),
        Variable(name="A", values=["{here}/a b", "{here}/{checkout}"]),
        Variable(name="B", values=["it's $HOME"]),
        Link(path="links/vision/fair", to="{here}/{checkout}"),
        Do(argv=[sys.executable, "-c", show]),
    ]
    said = in_bash(steps, tmp_path)
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == TEXT
    assert said == f"{tmp_path}/a b:{tmp_path}/SlowFast it's $HOME\n{tmp_path / 'SlowFast'}\n"


def test_cmd_writes_a_file_as_it_was_and_sets_variables(tmp_path: Path, cmd: dict[str, str]) -> None:
    """The same in Wine's cmd.exe, whose echo reads more signs than any other shell."""
    steps: list[Step] = [
        Say(text="a comment & echo no"),
        Write(path="x.txt", text=TEXT),
        Variable(name="A", values=["{here}/links", "{here}/{checkout}"]),
        Variable(name="B", values=["0"]),
        Do(argv=["cmd", "/c", "set", "B"]),
    ]
    said = in_cmd(script.written(steps, WINDOWS, "cmd") + "echo A=%A%\n", tmp_path, cmd)
    assert (tmp_path / "x.txt").read_bytes().decode().replace("\r\n", "\n") == TEXT
    assert re.search(r"^B=0\s*$", said, re.MULTILINE)
    assert re.search(r"^A=\w:(\\[^;]+)\\links;\w:\1\\SlowFast\s*$", said, re.MULTILINE), said
    assert "no" not in said.split()


def test_a_workaround_is_made_by_the_script_alone(tmp_path: Path) -> None:
    """An edit with an expression and a file with quotes, by programs that the script writes; nothing to replace is an error."""
    (tmp_path / "SlowFast").mkdir()
    (tmp_path / "SlowFast" / "setup.py").write_text("requires = ['PIL', \"sklearn\"]\n", encoding="utf-8")
    (tmp_path / "slowfast-env" / "bin").mkdir(parents=True)
    (tmp_path / "slowfast-env" / "bin" / "python").symlink_to(sys.executable)
    action = Action(
        edit=[Edit(file="setup.py", find=r"""['"](PIL)["']""", replace="'Pillow'")], file=[File(path="{site}/a/b.py", text='x = "\\n"\n')]
    )
    in_bash(mending(action, "pip", 1, []), tmp_path)
    assert (tmp_path / "SlowFast" / "setup.py").read_text(encoding="utf-8") == "requires = ['Pillow', \"sklearn\"]\n"
    assert (tmp_path / "slowfast-env/lib/python3.8/site-packages/a/b.py").read_text(encoding="utf-8") == 'x = "\\n"\n'
    with pytest.raises(subprocess.CalledProcessError) as found:
        in_bash(mending(action, "pip", 1, []), tmp_path)
    assert "there is nothing to replace" in found.value.stderr


@pytest.mark.parametrize(("form", "lines"), [("bash", 2), ("cmd", 2), ("powershell", 3), ("dockerfile", 4)])
def test_what_two_runs_have_in_common_has_no_comments(form: script.Form, lines: int) -> None:
    """The digest of a recipe does not change with the date of its evidence; it does with a command."""
    text = script.written([Say(text="one"), Do(argv=["a", "b"]), Write(path="f", text="x\n")], LINUX, form)
    dated = "\n".join(script.comment("ran on 2026-11-22\n\nat noon", form)) + "\n" + text
    assert script.commands_in(dated, form) == script.commands_in(text, form)
    assert script.commands_in(text, form) != script.commands_in(text.replace("b", "c"), form)
    assert len(script.commands_in(text, form).splitlines()) >= lines
    assert not re.search("one|2026", script.commands_in(dated, form))


def test_powershell_quotes_what_it_would_read() -> None:
    """Not run here; held to the quoting rules of its own documentation: single quotes doubled, a here-string for a file."""
    text = script.written([Do(argv=["{python}", "it's", "a b", "--x=y"]), Write(path="x.txt", text=TEXT)], WINDOWS, "powershell")
    assert text.startswith(".\\slowfast-env\\Scripts\\python.exe 'it''s' 'a b' --x=y\n@'\n")
    assert text.endswith("\n'@ | Out-File -Encoding ascii x.txt\n")


def test_a_dockerfile_is_one_instruction_a_step() -> None:
    """Every line is an instruction or goes on one."""
    text = script.written(
        [Do(argv=["a", "b c"]), Write(path="x.txt", text=TEXT), Variable(name="A", values=["{here}/x"])], LINUX, "dockerfile", "b:1"
    )
    joined = re.sub(r"\\\n\s*", "", text).splitlines()
    assert [line.split()[0] for line in joined] == ["FROM", "WORKDIR", "RUN", "RUN", "ENV"]
    assert joined[-1] == "ENV A=/recipe/x"
