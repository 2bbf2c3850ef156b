"""An outage of the index, the network or the disk is told as that in every output, lowers no percentage, and takes away no verdict."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from slowfast_verify import compatibility, difference, query, report
from slowfast_verify.collection import Collection
from slowfast_verify.formats import badge, ctrf, junit, summary
from slowfast_verify.record import Record

from .many_records import CELLS, EVERY, NOW, OUTAGE, WITHOUT_OUTAGE, check, drawn_records, record


@st.composite
def before_and_after(draw: st.DrawFn) -> tuple[list[Record], Record]:
    """Some records, and a later run in which the index was away: nothing was built, or some of the checks went unanswered."""
    found = draw(st.lists(drawn_records(EVERY), min_size=1, max_size=6))
    old = draw(st.sampled_from(found))
    away = check("install::environment_stands", "infrastructure", phase="provision", reason=OUTAGE)
    if draw(st.booleans()):
        return found, record(old.cell, away, days=-0.1)
    green = [one for one in old.checks if one.outcome in ("passed", "not verified", "failed as expected")]
    cut = draw(st.sets(st.integers(0, len(green) - 1))) if green else set()
    rest = [check(one.id, "infrastructure", reason=OUTAGE) if number in cut else one for number, one in enumerate(green)]
    return found, record(old.cell, away, *rest, days=-0.1)


def shares(found: Collection) -> dict[tuple[str, str, str], float | None]:
    """Every percentage that the project shows: the share of cells that reach a goal, for every value of every axis."""
    return {(goal, *key): count.share for goal in ("imports", "demo", "train") for key, count in badge.counts(found, NOW, goal).items()}


@settings(max_examples=150)
@given(before_and_after())
def test_an_outage_changes_no_percentage(case: tuple[list[Record], Record]) -> None:
    """However much of a run an outage took, every share is what it was before."""
    found, outage = case
    with Collection(found) as before, Collection([*found, outage]) as after:
        assert after.runs == before.runs + 1
        assert shares(before) == shares(after)


@settings(max_examples=100)
@given(before_and_after())
def test_an_outage_is_told_as_infrastructure_in_every_output(case: tuple[list[Record], Record]) -> None:
    """JUnit, CTRF, the summary, COMPATIBILITY.md, the terminal, the badge, query and diff: each names it, none calls it red or green."""
    found, outage = case
    with Collection(found) as before, Collection([*found, outage]) as after:
        held = after.held(outage.cell)
        (suite,) = list(ElementTree.fromstring("".join(junit.junit([held.record]))))
        first = next(case for case in suite.iter("testcase") if case.get("name") == "install::environment_stands")
        assert [child.tag for child in first] == ["skipped"] and first[0].get("message", "").startswith("infrastructure: ")
        assert (suite.get("failures"), suite.get("errors")) == ("0", "0")

        told = json.loads("".join(ctrf.ctrf([held.record])))["results"]
        assert ("infrastructure", "other") in {(test["rawStatus"], test["status"]) for test in told["tests"]}
        assert told["summary"]["failed"] == 0

        assert "### Infrastructure" in summary.summary([held]) and OUTAGE in summary.summary([held])
        page = compatibility.markdown([held])
        assert "## Infrastructure" in page and OUTAGE in page and "None that was not expected." in page
        assert re.search(rf"\| `{re.escape(outage.cell)}` \|.* infra ", page)
        out = io.StringIO()
        report.print_summary([held.record], Console(file=out, width=220))
        assert "infra at install: " in out.getvalue() and "FAIL at" not in out.getvalue()

        text, colour = badge.cell_text(held, NOW)
        assert "infrastructure" in text and colour != "green" and "0 %" not in text
        (row,) = query.search(after, f"cell={outage.cell} state=infrastructure", NOW)
        assert row.outcome == "infrastructure" and row.reached == (held.standing.reached() if held.standing else outage.reached())
        changes = [change for change in difference.changes(before, after) if change.cell == outage.cell]
        assert {change.kind for change in changes} == {"infrastructure"} and OUTAGE in changes[0].evidence


@settings(max_examples=60)
@given(st.lists(drawn_records(WITHOUT_OUTAGE), max_size=4))
def test_what_had_no_outage_is_not_called_one(found: list[Record]) -> None:
    """The counter-example: without an outage no output speaks of one."""
    with Collection(found) as made:
        rows = list(made)
        assert "### Infrastructure" not in summary.summary(rows) and "## Infrastructure" not in compatibility.markdown(rows)
        assert all("infrastructure" not in badge.cell_text(held, NOW)[0] for held in rows)
        assert not list(query.search(made, "state=infrastructure", NOW)) and not list(query.search(made, "outcome=infrastructure", NOW))


def test_a_cell_that_only_ever_met_outages_is_in_no_percentage() -> None:
    """It is counted apart: never as 0 %, and not as one of those about which something is known."""
    away = record(CELLS[0], check("install::environment_stands", "infrastructure", reason=OUTAGE))
    with Collection([away]) as found:
        counts = badge.counts(found, NOW)
        assert counts["all", ""].share is None and counts["all", ""].text("demo") == ("infrastructure", "violet")
    with Collection([away, record(CELLS[1], check("demo::a"))]) as found:
        assert badge.counts(found, NOW)["all", ""].text("demo") == ("demo in 1 of 1 cells, 1 infrastructure", "blue")


def test_a_red_run_stays_red_through_an_outage() -> None:
    """A failure that was seen beside an outage is a failure, and an outage after a failure does not hide it."""
    red = record(CELLS[0], check("imports::a", "failed", failure="boom"), days=1)
    with Collection([red, record(CELLS[0], check("install::environment_stands", "infrastructure", reason=OUTAGE))]) as found:
        held = found.held(CELLS[0])
        assert held.standing == red and badge.cell_text(held, NOW)[1] == "red"
    both = record(CELLS[0], check("imports::a", "failed", failure="boom"), check("demo::b", "infrastructure", reason=OUTAGE))
    with Collection([both]) as found:
        assert found.held(CELLS[0]).standing == both
