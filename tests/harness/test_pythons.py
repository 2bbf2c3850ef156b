"""Probes reach every Python from 3.6 to 3.13, wherever it lies and whatever stands before it; what is no Python is told so once."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from slowfast_verify import observe as observing
from slowfast_verify import target as targets
from slowfast_verify.observe import Observation, observe
from slowfast_verify.target import Target

from .conftest import Put
from .fakes import FAKES, VERSIONS, alive, gone, interpreter, questions

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shells, signals and process groups are POSIX")
WANTED = [
    ("fake_answer", {"say": "noise", "x": "é中 😀"}),
    ("fake_raising", {"how": "cause"}),
    ("fake_raising", {"how": "sys.exit"}),
    ("fake_dying", {"how": "SEGV"}),
    ("fake_answer",),
    ("fake_hanging", {}, {"seconds": 0.4}),
    ("fake_hanging", {"how": "lock"}, {"seconds": 0.4}),
    ("fake_printing", {"how": "c", "text": "from C"}),
    ("fake_printing", {"how": "unfinished", "text": "no newline"}),
    ("fake_printing", {"how": "flood", "megabytes": 4}),
    ("fake_strange", {"what": "surrogate"}),
    ("fake_dying", {"how": "_exit"}),
    ("fake_spawning",),
    ("fake_dying", {"how": "at_exit"}),
]
HOWS = ["answered", "raised", "raised", "died", "answered", "hung", "hung", *["answered"] * 4, "died", "answered", "answered"]


def in_words(found: dict[str, Observation]) -> list[str]:
    return [seen.how for seen in found.values()]


def check_everything(found: dict[str, Observation]) -> None:
    """The observations of WANTED, on any Python, with or without fork."""
    assert in_words(found) == HOWS, {number: seen for number, seen in found.items() if seen.how != HOWS[int(number)]}
    assert found["0"].facts
    assert found["0"].facts["given"] == {"x": "é中 😀"}
    assert [link["type"] for link in found["1"].chain] == ["ImportError", "ValueError"]
    assert (found["3"].signal, found["3"].step) == ("SIGSEGV", "die by SEGV")
    assert "<probe fake_dying>" in found["3"].stderr_tail
    assert found["0"].facts["pid"] != (found["4"].facts or {})["pid"]
    assert "fake_hanging" in found["5"].stderr_tail
    assert "fake_hanging" in found["6"].stderr_tail
    assert [found[n].stderr_tail.strip() for n in ("0", "7", "8")] == ["noise", "from C", "no newline"]
    assert found["9"].stderr_tail.endswith("the last of it\n")
    assert found["10"].facts == {"caf\\udce9": ["\\udcff"]}
    assert found["12"].facts == {"roots": [2.0, 3.0], "found": {}}
    assert "SIGSEGV" in (found["13"].at_exit or "")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_tells_the_same(version: str) -> None:
    """Raise, crash, hang, hang with the lock held, noise, odd answers, spawn and a death at exit are told alike by every Python."""
    found = observe(targets.of_python(interpreter(version)), questions(*WANTED))
    check_everything(found)
    assert (found["0"].facts or {})["python"] == [int(part) for part in version.split(".")]


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_every_python_without_fork_tells_the_same(version: str, tmp_path: Path) -> None:
    """The oldest and the newest Python, as on Windows: answered and watched in one process."""
    (tmp_path / "sitecustomize.py").write_text("import os\ndel os.fork\n", encoding="utf-8")
    target = targets.of_python(interpreter(version)).with_env({"PYTHONPATH": str(tmp_path)})
    check_everything(observe(target, questions(*WANTED)))


@pytest.mark.parametrize("version", VERSIONS)
def test_probes_compile_and_stand_alone(version: str) -> None:
    """Every probe and the runner are valid for the Python that runs them, and import nothing of ours or of each other."""
    code = (
        "import ast, sys\n"
        "for name in sys.argv[1:]:\n"
        "    text = open(name, encoding='utf-8').read()\n"
        "    compile(text, name, 'exec')\n"
        "    for node in ast.walk(ast.parse(text)):\n"
        "        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []\n"
        "        names += [node.module or '.'] if isinstance(node, ast.ImportFrom) else []\n"
        "        bad = [n for n in names if n.startswith('.') or n.split('.')[0] in ('slowfast_verify', 'probes')]\n"
        "        level = getattr(node, 'level', 0) if isinstance(node, ast.ImportFrom) else 0\n"
        "        assert not bad and not level, (name, node.lineno, bad)\n"
    )
    names = [str(path) for folder in (observing.PROBES, FAKES) for path in sorted(folder.glob("*.py"))]
    assert len(names) > 10
    done = subprocess.run([str(interpreter(version)), "-c", code, *names], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_python_2_is_told_what_it_lacks() -> None:
    """A Python that is too old ends in one message with its version."""
    old = next((path for path in Path.home().glob(".pyenv/versions/2.7*/bin/python2.7")), None) or Path("/usr/bin/python2.7")
    if not old.exists():
        pytest.skip("no Python 2.7 on this machine")
    seen = observe(targets.of_python(old), questions(("fake_answer",)))["0"]
    assert seen.how == "unreachable"
    assert "this is Python 2.7" in (seen.message or "")
    assert "3.6 or newer" in (seen.message or "")


# -- wherever it lies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [VERSIONS[0], "3.11"])
def test_a_path_with_spaces_and_chinese_is_fine(version: str, tmp_path: Path) -> None:
    """An environment in a folder whose name has spaces and Chinese answers, and its paths arrive whole."""
    folder = tmp_path / "my 环境 é"
    subprocess.run([str(interpreter(version)), "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    target = targets.parse(str(folder))
    seen = observe(target, questions(("fake_answer",)))["0"]
    assert seen.facts
    assert seen.facts["file"] == str(folder / "bin" / "python")


def test_the_c_locale_is_fine(here: Target, put: Put) -> None:
    """Non-ASCII texts arrive whole in the C locale."""
    target = here.with_env({"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})
    seen = put(("fake_strange", {"what": "text"}), ("fake_printing", {"how": "c", "text": "é中"}), target=target)
    assert seen["0"].facts == {"value": "é 中文 😀 \x00 \n end"}
    assert seen["1"].stderr_tail == "é中"


# -- whatever stands before it -----------------------------------------------------------------------------------------


def wrapped(script: str) -> Target:
    """This Python behind a shell, as conda, docker, ssh and WSL stand before theirs."""
    return targets.parse(f"argv:sh -c {shlex.quote(script)} sh {shlex.quote(sys.executable)}")


@pytest.mark.parametrize(
    "script",
    [
        'exec "$@"',
        'echo "Welcome!"; printf "no newline"; echo "a warning" >&2; exec "$@"',
        'echo before; "$@"; echo after; exit 7',
        'head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2; "$@"',
        '"$@" | cat',
    ],
    ids=["exec", "noise before", "another exit status", "flood before", "pipe"],
)
def test_a_wrapper_changes_nothing(put: Put, script: str) -> None:
    """Noise and exit status of what starts the Python are not taken for the probe's; deaths inside are told with their true cause."""
    tracemalloc.start()
    found = put(("fake_answer",), ("fake_dying", {"how": "SEGV"}), ("fake_answer",), target=wrapped(script))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert in_words(found) == ["answered", "died", "answered"]
    assert found["1"].signal == "SIGSEGV"
    assert found["2"].at_exit is None
    assert "Welcome" not in found["0"].stderr_tail
    assert peak < 64_000_000


