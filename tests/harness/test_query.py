"""Questions put to a collection: filters, what passes here and fails there, what has been expected for too long, what never ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slowfast_verify import query
from slowfast_verify import record as records
from slowfast_verify.cli import app
from slowfast_verify.collection import Collection
from slowfast_verify.errors import Problem
from slowfast_verify.record import Record

from .many_records import CELLS, NOW, check, record

LINUX, MODERN, WINE, MINE = CELLS
EXPECTED = {"outcome": "failed as expected", "knowledge": "torch-six-removed", "failure": "No module named 'torch._six'"}
FOUND = [
    record(LINUX, check("imports::a"), check("imports::b", **EXPECTED), days=40),
    record(
        LINUX, check("imports::a"), check("imports::b", **EXPECTED), check("demo::c", "not verified", reason="x"), days=1, suite_sha256="s"
    ),
    record(MODERN, check("imports::a"), check("imports::b"), check("demo::c"), days=35),
    record(WINE, check("imports::a", "failed", failure="DLL load failed"), check("imports::b", **EXPECTED), days=2),
    record(MINE, check("imports::a"), check("compute::only_here", "not verified", reason="needs a GPU"), days=2),
]


def cells_of(wanted: str, suite: str = "") -> list[str]:
    with Collection(FOUND) as found:
        return [row.cell for row in query.search(found, wanted, NOW, suite)]


@pytest.mark.parametrize(("wanted", "cells"), [
    ("*", sorted(CELLS)),
    ("linux-*", sorted([LINUX, MODERN])),
    ("os=linux", sorted([LINUX, MODERN])),
    ("os=windows", [WINE]),
    ("runner=wine", [WINE]),
    ("runner!=wine os!=linux", [MINE]),
    ("python=3.8 os=linux|windows", sorted([LINUX, WINE])),
    ("torch=2.*", [MODERN]),
    ("subject=pyslowfast revision=main", sorted([LINUX, WINE])),
    ("reached=demo", [MODERN]),
    ("state=failed", [WINE]),
    ("stale=age", [MODERN]),
])  # fmt: skip
def test_a_filter_takes_the_cells_that_it_describes(wanted: str, cells: list[str]) -> None:
    """Axes, how it ran, how far it got, what came out, how old it is; | for or, != for not, a glob alone for names."""
    assert cells_of(wanted) == cells


def test_stale_is_also_what_another_suite_judged() -> None:
    """With the digest of a suite, a verdict of another one is stale; one that does not say its suite is not."""
    assert cells_of("stale=suite", "other") == [LINUX] and cells_of("stale=suite", "s") == []


def test_a_filter_over_checks_gives_checks() -> None:
    """outcome, rung, check, cause, type: the rows are checks of the newest runs, with since when they end so."""
    with Collection(FOUND) as found:
        rows = list(query.search(found, "outcome=failed* os=linux", NOW))
        assert [(row.cell, row.check, row.cause, row.days) for row in rows] == [(LINUX, "imports::b", "torch-six-removed", 40)]
        assert [row.cell for row in query.search(found, "cause=torch-six-removed rung=imports", NOW)] == sorted([LINUX, WINE])
        assert {row.check for row in query.search(found, "check=*::only_here", NOW)} == {"compute::only_here"}


@pytest.mark.parametrize("wanted", ["pyton=3.8", "nothing=1", "os=linux color=red"])
def test_an_unknown_key_is_a_problem(wanted: str) -> None:
    """A misspelt key does not take everything: it is named, with the keys that there are."""
    with pytest.raises(Problem, match="there is no key") as caught:
        query.Filter(wanted)
    assert caught.value.cause


def test_passes_in_one_group_and_fails_in_another() -> None:
    """A check that passes wherever it was answered in A and fails in B; one that also fails in A is none, one that was skipped is none."""
    with Collection(FOUND) as found:
        (one,) = query.passes_and_fails(found, "os=linux", "os=windows", NOW)
        assert (one.check, one.passes_in, one.fails_in) == ("imports::a", sorted([LINUX, MODERN]), [WINE])
        assert "DLL load failed" in one.evidence
        assert [each.check for each in query.passes_and_fails(found, MODERN, LINUX, NOW)] == ["imports::b"]
        assert query.passes_and_fails(found, "os=windows", "os=linux", NOW) == []


def test_failed_as_expected_for_over_thirty_days() -> None:
    """Only what has failed so, for the same cause, in every run that answered it since then."""
    with Collection(FOUND) as found:
        rows = list(query.expected_for(found, 30, NOW))
        assert [(row.cell, row.check, row.days) for row in rows] == [(LINUX, "imports::b", 40)]
        assert not list(query.expected_for(found, 40, NOW)) and len(list(query.expected_for(found, 1, NOW))) == 2
    mended = [*FOUND, record(LINUX, check("imports::b"), days=20)]
    with Collection(mended) as found:
        assert not list(query.expected_for(found, 30, NOW))


def test_what_never_ran_anywhere() -> None:
    """Cells that exist and about which no run says anything, run under Wine or not; checks that no cell ever answered."""
    away = record("linux-py3.9-torch2.0-cpu-uv-a@main", check("install::environment_stands", "infrastructure", reason="503"))
    known = [LINUX, WINE.removesuffix("+wine"), away.cell, "macos-py3.11-torch2.0-cpu-uv-a@main"]
    with Collection([*FOUND, away]) as found:
        cells, checks = query.never_ran(found, known)
    assert cells == sorted([away.cell, "macos-py3.11-torch2.0-cpu-uv-a@main"])
    assert checks == ["compute::only_here", "install::environment_stands"]


# -- from the command line -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, one in enumerate(FOUND):
        records.write(one, tmp_path / "in" / str(number))
    (tmp_path / "in" / "cut.json").write_text('{"schema": 2, "cell', encoding="utf-8")
    return tmp_path / "in"


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["report", *map(str, arguments)])
    if isinstance(done.exception, Problem):
        return done.exception.code, done.stdout, str(done.exception)
    return done.exit_code, done.stdout, done.stderr


def test_every_question_can_be_asked_as_json(folder: Path) -> None:
    """The same answers as one JSON document on standard output; what was refused is told on standard error."""
    for arguments, key in ((["os=linux"], "cell"), (["outcome=failed"], "check"), (["--expected-for", "1"], "since"),
                           (["--passes-in", "os=linux", "--fails-in", "os=windows"], "passes_in")):  # fmt: skip
        code, out, err = run("query", *arguments, "--from", folder, "--json")
        assert code == 0 and key in json.loads(out)[0] and "refused: in/cut.json" in err
    code, out, _ = run("query", "os=linux", "--never-ran", "--from", folder, "--json")
    assert code == 0 and {"check": "demo::c"} not in json.loads(out) and any("cell" in row for row in json.loads(out))


def test_what_is_asked_wrongly_is_a_problem(folder: Path) -> None:
    """Half a question, an unknown key, a folder that is not there, an unknown format: exit 2 and what to type."""
    for arguments in (["query", "--passes-in", "os=linux"], ["query", "x=1", "--from", folder], ["query", "--from", folder / "no"],
                      ["diff", folder], ["diff", folder, folder, "--since", "2026-01-01"], ["diff", folder, "--since", "yesterday"],
                      ["export", "html", folder], ["badges", folder, "--goal", "dmo"]):  # fmt: skip
        code, out, err = run(*arguments)
        assert (code, out) == (2, "") and "next: " in err, arguments


def test_merging_files_gives_the_same_bytes_in_any_grouping(folder: Path, tmp_path: Path) -> None:
    """The command's own files: a merge of merges is the merge of all, byte by byte, with what was refused."""
    parts = [folder / str(number) for number in range(len(FOUND))] + [folder / "cut.json"]
    run("merge", *parts, "--output", tmp_path / "all.jsonl")
    run("merge", *parts[3:], *parts[:1], "--output", tmp_path / "right.jsonl")
    run("merge", tmp_path / "right.jsonl", parts[2], parts[1], "--output", tmp_path / "again.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    code, out, err = run("merge", tmp_path / "all.jsonl", "--strict")
    assert code == 1 and "5 records of 4 cells, 1 refused" in out and "refused: in/cut.json" in err


def test_a_collection_is_compared_with_what_it_was(folder: Path, tmp_path: Path) -> None:
    """--since compares with the runs up to a day; newly red leaves with 1, and --json holds the same."""
    broken: Record = record(MODERN, check("imports::a", "failed", failure="boom"), check("imports::b"), check("demo::c"))
    records.write(broken, folder / "new")
    code, out, _ = run("diff", folder, "--since", "2026-11-22")
    assert code == 1 and "newly red: 1 cells" in out and "imports::a: passed -> failed" in out
    code, out, _ = run("diff", folder, "--since", "2026-11-22", "--json")
    assert code == 1 and [change["kind"] for change in json.loads(out)] == ["newly red"]
    assert run("diff", folder, folder)[:2] == (0, "nothing changed\n")


def test_exports_and_badges_are_written(folder: Path, tmp_path: Path) -> None:
    """Each format into a file or to standard output, a badge a cell; the whole of it from the command line."""
    for form, mark in (("junit", "<testsuites"), ("ctrf", '"reportFormat": "CTRF"'), ("markdown", "## slowfast-verify")):
        code, out, _ = run("export", form, folder)
        assert code == 0 and mark in out
        run("export", form, folder, "--output", tmp_path / form)
        assert (tmp_path / form).read_text(encoding="utf-8") == out
    code, out, _ = run("badges", folder, "--output", tmp_path / "badges")
    assert code == 0 and (tmp_path / "badges" / "cell" / f"{WINE}.svg").is_file() and (tmp_path / "badges" / "all.svg").is_file()
