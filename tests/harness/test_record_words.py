"""What a record says in one word, what its file looks like, and the words of each message about one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import record as records
from slowfast_verify.errors import PROBLEMS_FOUND, USAGE, Infrastructure, Problem
from slowfast_verify.knowledge import RUNGS
from slowfast_verify.record import SEVERITY, CheckResult, FailureDetail, Record

SECRET = "ghp_" + "a1B2" * 9


def a_record(*outcomes: tuple[str, str], **more: Any) -> Record:
    """A record of (rung, outcome) checks."""
    rows = [CheckResult(id=f"{rung}::{n}", rung=rung, outcome=outcome) for n, (rung, outcome) in enumerate(outcomes)]  # type: ignore[arg-type]
    return Record(**{"cell": "c", "run": "r", "suite": "s", "target": {}, "checks": rows, **more})


# -- in one word ------------------------------------------------------------------------------------------------------


def test_a_run_is_as_good_as_its_worst_check() -> None:
    """In one word; without checks it was never run."""
    assert a_record(("imports", "passed"), ("demo", "failed as expected")).outcome() == "failed as expected"
    assert a_record(("imports", "passed")).outcome() == "passed"
    assert a_record().outcome() == "never run"


@pytest.mark.parametrize(
    ("outcomes", "answers"),
    [
        ([], False),
        (["passed"], True),
        (["failed as expected"], True),
        (["not verified"], False),
        (["never run", "stale"], False),
        (["infrastructure"], False),
        (["passed", "infrastructure"], False),
        (["failed", "infrastructure"], True),
        (["passed unexpectedly", "infrastructure"], True),
        (["passed", "not verified"], True),
    ],
)
def test_a_run_answers_or_leaves_the_question_open(outcomes: list[str], answers: bool) -> None:
    """An outage leaves it open unless something is red all the same; what could not be verified answers nothing."""
    assert a_record(*(("imports", outcome) for outcome in outcomes)).answers() is answers


def test_a_tally_counts_the_worst_first() -> None:
    """Each outcome that there is, with its number; no zeros."""
    found = a_record(("imports", "passed"), ("imports", "passed"), ("demo", "failed"), ("demo", "not verified")).tally()
    assert list(found.items()) == [("failed", 1), ("not verified", 1), ("passed", 2)]
    assert a_record().tally() == {}


@pytest.mark.parametrize("outcome", [outcome for outcome in SEVERITY if outcome not in ("passed", "not verified", "never run", "stale")])
def test_what_is_not_as_it_should_be_is_a_cause_and_ends_the_climb(outcome: str) -> None:
    """Each such outcome alone is the first cause, and the rung below it is the last that was reached."""
    found = a_record(("environment", "passed"), ("imports", outcome), ("demo", "passed"))
    cause = found.first_cause()
    assert cause and cause.rung == "imports" and found.reached() == "environment"


@pytest.mark.parametrize("outcome", ["failed", "passed unexpectedly", "infrastructure"])
def test_red_beside_green_ends_the_climb_too(outcome: str) -> None:
    """A rung of which one check passed and another is red was not climbed."""
    assert a_record(("environment", "passed"), ("imports", outcome), ("imports", "passed"), ("demo", "passed")).reached() == "environment"


@pytest.mark.parametrize("outcome", ["not verified", "never run", "stale"])
def test_what_says_nothing_is_no_cause(outcome: str) -> None:
    """Neither a cause nor an end."""
    found = a_record(("environment", "passed"), ("imports", outcome), ("demo", "passed"))
    assert found.first_cause() is None and found.reached() == "demo"


def test_a_record_under_an_emulator_has_a_name_of_its_own() -> None:
    """It never takes the native one's place."""
    assert (records.name_of("c", "native"), records.name_of("c", "qemu")) == ("c", "c+qemu")


