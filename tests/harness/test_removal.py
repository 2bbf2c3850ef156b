"""What is taken away stops counting first: whoever is killed in the middle leaves nothing that looks whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from slowfast_verify import layout, removal


def cell(name: str) -> Path:
    folder = layout.home() / "cells" / name
    (folder / "env").mkdir(parents=True)
    (folder / "cell.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))


@pytest.mark.parametrize("way", ["forget", "clean"])
def test_the_proof_goes_first(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at the first folder that is deleted: no cell.json says that the rest is an environment."""
    folder = cell("a")

    def killed(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        removal.forget(folder) if way == "forget" else removal.clean(set())
    assert (folder / "env").exists()
    assert not (folder / "cell.json").exists()


def test_a_cell_that_is_being_built_is_left_alone() -> None:
    """Its lock is held by somebody: clean takes the others away."""
    busy, idle, kept = cell("busy"), cell("idle"), cell("kept")
    with FileLock(busy / "lock"):
        assert removal.clean({"kept"}) == ["idle"]
    assert (busy / "cell.json").exists()
    assert (kept / "cell.json").exists()
    assert not idle.exists()
