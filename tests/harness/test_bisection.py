"""The first bad commit is found in a throw-away repository, with stubs for what looks at a commit; one search runs through a real cell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast_verify import bisect_page, bisection, climb, moving, provision
from slowfast_verify.clone import fingerprint
from slowfast_verify.errors import Infrastructure, NotVerifiable, Problem
from slowfast_verify.history import History
from slowfast_verify.record import CheckResult, FailureDetail, Outcome, Provisioned, Record

from .data_folder import append, edit
from .test_provision import Ground, ground  # noqa: F401 (a fixture)

Words = dict[str, str]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def commit(folder: Path, text: str, subject: str) -> str:
    (folder / "state.py").write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path, count: int) -> list[str]:
    """A repository of `count` commits on branch main, oldest first."""
    folder.mkdir()
    git(folder, "init", "--quiet", "-b", "main")
    return [commit(folder, f"N = {number}\n", f"commit {number}") for number in range(count)]


def record(**outcomes: Outcome) -> Record:
    """A record with one check at each rung that is named."""
    checks = [
        CheckResult(id=f"{rung}::stub", rung=rung, outcome=outcome, knowledge="stub" if outcome.startswith("failed") else None,
                    failure=FailureDetail(how="raised", type="Stub", message=f"{rung} fell") if outcome.startswith("failed") else None)
        for rung, outcome in outcomes.items()
    ]  # fmt: skip
    return Record(cell="stub", run="2026-01-01", suite="0", target={}, checks=checks)


class Stub:
    """Looks at a commit as its number says: {number or more: what it shows}; keeps count of what it was asked."""

    def __init__(self, commits: list[str], shows: Callable[[int], Record]) -> None:
        self.commits, self.shows, self.asked = commits, shows, list[int]()

    def __call__(self, commit: str) -> Record:
        number = self.commits.index(commit)
        self.asked.append(number)
        return self.shows(number)


def from_nine(number: int) -> Record:
    return record(imports="passed", demo="failed" if number >= 9 else "passed")


def search(root: Path, stub: Stub) -> bisection.Search:
    return bisection.Search("stub", History(root / "repo"), stub, root / "kept", say=lambda text: None)


@pytest.fixture
def commits(tmp_path: Path) -> list[str]:
    return repository(tmp_path / "repo", 16)


def test_the_first_bad_commit_is_named(tmp_path: Path, commits: list[str]) -> None:
    """Sixteen commits, the ninth breaks the demo: it is named with its subject and the causes on both sides, in few looks."""
    stub = Stub(commits, from_nine)
    found = search(tmp_path, stub).run(commits[0], commits[15])
    assert found.first
    assert (found.first.commit, found.first.subject, found.rung) == (commits[9], "commit 9", "demo")
    assert (found.before, found.after, found.knowledge) == ("nothing fails at demo", "demo::stub: Stub: demo fell", "stub")
    assert len(stub.asked) == len(set(stub.asked)) <= 6
    assert [row.commit for row in found.judged] == [commits[n] for n in sorted(stub.asked, reverse=True)]
    assert "BISECT_START" not in str(list((tmp_path / "repo" / ".git").iterdir()))


def test_an_expected_failure_is_a_fall_too(tmp_path: Path, commits: list[str]) -> None:
    """An expectation speaks of the cell's own revision: for another commit it decides nothing."""
    stub = Stub(commits, lambda n: record(demo="failed as expected" if n >= 5 else "passed unexpectedly"))
    found = search(tmp_path, stub).run(commits[0], commits[15])
    assert found.first and found.first.commit == commits[5]


def test_the_rung_that_is_named_is_watched(tmp_path: Path, commits: list[str]) -> None:
    """imports falls at 3, demo at 11: without a name the lower rung is searched, with one that one."""
    stub = Stub(commits, lambda n: record(imports="failed" if n >= 3 else "passed", demo="failed" if n >= 11 else "passed"))
    assert search(tmp_path, stub).run(commits[0], commits[15]).first.commit == commits[3]  # type: ignore[union-attr]
    assert search(tmp_path, stub).run(commits[0], commits[15], "demo").first.commit == commits[11]  # type: ignore[union-attr]


@pytest.mark.parametrize("how", ["outage", "no record", "not verified"])
def test_a_commit_that_cannot_be_judged_is_skipped(tmp_path: Path, commits: list[str], how: str) -> None:
    """Neither good nor bad: the search goes around it and still names the first bad one."""

    def shows(number: int) -> Record:
        if number in (6, 7):
            if how == "no record":
                raise Problem("the suites wrote no record")
            return record(imports="passed", demo="infrastructure" if how == "outage" else "not verified")
        return from_nine(number)

    stub = Stub(commits, shows)
    found = search(tmp_path, stub).run(commits[0], commits[15])
    assert found.first and found.first.commit == commits[9]
    assert {row.verdict for row in found.judged if row.commit in (commits[6], commits[7])} == {"skip"}


