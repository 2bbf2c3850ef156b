"""Cells of other systems on every push: which, what Debian must bring for them, and what is said where an outage stops one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slowfast_verify import closing, container, elsewhere, emulator, engine, image, layout
from slowfast_verify.climb import HEALTHY, NOTHING_VERIFIED, PROBLEMS_FOUND, exit_code
from slowfast_verify.errors import NotVerifiable, Problem
from slowfast_verify.matrix import Matrix, default
from slowfast_verify.record import CheckResult, Record

from . import data_folder


def nobody() -> None:
    raise NotVerifiable("no container engine answers")


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux machine of today's usual kind, on which an engine does not answer."""
    for module in (emulator.cells, elsewhere):
        monkeypatch.setattr(module, "this_os", lambda: "linux")
    monkeypatch.setattr(emulator.cells, "this_arch", lambda: "x86_64")
    monkeypatch.setattr(engine, "client", nobody)


def test_one_cell_under_wine_and_one_in_a_container() -> None:
    """The data names a cell of Windows and a cell that is climbed as an image, and the matrix has both."""
    rows = elsewhere.rows()
    assert [default().cell(row.cell).os for row in rows if not row.container] == ["windows"]
    assert [elsewhere.arguments(row)[1:] for row in rows if row.container] == [["--container"]]


def test_a_row_that_names_no_cell_is_told(tmp_path: Path) -> None:
    """A misspelt cell of another system ends as bad data, not as an empty run."""
    root = data_folder.make(tmp_path)
    (root / "matrices" / "selection.toml").write_text(
        f'chosen = []\n\n[[elsewhere]]\ncell = "{data_folder.cell_id()[:-3]}two"\nreason = "r"\n', encoding="utf-8"
    )
    with pytest.raises(Problem, match="no stack spans"):
        elsewhere.rows(Matrix(root / "matrices"))


def test_what_is_missing_is_named_and_nothing_else(linux: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing installed Debian's packages of all rows are named, once each; of what is there, none."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    wine = emulator.all_emulators()["wine"]
    assert elsewhere.packages() == [*wine.debian, *container.rules().starter.debian]
    monkeypatch.setattr(shutil, "which", lambda name: None if name in wine.commands else name)
    assert elsewhere.packages() == wine.debian
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert elsewhere.packages() == []


def test_an_engine_that_answers_needs_no_packages(linux: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's own engine serves, however it was installed."""
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "dockerd" else name)
    monkeypatch.setattr(engine, "client", lambda: None)
    assert elsewhere.packages() == []


def test_no_second_list_of_packages() -> None:
    """What Debian brings stands in the data alone: the run of a push names none of it."""
    script = layout.root() / ".ci" / "run"
    if not script.exists():
        pytest.skip("an installed package has no .ci/run")
    words = script.read_text(encoding="utf-8").split()
    assert not {*emulator.all_emulators()["wine"].debian, *container.rules().starter.debian} & set(words)


def test_a_base_that_cannot_be_pulled_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a registry the Debian that has the cell's Python is made here, and said; a Python that no Debian has stays not verified."""
    asked: list[str] = []

    def base(name: str) -> str:
        asked.append(name)
        if not name.startswith(engine.MADE_HERE):
            raise NotVerifiable(f"the base image {name} cannot be pulled")
        return name

    monkeypatch.setattr(engine, "base_image", base)
    said: list[str] = []
    cell = default().cell("linux-py3.9-torch1.8.0-cpu-pip-pytorchvideo@0.1.5")
    assert image._base(cell, said.append) == "debootstrap:bullseye"
    assert asked == ["python:3.9-slim-bookworm", "debootstrap:bullseye"]
    assert "cannot be pulled" in said[0]
    with pytest.raises(NotVerifiable, match="cannot be pulled"):
        image._base(default().cell("linux-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5"), said.append)


def record(*outcomes: str) -> Record:
    rows = [{"id": f"imports::a{n}", "rung": "imports", "outcome": word, "reason": "the index\nis away"} for n, word in enumerate(outcomes)]
    checks = [CheckResult.model_validate(row) for row in rows]
    return Record(cell="a", run="2026-11-22T10:00:00Z-0000", suite="test", target={}, checks=checks)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["passed"], HEALTHY),
        (["passed", "not verified"], HEALTHY),
        (["infrastructure"], NOTHING_VERIFIED),
        (["passed", "infrastructure"], NOTHING_VERIFIED),
        (["failed", "infrastructure"], PROBLEMS_FOUND),
        (["passed unexpectedly", "infrastructure"], PROBLEMS_FOUND),
    ],
)
def test_an_outage_is_neither_red_nor_green(outcomes: list[str], code: int) -> None:
    """What an outage hid is not verified, whatever passed beside it; a failure that was seen stays red."""
    assert exit_code(record(*outcomes)) == code


def test_what_was_not_verified_is_said_in_plain_words() -> None:
    """The end of a run names each cell that an outage or this machine kept from being verified, and why; a verified one is silent."""
    assert closing.unverified([record("passed", "infrastructure")]) == ["NOT VERIFIED, infrastructure: a at imports: the index"]
    assert closing.unverified([record("not verified")]) == ["NOT VERIFIED: a: the index"]
    assert closing.unverified([record("passed", "not verified"), record("failed")]) == []
