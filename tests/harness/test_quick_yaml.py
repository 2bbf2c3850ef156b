"""The parser in C reads a config only where PyYAML's slow one, which SlowFast calls, would make the same of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slowfast_verify import layout, observe

SPACE: dict[str, Any] = {}
exec(compile((observe.PROBES / "_quick_yaml.py").read_text(encoding="utf-8"), "_quick_yaml", "exec"), SPACE)
TEXTS = [path.read_text(encoding="utf-8") for path in sorted((layout.fixtures() / "configs").glob("*.yaml"))]
PIECES = [
    *"\t :-#'\"[]{},&*!|>%@`?\n\\=~<\u00e9\ufeff\u3000",
    ": ",
    " #",
    "1e-3",
    "null",
    "yes",
    ".nan",
    "1:30",
    "<<",
    "---",
    "...",
    "[a",
    "]",
    ":]",
]


def read(load: Any, text: str) -> tuple[str, str]:
    """What a text comes to: its value, or that it is refused."""
    try:
        return "taken", repr(load(io.StringIO(text)))
    except yaml.YAMLError:
        return "refused", ""


@given(st.data())
def test_both_parsers_agree_wherever_the_quick_one_is_asked(data: st.DataObject) -> None:
    """Our configs with pieces put in anywhere: the swapped safe_load takes, refuses and means what PyYAML's own does."""
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.sampled_from(PIECES)) + text[place + data.draw(st.integers(0, 2)) :]
    expected = read(yaml.safe_load, text)
    with SPACE["quick_yaml"]():
        assert read(yaml.safe_load, text) == expected


@pytest.mark.parametrize(
    "text",
    ["A:\t1\n", "A: [1?2]\n", "A: [2.0:]\n", "A: !\n", "A:\n  B: 1\n\ufeff  C: 2\nD: 3\n"],
    ids=["tab", "question", "colon", "tag", "mark"],
)
def test_where_they_differ_the_slow_one_is_asked(text: str) -> None:
    """Each of these texts is read differently by the two, and is not plain."""
    assert read(lambda stream: yaml.load(stream, Loader=yaml.CSafeLoader), text) != read(yaml.safe_load, text)
    assert not SPACE["plain"](text)


def test_some_of_our_configs_are_plain() -> None:
    """Or the tests above would try the slow parser against itself."""
    assert any(SPACE["plain"](text) for text in TEXTS)


def test_a_refused_file_is_told_in_the_words_that_people_meet(tmp_path: Path) -> None:
    """The message is the slow parser's and names the file; afterwards safe_load is PyYAML's own."""
    path, own = tmp_path / "broken.yaml", yaml.safe_load
    path.write_text("A: [1, 2\nB: 3\n", encoding="utf-8")
    said = []
    with SPACE["quick_yaml"](), path.open(encoding="utf-8") as stream, pytest.raises(yaml.YAMLError) as swapped:
        yaml.safe_load(stream)
    with path.open(encoding="utf-8") as stream, pytest.raises(yaml.YAMLError) as slow:
        yaml.safe_load(stream)
    said = [str(swapped.value), str(slow.value)]
    assert said[0] == said[1]
    assert "broken.yaml" in said[0]
    assert yaml.safe_load is own
