"""The first bad commit is found in a throw-away repository, with stubs for what looks at one; test_moving.py searches a real cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast_verify import bisect_page, bisection
from slowfast_verify.errors import NotVerifiable, Problem
from slowfast_verify.history import History
from slowfast_verify.record import Record

from .commits import begin, commit, git, record


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
    begin(tmp_path / "repo")
    return [commit(tmp_path / "repo", {"state.py": f"N = {number}\n"}, f"commit {number}") for number in range(16)]


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
    aside = commit(repo, {"state.py": "N = 99\n"}, "aside")
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
