"""The built wheel run without being installed by hand: `uvx` and `pipx run`, and what a shell completes once it is installed."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slowfast_verify import interpreter

from .test_package import NEWEST, OLDEST, _there, environment, runner, wheel

__all__ = ["wheel"]
NEWEST_HERE = next((one for one in NEWEST if _there(one)), OLDEST)
SECONDS = 400
UNREACHABLE = ("Failed to fetch", "error sending request", "No matching distribution", "Connection")


def tool(name: str) -> str:
    """A program of this suite's own environment; the test is not verified where there is none."""
    found = Path(sys.executable).with_name(name + (".exe" if os.name == "nt" else ""))
    if not found.exists():
        pytest.skip(f"not verified: no {name} beside this Python")
    return str(found)


def outside(folder: Path, argv: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in an empty folder, without any variable that leads to this checkout; an index that is away verifies nothing."""
    here = folder / "empty 空"
    here.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLOWFAST_VERIFY", "PYTHON", "VIRTUAL_ENV", "PIPX"))}
    done = subprocess.run(argv, cwd=here, env={**kept, **variables}, capture_output=True, text=True, encoding="utf-8", timeout=SECONDS,
                          check=False)  # fmt: skip
    if done.returncode not in (0, 1) and any(word in done.stderr for word in UNREACHABLE):
        pytest.skip(f"not verified: no package index here: {done.stderr[-200:]}")
    return done


@pytest.mark.heavy
@pytest.mark.parametrize("version", sorted({OLDEST, NEWEST_HERE}))
def test_uvx_runs_the_wheel(version: str, wheel: Path, tmp_path: Path) -> None:
    """`uvx --from WHEEL slowfast-verify` examines an environment and reads a log, on the oldest and the newest Python."""
    victim = environment(version, tmp_path / "victim")
    argv = [tool("uvx"), "--python", str(interpreter.find(version)), "--from", str(wheel), "slowfast-verify"]
    examined = outside(tmp_path, [*argv, "doctor", str(victim), "--rung", "environment"], UV_PYTHON_DOWNLOADS="never")
    assert examined.returncode == 1 and "packages that pyslowfast needs are not installed" in examined.stdout, examined.stderr
    log = tmp_path / "a.log"
    log.write_text("ModuleNotFoundError: No module named 'scipy'\n", encoding="utf-8")
    diagnosed = outside(tmp_path, [*argv, "diagnose", str(log)], UV_PYTHON_DOWNLOADS="never")
    assert diagnosed.returncode == 1 and "[missing-scipy]" in diagnosed.stdout, diagnosed.stderr


@pytest.mark.heavy
def test_pipx_runs_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """`pipx run --spec WHEEL slowfast-verify` does too, with a pipx of the index in an environment of its own."""
    python = environment(NEWEST_HERE, tmp_path / "pipx")
    done = subprocess.run([tool("uv"), "pip", "install", "--quiet", "--python", str(python), "pipx"], capture_output=True, text=True,
                          timeout=SECONDS, check=False)  # fmt: skip
    if done.returncode:
        pytest.skip(f"not verified: pipx cannot be installed here: {done.stderr[-200:]}")
    argv = [str(python), "-m", "pipx", "run", "--python", str(interpreter.find(NEWEST_HERE)), "--spec", str(wheel), "slowfast-verify"]
    version = outside(tmp_path, [*argv, "--version"], PIPX_HOME=str(tmp_path / "home"))
    assert version.returncode == 0 and version.stdout.startswith("slowfast-verify 0"), version.stderr
    explained = outside(tmp_path, [*argv, "explain", "missing-scipy"], PIPX_HOME=str(tmp_path / "home"))
    assert explained.returncode == 0 and "pip install scipy" in explained.stdout, explained.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the command that the wheel brings, in an environment of its own."""
    python = environment(OLDEST, tmp_path_factory.mktemp("completion") / "env")
    argv = [tool("uv"), "pip", "install", "--quiet", "--python", str(python), str(wheel)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        pytest.skip(f"not verified: no package index here: {done.stderr[-200:]}")
    assert runner(python, python.parent)("--version").returncode == 0
    return python.parent


def completed(shell: str, folder: Path, typed: str) -> str:
    """What the shell offers, or puts on the line, for what was typed so far."""
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"not verified: no {shell} on this machine")
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    asked = "slowfast-verify --show-completion"
    if shell == "fish":
        text = f"{asked} fish | source; complete -C {shlex.quote(typed)}"
        return subprocess.run([program, "--no-config", "-c", text], env=env, capture_output=True, text=True, timeout=60, check=True).stdout
    if shell == "bash":
        text = (
            f'eval "$({asked} bash)"; COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); '
            r"$(complete -p slowfast-verify | sed 's/.*-F \([^ ]*\).*/\1/') slowfast-verify; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        return subprocess.run([program, "--norc", "-c", text], env=env, capture_output=True, text=True, timeout=60, check=True).stdout
    return typed_at(program, env, f'autoload -Uz compinit && compinit -u -D && eval "$({asked} zsh)" && echo rea""dy\n', typed)


def typed_at(program: str, env: dict[str, str], prepares: str, typed: str) -> str:
    """What an interactive zsh shows after the words and the tab key."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = subprocess.Popen([program, "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, env={**env, "TERM": "dumb"},
                               start_new_session=True)  # fmt: skip
    os.close(slave)
    try:
        os.write(master, prepares.encode())
        assert "ready" in seen_until(master, "ready")
        os.write(master, f"{typed}\t".encode())
        return seen_until(master, "doctor")
    finally:
        process.kill()
        process.wait(10)
        os.close(master)


def seen_until(terminal: int, word: str, seconds: float = 40) -> str:
    """What comes until the word does, or until nobody expects it any more."""
    seen, until = "", time.monotonic() + seconds
    while word not in seen and time.monotonic() < until:
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


@pytest.mark.heavy
@pytest.mark.skipif(os.name == "nt", reason="not verified: these are shells of POSIX systems")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_what_was_begun(shell: str, installed: Path) -> None:
    """`slowfast-verify doc` and the tab key become `doctor` in a real shell, with the script that the installed command prints."""
    assert "doctor" in completed(shell, installed, "slowfast-verify doc")
    if shell != "zsh":
        assert "--rung" in completed(shell, installed, "slowfast-verify doctor --ru")
        assert "doctor" not in completed(shell, installed, "slowfast-verify expl")
