"""What is kept of knowledge/ for a quick answer, on a folder of two files: what it says, and when it is made anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from slowfast_verify import index as indexing
from slowfast_verify import knowledge, layout
from slowfast_verify.errors import Problem
from slowfast_verify.index import Rule
from slowfast_verify.knowledge import Example, KnownFailure, Signature, Witness
from slowfast_verify.matching import Failure

RAISED = Failure(type="ImportError", message="No module named 'av'", text="a line\nTraceback\nImportError: No module named 'av'\nlast")
MENDED = "our tests broke an environment this way and mended it by action 2 of the fix, with one installer"
BY_HAND = "our tests broke an environment this way and followed the advice by hand, in a program of their own"

# -- the files --------------------------------------------------------------------------------------------------------

KNOWN = """
title = "{title}"
title_zh = "标题 {title}"
rung = "imports"
seen_in = ["a/b#1"]
{more}
[explain]
cause = "because\\n of {title}"
cause_zh = "因为 {title}"
{signature}
[[fix]]
install = ["av"]
why = "it is missing"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A knowledge/ of two files and one question, and a cache of its own."""
    place = tmp_path / "root" / "knowledge"
    (place / "asks").mkdir(parents=True)
    (tmp_path / "root" / "reports").mkdir()
    one = '[[signature]]\ntype = "ImportError"\nmessage = "No module named \'(?:av|cv)\'|no PyAV"'
    (place / "one.toml").write_text(KNOWN.format(title="one", more='unsure = "which  one"', signature=one), encoding="utf-8")
    two = '[[signature]]\ntext = "a line"\nunshown = "made up"'
    more = 'generic = true\nconsequence_of = ["one"]\nunreproduced = "needs  a GPU"'
    (place / "two.toml").write_text(KNOWN.format(title="two", more=more, signature=two), encoding="utf-8")
    (place / "asks" / "which.toml").write_text(
        'fact = "which\\n one"\nfact_zh = "哪个"\ncommand = "pip list"\nbetween = ["one", "two"]\n'
        '[[signature]]\ntext = "oh dear"\n[example]\ntext = "oh dear"\norigin = "reported: a/b#1"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(layout, "root", lambda: tmp_path / "root")
    monkeypatch.setattr(layout, "home", lambda: tmp_path / "home")
    caches = (knowledge.all_known, knowledge.all_asks, knowledge._one, indexing.index)
    for kept in caches:
        kept.cache_clear()
    yield place
    for kept in caches:
        kept.cache_clear()


def test_files_become_known_failures_by_their_names(folder: Path) -> None:
    """In order, each with its id; questions from their own folder; any folder may be named."""
    assert list(knowledge.all_known()) == ["one", "two"]
    assert [row.id for row in knowledge.all_known().values()] == ["one", "two"]
    assert list(knowledge.all_asks()) == ["which"] and knowledge.all_asks()["which"].id == "which"
    assert list(knowledge.all_known(folder / "asks" / "none")) == [] and list(knowledge.all_asks(folder / "asks")) == ["which"]


def test_one_is_found_by_its_name(folder: Path) -> None:
    """By its file alone; one that does not exist is a mistake with the nearest name."""
    assert (knowledge.known("one").id, knowledge.known("one").title) == ("one", "one")
    with pytest.raises(Problem) as caught:
        knowledge.known("onne")
    error = caught.value
    assert (error.what, error.where, error.cause, error.next) == (
        "there is no known failure 'onne'", str(folder), "did you mean 'one'? ", "write knowledge/onne.toml or mend the name",
    )  # fmt: skip
    with pytest.raises(Problem) as caught:
        knowledge.known("qqqqqqq")
    assert caught.value.cause == "the file is missing"


def test_a_failure_is_diagnosed(folder: Path) -> None:
    """The best of what matches, or nothing."""
    assert knowledge.diagnose(RAISED) == "one"
    assert knowledge.diagnose(Failure(text="x\na line")) == "two"
    assert knowledge.diagnose(Failure(text="nothing")) is None


@pytest.mark.parametrize("key", ["message", "text", "not_text"])
def test_what_is_no_expression_is_told(key: str) -> None:
    """With what is wrong with it; a right one stays as it is."""
    with pytest.raises(ValidationError, match=r"not a regular expression: missing \), unterminated subpattern at position 0"):
        Signature(**{key: "(a"})
    assert getattr(Signature(**{key: "(a)"}), key) == "(a)"


@pytest.mark.parametrize(
    "given", [{}, {"check": "a", "python": "b"}, {"python": "a", "command": ["b"]}, {"check": "a", "python": "b", "command": ["c"]}]
)
def test_a_witness_is_one_thing(given: dict[str, Any]) -> None:
    """Exactly one of a check, a program and a command."""
    with pytest.raises(ValidationError, match=r"Value error, a witness has exactly one of check, python and command \["):
        Witness(**given)
    assert Witness(command=["a"]).command == ["a"]


def test_a_rung_that_does_not_exist_is_told() -> None:
    """With the nearest one, and all of them."""
    row = {"title": "t", "title_zh": "t", "signature": [], "explain": {"cause": "c", "cause_zh": "c"}}
    with pytest.raises(ValidationError, match=r"did you mean 'imports'\? the rungs are resolve, install, environment, imports, "):
        KnownFailure.model_validate({**row, "rung": "import"})
    assert KnownFailure.model_validate({**row, "rung": "imports"}).rung == "imports"


@pytest.mark.parametrize(("origin", "ours"), [("classic cell", True), ("reported: a/b#1", False)])
def test_an_example_is_ours_or_reported(origin: str, ours: bool) -> None:
    """By its origin."""
    assert Example(text="t", origin=origin).ours is ours


# -- the index --------------------------------------------------------------------------------------------------------


def test_the_index_says_what_is_printed(folder: Path) -> None:
    """Every key that diagnose prints, without the files' line ends; what our tests did with the fix."""
    (folder.parent / "reports" / "loops.json").write_text(
        json.dumps([{"id": "one", "outcome": "green", "fixes": "1"}, {"id": "two", "outcome": "red", "fixes": "1"}]), encoding="utf-8"
    )
    one, two = indexing.index().known
    assert (one.id, one.generic, one.consequence_of, one.between) == ("one", False, [], [])
    assert (two.id, two.generic, two.consequence_of, two.between) == ("two", True, ["one"], [])
    fix = one.shown.pop("fix")
    assert fix and "av" in json.dumps(fix) and "it is missing" in json.dumps(fix)
    told = {
        "title": "one", "title_zh": "标题 one", "rung": "imports", "cause": "because of one", "cause_zh": "因为 one",
        "unsure": "which one", "unsure_zh": "", "seen_in": ["a/b#1"], "dead_ends": [], "applies": {}, "carried_out": True,
        "tried": "our tests broke an environment this way and mended it by action 1 of the fix, with one installer",
    }  # fmt: skip
    assert {key: one.shown[key] for key in told} == told
    assert (two.shown["carried_out"], two.shown["tried"]) == (False, "not by our tests: needs a GPU")
    assert one.rules == [
        Rule(type="ImportError", message="No module named '(?:av|cv)'|no PyAV",
             parts={"message": [["No module named '(?:av|cv)'", [["no module named '"]]], ["no PyAV", [["no pyav"]]]]})  # type: ignore[list-item]
    ]  # fmt: skip
    assert two.rules == [Rule(text="a line", parts={"text": [["a line", [["a line"]]]]})]  # type: ignore[list-item]
    (ask,) = indexing.index().asks
    assert (ask.id, ask.generic, ask.consequence_of, ask.between) == ("which", False, [], ["one", "two"])
    assert ask.shown == {"fact": "which one", "fact_zh": "哪个", "command": "pip list", "command_zh": "", "between": ["one", "two"]}
    assert ask.rules == [Rule(text="oh dear", parts={"text": [["oh dear", [["oh dear"]]]]})]  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("loop", "carried_out", "tried"),
    [
        (None, False, "not by our tests: no loop of it is green"),
        ({"fixes": "2"}, True, MENDED),
        ({"fixes": "2", "runner": "native"}, True, MENDED),
        ({"fixes": "2", "runner": "wine"}, True, f"{MENDED} (wine)"),
        ({"fixes": "by hand"}, False, BY_HAND),
        ({"fixes": "by hand", "runner": "wine"}, False, f"{BY_HAND} (wine)"),
    ],
)
def test_what_our_tests_did_with_a_fix_is_told(folder: Path, loop: dict[str, str] | None, carried_out: bool, tried: str) -> None:
    """No more and no less than its loop did."""
    rows = [{"id": "one", "outcome": "green", **loop}] if loop else []
    (folder.parent / "reports" / "loops.json").write_text(json.dumps(rows), encoding="utf-8")
    shown = indexing.index().known[0].shown
    assert (shown["carried_out"], shown["tried"]) == (carried_out, tried)


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"id": "one"}]', "[3]", "\udcff"])
def test_loops_that_cannot_be_read_prove_nothing(folder: Path, text: str) -> None:
    """Missing, cut off, of another form: nothing was carried out."""
    (folder.parent / "reports" / "loops.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert indexing.index().known[0].shown["carried_out"] is False


def test_the_index_is_kept_and_used_again(folder: Path, tmp_path: Path) -> None:
    """The second time nothing is read but the kept form, until a file changes; a kept form that is damaged is made anew."""
    kept = tmp_path / "home" / "index" / "knowledge.jsonl"
    first = indexing.index()
    assert kept.is_file() and "因为" in kept.read_text(encoding="utf-8")
    head, _, told = kept.read_text(encoding="utf-8").partition("\n")
    raw = json.loads(head)
    kept.write_text(f"{head}\n{told.replace('one', 'eno')}", encoding="utf-8")
    indexing.index.cache_clear()
    assert indexing.index().known[0].shown["title"] == "eno"
    for damaged in (
        "",
        "{}",
        "[]",
        json.dumps({**raw, "key": "another"}) + f"\n{told}",
        json.dumps({"key": raw["key"]}) + f"\n{told}",
        json.dumps({**raw, "known": [3]}) + f"\n{told}",
        f"{head}\n{told[:-4]}",
        head,
    ):
        kept.write_text(damaged, encoding="utf-8")
        indexing.index.cache_clear()
        assert indexing.index() == first
    for changed in (folder / "one.toml", folder / "asks" / "which.toml", folder.parent / "reports" / "loops.json"):
        head, _, told = kept.read_text(encoding="utf-8").partition("\n")
        kept.write_text(json.dumps({**json.loads(head), "asks": []}) + f"\n{told}", encoding="utf-8")
        indexing.index.cache_clear()
        assert indexing.index().asks == []
        changed.write_text((changed.read_text(encoding="utf-8") if changed.exists() else "[]") + "\n", encoding="utf-8")
        for cached in (indexing.index, knowledge.all_known, knowledge.all_asks):
            cached.cache_clear()
        assert indexing.index().asks == first.asks


@pytest.mark.parametrize("name", ["index.py", "instructions.py", "knowledge.py", "needles.py", "one.toml", "which.toml"])
def test_what_makes_the_index_makes_a_new_one(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A file of knowledge/ or of the code that reads it, with another size or another time."""
    before, real = indexing._key(), indexing._stat
    assert indexing._key() == before
    for changed in (SimpleNamespace(st_mtime_ns=1, st_size=real(folder / "one.toml").st_size), SimpleNamespace(st_mtime_ns=2, st_size=1)):
        monkeypatch.setattr(indexing, "_stat", lambda path, changed=changed: changed if path.name == name else real(path))
        assert indexing._key() != before


def test_a_cache_that_cannot_be_written_is_no_matter(folder: Path, tmp_path: Path) -> None:
    """The index is made anew each time."""
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    assert [row.id for row in indexing.index().known] == ["one", "two"]
