"""Nothing that a target, a log, a checkpoint, a config or a record says is executed here, and no name of theirs is more than a name."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from slowfast_verify import cell as cells
from slowfast_verify import compatibility, ladder, layout, provision, report
from slowfast_verify import log as logs
from slowfast_verify import record as records
from slowfast_verify import target as targets
from slowfast_verify.diagnosis import diagnose, printed
from slowfast_verify.errors import Problem
from slowfast_verify.observe import observe
from slowfast_verify.question import Question
from slowfast_verify.record import CheckResult, FailureDetail, Record
from slowfast_verify.sniff import sniff
from slowfast_verify.subject import Phase, Revision, Source, subject
from slowfast_verify.target import Target

from . import checkpoint_bytes as make

SHAPES = {"w": 30}


def evil(module: str, name: str, *arguments: bytes) -> bytes:
    """Opcodes that call a function when they are unpickled, and drop what it returned."""
    return make.name(module, name) + make.items(*arguments) + b"R0"


def pickles(trace: Path) -> dict[str, bytes]:
    """{how: bytes of a file that runs something when it is loaded}, none of which looks like more than weights at first sight."""
    call = evil("os", "system", make.text(f"touch {trace}"))
    weights = make.state(SHAPES, legacy=False)
    dotted = make.name("os", "path.os." * 30 + "system") + make.items(make.text(f"touch {trace}")) + b"R0"  # since protocol 4
    parts = [make.pickled(call + body) for body in (make.number(1001), make.table({"little_endian": b"\x88"}))]
    legacy = make.torch_legacy(SHAPES).data
    heads = [make.pickled(make.number(1001)), make.pickled(make.table({"protocol_version": make.number(1001), "little_endian": b"\x88",
                                                                       "type_sizes": make.table({"int": make.number(4)})}))]  # fmt: skip
    bytes_of_storage = evil("torch.storage", "_load_from_bytes", make.text("x"))
    keys = b"](" + make.text("0") + b"e"
    return {
        "zip": make.zipped(make.torch_members(SHAPES, make.pickled(call + weights))),
        "zip, loaded by torch itself": make.zipped(make.torch_members(SHAPES, make.pickled(bytes_of_storage + weights))),
        "zip, with a long dotted name": make.zipped(make.torch_members(SHAPES, b"\x80\x04" + dotted + weights + b".")),
        "zip, by the registry of extensions": make.zipped(make.torch_members(SHAPES, make.pickled(b"\x82\x010" + weights))),
        "legacy, in its weights": make.torch_legacy(SHAPES, extra={"x": call + b"N"}).data,
        "legacy, in its protocol": legacy.replace(heads[0], parts[0], 1),
        "legacy, in its machine": legacy.replace(heads[1], make.pickled(call + heads[1][2:-1]), 1),
        "legacy, in its keys": legacy.replace(make.pickled(keys), make.pickled(call + keys), 1),
        "caffe2": make.pickled(call + make.table({"blobs": make.table({})})),
        "pickle": make.pickled(call + b"N"),
        "cut off after the call": make.pickled(call + weights)[:200],
    }  # fmt: skip


@pytest.mark.parametrize("how", pickles(Path("x")))
def test_a_checkpoint_that_runs_something_is_named_and_opened_by_nobody(how: str, tmp_path: Path) -> None:
    """The sniffer says what it would import, the target is asked nothing about it, and it leaves no trace."""
    trace, file = tmp_path / "trace", tmp_path / "evil.pyth"
    file.write_bytes(pickles(trace)[how])
    found = sniff(file)
    assert found.unsafe, found
    inventory = {"distributions": {}, "modules": [], "checkout": "", "configs": []}
    asked = {"checkpoint": str(file), "config": str(layout.fixtures() / "configs" / "any.yaml")}
    put = {q.id: q for batch in ladder.batches(subject("pyslowfast"), inventory, None, {}, asked).values() for q in batch}
    mine = [question for name, question in put.items() if name.startswith("your_checkpoint")]
    assert len(mine) == 2
    assert {question.probe for question in mine} == {"unopened"}
    assert str(file) not in json.dumps([question.args for question in put.values()])
    seen = observe(targets.of_python(sys.executable), mine)
    assert all((one.facts or {})["unopened"] == found.unsafe for one in seen.values())
    assert not trace.exists()


def test_weights_alone_are_opened(tmp_path: Path) -> None:
    """The counter-example: every kind of honest checkpoint is put to the target."""
    for name, data in {
        "zip": make.torch_zip(SHAPES).data,
        "legacy": make.torch_legacy(SHAPES).data,
        "caffe2": make.caffe2(SHAPES).data,
    }.items():
        (tmp_path / name).write_bytes(data)
        assert sniff(tmp_path / name).unsafe == "", name


def test_a_zip_that_two_readers_read_differently_is_refused(tmp_path: Path) -> None:
    """Two members of one name, in another case or in another folder: torch would open the one that we did not look at."""
    members = make.torch_members(SHAPES)
    for other in ("archive/DATA.PKL", "other/data.pkl"):
        (tmp_path / "x").write_bytes(make.zipped({**members, other: b"cos\nsystem\n."}))
        assert sniff(tmp_path / "x").verdict == "damaged", other
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("archive/data.pkl", members["archive/data.pkl"])
    (tmp_path / "x").write_bytes(buffer.getvalue())
    assert sniff(tmp_path / "x").verdict == "damaged"


def test_a_legacy_file_that_is_a_tar_archive_as_well_is_refused(tmp_path: Path) -> None:
    """torch.load takes a file for a tar archive first: one that begins like a legacy file must not hide one."""
    legacy = make.torch_legacy(SHAPES).data
    magic, protocol = legacy[:16], make.pickled(make.number(1001))
    rest = legacy[16 + len(protocol) :]
    swallowed = b"X" + (512 - 16 - 2 - 5).to_bytes(4, "little")  # to a pickle the header of the archive is one long text, dropped at once
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[:23] = magic + b"\x80\x02" + swallowed
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}".encode() + b"\0 "
    (tmp_path / "x").write_bytes(bytes(header) + b"0" + protocol[2:] + rest)
    assert tarfile.TarInfo.frombuf(bytes(header), "latin-1", "replace")
    assert "tar archive" in sniff(tmp_path / "x").detail
    (tmp_path / "x").write_bytes(legacy)
    assert not sniff(tmp_path / "x").unsafe


def test_a_config_with_tags_of_python_runs_nothing(tmp_path: Path) -> None:
    """The config probe reads a YAML whose tags call functions: it is refused with the tag's name, and nothing is called."""
    trace = tmp_path / "trace"
    config = tmp_path / "evil.yaml"
    config.write_text(f"A: !!python/object/apply:os.system ['touch {trace}']\n", encoding="utf-8")
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "evil_defaults.py").write_text(
        "import yaml\nclass C(dict):\n    def merge_from_file(self, path):\n        yaml.safe_load(open(path))\n"
        "def get_cfg():\n    return C()\n", encoding="utf-8")  # fmt: skip
    target = targets.of_python(sys.executable).with_env({"PYTHONPATH": str(stub)})
    args = {"defaults": "evil_defaults", "given": str(config)}
    seen = observe(target, [Question(id="c", probe="config_files", args=args, seconds=60)])["c"]
    told = json.dumps(seen.facts) if seen.facts else f"{seen.type}: {seen.message}"
    assert "python/object/apply:os.system" in told, told
    assert not trace.exists()


