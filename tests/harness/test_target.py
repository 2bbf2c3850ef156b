"""What a person writes after --target becomes the command line that starts a Python, with its variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import target as targets
from slowfast_verify.errors import Problem
from slowfast_verify.target import PREFIX, STEERING, Target


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("conda:slowfast", ("conda", "run", "--no-capture-output", "-n", "slowfast", "python")),
        ("conda-prefix:/opt/my env", ("conda", "run", "--no-capture-output", "-p", "/opt/my env", "python")),
        ("container:3f9c", ("docker", "exec", "-i", "3f9c", "python3")),
        ("docker:mine:1", ("docker", "run", "--rm", "-i", "--entrypoint=", "mine:1", "python3")),
        ("ssh:gpu-box", ("ssh", "-o", "BatchMode=yes", "gpu-box", "python3")),
        ("wsl:Ubuntu-22.04", ("wsl", "-d", "Ubuntu-22.04", "--", "python3")),
        ("argv:qemu-aarch64-static -L /root64 python3", ("qemu-aarch64-static", "-L", "/root64", "python3")),
    ],
)
def test_a_prefix_stands_before_its_python(text: str, argv: tuple[str, ...]) -> None:
    """conda, docker, ssh, wsl and anything else differ only in what stands before the interpreter."""
    target = targets.parse(text)
    assert target.argv == argv
    assert not target.local
    assert target.command("-B", "-") == [*argv, "-B", "-"]


@pytest.mark.skipif(os.name != "posix", reason="a shell's quoting")
def test_argv_is_split_as_a_shell_would() -> None:
    """Quotes hold an argument together."""
    assert targets.parse("argv:sh -c 'exec \"$@\"' sh '/my env/python'").argv == ("sh", "-c", 'exec "$@"', "sh", "/my env/python")


@pytest.mark.parametrize("text", [f"{kind}:" for kind in PREFIX] + ["argv:", "argv:  "])
def test_a_prefix_without_a_name_is_told(text: str) -> None:
    """`docker:` alone ends in one message with an example."""
    with pytest.raises(Problem, match="needs a") as caught:
        targets.parse(text)
    assert caught.value.where == f"--target {text}"
    assert "--target" in caught.value.next


def test_an_interpreter_a_folder_and_a_command_are_found(tmp_path: Path) -> None:
    """The path of an interpreter, an environment's folder and a command on PATH all become that interpreter."""
    assert targets.parse(sys.executable).argv == (sys.executable,)
    environment = tmp_path / "my 环境"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(environment)], check=True, timeout=60)
    python = targets.of_prefix(environment)
    assert python
    assert python.is_relative_to(environment)
    assert targets.parse(str(environment)).argv == (str(python),)
    assert targets.parse(str(python)).argv == (str(python),)  # not resolved: behind the link lies another environment
    assert targets.parse("git").argv[0].endswith(("git", "git.exe", "git.EXE"))


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the same wherever the probe runs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    monkeypatch.chdir(tmp_path)
    assert targets.parse("bin/python").argv == (str(tmp_path / "bin" / "python"),)
    assert targets.parse(".").argv == (str(tmp_path / "bin" / "python"),)


def test_a_folder_that_is_no_environment_is_told(tmp_path: Path) -> None:
    """A folder without an interpreter ends in one message that says what was looked for."""
    with pytest.raises(Problem, match="no Python environment") as caught:
        targets.parse(str(tmp_path))
    assert "bin/python" in caught.value.cause


def test_a_name_that_is_nothing_is_told() -> None:
    """A misspelt target ends in one message that lists the forms."""
    with pytest.raises(Problem, match="no such target") as caught:
        targets.parse("dokcer:x")
    assert "docker:NAME" in caught.value.next
    assert caught.value.code == 2


def test_variables_of_a_local_target_are_the_processs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local target gets its variables as a process does, and none that steers Python from the calling shell."""
    for name in STEERING:
        monkeypatch.setenv(name, "of the shell")
    plain = targets.of_python(sys.executable)
    assert plain.environ()["PYTHONPATH"] == "of the shell"  # an environment that is only examined is examined as it is
    target = plain.with_env({"PYTHONPATH": "/checkout"})
    assert target.command() == [sys.executable]
    assert target.environ()["PYTHONPATH"] == "/checkout"
    assert not [name for name in STEERING if target.environ().get(name) == "of the shell"]


def test_variables_of_a_distant_target_travel_in_its_argv() -> None:
    """Where a process's variables do not reach, `env` carries them."""
    target = targets.parse("container:x").with_env({"PYTHONPATH": "/a b"})
    assert target.command("-") == ["docker", "exec", "-i", "x", "env", "PYTHONPATH=/a b", "python3", "-"]
    assert "/a b" not in target.environ().get("PYTHONPATH", "")


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (Target(("/home/me/envs/slow fast/bin/python",), kind="venv"), "venv-slow-fast"),
        (targets.parse("docker:my/box:1"), "docker-my-box-1"),
        (targets.parse("ssh:me@gpu"), "ssh-me-gpu"),
    ],
)
def test_a_label_is_safe_as_a_file_name(target: Target, wanted: str) -> None:
    """The name of a record's file is readable and has nothing that a file system refuses."""
    assert targets.label(target) == wanted
