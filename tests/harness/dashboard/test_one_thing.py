"""What the dashboard says of one thing: a cell, a failure, what changed since a day."""

from __future__ import annotations

import re

from .shown import BROKEN, FORETOLD, OUTAGE, RESOLVED, WINE, Open, settled


def test_a_cell_tells_everything(open_page: Open) -> None:
    """Ladder, timings, first cause with its link, evidence, two commands that reproduce it, recipe, history, age."""
    page = settled(open_page(f"#cell={BROKEN.id}"))
    text = page.inner_text("main")
    for part in (
        "failed", "Reached environment; imports fails", "No module named 'torch'", f'nox -s "matrix({BROKEN.id})"', "bash",
        "pytest tests/verify", "verified 2025-11-21", "2 days ago", f"pip install {BROKEN.id}", "torch", "2025-11-01", "python", "3.10.13",
    ):  # fmt: skip
        assert part in text, part
    assert page.locator("ol.ladder li").count() == 11
    assert page.locator("a[href='#failure=missing-torch']").count() >= 1
    assert page.locator("ol.history li").count() == 2


def test_a_run_under_wine_is_not_called_windows(open_page: Open) -> None:
    """It is labelled by what ran, on its own page and in lists; the native cell says that it never ran."""
    page = settled(open_page(f"#cell={WINE.id}+wine"))
    assert "Windows binaries under Wine 8.0" in page.inner_text(".cell-words")
    assert "That is not Windows" in page.inner_text(".verdict")
    assert "never run" in settled(open_page(f"#cell={WINE.id}")).inner_text(".verdict")


def test_an_outage_is_told_and_takes_no_verdict_away(open_page: Open) -> None:
    """The newest attempt met an outage: the page says so, and shows the verdict before with its age."""
    page = settled(open_page(f"#cell={OUTAGE.id}"))
    assert "passed" in page.inner_text(".verdict-word")
    assert "infrastructure" in page.inner_text(".outage")
    assert "over 30 days old" in page.inner_text(".verdict")
    front = open_page()
    assert front.inner_text("[data-figure=top]").startswith("3 of 6")


def test_what_was_only_resolved_says_so(open_page: Open) -> None:
    """Neither a resolution nor a prediction looks like a run."""
    page = settled(open_page(f"#cell={RESOLVED.id}"))
    assert "Only resolved" in page.inner_text(".verdict") and "Nobody ran" in page.inner_text(".proof")
    page = settled(open_page(f"#cell={FORETOLD.id}"))
    assert "Only predicted" in page.inner_text(".verdict")
    assert page.locator("a[href='#failure=missing-pyav']").count() >= 1


def test_a_failure_has_a_page_with_its_cells(open_page: Open) -> None:
    """The address that the doctor prints shows cause, fix, and the cells that met it or are predicted to."""
    page = settled(open_page("#failure=missing-pyav"))
    text = page.inner_text("main")
    assert "What mends it" in text and "Predicted for 1 cell that never ran" in text and "slowfast-verify explain missing-pyav" in text
    page.get_by_role("link", name="Known failures").first.click()
    page.get_by_label("Find").fill("torch six")
    page.get_by_role("link", name=re.compile("torch._six")).first.click()
    assert "#failure=torch-six-removed" in page.url


def test_what_changed_since_a_day(open_page: Open) -> None:
    """Newly red, newly at the top, outages and first runs, each under its word; the day is in the address."""
    page = open_page("#changes=2025-11-05")
    groups = {group.locator("h2").inner_text(): group.inner_text() for group in page.locator(".change-group").all()}
    assert "torch 2.1.2" in groups["Newly red 1"] and "missing-torch" in groups["Newly red 1"]
    assert "Newly reaching the top 1" in groups
    assert "No verdict: infrastructure, or not verified 1" in groups
    page.select_option("#since", "2025-11-22")
    page.wait_for_url("**/*#changes=2025-11-22")
    assert "Newly red" not in page.inner_text("main")
