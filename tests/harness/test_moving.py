"""Another commit in a real cell: its checkout is moved in a clone, by a working copy or by a search, and the cell stays as it was."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slowfast_verify import bisection, climb, knowledge, layout, moving, provision
from slowfast_verify.clone import fingerprint
from slowfast_verify.errors import Infrastructure, Problem
from slowfast_verify.record import CheckResult, Provisioned, Record

from .commits import begin, commit, record
from .data_folder import append, edit
from .test_provision import Ground, ground  # noqa: F401 (a fixture)

STUB_SUBJECT = """
[[phase]]
name = "sources"
checkout = true
"""
WORKAROUND = """title = "the stub needs an edit"
title_zh = "替身文件需要修改"
rung = "imports"

[[signature]]
message = "no such edit"

[explain]
cause = "it was written so"
cause_zh = "就是这样"

[[fix]]
why = "shows that edits follow the checkout"
[[fix.edit]]
file = "edited.py"
find = "before"
replace = "after"
"""


@pytest.fixture
def upstream(tmp_path: Path, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ground, list[str]]]:  # noqa: F811
    """A cell that stands, and the eight commits of its subject's repository; the sixth one raises at import. Known: a stub's edit."""
    repo = tmp_path / "upstream"
    begin(repo)
    made = []
    for number in range(8):
        state = f"N = {number}\n" + ("raise ValueError('fell')\n" if number >= 5 else "")
        made.append(commit(repo, {"state.py": state, "edited.py": f"word = 'before'\nnumber = {number}\n"}, f"upstream {number}"))
    edit(ground.subject, 'distribution = "tiny"', f'git = "{repo.as_uri()}"')
    edit(ground.subject, 'version = "1.0"', f'commit = "{made[0]}"\nworkarounds = ["stub-edit"]')
    (ground.root / "knowledge" / "stub-edit.toml").write_text(WORKAROUND, encoding="utf-8")
    append(ground.subject, STUB_SUBJECT)
    monkeypatch.setattr(layout, "knowledge", lambda: ground.root / "knowledge")
    knowledge.all_known.cache_clear()
    yield ground, made
    knowledge.all_known.cache_clear()


def look_at(cell: object, folder: Path, *, made: Path, **more: object) -> tuple[Record, int]:
    """In the place of the suites: the clone's own Python imports the checkout, and says whether the edit is there."""
    standing = Provisioned.model_validate_json(made.read_text(encoding="utf-8"))
    code = "import sys, edited; assert edited.word == 'after'; import state"
    done = subprocess.run([standing.python, "-c", code], cwd=standing.checkout, capture_output=True, text=True, check=False, timeout=60)
    if "AssertionError" in done.stderr:
        raise Infrastructure("the edit is not there")
    return record(imports="failed" if done.returncode else "passed"), 0


def test_the_code_of_a_working_copy_stands_in_the_cells_environment(upstream: tuple[Ground, list[str]], tmp_path: Path) -> None:
    """A fork's shallow checkout, as a workflow has it: its commit is verified, nothing uncommitted, and the cell stays as it was."""
    place, made = upstream
    matrix = place.matrix
    cell = matrix.cell(place.id)
    standing = provision.provision(cell, matrix, place.said.append)
    before = fingerprint(place.folder)
    fork = tmp_path / "fork"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", (tmp_path / "upstream").as_uri(), str(fork)], check=True, timeout=60)
    own = commit(fork, {"state.py": "N = 'of the fork'\n"}, "of the fork")
    (fork / "state.py").write_text("raise ValueError('not committed')\n", encoding="utf-8")
    file = moving.with_checkout(cell, matrix, standing, fork, place.said.append)
    found = Provisioned.model_validate_json(file.read_text(encoding="utf-8"))
    code = "import edited, state; print(edited.word, state.N)"
    done = subprocess.run([found.python, "-c", code], cwd=found.checkout, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "after of the fork" and found.runner == "checkout"
    assert any(own[:7] in line for line in place.said) and "not committed" in place.said[-1]
    assert fingerprint(place.folder) == before and made
    with pytest.raises(Problem, match="no git checkout"):
        moving.take(found, tmp_path / "nothing")


def test_what_a_working_copy_mended_is_no_error() -> None:
    """An expectation of the cell's revision that does not come true is a pass; one with * is dropped; a failure stays."""
    checks = [
        CheckResult(id="demo::a", rung="demo", outcome="passed unexpectedly", knowledge="k"),
        CheckResult(id="demo::*", rung="demo", outcome="passed unexpectedly", knowledge="k", reason="no check failed for this cause"),
        CheckResult(id="demo::b", rung="demo", outcome="failed"),
    ]
    found = moving.without_expectations(record().model_copy(update={"checks": checks}))
    assert [(check.id, check.outcome) for check in found.checks] == [("demo::a", "passed"), ("demo::b", "failed")]
    assert climb.exit_code(found) == 1


def test_a_real_cell_is_searched_and_left_as_it_was(upstream: tuple[Ground, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Built by uv, cloned, its checkout moved from commit to commit with the cell's edits; the cell's own files do not change."""
    place, made = upstream
    matrix = place.matrix
    cell = matrix.cell(place.id)
    standing = provision.provision(cell, matrix, place.said.append)
    before = fingerprint(place.folder)
    monkeypatch.setattr(climb, "verify_cell", look_at)
    found = bisection.of_cell(cell, matrix, "one", "main", None, say=place.said.append)
    assert found.first and (found.first.commit, found.first.subject) == (made[5], "upstream 5")
    assert fingerprint(place.folder) == before
    assert not [line for line in place.said if "does not fit" in line]
    assert provision.standing(cell, matrix) == standing
    assert not (layout.home() / "bisect" / cell.id / "cell").exists()