def test_where_only_skipped_commits_are_left_they_are_listed(tmp_path: Path, commits: list[str]) -> None:
    """The first bad one is among them, and no other is claimed."""
    stub = Stub(commits, lambda n: record(demo="infrastructure") if n in (8, 9) else from_nine(n))
    found = search(tmp_path, stub).run(commits[0], commits[15])
    assert found.first is None
    assert set(found.candidates) == {commits[8], commits[9], commits[10]}
    assert "could not be judged" in "\n".join(bisect_page.told(found)) and "could not be judged" in bisect_page.markdown([found])


def test_commits_of_two_branches_are_refused(tmp_path: Path, commits: list[str]) -> None:
    """A good commit that is no ancestor of the bad one has no first bad commit after it."""
    repo = tmp_path / "repo"
    git(repo, "checkout", "--quiet", "-b", "side", commits[2])
    aside = commit(repo, "N = 99\n", "aside")
    stub = Stub([*commits, aside], from_nine)
    with pytest.raises(Problem, match="is no ancestor") as caught:
        search(tmp_path, stub).run(aside, commits[15])
    assert "different branches" in caught.value.cause and not stub.asked


def test_swapped_commits_are_told(tmp_path: Path, commits: list[str]) -> None:
    """The commonest slip has its own sentence."""
    with pytest.raises(Problem) as caught:
        search(tmp_path, Stub(commits, from_nine)).run(commits[15], commits[0])
    assert "swapped" in caught.value.cause


def test_a_bad_commit_that_is_good_is_told(tmp_path: Path, commits: list[str]) -> None:
    """Where nothing falls between the two, nothing is blamed; where something was mended between them, that is said."""
    with pytest.raises(Problem, match="no rung falls") as caught:
        search(tmp_path, Stub(commits, from_nine)).run(commits[1], commits[8])
    assert caught.value.cause == "both show the same"
    mended = Stub(commits, lambda n: record(demo="passed" if n >= 9 else "failed"))
    other = bisection.Search("stub", History(tmp_path / "repo"), mended, tmp_path / "other", say=lambda text: None)
    with pytest.raises(Problem, match="demo does not fall") as caught:
        other.run(commits[1], commits[15], "demo")
    assert "mended between" in caught.value.cause


def test_an_end_that_cannot_be_judged_is_not_verified(tmp_path: Path, commits: list[str]) -> None:
    """Exit status 4: nothing was found out."""
    with pytest.raises(NotVerifiable) as caught:
        search(tmp_path, Stub(commits, lambda n: record(demo="infrastructure") if n == 15 else from_nine(n))).run(commits[0], commits[15])
    assert caught.value.code == 4


def test_an_interrupted_search_goes_on(tmp_path: Path, commits: list[str]) -> None:
    """Ctrl-C in the middle loses one look: the next run asks only about what is left, and git is not left in the middle of anything."""

    class Impatient(Stub):
        def __call__(self, commit: str) -> Record:
            if len(self.asked) == 3:
                raise KeyboardInterrupt
            return super().__call__(commit)

    first = Impatient(commits, from_nine)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, first).run(commits[0], commits[15])
    assert not (tmp_path / "repo" / ".git" / "BISECT_LOG").exists()
    second = Stub(commits, from_nine)
    found = search(tmp_path, second).run(commits[0], commits[15])
    assert found.first and found.first.commit == commits[9]
    assert not set(first.asked) & set(second.asked)
    third = Stub(commits, from_nine)
    search(tmp_path, third).run(commits[0], commits[15])
    assert not third.asked


def test_what_an_outage_hid_is_looked_at_again(tmp_path: Path, commits: list[str]) -> None:
    """A skipped commit is not skipped for ever."""
    search(tmp_path, Stub(commits, lambda n: record(demo="infrastructure") if n in (8, 9) else from_nine(n))).run(commits[0], commits[15])
    again = Stub(commits, from_nine)
    found = search(tmp_path, again).run(commits[0], commits[15])
    assert found.first and found.first.commit == commits[9]
    assert set(again.asked) <= {8, 9}


def test_a_cut_file_of_what_was_seen_is_seen_again(tmp_path: Path, commits: list[str]) -> None:
    """Half a file is no look."""
    search(tmp_path, Stub(commits, from_nine)).run(commits[0], commits[15])
    path = tmp_path / "kept" / f"{commits[15]}.json"
    path.write_bytes(path.read_bytes()[:40])
    again = Stub(commits, from_nine)
    search(tmp_path, again).run(commits[0], commits[15])
    assert again.asked == [15]


