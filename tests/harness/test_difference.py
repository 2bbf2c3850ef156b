"""What changed between two collections: each change in the one kind that it is, each cause once, nothing where nothing changed."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast_verify import difference
from slowfast_verify.collection import Collection
from slowfast_verify.difference import Change
from slowfast_verify.record import RED, Record

from .many_records import CELLS, check, drawn_records, record


def changes(before: Iterable[Record], after: Iterable[Record]) -> list[Change]:
    with Collection(before) as old, Collection(after) as new:
        return list(difference.changes(old, new))


def kinds(before: Iterable[Record], after: Iterable[Record]) -> list[tuple[str, str]]:
    return [(change.kind, change.check) for change in changes(before, after)]


OLD = record(
    CELLS[0],
    check("imports::stays"),
    check("imports::breaks"),
    check("imports::gets_known", "failed", failure="no module x"),
    check("imports::other_cause", "failed", failure="no module y"),
    check("imports::other_number", "failed", failure="at 0x7f"),
    check("compute::is_mended", "failed as expected", knowledge="torch-six-removed", failure="z"),
    check("compute::is_skipped"),
    check("demo::is_gone"),
    days=2,
)
NEW = record(
    CELLS[0],
    check("imports::stays"),
    check("imports::breaks", "failed", failure="boom"),
    check("imports::gets_known", "failed as expected", knowledge="torch-six-removed", failure="no module x"),
    check("imports::other_cause", "failed", failure="no module other"),
    check("imports::other_number", "failed", failure="at 0x99"),
    check("compute::is_mended"),
    check("compute::is_skipped", "not verified", reason="no gpu"),
    check("train::appears", "failed", failure="new and red"),
    days=1,
)


def test_every_change_is_of_one_kind() -> None:
    """Red, green, another cause, no longer run: each check once; what differs in a number only has not changed."""
    assert sorted(kinds([OLD], [NEW])) == sorted([
        ("newly red", "imports::breaks"), ("newly red", "train::appears"), ("newly green", "compute::is_mended"),
        ("changed cause", "imports::gets_known"), ("changed cause", "imports::other_cause"),
        ("no longer run", "compute::is_skipped"), ("no longer run", "demo::is_gone"),
    ])  # fmt: skip


def test_a_cell_that_is_gone_or_new_is_told() -> None:
    """A cell that nobody runs any more, and one that nobody had run before; what is red in a new one is newly red."""
    assert kinds([OLD], []) == [("no longer run", "")]
    assert sorted(kinds([], [record(CELLS[1], check("imports::a", "failed", failure="x"))])) == [("new", ""), ("newly red", "imports::a")]


def test_a_run_that_could_verify_nothing_is_no_longer_run() -> None:
    """Where the newest run verified nothing, the cell is told as a whole with the reason; a reason that is an outage is one."""
    nothing = record(CELLS[0], check("install::environment_stands", "not verified", reason="no Python 3.8 here"))
    (change,) = changes([OLD], [OLD, nothing])
    assert (change.kind, change.check) == ("no longer run", "") and "no Python 3.8 here" in change.evidence


@settings(max_examples=80)
@given(st.lists(drawn_records(), max_size=6))
def test_nothing_changed_between_a_collection_and_itself(found: list[Record]) -> None:
    """What has the same runs has no change, unless its newest run says nothing: that is told every time."""
    assert {change.kind for change in changes(found, found)} <= {"infrastructure", "no longer run"}
    answered = [one for one in found if one.answers()]
    assert changes(answered, answered) == []


@settings(max_examples=80)
@given(st.lists(drawn_records(), max_size=5), st.lists(drawn_records(), max_size=5))
def test_what_is_newly_red_is_red_now_and_was_not(old: list[Record], new: list[Record]) -> None:
    """No change is told twice, and its words are those of the records."""
    found = changes(old, new)
    assert len({(change.cell, change.check) for change in found}) == len(found)
    for change in found:
        assert (change.kind == "newly red") == (change.after in RED and change.before not in RED and bool(change.check))
        if change.kind == "newly green":
            assert change.after == "passed"


def test_the_lines_tell_each_cause_once_with_its_cells_and_its_fix() -> None:
    """Two cells that break in the same way are one entry with two cells; a known cause brings its fix."""
    broken = [check("imports::a", "failed", failure="No module named 'vision'", knowledge="vision-fair-import")]
    old = [record(cell, check("imports::a"), days=1) for cell in CELLS[:2]]
    lines = list(difference.told(changes(old, [record(cell, *broken) for cell in CELLS[:2]])))
    assert lines[0] == "newly red: 2 cells" and f"    in: {', '.join(sorted(CELLS[:2]))}" in lines
    assert sum("No module named 'vision'" in line for line in lines) == 1 and any("fix: " in line for line in lines)
