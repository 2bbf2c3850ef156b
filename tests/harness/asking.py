"""One question put to a stand-in that says anything (player.py): for the tests of the protocol."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.observe import MARK, Observation, Question, observe

from .player import player

posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX")
SPLIT = MARK.decode("latin-1")


def asked(*numbers: str, **limits: Any) -> list[Question]:
    return [Question(id=number, probe="fake_answer", **limits) for number in numbers or ("0",)]


def seen(tmp_path: Path, *actions: list[Any], **more: Any) -> Observation:
    """What became of the one question."""
    found = observe(player(tmp_path, [*actions]), asked(), **more)
    assert list(found) == ["0"]
    return found["0"]
