"""A record is written whole or not at all, says what was found without colouring it, and tells nothing personal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowfast_verify import record as records
from slowfast_verify.errors import Problem
from slowfast_verify.knowledge import RUNGS
from slowfast_verify.record import RED, SEVERITY, CheckResult, FailureDetail, Installation, Record

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.floats(0, 1e6, allow_nan=False)
outcomes = st.sampled_from(SEVERITY)
failures = st.builds(FailureDetail, how=texts, type=st.none() | texts, message=texts, step=st.none() | texts, stderr_tail=texts)
checks = st.builds(
    CheckResult, id=texts, rung=st.sampled_from(RUNGS), outcome=outcomes, seconds=numbers,
    failure=st.none() | failures, knowledge=st.none() | texts, reason=st.none() | texts,
)  # fmt: skip
installations = st.builds(
    Installation, installer=texts, workarounds=st.lists(texts), seconds=numbers, step_seconds=st.dictionaries(texts, numbers), created=texts
)
made = st.builds(
    Record, schema=st.just(records.SCHEMA), cell=st.just("c"), run=texts, suite=texts, target=st.dictionaries(texts, texts),
    installation=st.none() | installations, checks=st.lists(checks, max_size=6), seconds=numbers,
)  # fmt: skip


def a_record(*outcomes: tuple[str, str], cell: str = "c") -> Record:
    """A record of (rung, outcome) checks."""
    rows = [CheckResult(id=f"{rung}::{n}", rung=rung, outcome=outcome) for n, (rung, outcome) in enumerate(outcomes)]  # type: ignore[arg-type]
    return Record(schema=records.SCHEMA, cell=cell, run="r", suite="s", target={}, checks=rows)


@given(made)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, record: Record) -> None:
    """A record survives its file, and the file is plain JSON in UTF-8."""
    folder = tmp_path_factory.getbasetemp() / "round-trip"
    path = records.write(record, folder)
    assert records.read(path) == record
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == records.SCHEMA


# -- whole or not at all -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["replace", "fdopen", "chmod"])
def test_a_failed_write_leaves_the_old_record_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """When the system refuses in the middle, the record that stood there stands, and nothing lies beside it."""
    path = records.write(a_record(("imports", "passed")), tmp_path)
    before = path.read_bytes()

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    if call == "chmod":
        path.unlink()
    monkeypatch.setattr(f"slowfast_verify.atomic.os.{call}", refuse)
    with pytest.raises(Problem, match="cannot be written") as caught:
        records.write(a_record(("imports", "failed")), tmp_path)
    monkeypatch.undo()
    assert "No space left" in caught.value.where
    assert "SLOWFAST_VERIFY_REPORTS" in caught.value.next
    assert [item.name for item in tmp_path.iterdir()] == ([] if call == "chmod" else ["c.json"])
    assert call == "chmod" or path.read_bytes() == before


def test_an_interrupted_write_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of writing leaves the old record and no litter."""
    path = records.write(a_record(("imports", "passed")), tmp_path)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("slowfast_verify.atomic.os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        records.write(a_record(("imports", "failed")), tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["c.json"]
    assert records.read(path).checks[0].outcome == "passed"


WRITER = """
import sys
from pathlib import Path
from slowfast_verify.record import CheckResult, Record, write
checks = [CheckResult(id=f"imports::{n}", rung="imports", outcome="passed", reason="x" * 200) for n in range(3000)]
record = Record(cell="c", run="r", suite="s", target={}, checks=checks)
print("ready", flush=True)
while True:
    write(record, Path(sys.argv[1]))
"""


def test_a_killed_writer_leaves_a_whole_record(tmp_path: Path) -> None:
    """Whoever reads while records are written, and after the writer was killed, reads a whole one."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    with writer.stdout:
        assert writer.stdout.readline() == "ready\n"
        until = time.monotonic() + 10
        while not (tmp_path / "c.json").exists() and time.monotonic() < until:
            time.sleep(0.01)
        for _ in range(20):
            assert len(records.read(tmp_path / "c.json").checks) == 3000
        writer.kill()
        writer.wait(timeout=10)
    assert len(records.read(tmp_path / "c.json").checks) == 3000


def test_a_folder_that_cannot_be_is_a_problem(tmp_path: Path) -> None:
    """A file in the folder's place ends in one message that names it and the way out."""
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    with pytest.raises(Problem, match="the record of c cannot be written") as caught:
        records.write(a_record(), tmp_path / "reports" / "records")
    assert str(tmp_path / "reports") in caught.value.where


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_is_a_problem(tmp_path: Path) -> None:
    """A folder without write permission ends in the same message."""
    tmp_path.chmod(0o500)
    with pytest.raises(Problem, match="cannot be written"):
        records.write(a_record(), tmp_path)


def test_a_record_may_be_read_by_others(tmp_path: Path) -> None:
    """A record is an ordinary file, not one that only its owner reads."""
    path = records.write(a_record(), tmp_path)
    assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"schema": 1}',
        "[]",
        "null",
        '{"schema": [1]}',
        '{"schema": true}',
        '{"schema": 1, "checks": [3]}',
        "[" * 100_000,
        '{"schema": 1, "cell": "c", "run": "", "suite": "", "target": {}, "checks": [], "new": 1}',
    ],
)
def test_what_is_no_record_is_told(tmp_path: Path, text: str) -> None:
    """A cut, foreign or newer file ends in one message that names it."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match="not a record of this version") as caught:
        records.read(path)
    assert str(path) in caught.value.where


def test_a_record_of_the_first_schema_is_read() -> None:
    """What older tools wrote is read: the phase follows from how a check ended, and what they did not say stays empty."""
    old = {"schema": 1, "cell": "c", "run": "r", "suite": "s", "target": {}, "checks": [
        {"id": "install::a", "rung": "install", "outcome": "passed"},
        {"id": "imports::b", "rung": "imports", "outcome": "failed", "failure": {"how": "raised", "type": "ImportError"}},
        {"id": "compute::c", "rung": "compute", "outcome": "failed", "failure": {"how": "judged"}},
        {"id": "demo::d", "rung": "demo", "outcome": "infrastructure", "reason": "the index is down"},
    ]}  # fmt: skip
    found = records.parse(json.dumps(old).encode())
    assert [check.phase for check in found.checks] == ["provision", "observe", "judge", "observe"]
    assert found.schema_version == records.SCHEMA and found.tool == "" and found.host is None and found.suite_sha256 == ""


@pytest.mark.parametrize("number", [0, 3, 99, -1])
def test_a_record_of_another_schema_is_refused_by_its_number(number: int) -> None:
    """A schema that this tool does not know is named, with those that it reads."""
    with pytest.raises(ValueError, match=f"its schema is '{number}', and slowfast-verify .* reads 1, 2"):
        records.parse(json.dumps({"schema": number, "cell": "c"}).encode())


def test_a_record_says_what_made_it_and_no_name_of_a_person_or_machine() -> None:
    """Tool, suite, its digest and the kind of host; neither the user's name nor the machine's."""
    import getpass
    import platform

    from slowfast_verify.provenance import stamp

    record = Record(cell="c", target={}, checks=[], **stamp())
    assert record.tool.startswith("slowfast-verify ") and len(record.suite_sha256) == 64 and record.host
    written = record.model_dump_json()
    assert platform.node() not in written and f'"{getpass.getuser()}"' not in written and str(Path.home()) + "/" not in written


# -- what it says ------------------------------------------------------------------------------------------------------


def test_a_parent_is_green_only_if_all_its_children_are() -> None:
    """With any other child, a parent is not passed; without children, it was never run."""
    assert records.worst([]) == "never run"
    assert records.worst(["passed", "passed"]) == "passed"
    for other in SEVERITY:
        if other != "passed":
            assert records.worst(["passed", other, "passed"]) == other


@given(st.lists(outcomes, min_size=1))
def test_a_parent_is_as_bad_as_its_worst_child(children: list[str]) -> None:
    """Red beats everything, and only all green is green."""
    found = records.worst(children)
    assert found in children
    assert (found == "passed") == (set(children) == {"passed"})
    assert (found in RED) == bool(set(children) & set(RED))


def test_every_outcome_has_a_severity() -> None:
    """No outcome can fall through."""
    from typing import get_args

    assert set(SEVERITY) == set(get_args(records.Outcome))


def test_a_rung_that_was_skipped_is_not_reached() -> None:
    """A ladder is climbed by what passed: a rung that could not be verified or was never run is not reached."""
    assert a_record().reached() is None
    assert a_record(("environment", "not verified")).reached() is None
    assert a_record(("environment", "passed"), ("imports", "not verified")).reached() == "environment"
    assert a_record(("environment", "passed"), ("imports", "passed"), ("imports", "failed"), ("demo", "passed")).reached() == "environment"
    assert a_record(("environment", "passed"), ("imports", "failed as expected"), ("demo", "passed")).reached() == "environment"
    some = a_record(("environment", "passed"), ("imports", "failed as expected"), ("imports", "passed"), ("demo", "passed"))
    assert some.reached() == "demo"
    assert a_record(("environment", "passed"), ("imports", "infrastructure"), ("demo", "passed")).reached() == "environment"
    assert a_record(("environment", "passed"), ("imports", "stale"), ("imports", "passed"), ("demo", "passed")).reached() == "demo"
    rungs = a_record(("imports", "passed"), ("imports", "not verified")).rungs()
    assert rungs["imports"] == "not verified"
    assert rungs["demo"] == "never run"
    assert list(rungs) == list(RUNGS)


def test_the_first_cause_is_the_lowest_rung_and_unexpected_first() -> None:
    """What nobody expected comes before what is known, and the lowest rung first."""
    assert a_record(("imports", "passed"), ("demo", "not verified")).first_cause() is None
    found = a_record(("environment", "failed as expected"), ("demo", "failed"), ("imports", "passed unexpectedly")).first_cause()
    assert found
    assert found.rung == "imports"
    found = a_record(("demo", "failed as expected"), ("imports", "failed as expected")).first_cause()
    assert found
    assert found.rung == "imports"


# -- nothing personal ----------------------------------------------------------------------------------------------------


def test_paths_and_passwords_are_taken_out() -> None:
    """Home, cell and checkout become words, the longest first; passwords and tokens in addresses go."""
    places = {"/home/ann": "~", "/home/ann/.cache/cells/x": "{cell}", "": "nothing"}
    text = "see /home/ann/.cache/cells/x/env and /home/ann/a; https://ann:s3cret@host/simple, git+ssh://git:tok/en@h/x"
    assert records.scrub(text, places) == "see {cell}/env and ~/a; https://***@host/simple, git+ssh://git:tok/en@h/x"


@pytest.mark.parametrize(
    "address",
    ["https://user:pass@host/x", "http://u:p%40ss@1.2.3.4:8080/simple", "https://__token__:pypi-Ag@h/", "https://ghp_0123456789@h/x.git"],
)
def test_no_credential_of_an_address_stays(address: str) -> None:
    """Whatever stands before the @ of an address is gone, also a token without a password."""
    found = records.scrub(f"fatal: unable to access '{address}': refused", {})
    assert "***@" in found
    for secret in ("pass", "p%40ss", "pypi-Ag", "ghp_"):
        assert secret not in found


def test_an_address_without_a_credential_stays_whole() -> None:
    """A revision after an @ is no password."""
    text = "git+https://github.com/facebookresearch/SlowFast@287ec00 and https://host:8080/simple a@b.c"
    assert records.scrub(text, {}) == text


@given(texts, st.sampled_from(["/home/ann", "/srv/ann"]))
def test_no_place_stays(text: str, place: str) -> None:
    """A place is gone from any text."""
    assert place not in records.scrub(f"{text}{place}/x {place}", {place: "~"})


@pytest.mark.parametrize("said", [r"Z:\home\me\cells\a.py", "Z:/home/me/cells/a.py", r"Z:\\home\\me\\cells\\a.py", "/home/me/cells/a.py"])
def test_a_path_is_taken_out_in_every_spelling(said: str) -> None:
    """Also as a Windows program under Wine writes it, and as it stands in a quoted text."""
    shown = records.scrub(f"File {said}, line 3", {"/home/me": "~"})
    assert "me" not in shown.replace("line", "") and shown.startswith("File ~") and shown.endswith("a.py, line 3")
