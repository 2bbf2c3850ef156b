"""Which known failure a text shows: every key of a signature, what outweighs what, and who stands back, on made-up failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from slowfast_verify import index as indexing
from slowfast_verify import knowledge, layout, matching
from slowfast_verify.errors import Problem
from slowfast_verify.index import Entry, Index, Rule
from slowfast_verify.knowledge import Example, KnownFailure, Signature, Witness
from slowfast_verify.matching import LONGEST, Failure, Match, matches, place, ranked, weight

RAISED = Failure(type="ImportError", message="No module named 'av'", text="a line\nTraceback\nImportError: No module named 'av'\nlast")
MENDED = "our tests broke an environment this way and mended it by action 2 of the fix, with one installer"
BY_HAND = "our tests broke an environment this way and followed the advice by hand, in a program of their own"

# -- what was said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "everything"),
    [
        (Failure(text="only Text"), "only Text"),
        (Failure(type="E", message="m", text="t"), "E: m\nt"),
        (Failure(message="m", text="t"), ": m\nt"),
        (Failure(type="E"), "E: \n"),
        (Failure(), ""),
    ],
)
def test_everything_is_one_text(failure: Failure, everything: str) -> None:
    """Name, message and what was printed; a text alone stays as it is."""
    failure = replace(failure)  # it keeps what it once said
    assert (failure.everything, failure.lowered) == (everything, everything.lower())


# -- which signature holds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "failure", "holds"),
    [
        (Signature(), Failure(), True),
        (Signature(type="ImportError"), RAISED, True),
        (Signature(type="OSError"), RAISED, False),
        (Signature(type="OSError"), Failure(type="E", text="see OSError: x"), True),  # it was printed
        (Signature(type="OSError"), Failure(type="E", text="see MyOSErrors"), False),
        (Signature(type="a.OSError"), Failure(text="a.OSError: x"), True),
        (Signature(type="a.OSError"), Failure(text="abOSError: x"), False),
        (Signature(type="OSError", message="x"), Failure(text="x"), True),  # quoted without its name
        (Signature(type="OSError"), Failure(text="x"), False),
        (Signature(type="OSError", message="x"), Failure(type="ValueError", message="x"), False),
        (Signature(message="^No module"), RAISED, False),
        (Signature(message="No module"), RAISED, True),
        (Signature(message="no module"), RAISED, False),
        (Signature(text="^a line$"), RAISED, True),
        (Signature(text="^line$"), RAISED, False),
        (Signature(message="No module", text="nowhere"), RAISED, False),
        (Signature(message="nowhere", text="a line"), RAISED, False),
        (Signature(text="a line", not_text="last"), RAISED, False),
        (Signature(text="a line", not_text="first"), RAISED, True),
        (Signature(signal="SIGSEGV"), Failure(signal="SIGSEGV"), True),
        (Signature(signal="SIGSEGV"), Failure(signal="SIGABRT"), False),
        (Signature(signal="SIGSEGV"), Failure(), False),
        (Signature(text="x"), Failure(text="x", signal="SIGABRT"), True),
        (Signature(finding="f"), Failure(finding="f"), True),
        (Signature(finding="f"), Failure(finding="g"), False),
        (Signature(text="x"), Failure(text="x", finding="g"), True),
        (Signature(text="x", finding="f"), Failure(text="x"), False),
    ],
)
def test_all_keys_of_a_signature_hold(signature: Signature, failure: Failure, holds: bool) -> None:
    """Each that is given, and no other."""
    assert matches(signature, failure) is holds


def test_an_expression_is_searched_at_every_line() -> None:
    """^ and $ stand for lines; the same expression is compiled once."""
    assert matching.expression("^b$").search("a\nb\nc")
    assert matching.expression("^b$") is matching.expression("^b$")


# -- how much it says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "weighs"),
    [
        (Signature(text="a line"), (False, False, 1, 6)),
        (Signature(type="ImportError"), (True, True, 1, 0)),
        (Signature(type="Traceback"), (False, True, 1, 0)),
        (Signature(type="ImportError", message="No module"), (True, True, 2, 9)),
        (Signature(message="No module", text="a line"), (False, False, 2, 15)),
        (Signature(message="nowhere", text="a line"), (False, False, 2, 6)),
        (Signature(signal="SIGSEGV", finding="f"), (False, True, 2, 0)),
        (Signature(message=r"(?s).*"), (False, False, 1, 89)),
    ],
)
def test_a_signature_weighs_what_it_says(signature: Signature, weighs: tuple[bool, bool, int, int]) -> None:
    """What ended the process, then the number of keys, then the characters that they account for."""
    assert weight(signature, RAISED) == weighs


def test_what_spans_pages_says_no_more_than_a_line() -> None:
    """A match counts up to LONGEST characters, each by itself."""
    long = Failure(text="x" * 500)
    assert weight(Signature(text="x+"), long)[3] == LONGEST
    assert weight(Signature(text="x+", message="x{5}"), long)[3] == LONGEST + 5
    assert weight(Signature(text="x{119}"), long)[3] == 119


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        (Signature(message="b", text="c", type="d"), (4, 5)),
        (Signature(message="nowhere", text="c", type="d"), (6, 7)),
        (Signature(message="nowhere", type="d"), (9, 10)),
        (Signature(type="a.d"), (0, 0)),
        (Signature(text="nowhere"), (0, 0)),
        (Signature(signal="SIGSEGV"), (0, 0)),
    ],
)
def test_a_match_has_a_place(signature: Signature, found: tuple[int, int]) -> None:
    """That of the message, else of the text, else of the exception's name as a word."""
    assert place(signature, "and b c\nd add") == ((8, 9) if found == (9, 10) else found)


