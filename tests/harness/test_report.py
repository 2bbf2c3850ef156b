"""The tables that are made from records: what was not verified is not green, each cause stands once, the file is what the records say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from slowfast_verify import causes, compatibility, knowledge, layout, report
from slowfast_verify import record as records
from slowfast_verify.record import CheckResult, FailureDetail, Record

from .many_records import held


def check(name: str, outcome: str, **more: object) -> CheckResult:
    return CheckResult.model_validate({"id": name, "rung": name.partition("::")[0], "outcome": outcome, **more})


def record(cell: str, *checks: CheckResult, run: str = "2026-11-22T10:00:00Z-0000") -> Record:
    return Record(cell=cell, run=run, suite="test", target={"kind": "venv"}, checks=list(checks))


def failed(message: str, known: str | None = None) -> CheckResult:
    detail = FailureDetail(how="raised", type="ImportError", message=message, step="import x")
    return check("imports::module_imports[x]", "failed", failure=detail, knowledge=known)


def test_rung_with_an_unverified_check_is_not_plain_ok() -> None:
    """A rung of which one check could not be verified shows how many, and never plain ok."""
    shown = record("a", check("compute::conv3d", "passed"), check("compute::gpu", "not verified", reason="needs a GPU"))
    assert report.word_of(shown, "compute")[0] == "ok+1"


def test_rung_with_one_failure_is_red() -> None:
    """One failed check among many makes its rung red, with the counts."""
    shown = record("a", check("imports::a", "passed"), check("imports::b", "failed"), check("imports::c", "passed"))
    assert report.word_of(shown, "imports") == ("FAIL 1/3", "bold red")


def test_rung_without_checks_says_that_it_never_ran() -> None:
    """A rung that no check speaks of shows a dash, not ok."""
    assert report.word_of(record("a", check("imports::a", "passed")), "demo")[0] == "-"


def test_same_cause_is_told_once_with_its_cells_and_its_fix() -> None:
    """Two cells that stop at the same known failure give one cause with two cells and what mends it."""
    shown = [record(name, failed("cannot import name 'cat_all_gather'", "pytorchvideo-cat-all-gather")) for name in ("a", "b")]
    (cause,) = causes.gather(shown)
    assert cause.id == "pytorchvideo-cat-all-gather" and cause.cells == {"a": 1, "b": 1}
    assert any("--force-reinstall" in step for step in cause.fix)


def test_the_terminal_names_a_cause_in_the_language_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a failure and of what fails as expected; the file for everybody stays English."""
    row = knowledge.known("pytorchvideo-cat-all-gather")
    known = failed("cannot import name 'cat_all_gather'", row.id)
    shown = [record("a", known), record("b", known.model_copy(update={"outcome": "failed as expected"}))]
    monkeypatch.setattr("slowfast_verify.language.showable", lambda text: True)
    for language, title in (("en", row.title), ("zh", row.title_zh)):
        monkeypatch.setenv("SLOWFAST_VERIFY_LANG", language)
        report.print_summary(shown, Console(file=(out := io.StringIO()), width=300))
        assert out.getvalue().count(title) == 2, out.getvalue()
        assert row.title in compatibility.markdown([held(one) for one in shown])


def test_failures_that_differ_in_numbers_are_one_cause() -> None:
    """What nobody has described is one cause where it says the same, addresses and counts aside, and another where it does not."""
    said = [("a", "expected 3 of 0x7f01"), ("b", "expected 12 of 0x7f99"), ("c", "another thing")]
    assert [sorted(cause.cells) for cause in causes.gather(record(cell, failed(text)) for cell, text in said)] == [["a", "b"], ["c"]]


def test_cause_that_this_suite_does_not_know_stays_a_name() -> None:
    """A record of another version may name a known failure that is not here, or a path: it is shown as it is and opens no file."""
    for name in ("from-the-future", "../matrices/zoo", "x" * 5000):
        (cause,) = causes.gather([record("a", failed("boom", name))])
        assert cause.id == name and cause.fix == [] and cause.title
        assert "boom" in compatibility.markdown([held(record("a", failed("boom", name)))])


