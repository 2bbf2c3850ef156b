"""What makes an environment stale, and what does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import inputs, subject
from slowfast_verify.ground import Base
from slowfast_verify.matrix import default

CELL = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
BASE = Base("native", Path(sys.executable), "3.8.18")


def digest_with(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> str:
    """The digest where every action of the cell is changed so."""
    matrix = default()
    cell = matrix.cell(CELL)
    with monkeypatch.context() as patch:
        actions = subject.actions_of(matrix.subjects["pyslowfast"].at("bac7b67"), matrix.stack_of(cell).workarounds)
        found = [(name, action.model_copy(update=changed)) for name, action in actions]
        assert found
        patch.setattr(inputs, "actions_of", lambda revision, workarounds: found)
        return inputs.inputs_digest(cell, matrix, BASE)


def test_a_translation_makes_no_environment_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Chinese of a workaround's reason decides nothing; what it installs does."""
    before = digest_with(monkeypatch)
    assert digest_with(monkeypatch, why_zh="别的理由", advice_zh="别的建议") == before
    assert digest_with(monkeypatch, install=["something-else"]) != before