def test_variables_travel_in_the_argv_of_a_wrapper(put: Put) -> None:
    """Where the variables of our own process do not reach the Python (docker, ssh), they are given with `env`."""
    target = wrapped('exec "$@"').with_env({"SLOWFAST_TEST": "é 中"})
    assert target.command()[-3:] == ["env", "SLOWFAST_TEST=é 中", sys.executable]
    assert put(("fake_answer",), target=target)["0"].how == "answered"


# -- what is no Python -----------------------------------------------------------------------------------------------------


def put_to(target: Target) -> Observation:
    begun = time.monotonic()
    found = observe(target, questions(("fake_answer",), ("fake_answer",)))
    assert time.monotonic() - begun < 12
    assert in_words(found) == ["unreachable"] * 2
    assert found["0"].message == found["1"].message
    return found["0"]


@pytest.mark.parametrize("name", ["ls", "cat", "yes", "true", "false", "sleep"])
def test_another_program_is_no_python(name: str) -> None:
    """A program that does not understand us is told by name, with what it said, and not waited for."""
    seen = put_to(targets.parse(name))
    assert f"{name} did not run our program; it left with exit status " in (seen.message or "")
    assert seen.facts is None


def test_a_program_that_floods_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that prints for ever is given up after the time for a sign of life, and ended."""
    monkeypatch.setattr(observing, "START_SECONDS", 0.7)
    tracemalloc.start()
    seen = put_to(targets.parse("argv:sh -c 'exec yes'"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen.message == "no sign of life within 0.7 s"
    assert peak < 64_000_000


def test_a_program_that_is_silent_is_ended(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """A program that neither reads nor speaks is ended, with its children."""
    monkeypatch.setattr(observing, "START_SECONDS", 0.5)
    seen = put_to(targets.parse(f"argv:sh -c 'sleep {token} & sleep {token}'"))
    assert seen.message == "no sign of life within 0.5 s"
    assert gone(token, within=0.5)


def test_what_holds_the_output_open_is_not_waited_for(token: str) -> None:
    """A program that leaves something running with its output open and ends is not waited for."""
    seen = put_to(targets.parse(f"argv:sh -c 'setsid sleep {token} & echo oh dear >&2; exit 5'"))
    assert "left with exit status 5: oh dear" in (seen.message or "")
    for process in alive(token):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize(("argv", "words"), [("/nonesuch/python", "No such file"), ("/", "Permission denied"), ("/etc/hosts", "")])
def test_what_cannot_be_started_is_told(argv: str, words: str) -> None:
    """A path that does not exist, a folder and a file that is no program are told as such."""
    seen = put_to(Target((argv,)))
    assert (seen.message or "").startswith(f"cannot start {argv}: {words}")


def test_a_python_that_cannot_start_is_unreachable(here: Target) -> None:
    """An interpreter that fails before it reads us says why."""
    seen = put_to(here.with_env({"PYTHONHOME": "/nonesuch"}))
    assert "did not run our program" in (seen.message or "")


def test_a_shell_script_before_python_is_fine(tmp_path: Path) -> None:
    """A script that prints and then becomes a Python is a Python."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho loading modules\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    assert observe(targets.parse(str(script)), questions(("fake_answer",)))["0"].how == "answered"