def test_commands_that_are_printed_hold_nothing_from_a_record() -> None:
    """A check's name that would be more than an argument of a shell is not printed into a command; `+wine` is no cell to run."""
    assert causes.reproduce("linux-a", "imports::x; rm -rf ~") == ['nox -s "matrix(linux-a)"']
    assert causes.reproduce("windows-a@main+wine", "demo::clip[x]") == [
        'nox -s "matrix(windows-a@main)"', "pytest tests/verify --cell 'windows-a@main' -k clip",
    ]  # fmt: skip
    assert causes.reproduce("linux-a@main+docker", "demo::clip") == ["slowfast-verify climb linux-a@main --container"]


def test_unexpected_failure_comes_before_an_expected_one() -> None:
    """What nobody expected is the first cause, even where an expected failure stands at a lower rung."""
    expected = check("imports::a", "failed as expected", knowledge="vision-fair-import")
    shown = record("a", expected, check("demo::clip", "failed"))
    first = shown.first_cause()
    assert first and first.id == "demo::clip"


def test_newest_record_of_a_cell_wins(tmp_path: Path) -> None:
    """Of two records of one cell in two folders the later run is shown."""
    for folder, run in (("old", "2026-11-20T10:00:00Z-0000"), ("new", "2026-11-22T10:00:00Z-0000")):
        records.write(record("a", check("imports::a", "passed"), run=run), tmp_path / folder)
    (shown,), _ = report.load([tmp_path / "new", tmp_path / "old"])
    assert shown.record.run.startswith("2026-11-22") and [past.run[:10] for past in shown.history] == ["2026-11-20"]


def test_cut_record_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    """A record that is cut off is told by its path; the records beside it are still read."""
    records.write(record("a", check("imports::a", "passed")), tmp_path)
    whole = (tmp_path / "a.json").read_text()
    (tmp_path / "b.json").write_text(whole[: len(whole) // 2])
    shown, complaints = report.load([tmp_path])
    assert [one.cell for one in shown] == ["a"] and "b.json" in complaints[0]


def test_summary_prints_the_two_commands_that_reproduce_a_failure() -> None:
    """Below the table stand the command for the cell and the command for the one check."""
    out = io.StringIO()
    report.print_summary([record("linux-a", failed("boom"))], Console(file=out, width=200))
    assert 'nox -s "matrix(linux-a)"' in out.getvalue() and "pytest tests/verify --cell 'linux-a' -k module_imports" in out.getvalue()


def test_message_with_markup_stays_text() -> None:
    """Brackets in a message are printed as they stand and do not break the table."""
    out = io.StringIO()
    report.print_summary([record("a", failed("[/red] expected [bold]"))], Console(file=out, width=200))
    assert "[/red] expected [bold]" in out.getvalue()


def test_markdown_names_why_something_was_not_verified() -> None:
    """COMPATIBILITY.md lists every reason for which something was not verified."""
    text = compatibility.markdown([held(record("a", check("compute::gpu", "not verified", reason="needs a GPU")))])
    assert "- needs a GPU: `compute::gpu`" in text


@pytest.mark.skipif(not any((layout.root() / "reports" / "evidence").glob("*.json")), reason="no evidence is kept yet")
def test_committed_report_is_what_the_records_say() -> None:
    """reports/COMPATIBILITY.md is exactly what the kept records give."""
    shown, complaints = report.load([layout.root() / "reports" / "evidence"])
    assert not complaints
    assert (layout.root() / "reports" / "COMPATIBILITY.md").read_text(encoding="utf-8") == compatibility.markdown(shown)


def test_every_kept_record_has_its_lock() -> None:
    """Beside each record of a cell that was built lies the lock whose digest it names."""
    for path in (layout.root() / "reports" / "evidence").glob("*.json"):
        kept = records.read(path)
        if kept.installation:
            lock = path.with_name(f"{kept.cell}.lock.txt").read_text(encoding="utf-8").splitlines()
            assert records.lock_digest(lock) == kept.target["lock_sha256"], kept.cell