def test_a_lock_s_digest_is_that_of_its_lines() -> None:
    """As `sha256sum` says of a file without a last line's end."""
    assert records.lock_digest(["a==1", "b==2"]) == hashlib.sha256(b"a==1\nb==2").hexdigest()


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_record_lies_beside_its_lock(tmp_path: Path) -> None:
    """Two files in a folder that need not exist: JSON with an indent of one and no empty keys, and the lock's lines; both end in a line."""
    path = records.write(a_record(("imports", "passed")), tmp_path / "deep" / "down", lock=["a==1", f"b @ https://me:{SECRET}@h/b"])
    assert path == tmp_path / "deep" / "down" / "c.json"
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{\n "schema": 2,\n "cell": "c",\n') and text.endswith("}\n")
    assert "installation" not in json.loads(text) and "carried_over" not in json.loads(text)
    lock = path.with_name("c.lock.txt").read_text(encoding="utf-8")
    assert lock.startswith("a==1\nb @ https://") and lock.endswith("@h/b\n") and SECRET not in lock and lock.count("\n") == 2


def test_without_a_lock_there_is_one_file(tmp_path: Path) -> None:
    """An empty lock is none."""
    records.write(a_record(), tmp_path, lock=[])
    assert [file.name for file in tmp_path.iterdir()] == ["c.json"]


def test_no_secret_leaves_with_a_record(tmp_path: Path) -> None:
    """Message, step, noise, reason and the target's facts are gone through; what is no text, and what holds no secret, stays."""
    said = {"message": f"m {SECRET}", "step": f"s {SECRET}", "stderr_tail": f"e {SECRET}"}
    failing = CheckResult(
        id="imports::a", rung="imports", outcome="failed", failure=FailureDetail(how="raised", type="E", signal="S", **said)
    )
    told = CheckResult(id="imports::b", rung="imports", outcome="not verified", reason=f"r {SECRET}")
    plain = CheckResult(id="imports::c", rung="imports", outcome="failed", failure=FailureDetail(how="judged", message="a"), seconds=2)
    target = {"python": f"3 {SECRET}", "installers": {"pip": 3}, "gpu": None}
    found = records.read(records.write(a_record(checks=[failing, told, plain], target=target), tmp_path))
    assert SECRET not in found.model_dump_json()
    first, second, third = found.checks
    assert first.failure and first.failure.how == "raised" and first.failure.type == "E" and first.failure.signal == "S"
    assert [getattr(first.failure, name)[:2] for name in ("message", "step", "stderr_tail")] == ["m ", "s ", "e "]
    assert first.reason is None and second.reason and second.reason.startswith("r ") and second.failure is None
    assert third == plain
    assert found.target["python"].startswith("3 ") and found.target["installers"] == {"pip": 3} and found.target["gpu"] is None


def test_a_lock_with_a_bad_name_of_a_folder_names_the_record(tmp_path: Path) -> None:
    """The lock is part of the record: where it cannot be written, the record cannot."""
    (tmp_path / "f").write_text("", encoding="utf-8")
    with pytest.raises(Problem, match=r"^the record of c cannot be written"):
        records.write(a_record(), tmp_path / "f", lock=["a==1"])


# -- messages ---------------------------------------------------------------------------------------------------------


def fails(path: Path, error: OSError, monkeypatch: pytest.MonkeyPatch, *what: str) -> Problem:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(records, "write_text", refuse)
    with pytest.raises(Problem) as caught:
        records.write_beside(path, "text", *what)
    assert caught.value.__cause__ is error
    return caught.value


def test_a_full_disk_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It blames no cell, says that nothing was lost, and what to do; exit status 1."""
    found = fails(tmp_path / "x.json", OSError(28, "No space left on device"), monkeypatch)
    assert isinstance(found, Infrastructure)
    assert (found.what, found.where, found.cause, found.next, found.code) == (
        "x.json cannot be written: the disk is full", f"{tmp_path}: No space left on device",
        "what was there before is as it was; nothing half-written is left",
        "free space (slowfast-verify clean), or name another place: SLOWFAST_VERIFY_REPORTS=DIR", PROBLEMS_FOUND,
    )  # fmt: skip
    named = fails(tmp_path / "x.json", OSError(28, "full"), monkeypatch, "the table")
    assert named.what == "the table cannot be written: the disk is full"


def test_a_folder_without_rights_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody can mend it: exit status 2, and what to do."""
    found = fails(tmp_path / "x.json", PermissionError(13, "Permission denied"), monkeypatch)
    assert not isinstance(found, Infrastructure)
    assert (found.what, found.where, found.cause, found.next, found.code) == (
        "x.json cannot be written", f"{tmp_path}: Permission denied", "the folder is read-only, or belongs to somebody else",
        "make it writable, or name another: SLOWFAST_VERIFY_REPORTS=DIR", USAGE,
    )  # fmt: skip
    assert fails(tmp_path / "x", OSError(5, "Input/output error"), monkeypatch, "the table").what == "the table cannot be written"


def test_what_is_wrong_with_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    """The first thing, by its place, without the value: that may be a secret or a megabyte."""
    path = tmp_path / "x.json"
    path.write_text(
        '{"schema": 2, "cell": "c", "run": "r", "suite": "s", "target": {}, "checks": [{"id": "x", "rung": "up"}]}', encoding="utf-8"
    )
    with pytest.raises(Problem) as caught:
        records.read(path)
    assert caught.value.where.startswith(f"{path}: checks.0.rung String should match pattern")
    assert caught.value.what == "not a record of this version"
    assert caught.value.next == "take the file away, or write it again: slowfast-verify climb CELL"
    path.write_text('{"schema": 7}', encoding="utf-8")
    with pytest.raises(Problem, match=r"its schema is '7', and slowfast-verify .* reads 1, 2"):
        records.read(path)


def test_a_long_schema_is_cut() -> None:
    """It comes out of a file of others."""
    with pytest.raises(ValueError, match=rf"its schema is '{'9' * 40}', and"):
        records.parse(json.dumps({"schema": int("9" * 60)}).encode())


def test_a_deep_place_is_cut() -> None:
    """A key of a file of others may be of any length."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (pydantic's)
        records.parse(json.dumps({"schema": 2, "k" * 500: 1, "cell": "c", "run": "", "suite": "", "target": {}, "checks": []}).encode())
    assert records.told(caught.value).startswith("k" * 200 + " Extra inputs")
    assert records.told(ValueError("so it is")) == "so it is"


@pytest.mark.parametrize(
    ("check", "phase"),
    [
        ({"rung": "resolve"}, "provision"),
        ({"rung": "install", "outcome": "infrastructure"}, "provision"),
        ({"rung": "demo"}, "judge"),
        ({"rung": "demo", "failure": None}, "judge"),
        ({"rung": "demo", "failure": {"how": "judged"}}, "judge"),
        ({"rung": "demo", "failure": {"how": "hung"}}, "observe"),
        ({"rung": "demo", "outcome": "infrastructure", "failure": {"how": "judged"}}, "observe"),
    ],
)
def test_the_phase_of_an_old_record_follows_from_how_it_ended(check: dict[str, Any], phase: str) -> None:
    """Schema 1 had no phases; a check without a failure was judged."""
    old = {"schema": 1, "cell": "c", "run": "r", "suite": "s", "target": {}, "checks": [{"id": "x", "outcome": "failed", **check}]}
    assert records.parse(json.dumps(old).encode()).checks[0].phase == phase


def test_what_steers_a_terminal_is_not_taken_in() -> None:
    """A target's texts and numbers: a text without the escapes, everything else as it is."""
    found = a_record(target={"gpu\x1b[31m": "H\x1b[31m200\u202e", "count": 3})
    assert all("\x1b" not in text and "\u202e" not in text for pair in found.target.items() for text in map(str, pair))
    assert found.target["count"] == 3
    plain = CheckResult(id="a\u202eb", rung="imports", outcome="not verified", reason="two\u202ewords")
    assert (plain.id, plain.reason) == ("ab", "twowords")


# -- places -----------------------------------------------------------------------------------------------------------


def test_places_become_words() -> None:
    """A home of `/` says nothing, one of two characters does; the longest first; a word with a backslash stays as it is."""
    assert records.scrub("/a/b /h/x", {"/": "ROOT", "/h": "~"}) == "/a/b ~/x"
    assert records.scrub("/h/x", {"/h": r"%HOME%\me"}) == r"%HOME%\me/x"
    assert records.scrub("/h/cell/x /h/y", {"/h": "~", "/h/cell": "{cell}"}) == "{cell}/x ~/y"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /tmp/pytest-of-me/x", "see {tmp}/x"),
        ("in /tmp/a-probe-7f.d, line", "in {tmp}, line"),
        ("/tmp/other /tmp/", "/tmp/other /tmp/"),
        ("ssh://git@github.com/x", "ssh://git@github.com/x"),
        ("http://me@host/x http://me:pw@host", "http://***@host/x http://***@host"),
    ],
)
def test_temporary_folders_and_logins_are_taken_out(text: str, found: str) -> None:
    """Ours by their names; the login of `git` is nobody's."""
    assert records.scrub(text, {}) == found


def test_every_rung_has_a_word() -> None:
    """In the order of the ladder, also those without checks."""
    found = a_record(("demo", "failed"), ("demo", "passed")).rungs()
    assert list(found) == list(RUNGS) and found["demo"] == "failed" and found["train"] == "never run"
