"""Merging is a union of sets, streams, and loses nothing: whatever is no record is named. History stays, the newest run is the verdict."""

from __future__ import annotations

import itertools
import json
import os
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowfast_verify import reading
from slowfast_verify import record as records
from slowfast_verify.collection import Collection, stale
from slowfast_verify.errors import Problem
from slowfast_verify.reading import Refused, line, read
from slowfast_verify.record import Record

from .many_records import CELLS, NOW, check, held, items, record, run_id

Item = Record | Refused


def merged(*parts: list[Item]) -> list[Item]:
    """What a merge of these parts holds, as it would be read again from its file."""
    with Collection(itertools.chain(*parts)) as found:
        lines = list(found.lines())
    return [reading._one(text, "again") for text in lines]


def same(left: list[Item], right: list[Item]) -> bool:
    return [line(item) for item in left] == [line(item) for item in right]


# -- the algebra -------------------------------------------------------------------------------------------------------------------


@given(items, items, items)
def test_merging_is_associative(a: list[Item], b: list[Item], c: list[Item]) -> None:
    """It makes no difference in which groups parts are merged, also where runs contradict each other."""
    assert same(merged(merged(a, b), c), merged(a, merged(b, c)))


@given(items, items)
def test_merging_is_commutative(a: list[Item], b: list[Item]) -> None:
    """It makes no difference in which order parts are merged."""
    assert same(merged(a, b), merged(b, a))


@given(items)
def test_merging_is_idempotent(a: list[Item]) -> None:
    """A merge merged with itself, or with a part of itself, is itself."""
    once = merged(a)
    assert same(merged(once, once), once) and same(merged(once, a), once) and same(merged(once), once)


@given(items)
def test_no_record_is_lost_silently(a: list[Item]) -> None:
    """Every distinct record is there, or named as contradicted; everything refused is named."""
    found = merged(a)
    there = {line(item) for item in found}
    contradicted = {item.where for item in found if isinstance(item, Refused)}
    for item in a:
        assert line(item) in there or (isinstance(item, Record) and f"{item.cell} {item.run}" in contradicted)


@given(items, st.randoms())
def test_the_newest_run_is_the_verdict_and_the_others_are_history(a: list[Item], chance: object) -> None:
    """Of each cell the newest run is its record, and every older run is in its history, newest first."""
    chance.shuffle(a)  # type: ignore[attr-defined]
    runs: dict[str, set[str]] = {}
    for item in a:
        if isinstance(item, Record):
            runs.setdefault(item.cell, set()).add(item.run)
    with Collection(a) as found:
        assert found.cells == sorted(runs)
        for one in found:
            assert [one.record.run, *(past.run for past in one.history)] == sorted(runs[one.cell], reverse=True)


# -- what lies in files --------------------------------------------------------------------------------------------------------------


def written(folder: Path, *made: Record) -> Path:
    for one in made:
        records.write(one, folder)
    return folder


def refused_in(*paths: Path) -> dict[str, str]:
    with Collection.of(paths) as found:
        return {item.where: item.why for item in found.refused}


GOOD = record(CELLS[0], check("imports::a"))
DEEP = '{"schema": 2, "cell": "c", "run": "%s", "suite": "", "checks": [], "target": {"a": %s%s}}' % (run_id(), "[" * 5000, "]" * 5000)  # noqa: UP031


def changed(**more: object) -> str:
    return json.dumps(json.loads(GOOD.model_dump_json(by_alias=True)) | more)