# -- when the host goes ------------------------------------------------------------------------------------------------------

HOST = """
import sys
from slowfast_verify import observe, target
from pathlib import Path
observe.SOURCES.append(Path(sys.argv[1]))
questions = [observe.Question(id="0", probe="fake_hanging", args={"how": sys.argv[2], "token": sys.argv[3], "apart": True}, seconds=100)]
try:
    observe.observe(target.parse(sys.argv[4]), questions, on_step=lambda q, s: print(s, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""
PLAIN = sys.executable
WRAPPED = f"argv:sh -c '\"$@\"; exit 7' sh {sys.executable}"


@pytest.mark.skipif(sys.platform != "linux", reason="the adoption of orphans is Linux's")
@pytest.mark.parametrize(
    ("how", "where", "number"),
    [
        pytest.param("python", PLAIN, signal.SIGKILL, id="killed"),
        pytest.param("steps", PLAIN, signal.SIGKILL, id="killed while the probe talks"),
        pytest.param("lock", PLAIN, signal.SIGKILL, id="killed while the lock is held"),
        pytest.param("python", WRAPPED, signal.SIGKILL, id="killed behind a wrapper"),
        pytest.param("steps", PLAIN, signal.SIGTERM, id="asked to end"),
        pytest.param("python", PLAIN, signal.SIGINT, id="interrupted"),
        pytest.param("python", WRAPPED, signal.SIGINT, id="interrupted behind a wrapper"),
    ],
)
def test_nothing_outlives_the_host(token: str, number: signal.Signals, how: str, where: str) -> None:
    """Whether the host is killed, asked to end or interrupted from the keyboard: a hanging probe and its children end with it."""
    host = subprocess.Popen([sys.executable, "-c", HOST, str(FAKES), how, token, where], stdout=subprocess.PIPE, text=True)
    assert host.stdout
    with host.stdout:
        assert host.stdout.readline().startswith("hang in")
        until = time.monotonic() + 5
        while not alive(token) and time.monotonic() < until:
            time.sleep(0.02)
        assert alive(token)
        host.send_signal(number)
        host.wait(timeout=10)
        assert gone(token)
        if number == signal.SIGINT:
            assert host.returncode == 130


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who is left")
def test_without_fork_the_target_notices_too(token: str, without_fork: Target, tmp_path: Path) -> None:
    """As on Windows: the process that answers ends by itself within seconds when the host was killed."""
    where = f"argv:env PYTHONPATH={without_fork.env['PYTHONPATH']} {sys.executable} -X token={token}"
    host = subprocess.Popen([sys.executable, "-c", HOST, str(FAKES), "python", "", where], stdout=subprocess.PIPE, text=True)
    assert host.stdout
    with host.stdout:
        assert host.stdout.readline().startswith("hang in")
        assert alive(f"token={token}")
        host.kill()
        host.wait(timeout=10)
        assert gone(f"token={token}", within=5)