# ---- names ----------------------------------------------------------------------------------------------------------------


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


def test_a_folder_that_a_target_names_is_not_removed(tmp_path: Path) -> None:
    """The host takes away the folder of a crashed probe; a target that names another one as its own keeps it."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x", encoding="utf-8")
    seen = observe(
        liar(tmp_path, [{"event": "hello", "fork": True, "absent": [], "folder": str(precious)}]), [Question(id="q", probe="inventory")]
    )
    assert seen["q"].facts is None
    assert (precious / "thesis.tex").exists()


# ---- what a target says ---------------------------------------------------------------------------------------------------


def liar(folder: Path, events: list[Any]) -> Target:
    """A target that has read our program, knows the cookie, and says what it likes."""
    script = folder / "liar.py"
    script.write_text(
        "import json, sys\nlines = sys.stdin.read().split(chr(10))\n"
        "first = next(n for n, line in enumerate(lines) if line.startswith('REQUEST = ')) + 1\n"
        "pieces = lines[first : lines.index(']))', first)]\n"
        "cookie = json.loads(''.join(json.loads(piece.rstrip(',')) for piece in pieces))['cookie']\n"
        f"for event in {events!r}:\n    print(cookie + ' ' + (event if isinstance(event, str) else json.dumps(event)), flush=True)\n",
        encoding="utf-8",
    )
    wrapper = folder / "python"
    wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n", encoding="utf-8")
    wrapper.chmod(0o755)
    return targets.of_python(wrapper)


KEYS = [
    "q",
    "seconds",
    "facts",
    "type",
    "message",
    "fork",
    "absent",
    "folder",
    "signal",
    "exit",
    "limit",
    "value",
    "noise",
    "step",
    "chain",
]
KINDS = ["hello", "start", "step", "answer", "raised", "died", "end", "alive", "x"]
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner), max_leaves=6)
EVENT = st.tuples(st.dictionaries(st.sampled_from(KEYS), JSON), st.sampled_from(KINDS)).map(lambda row: {**row[0], "event": row[1]})


def test_a_forged_answer_is_an_answer(tmp_path: Path) -> None:
    """The counter-example for what follows: the liar does know the cookie, and what it says in the right form is taken for an answer."""
    hello = {"event": "hello", "fork": True, "absent": [], "folder": "/nonesuch/probe-x"}
    answer = {"event": "answer", "q": "q", "facts": {"a": 1}, "seconds": 1}
    seen = observe(liar(tmp_path, [hello, {"event": "start", "q": "q"}, answer]), [Question(id="q", probe="inventory")])
    assert seen["q"].facts == {"a": 1}


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for an interpreter")
@settings(max_examples=15)
@given(events=st.lists(EVENT | JSON.map(json.dumps), max_size=6))
def test_whatever_a_target_says_is_an_observation(events: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any events, malformed or forged: one observation for the question, no error and no hang of ours."""
    seen = observe(liar(tmp_path_factory.mktemp("liar"), events), [Question(id="q", probe="inventory", seconds=5)], start_seconds=10)
    assert list(seen) == ["q"]


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
    for cell in list(__import__("slowfast_verify.matrix", fromlist=["default"]).default().cells.values())[:50]:
        assert provision.folder_of(cell).parent == layout.home() / "cells"
    assert records.name_of("c", "wine") == "c+wine"
