"""What a command generates is written where it differs, and only named with --check."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowfast_verify.errors import Problem
from slowfast_verify.generated import between, settle


def test_what_differs_is_named_then_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check writes nothing and names the file and the command; without it the file is made, and nothing is left to say."""
    same, other = tmp_path / "same.md", tmp_path / "new" / "other.md"
    same.write_text("as it is\n", encoding="utf-8")
    files = {same: "as it is\n", other: "as it should be\n"}
    assert settle(files, ["--check"], "make it") == 1 and not other.exists()
    said = capsys.readouterr().out
    assert "other.md drifted" in said and "next: make it" in said and "same.md" not in said
    assert settle(files, [], "make it") == 0 and other.read_text(encoding="utf-8") == "as it should be\n"
    capsys.readouterr()
    assert settle(files, ["--check"], "make it") == 0 and capsys.readouterr().out == ""


def test_a_block_is_exchanged_between_its_marks(tmp_path: Path) -> None:
    """What stands around it stays; marks that somebody took out are asked for."""
    assert between("head\n<a>\nold\n<b>\nfoot\n", "<a>", "<b>", "new", tmp_path) == "head\n<a>\nnew\n<b>\nfoot\n"
    for text in ("head\n", "head\n<a>\nold\n"):
        with pytest.raises(Problem, match="not marked"):
            between(text, "<a>", "<b>", "new", tmp_path)
