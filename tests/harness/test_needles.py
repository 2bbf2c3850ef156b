"""The quick look before an expression: it never says no where the expression says yes."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowfast_verify import knowledge
from slowfast_verify.index import Rule
from slowfast_verify.needles import alternatives, needles_of

PATTERNS = sorted(
    {
        pattern
        for row in [*knowledge.all_known().values(), *knowledge.all_asks().values()]
        for signature in row.signature
        for pattern in (signature.message, signature.text)
        if pattern
    }
)


@pytest.mark.parametrize(
    ("pattern", "needles"),
    [
        ("abc", [["abc"]]),
        ("ABC", [["abc"]]),
        (r"No module named '?scipy'?", [["no module named "], ["scipy"]]),
        (r"(?:first|second)", [["first", "second"]]),
        (r"(?:first|x)", []),
        (r"abc.*long text", [["long text"], ["abc"]]),
        (r"(?i)Some Thing", [["some thing"]]),
        (r"(?:optional words)?ab", []),
        (r"(?:words)+", [["words"]]),
        (r"(?:Error |error=)802", [["802"], ["error ", "error="]]),
        (r"\d+", []),
        (r"^start\b", [["start"]]),
        (r"one\b two", [["one two"]]),
        (r"(?:words)+?", [["words"]]),
        (r"(?:words)++", [["words"]]),
        (r"(?:words)*", []),
        (r"(?:zzz.*longer|other)", [["longer", "other"]]),
        (r"((one|two)three)", [["three"], ["one", "two"]]),
    ],
)
def test_needles(pattern: str, needles: list[list[str]]) -> None:
    """Every piece that each match contains, or of every alternative one."""
    assert needles_of(pattern) == needles


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("a|b", ["a", "b"]),
        ("(?i)a|b", ["(?i)a", "(?i)b"]),
        ("(a|b)c|d", ["(a|b)c", "d"]),
        (r"a\|b|c", [r"a\|b", "c"]),
        ("[|]|x", ["[|]", "x"]),
        ("[]|]|x", ["[]|]", "x"]),
        ("[^]|]|x", ["[^]|]", "x"]),
        (r"[\]|]|x", [r"[\]|]", "x"]),
        ("one", ["one"]),
        (r"a\.|b", [r"a\.", "b"]),
        ("aX|Xb", ["aX", "Xb"]),
        ("a[b]|c", ["a[b]", "c"]),
        ("[^a]|c", ["[^a]", "c"]),
        ("(a)|(b)|c", ["(a)", "(b)", "c"]),
        ("(?ms)a|b|c", ["(?ms)a", "(?ms)b", "(?ms)c"]),
        ("(?x)(?P<n>a)|(?P=n)", ["(?x)(?P<n>a)|(?P=n)"]),  # its second half is no expression by itself
        ("", [""]),
    ],
)
def test_alternatives(pattern: str, parts: list[str]) -> None:
    """An expression is cut where its outermost bar stands, and nowhere else."""
    assert alternatives(pattern) == parts


def test_nearly_every_alternative_has_a_needle() -> None:
    """What has none is searched for in every log: that is dear, and such a rule says little."""
    without = [part for pattern in PATTERNS for part in alternatives(pattern) if not needles_of(part)]
    assert len(without) <= len(PATTERNS) // 50, without


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.data())
def test_a_match_always_has_its_needles(data: st.DataObject) -> None:
    """Whatever text a signature of ours matches, one of its alternatives has all its needles there, and matches too."""
    pattern = data.draw(st.sampled_from(PATTERNS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = data.draw(st.from_regex(re.compile(pattern, re.MULTILINE)))
    live = Rule(message=pattern, parts={"message": [(part, needles_of(part)) for part in alternatives(pattern)]}).narrowed(
        lambda piece: piece in text.lower()
    )
    assert live is not None
    assert re.search(live.message or "", text, re.MULTILINE)
