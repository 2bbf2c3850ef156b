"""Nothing that a log or a record says is executed here or steers a terminal, and no name of theirs is more than a name."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slowfast_verify import cell as cells
from slowfast_verify import compatibility, layout, provision, report
from slowfast_verify import log as logs
from slowfast_verify import record as records
from slowfast_verify import target as targets
from slowfast_verify.diagnosis import diagnose, printed
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import default
from slowfast_verify.record import CheckResult, FailureDetail, Record
from slowfast_verify.subject import Phase, Revision, Source


@pytest.mark.parametrize("kind", ["ssh", "container", "docker", "conda", "conda-prefix", "wsl"])
@pytest.mark.parametrize("name", ["-oProxyCommand=touch x", "--privileged", "-", "a\nb", "a\x1b[2Jb"])
def test_a_name_that_is_an_option_is_refused(kind: str, name: str) -> None:
    """ssh has options that run commands; none of the programs in front of a target is given one by a name."""
    with pytest.raises(Problem, match="is no name of a") as caught:
        targets.parse(f"{kind}:{name}")
    assert caught.value.next == f"--target {kind}:NAME"


@pytest.mark.skipif(os.name != "posix", reason="a shell")
@pytest.mark.parametrize("value", ["a b", "$(touch TRACE)", "`touch TRACE`", "x; touch TRACE", "'", "a&b|c"])
def test_variables_that_travel_through_a_shell_arrive_as_they_are(value: str, tmp_path: Path) -> None:
    """ssh hands its words to a shell over there: a stand-in for it does the same, and nothing but the value arrives."""
    trace = tmp_path / "trace"
    value = value.replace("TRACE", str(trace))
    (tmp_path / "ssh").write_text('#!/bin/sh\nshift 3\nexec sh -c "$*"\n', encoding="utf-8")
    (tmp_path / "ssh").chmod(0o755)
    target = targets.parse("ssh:host").with_env({"SVT_VALUE": value})
    argv = target.command("-c", "'import os; print(os.environ[\"SVT_VALUE\"])'")
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=30, check=False)
    assert done.stdout == f"{value}\n", done.stderr
    assert not trace.exists()


@pytest.mark.parametrize(
    "text", ["../../x", "linux-py3.8-torch1.8.0-cpu-uv-../x@y", "linux-py3.8-torch1.8.0-cpu-uv-x@../../y", "/x", "x\0y", ".."]
)
def test_a_cell_id_is_no_path(text: str) -> None:
    """Neither as an id nor as the name in a record: nothing is written or read beside the place for it."""
    with pytest.raises(Problem):
        cells.parse(text)
    with pytest.raises(ValidationError):
        Record(cell=text, run="2026-01-01T00:00:00Z-0000", suite="s", target={}, checks=[])


@given(st.text())
def test_whatever_a_record_calls_its_cell_it_stays_in_its_folder(text: str) -> None:
    """A name that is accepted is one file of the folder."""
    try:
        record = Record(cell=text, run="r", suite="s", target={}, checks=[])
    except ValidationError:
        return
    assert Path("folder", f"{record.cell}.json").resolve().parent == Path("folder").resolve()
    assert not record.cell.startswith((".", "-"))


@pytest.mark.parametrize("address", ["--upload-pack=touch x", "ext::sh -c touch% x", "-x", "https://-oProxyCommand=x/y", "file:///a b"])
def test_a_repository_is_an_address(address: str, tmp_path: Path) -> None:
    """The data refuses what git would take for an option or for a command; the same of a source that is compiled, and of a commit."""
    with pytest.raises(ValidationError):
        Source(git=address)
    with pytest.raises(ValidationError):
        Phase(name="x", build=f"git+{address}@{'0' * 40}")
    with pytest.raises(ValidationError):
        Revision(name="x", commit="--upload-pack=touch /x/aaaaaaaaaaaaaaaaaa"[:40])


def test_git_is_told_where_its_options_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an address that nobody checked runs nothing."""
    from slowfast_verify import sources

    trace = tmp_path / "trace"
    assert sources.reachable(f"--upload-pack=touch {trace}") is not None
    assert sources.reachable(f"ext::touch {trace}") is not None
    assert not trace.exists()


def test_modules_in_the_current_folder_are_not_ours(tmp_path: Path) -> None:
    """Somebody stands in a checkout that has a pytest.py, a json.py and a sitecustomize.py: the suites run none of them."""
    for name in ("pytest", "json", "slowfast_verify", "pip"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'a').write({name!r})\n", encoding="utf-8")
    code = ("from pathlib import Path\nfrom slowfast_verify.climb import run_suites\n"
            f"run_suites(['--collect-only', '-q', '--target', {sys.executable!r}], 1, Path({str(tmp_path / 'log')!r}))\n")  # fmt: skip
    env = {**os.environ, "SLOWFAST_VERIFY_DATA": str(layout.root()), "SLOWFAST_VERIFY_REPORTS": str(tmp_path / "reports")}
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=env, timeout=100, check=True, capture_output=True)
    assert not (tmp_path / "trace").exists()


# ---- what is shown --------------------------------------------------------------------------------------------------------

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[1;1Hall green\r\x9b31m<script>alert(1)</script>`rm -rf`"


def hostile() -> Record:
    failure = FailureDetail(how="raised", type="E", message=HOSTILE, step=HOSTILE, stderr_tail=HOSTILE)
    check = CheckResult(id="imports::a", rung="imports", outcome="failed", failure=failure, reason=HOSTILE)
    other = CheckResult(id="imports::b", rung="imports", outcome="not verified", reason=HOSTILE)
    return Record(cell="c", run="2026-01-01T00:00:00Z-0000", suite="s", target={"python": HOSTILE, "torch": HOSTILE}, checks=[check, other])


def test_a_record_steers_no_terminal_and_no_page(tmp_path: Path) -> None:
    """Escape sequences and markup of a target's message are text in the terminal, in the record and in COMPATIBILITY.md."""
    from rich.console import Console

    (tmp_path / "c.json").write_text(hostile().model_dump_json(by_alias=True), encoding="utf-8")
    shown, complaints = report.load([tmp_path])
    assert not complaints
    stream = io.StringIO()
    report.print_summary([held.record for held in shown], Console(file=stream, width=200, force_terminal=False))
    for text in (stream.getvalue(), compatibility.markdown(shown), report.one_line(shown[0].record)):
        assert not set(text) & {"\x1b", "\x07", "\x9b", "\r"}, repr(text)
        assert "all green" in text
    assert "<script>" not in re.sub(r"(`+)[^\n]*?\1(?!`)", "", compatibility.markdown(shown))


def test_a_log_steers_no_terminal() -> None:
    """What diagnose quotes of a log is without escape sequences."""
    text = printed(diagnose(logs.from_text(f"{HOSTILE} ModuleNotFoundError: No module named 'pytorchvideo'\n{HOSTILE}")))
    assert not set(text) & {"\x1b", "\x07", "\x9b"}


def test_no_file_of_a_build_leaves_its_place() -> None:
    """A cell's folder is below the place for cells, whatever its revision is called."""
    for cell in list(default().cells.values())[:50]:
        assert provision.folder_of(cell).parent == layout.home() / "cells"
    assert records.name_of("c", "wine") == "c+wine"
