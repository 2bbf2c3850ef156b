"""Which known failure a text shows: every key of a signature, what outweighs what, and who stands back, on made-up failures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from slowfast_verify import index as indexing
from slowfast_verify import matching
from slowfast_verify.index import Entry, Index, Rule
from slowfast_verify.knowledge import Signature
from slowfast_verify.matching import LONGEST, Failure, Match, matches, place, ranked, weight

RAISED = Failure(type="ImportError", message="No module named 'av'", text="a line\nTraceback\nImportError: No module named 'av'\nlast")

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
