"""A target that has read our program, knows the cookie, and says what it likes: an observation, and nothing more."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast_verify import target as targets
from slowfast_verify.observe import observe
from slowfast_verify.question import Question
from slowfast_verify.target import Target


def test_a_folder_that_a_target_names_is_not_removed(tmp_path: Path) -> None:
    """The host takes away the folder of a crashed probe; a target that names another one as its own keeps it."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x", encoding="utf-8")
    seen = observe(
        liar(tmp_path, [{"event": "hello", "fork": True, "absent": [], "folder": str(precious)}]), [Question(id="q", probe="inventory")]
    )
    assert seen["q"].facts is None
    assert (precious / "thesis.tex").exists()


def liar(folder: Path, events: list[Any]) -> Target:
    """A target that has read our program, knows the cookie, and says what it likes."""
    script = folder / "liar.py"
    script.write_text(
        "import json, sys\nlines = sys.stdin.read().split(chr(10))\n"
        "first = next(n for n, line in enumerate(lines) if line.startswith('REQUEST = ')) + 1\n"
        "pieces = lines[first : lines.index(']))', first)]\n"
        "cookie = json.loads(''.join(json.loads(piece.rstrip(',')) for piece in pieces))['cookie']\n"
        f"for event in {events!r}:\n    print(cookie + ' ' + (event if isinstance(event, str) else json.dumps(event)), flush=True)\n",
        encoding="utf-8",
    )
    wrapper = folder / "python"
    wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n", encoding="utf-8")
    wrapper.chmod(0o755)
    return targets.of_python(wrapper)


KEYS = [
    "q",
    "seconds",
    "facts",
    "type",
    "message",
    "fork",
    "absent",
    "folder",
    "signal",
    "exit",
    "limit",
    "value",
    "noise",
    "step",
    "chain",
]
KINDS = ["hello", "start", "step", "answer", "raised", "died", "end", "alive", "x"]
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner), max_leaves=6)
EVENT = st.tuples(st.dictionaries(st.sampled_from(KEYS), JSON), st.sampled_from(KINDS)).map(lambda row: {**row[0], "event": row[1]})


def test_a_forged_answer_is_an_answer(tmp_path: Path) -> None:
    """The counter-example for what follows: the liar does know the cookie, and what it says in the right form is taken for an answer."""
    hello = {"event": "hello", "fork": True, "absent": [], "folder": "/nonesuch/probe-x"}
    answer = {"event": "answer", "q": "q", "facts": {"a": 1}, "seconds": 1}
    seen = observe(liar(tmp_path, [hello, {"event": "start", "q": "q"}, answer]), [Question(id="q", probe="inventory")])
    assert seen["q"].facts == {"a": 1}


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for an interpreter")
@settings(max_examples=15)
@given(events=st.lists(EVENT | JSON.map(json.dumps), max_size=6))
def test_whatever_a_target_says_is_an_observation(events: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any events, malformed or forged: one observation for the question, no error and no hang of ours."""
    seen = observe(liar(tmp_path_factory.mktemp("liar"), events), [Question(id="q", probe="inventory", seconds=5)], start_seconds=10)
    assert list(seen) == ["q"]
