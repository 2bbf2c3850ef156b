"""The quick look before an expression: it never says no where the expression says yes."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowfast_verify import knowledge
from slowfast_verify.needles import needle_of

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
    ("pattern", "needle"),
    [
        ("abc", ("abc",)),
        ("ABC", ("abc",)),
        (r"No module named '?scipy'?", ("no module named ",)),
        (r"(?:first|second)", ("first", "second")),
        (r"(?:first|x)", ()),
        (r"a.*long text", ("long text",)),
        (r"(?i)Some Thing", ("some thing",)),
        (r"(?:optional words)?ab", ()),
        (r"(?:words)+", ("words",)),
        (r"\d+", ()),
        (r"^start\b", ("start",)),
    ],
)
def test_needle(pattern: str, needle: tuple[str, ...]) -> None:
    """The longest piece that every match contains, or every alternative's."""
    assert needle_of(pattern) == needle


def test_nearly_every_signature_has_one() -> None:
    """A rule without a needle is tried on every log: that is dear, and such a rule says little."""
    without = [pattern for pattern in PATTERNS if not needle_of(pattern)]
    assert len(without) <= len(PATTERNS) // 50, without


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.data())
def test_a_match_always_has_its_needle(data: st.DataObject) -> None:
    """Whatever text a signature of ours matches, the needle is in it."""
    pattern = data.draw(st.sampled_from(PATTERNS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = data.draw(st.from_regex(re.compile(pattern, re.MULTILINE)))
    needle = needle_of(pattern)
    assert not needle or any(piece in text.lower() for piece in needle)
