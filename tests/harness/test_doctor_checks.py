"""The checks of the rung environment that came with the doctor can fail: throw-away environments with one thing wrong each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.examination import word_of
from slowfast_verify.judge import Judged
from slowfast_verify.record import CheckResult

from .throwaway import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "env")


def fails(place: Place, check: str, *words: str) -> None:
    """The check fails, and its message has all these words and says what mends it."""
    with pytest.raises(AssertionError) as caught:
        place.judge(check)
    message = str(caught.value)
    assert all(word in message for word in (*words, "mend: ")), message


def test_absent_dependencies_are_found(place: Place) -> None:
    """With nothing but torch, all that is missing is named with the document that asks for it; torch is not."""
    place.put_torch()
    fails(place, "dependencies_are_installed", "scipy is not installed, and pyslowfast needs it (nobody;", "yacs", "tensorboard", "install")
    with pytest.raises(AssertionError) as caught:
        place.judge("dependencies_are_installed")
    assert "torch is not installed" not in str(caught.value)


def test_a_copied_package_counts_as_installed(place: Place) -> None:
    """A folder without a record is there: the check that asks for records tells of it, not the one that asks for packages."""
    (place.site / "yacs").mkdir()
    (place.site / "yacs" / "__init__.py").touch()
    with pytest.raises(AssertionError) as caught:
        place.judge("dependencies_are_installed")
    assert "yacs" not in str(caught.value)


def test_package_without_a_record_is_found(place: Place) -> None:
    """torch without its dist-info: no installer knows that it is there."""
    place.judge("what_is_there_is_on_record")
    (place.site / "torch").mkdir()
    (place.site / "torch" / "__init__.py").touch()
    place.seen = None
    fails(place, "what_is_there_is_on_record", "torch lies in", "without a record")


def test_pythonhome_is_found(place: Place) -> None:
    """PYTHONHOME of the very installation works, and every other Python of this shell breaks by it."""
    place.env["PYTHONHOME"] = sys.base_prefix
    fails(place, "pythonhome_is_not_set", sys.base_prefix, "unset PYTHONHOME")


def test_pth_files_that_lead_nowhere_are_found(place: Place) -> None:
    """A folder that moved and an import that is gone are named with file and line; comments and what works are not."""
    (place.site / "fine.pth").write_text("# a comment\nimport sys\n\n.\n", encoding="utf-8")
    place.judge("pth_files_lead_somewhere")
    (place.site / "__editable__.slowfast-1.0.pth").write_text("import sys\n/nowhere/SlowFast\n", encoding="utf-8")
    (place.site / "finder.pth").write_text("import nobody_has_this_finder; nobody_has_this_finder.install()\n", encoding="utf-8")
    place.seen = None
    fails(place, "pth_files_lead_somewhere", "__editable__.slowfast-1.0.pth: line 2 names /nowhere/SlowFast", "nobody_has_this_finder")


def test_cut_library_is_found(place: Place) -> None:
    """A compiled file of 0 bytes where its record has four; one that conda has rewritten is none of ours."""
    info = place.put("numpy", "1.24.4", {"numpy/__init__.py": "", "numpy/core/_x.so": b"four"})
    place.judge("no_compiled_file_is_cut")
    (place.site / "numpy/core/_x.so").write_bytes(b"")
    place.seen = None
    fails(place, "no_compiled_file_is_cut", "numpy has numpy/core/_x.so of 0 bytes, and 4 are on record", "--force-reinstall")
    (info / "INSTALLER").write_text("conda\n", encoding="utf-8")
    place.seen = None
    place.judge("no_compiled_file_is_cut")


def test_lost_inner_package_is_found(place: Place) -> None:
    """A package below the first level that is gone: half an uninstallation leaves the outer one."""
    place.put("numpy", "1.24.4", {"numpy/__init__.py": "", "numpy/core/__init__.py": ""})
    (place.site / "numpy/core/__init__.py").unlink()
    fails(place, "no_distribution_has_lost_its_files", "numpy has lost numpy/core/__init__.py")


@pytest.mark.parametrize(
    ("problems", "outcomes", "word"),
    [
        (True, [("passed", False)], "problems"),
        (False, [("passed", False), ("not verified", False)], "healthy"),
        (False, [("passed", False), ("not verified", True)], "not verified"),
        (False, [("not verified", False)], "not verified"),
        (False, [], "not verified"),
    ],
)
def test_a_check_that_broke_itself_is_no_proof(problems: bool, outcomes: list[tuple[Any, bool]], word: str) -> None:
    """Healthy means that something passed and that every check could do its work."""
    judged = [
        Judged(check=Any, result=CheckResult(id="x::y", rung="imports", outcome=outcome), crashed=crashed)  # type: ignore[arg-type]
        for outcome, crashed in outcomes
    ]
    assert word_of(problems, judged) == word