def test_commits_have_names(tmp_path: Path, commits: list[str]) -> None:
    """A branch, a tag, seven digits; what is none of these is told, and an option is no name."""
    git(tmp_path / "repo", "tag", "v1", commits[4])
    history = History(tmp_path / "repo")
    assert [history.commit(name) for name in ("main", "v1", commits[7][:7])] == [commits[15], commits[4], commits[7]]
    for name in ("mian", "--all"):
        with pytest.raises(Problem, match="no commit is called"):
            history.commit(name)


def test_results_come_back_from_their_files(tmp_path: Path, commits: list[str]) -> None:
    """What was written is what the page shows; another file is named."""
    found = search(tmp_path, Stub(commits, from_nine)).run(commits[0], commits[15])
    bisect_page.write(found, tmp_path / "reports")
    assert bisect_page.load(tmp_path / "reports") == [found]
    text = bisect_page.markdown([found])
    assert f"**First bad commit: `{commits[9][:7]}`**" in text and "commit 9" in text
    (tmp_path / "reports" / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Problem, match="not the result of a bisection"):
        bisect_page.load(tmp_path / "reports")


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
def upstream(tmp_path: Path, ground: Ground) -> tuple[Ground, list[str]]:  # noqa: F811
    """A cell whose subject is a git repository of eight commits; the sixth one raises at import."""
    repo = tmp_path / "upstream"
    repo.mkdir()
    git(repo, "init", "--quiet", "-b", "main")
    made = []
    for number in range(8):
        (repo / "edited.py").write_text(f"word = 'before'\nnumber = {number}\n", encoding="utf-8")
        made.append(commit(repo, f"N = {number}\n" + ("raise ValueError('fell')\n" if number >= 5 else ""), f"upstream {number}"))
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    edit(ground.subject, 'distribution = "tiny"', f'git = "{repo.as_uri()}"')
    edit(ground.subject, 'version = "1.0"', f'commit = "{made[0]}"\nworkarounds = ["stub-edit"]')
    (ground.root / "knowledge" / "stub-edit.toml").write_text(WORKAROUND, encoding="utf-8")
    append(ground.subject, STUB_SUBJECT)
    return ground, made


def look_at(cell: object, folder: Path, *, made: Path, **more: object) -> tuple[Record, int]:
    """In the place of the suites: the clone's own Python imports the checkout, and says whether the edit is there."""
    standing = Provisioned.model_validate_json(made.read_text(encoding="utf-8"))
    code = "import sys, edited; assert edited.word == 'after'; import state"
    done = subprocess.run([standing.python, "-c", code], cwd=standing.checkout, capture_output=True, text=True, check=False, timeout=60)
    if "AssertionError" in done.stderr:
        raise Infrastructure("the edit is not there")
    return record(imports="failed" if done.returncode else "passed"), 0


def test_the_code_of_a_working_copy_stands_in_the_cells_environment(
    upstream: tuple[Ground, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A fork's shallow checkout, as a workflow has it: its commit is verified, nothing uncommitted, and the cell stays as it was."""
    place, made = upstream
    from slowfast_verify import knowledge, layout

    monkeypatch.setattr(layout, "knowledge", lambda: place.root / "knowledge")
    knowledge.all_known.cache_clear()
    matrix = place.matrix
    cell = matrix.cell(place.id)
    standing = provision.provision(cell, matrix, place.said.append)
    before = fingerprint(place.folder)
    fork = tmp_path / "fork"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", (tmp_path / "upstream").as_uri(), str(fork)], check=True, timeout=60)
    own = commit(fork, "N = 'of the fork'\n", "of the fork")
    (fork / "state.py").write_text("raise ValueError('not committed')\n", encoding="utf-8")
    try:
        file = moving.with_checkout(cell, matrix, standing, fork, place.said.append)
    finally:
        knowledge.all_known.cache_clear()
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


def test_a_real_cell_is_searched_and_left_as_it_was(
    upstream: tuple[Ground, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Built by uv, cloned, its checkout moved from commit to commit with the cell's edits; the cell's own files do not change."""
    place, made = upstream
    from slowfast_verify import knowledge, layout

    monkeypatch.setattr(layout, "knowledge", lambda: place.root / "knowledge")
    knowledge.all_known.cache_clear()
    matrix = place.matrix
    cell = matrix.cell(place.id)
    standing = provision.provision(cell, matrix, place.said.append)
    before = fingerprint(place.folder)
    monkeypatch.setattr(climb, "verify_cell", look_at)
    try:
        found = bisection.of_cell(cell, matrix, "one", "main", None, say=place.said.append)
    finally:
        knowledge.all_known.cache_clear()
    assert found.first and (found.first.commit, found.first.subject) == (made[5], "upstream 5")
    assert fingerprint(place.folder) == before
    assert not [line for line in place.said if "does not fit" in line]
    assert provision.standing(cell, matrix) == standing
    assert not (layout.home() / "bisect" / cell.id / "cell").exists()