# -- who comes first --------------------------------------------------------------------------------------------------


def a(id: str, *signatures: Signature, generic: bool = False, consequence_of: tuple[str, ...] = ()) -> SimpleNamespace:
    return SimpleNamespace(id=id, generic=generic, consequence_of=consequence_of, signatures=signatures)


def names(*rows: SimpleNamespace, failure: Failure = RAISED) -> list[str]:
    return [match.id for match in ranked(rows, lambda row: row.signatures, failure)]


LINE, ENDED, ABSENT = Signature(text="a line"), Signature(type="ImportError"), Signature(text="nowhere")


def test_the_best_comes_first() -> None:
    """By weight; equal ones by name; what does not match is not there."""
    assert names(a("line", LINE), a("ended", ENDED), a("absent", ABSENT)) == ["ended", "line"]
    assert names(a("b", LINE), a("a", LINE)) == ["b", "a"]
    assert names(a("absent", ABSENT)) == []
    assert names() == []


def test_the_best_of_its_signatures_counts() -> None:
    """A known failure weighs what its heaviest matching signature weighs, and tells which that was."""
    (found,) = ranked([a("x", LINE, ENDED, ABSENT, generic=True)], lambda row: row.signatures, RAISED)
    assert found == Match("x", True, (True, True, 1, 0), ENDED)
    (found,) = ranked([a("x", LINE, Signature(text="Tracebac"[:6]))], lambda row: row.signatures, RAISED)
    assert found.signature is LINE  # of two that say as much the first


def test_what_another_brought_about_stands_back() -> None:
    """The cause stays, unless each is a consequence of the other; a cause that does not match changes nothing."""
    assert names(a("cause", LINE), a("effect", ENDED, consequence_of=("cause",))) == ["cause"]
    assert names(a("cause", ABSENT), a("effect", ENDED, consequence_of=("cause",))) == ["effect"]
    assert names(a("x", LINE, consequence_of=("y",)), a("y", ENDED, consequence_of=("x",))) == ["y", "x"]


def test_a_rule_for_a_class_stands_back() -> None:
    """Where a specific one matches; alone it is the answer."""
    assert names(a("rule", ENDED, generic=True), a("own", LINE)) == ["own"]
    assert names(a("rule", ENDED, generic=True), a("other", LINE, generic=True)) == ["rule", "other"]


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


# -- rules with needles -----------------------------------------------------------------------------------------------

PARTS: Any = {"text": [("first", [["first"], ["one", "two"]]), ("second", [["second"]]), ("anything", [])]}


@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        (["first", "two", "second"], "first|second|anything"),
        (["first", "second"], "second|anything"),
        (["first", "one"], "first|anything"),
        (["one"], "anything"),
        ([], "anything"),
    ],
)
def test_alternatives_that_cannot_match_are_left_out(pieces: list[str], left: str) -> None:
    """Of each group one piece must be in the text; a part without groups may always match; all parts left: the rule as it is."""
    rule = Rule(text="first|second|anything", parts=PARTS, signal="S")
    found = rule.narrowed(pieces.__contains__)
    assert found == Rule(text=left, parts=PARTS, signal="S")
    assert (found is rule) == (left == rule.text)


def test_a_rule_that_cannot_match_is_none() -> None:
    """None of its alternatives can, or its exception is not named where a message does not speak for it."""
    parts: Any = {"message": [("a+", [["aaa"]])], "text": [("b", [["bbb"]])]}
    assert Rule(message="a+", text="b", parts=parts).narrowed(["aaa"].__contains__) is None
    assert Rule(message="a+", text="b", parts=parts).narrowed(["bbb"].__contains__) is None
    assert Rule(message="a+", text="b", parts=parts).narrowed(["aaa", "bbb"].__contains__) is not None
    assert Rule(type="OSError").narrowed([].__contains__) is None
    assert Rule(type="OSError").narrowed(["oserror"].__contains__) == Rule(type="OSError")
    assert Rule(type="OSError", message="x").narrowed([].__contains__) == Rule(type="OSError", message="x")
    assert Rule(signal="S").narrowed([].__contains__) == Rule(signal="S")


@pytest.mark.parametrize(
    ("patterns", "joined"), [(["a", "b"], "a|b"), (["(?i)a", "(?i)b"], "(?i)a|b"), (["a"], "a"), (["(?ms)x"], "(?ms)x")]
)
def test_alternatives_are_joined_with_their_flags_once(patterns: list[str], joined: str) -> None:
    """Flags stand at the start of an expression, or it is none."""
    assert indexing._joined(patterns) == joined


def test_candidates_are_entries_with_the_rules_that_may_match() -> None:
    """Whatever the case of the text; an entry of which no rule may match is none; the others keep all else."""
    rules = [Rule(type="OSError"), Rule(type="KeyError"), Rule(text="x", parts={"text": [("x", [["some words"]])]})]
    both = Entry("both", True, ["c"], ["b"], rules, b'{"s": 1}')
    none = Entry("none", False, [], [], [Rule(type="ValueError")], b"{}")
    index = Index([none, both], [])
    found = list(index.candidates(index.known, Failure(text="OSERROR: Some Words")))
    assert found == [Entry("both", True, ["c"], ["b"], [both.rules[0], both.rules[2]], b'{"s": 1}')]
    assert list(index.candidates([], Failure(text="OSError"))) == []
