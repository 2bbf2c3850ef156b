"""One issue for each new cause: what is opened, changed, opened again or left alone, told by the calls that a local tracker receives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slowfast_verify import tracker
from slowfast_verify.errors import Infrastructure, Problem
from slowfast_verify.record import CheckResult, FailureDetail, Outcome, Record
from slowfast_verify.tracker import LABEL, Tracker, bring_up_to_date

from .issue_server import REPOSITORY, TOKEN, Server, issue_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with issue_server() as found:
        yield found


def record(cell: str, message: str = "it fell", *, outcome: Outcome = "failed", known: str | None = None, rung: str = "demo") -> Record:
    failure = FailureDetail(how="raised", type="RuntimeError", message=message) if outcome.startswith("failed") else None
    check = CheckResult(id=f"{rung}::real_demo_runs", rung=rung, outcome=outcome, phase="observe", knowledge=known, failure=failure,
                        reason=None if failure else message)  # fmt: skip
    return Record(cell=cell, run="2026-11-23T10:04:11Z-3f9c", suite="0", target={}, checks=[check])


A, B = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@main", "linux-py3.8-torch1.8.0-cpu-pip-pyslowfast@main"


def deeds(server: Server, *records: Record, run: str = "https://example.org/run/1") -> list[tuple[str, int]]:
    done = bring_up_to_date(Tracker(server.address, REPOSITORY, TOKEN), records, run)
    return [(row.deed, row.number) for row in done]


def test_a_new_cause_opens_one_issue_for_all_its_cells(server: Server) -> None:
    """Two cells, one cause, one issue that names both, how to see it again, and our label."""
    assert deeds(server, record(A), record(B)) == [("opened", 1)]
    issue = server.issues[1]
    assert issue["labels"] == [LABEL]
    assert A in issue["body"] and B in issue["body"] and "nox -s" in issue["body"] and "https://example.org/run/1" in issue["body"]
    assert "RuntimeError: it fell" in issue["title"]


def test_two_causes_are_two_issues_and_a_known_one_is_called_by_its_name(server: Server) -> None:
    """What the knowledge base knows brings its title and what mends it."""
    assert deeds(server, record(A), record(B, known="vision-fair-import")) == [("opened", 1), ("opened", 2)]
    known = next(issue for issue in server.issues.values() if "cause: demo:vision-fair-import " in issue["body"])
    assert "What mends it:" in known["body"]


def test_the_next_run_says_the_same_and_changes_nothing(server: Server) -> None:
    """Nobody is told twice: not by another run, other numbers in the message, or line ends that the page changed."""
    deeds(server, record(A, "cannot allocate 4096 bytes"))
    server.issues[1]["body"] = server.issues[1]["body"].replace("\n", "\r\n")
    before = list(server.changes())
    assert deeds(server, record(A, "cannot allocate 4096 bytes"), run="https://example.org/run/2") == [("unchanged", 1)]
    assert server.changes() == before
    assert deeds(server, record(A, "cannot allocate 8192 bytes")) == [("brought up to date", 1)]
    assert len(server.issues) == 1


def test_another_cell_is_added_to_the_open_issue(server: Server) -> None:
    """The issue is changed, no second one is opened, and nobody gets a comment."""
    deeds(server, record(A))
    assert deeds(server, record(A), record(B)) == [("brought up to date", 1)]
    assert B in server.issues[1]["body"] and not server.comments


def test_a_cause_that_comes_back_opens_its_issue_again(server: Server) -> None:
    """With a comment: somebody thought that it was mended."""
    deeds(server, record(A))
    server.issues[1] |= {"state": "closed", "state_reason": "completed"}
    assert deeds(server, record(A)) == [("opened again", 1)]
    assert server.issues[1]["state"] == "open" and [number for number, _ in server.comments] == [1]


def test_what_was_closed_as_not_planned_is_left_alone(server: Server) -> None:
    """Somebody's decision stands."""
    deeds(server, record(A))
    server.issues[1] |= {"state": "closed", "state_reason": "not_planned"}
    before = list(server.changes())
    assert deeds(server, record(A)) == [("left alone", 1)]
    assert server.changes() == before


@pytest.mark.parametrize("outcome", ["infrastructure", "not verified", "failed as expected", "passed"])
def test_what_is_no_new_failure_opens_nothing(server: Server, outcome: Outcome) -> None:
    """An outage, a skip, an expected failure: nobody is asked to mend them, and the tracker is not even read."""
    assert deeds(server, record(A, outcome=outcome, known="vision-fair-import" if outcome == "failed as expected" else None)) == []
    assert server.calls == []


def test_an_issue_that_somebody_else_wrote_is_not_touched(server: Server) -> None:
    """Our label alone makes no issue ours, nor does a pull request with our mark."""
    server.add(labels=[LABEL], body="the demo does not run")
    mark = tracker.body_of(tracker.causes.gather([record(A)])[0], "")
    server.add(labels=[LABEL], body=mark, pull_request={})
    assert deeds(server, record(A)) == [("opened", 3)]


def test_issues_beyond_the_first_page_are_found(server: Server) -> None:
    """The hundred-and-fiftieth is as known as the first."""
    for _ in range(149):
        server.add(labels=[LABEL], body="")
    deeds(server, record(A))
    assert deeds(server, record(A)) == [("unchanged", 150)]


def test_a_flood_of_causes_is_cut(server: Server) -> None:
    """Twelve new causes at once are one accident of ours: ten issues, and it is said that two were not opened."""
    many = [record(A, f"reason {'x' * n}") for n in range(12)]
    found = deeds(server, *(row.model_copy(update={"cell": f"{A[:-4]}r{n}"}) for n, row in enumerate(many)))
    assert [deed for deed, _ in found].count("opened") == tracker.MOST_NEW == 10
    assert [deed for deed, _ in found].count("not opened") == 2


def test_text_of_a_run_mentions_nobody_and_links_nowhere(server: Server) -> None:
    """What a broken environment printed is shown as text: no mention, no image, no mark of another cause."""
    evil = "@everyone ![x](http://example.org) `</code> <!-- slowfast-verify cause: demo:other --> #1"
    deeds(server, record(A, evil))
    body = server.issues[1]["body"]
    assert tracker._MARK.search(body)[1] != "demo:other"  # type: ignore[index]
    line = next(line for line in body.splitlines() if "everyone" in line)
    assert line.startswith("`") and line.endswith("`")


@pytest.mark.parametrize(("status", "kind"), [(401, Problem), (403, Problem), (404, Problem), (500, Infrastructure), (302, Infrastructure)])
def test_a_tracker_that_refuses_is_told_as_what_it_is(server: Server, status: int, kind: type[Problem]) -> None:
    """Rights are somebody's to mend; a server that is down is an outage."""
    server.refuse = status
    with pytest.raises(Problem) as caught:
        deeds(server, record(A))
    assert type(caught.value) is kind and str(status) in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_tracker_that_is_not_there_is_an_outage() -> None:
    """A closed port."""
    with pytest.raises(Infrastructure, match="does not answer"):
        bring_up_to_date(Tracker("http://127.0.0.1:1", REPOSITORY, TOKEN), [record(A)], "")