HOSTILE = {
    "truncated": (GOOD.model_dump_json()[:-30], "not a record"),
    "empty": ("", "EOF"),
    "no-json": ("<html>502 Bad Gateway</html>", "expected value"),
    "other-json": ('{"name": "package"}', "cell"),
    "future-schema": (changed(schema=99), "its schema is '99'"),
    "text-schema": (changed(schema="2"), "schema"),
    "path-as-cell": (changed(cell="../../etc/passwd"), "cell String should match"),
    "markup-as-cell": (changed(cell="<script>"), "cell String should match"),
    "bidi-as-cell": (changed(cell="linux-\u202egnp"), "cell String should match"),
    "endless-cell": (changed(cell="c" * 201), "cannot be the name of a cell"),
    "run-without-a-moment": (changed(run="r"), "its run is 'r'"),
    "run-of-no-day": (changed(run="2026-02-31T00:00:00Z-0000"), "not a record"),
    "run-in-the-future": (changed(run="2999-01-01T00:00:00Z-0000"), "in the future"),
    "unknown-rung": (changed(checks=[{"id": "x::a", "rung": "x", "outcome": "passed"}]), "checks.0.rung"),
    "unknown-outcome": (changed(checks=[{"id": "imports::a", "rung": "imports", "outcome": "fine"}]), "checks.0.outcome"),
    "endless-seconds": (changed(seconds=float("inf")), "seconds"),
    "no-number": (changed(seconds=float("nan")), "seconds"),
    "nested": (DEEP, "recursion"),
    "lone-surrogate": (changed(suite="\ud800"), "not a record"),
    "list": ("[]", "not a record"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_what_is_no_record_is_named_and_the_others_are_read(tmp_path: Path, kind: str, form: str) -> None:
    """A bad file, or a bad line between good ones, is refused by its name and its reason; what stands around it is read."""
    text, why = HOSTILE[kind]
    folder = written(tmp_path / "in", GOOD)
    more = record(CELLS[1], check("imports::a")).model_dump_json(by_alias=True)
    (folder / f"bad.{form}").write_text(f"{text}\n{more}\n" if form == "jsonl" else text, encoding="utf-8", errors="surrogatepass")
    if form == "jsonl" and kind == "empty":
        assert refused_in(folder) == {}  # an empty line is none
        return
    (where, said) = next(iter(refused_in(folder).items()))
    assert where == ("in/bad.json" if form == "json" else "in/bad.jsonl line 1") and why in said
    with Collection.of([folder]) as found:
        assert found.cells == sorted([CELLS[0], CELLS[1]] if form == "jsonl" else [CELLS[0]])


def test_what_is_no_file_of_text_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, a pipe, a folder with a record's name, a dead link: nothing hangs, nothing is lost."""
    folder = written(tmp_path / "in", GOOD)
    (folder / "bytes.json").write_bytes(b"\xff\xfe\x00{")
    (folder / "folder.json").mkdir()
    (folder / "dead.json").symlink_to(tmp_path / "nowhere")
    expected = {"in/bytes.json", "in/dead.json"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.json")
        expected.add("in/pipe.json")
    assert set(refused_in(folder)) == expected


def test_a_record_without_end_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line or a file beyond the limit is refused, and the next line is read."""
    monkeypatch.setattr(reading, "LARGEST", 4096)
    good = GOOD.model_dump_json(by_alias=True)
    path = tmp_path / "all.jsonl"
    path.write_text(f"{'x' * 50_000}\n{good}\n", encoding="utf-8")
    (tmp_path / "one.json").write_text("y" * 50_000, encoding="utf-8")
    with Collection.of([tmp_path]) as found:
        assert len(found) == 1 and [item.where.partition("/")[2] for item in found.refused] == ["all.jsonl line 1", "one.json"]
        assert all("MiB" in item.why for item in found.refused)


def test_what_was_refused_once_stays_named_in_the_merge(tmp_path: Path) -> None:
    """A merge keeps the names of what it refused, so that a merge of merges still tells them."""
    folder = written(tmp_path / "in", GOOD)
    (folder / "cut.json").write_text('{"schema": 2', encoding="utf-8")
    with Collection.of([folder]) as found:
        found.write(tmp_path / "merged.jsonl")
    assert set(refused_in(tmp_path / "merged.jsonl")) == {"in/cut.json"}


def test_a_collection_is_json_lines_sorted_by_cell_and_run(tmp_path: Path) -> None:
    """One record a line, each whole and valid by itself, in the order of cells and runs."""
    made = [record(cell, check("imports::a"), days=days) for cell in CELLS[:2] for days in (0, 3, 1)]
    with Collection(made) as found:
        found.write(tmp_path / "all.jsonl")
    lines = [json.loads(row) for row in (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()]
    keys = [(row["cell"], row["run"]) for row in lines]
    assert keys == sorted(keys) and len(keys) == 6 and all(row["schema"] == records.SCHEMA for row in lines)


def test_the_same_record_written_differently_is_one(tmp_path: Path) -> None:
    """Blanks, the order of keys and a copy elsewhere make no second record."""
    one = record(CELLS[0], check("imports::a"), target={"b": 1, "a": "x"})
    written(tmp_path / "a", one)
    other = json.loads(one.model_dump_json(by_alias=True))
    other = {key: other[key] for key in reversed(other)} | {"target": {"a": "x", "b": 1}}
    (tmp_path / "b.json").write_text(json.dumps(other, indent=4), encoding="utf-8")
    with Collection.of([tmp_path, tmp_path]) as found:
        assert found.runs == 1 and not found.refused


def test_a_verdict_that_was_carried_over_is_no_second_record() -> None:
    """A later run that kept a verdict writes it again with a notice: one record, the latest notice, nothing refused, in any order."""
    notices = [None, run_id(2), run_id(1)]
    for order in itertools.permutations([record(CELLS[0], check("imports::a"), days=9, carried_over=notice) for notice in notices]):
        with Collection(order) as found:
            assert found.runs == 1 and not found.refused and next(iter(found)).record.carried_over == notices[-1]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """A misspelt name ends in one message, not in an empty collection."""
    with pytest.raises(Problem, match="no records there"):
        Collection.of([tmp_path / "nothing"])


def test_a_collection_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the collection that stood there, and no litter."""
    path = tmp_path / "all.jsonl"
    with Collection([GOOD]) as found:
        found.write(path)
        before = path.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("slowfast_verify.atomic.os.fdopen", full)
        with pytest.raises(Problem, match="cannot be written"):
            found.write(path)
    assert path.read_bytes() == before and [item.name for item in tmp_path.iterdir()] == ["all.jsonl"]


# -- streams -------------------------------------------------------------------------------------------------------------------------


def many(cells: int, checks: int = 60) -> Iterator[Record]:
    rows = [check(f"imports::module_imports[m{number}]") for number in range(checks)]
    return (record(f"linux-py3.8-torch1.{n}-cpu-uv-pyslowfast@main", *rows) for n in range(cells))


def peak(cells: int) -> int:
    tracemalloc.start()
    try:
        with Collection(many(cells)) as found:
            assert sum(len(one.record.checks) for one in found) == 60 * cells
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_what_records_say() -> None:
    """Ten times the records take a row of the index each, not their 6 kB: far less than a tenth of what they say."""
    peak(10)  # what is loaded once
    few, more = peak(50), peak(500)
    assert (more - few) / 450 < 1000


def test_one_record_is_held_at_a_time_while_reading(tmp_path: Path) -> None:
    """Reading asks for one record after the other: what comes after the first is not even opened before it is asked for."""
    written(tmp_path, *many(3))
    stream = read([tmp_path])
    next(stream)
    for path in tmp_path.iterdir():
        path.unlink()
    assert [type(item) for item in stream] == [Refused, Refused]


# -- what is known of a cell ---------------------------------------------------------------------------------------------------------


def test_an_outage_takes_away_no_verdict() -> None:
    """After a run that an outage cut short, or that could verify nothing, the last verdict stands."""
    good = record(CELLS[0], check("imports::a"), days=2)
    for silent in (check("install::environment_stands", "infrastructure", reason="503"), check("imports::a", "not verified", reason="x")):
        one = held(good, record(CELLS[0], silent, days=1))
        assert one.standing == good and one.record.checks == [silent] and [past.run for past in one.history] == [good.run]
    assert held(record(CELLS[0], check("imports::a", "infrastructure", reason="503"))).standing is None


def test_since_goes_back_to_the_first_run_of_an_unbroken_row() -> None:
    """The same outcome for the same cause, counted back over runs that did not answer; another cause breaks the row."""
    expected = {"outcome": "failed as expected", "knowledge": "torch-six-removed"}
    runs = [
        record(CELLS[0], check("imports::a", "failed as expected", knowledge="vision-fair-import"), days=60),
        record(CELLS[0], check("imports::a", **expected), days=40),
        record(CELLS[0], check("imports::a", "infrastructure", reason="503"), days=30),
        record(CELLS[0], check("imports::b"), days=20),
        record(CELLS[0], check("imports::a", **expected), days=1),
    ]
    one = held(*runs)
    assert one.standing and one.since(one.standing.checks[0]) == run_id(40)


def test_a_verdict_gets_stale_by_age_and_by_another_suite() -> None:
    """Over 30 days, or made by a suite that asked other things; an unknown suite is not called another one."""
    fresh = record(CELLS[0], check("imports::a"), days=29, suite_sha256="a")
    assert stale(fresh, NOW, "a") == "" and stale(fresh, NOW) == "" and stale(fresh, NOW, "b") == "suite"
    assert stale(fresh, NOW + timedelta(days=2), "a") == "age"
    assert stale(record(CELLS[0], days=1), NOW, "b") == ""
