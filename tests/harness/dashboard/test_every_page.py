"""What holds on every page: nothing runs, both languages, axe, a phone, the keyboard, paper."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.knowledge import known

from ..dashboard_records import HARM
from .shown import BROKEN, TOP, Open, settled


def test_what_means_harm_stays_text(open_page: Open) -> None:
    """Markup, direction marks, line ends of JavaScript and a megabyte of one letter are shown as what they are, and nothing runs."""
    page = settled(open_page("#cell=target-harm"))
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    text = page.inner_text("main")
    assert HARM["markup"] in text and "more characters in the record" in text
    assert page.evaluate("window.harmed === undefined && !document.querySelector('img')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page = open_page()
    page.evaluate("(text) => { location.hash = `cell=${encodeURIComponent(text)}`; }", HARM["markup"])
    page.wait_for_function("() => document.querySelector('main code')")
    assert HARM["markup"] in page.inner_text("main") and page.evaluate("window.harmed === undefined")


def test_nothing_foreign_may_run(chromium: Any, dashboard: str) -> None:
    """The page's policy refuses a script that somebody managed to put into it."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(dashboard)
    page.evaluate("const s = document.createElement('script'); s.textContent = 'window.harmed = 1'; document.body.append(s)")
    assert page.evaluate("window.harmed === undefined")
    context.close()


PLACES = (
    "",
    f"#cell={BROKEN.id}",
    "#machine=windows/x86_64/nvidia/3.10",
    "#failure=missing-pyav",
    "#failures=&find=torch",
    "#changes=2025-11-05",
)


def visit(page: Any, place: str) -> Any:
    """Another address of the same page, once it is drawn."""
    page.evaluate("(hash) => { location.hash = hash; }", place)
    page.wait_for_function("(hash) => location.hash === hash", arg=place)
    page.wait_for_timeout(50)
    return settled(page)


def test_chinese_by_the_browsers_language_and_by_hand(open_page: Open) -> None:
    """A Chinese browser gets Chinese, every page has it, and the switch changes the whole page and is remembered."""
    page = settled(open_page(locale="zh-CN"))
    for place in PLACES:
        assert re.search(r"[\u4e00-\u9fff]", visit(page, place).inner_text("main")), place
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert visit(page, "#failure=missing-pyav").inner_text("h1") == known("missing-pyav").title_zh
    assert known("missing-pyav").title_zh in visit(page, "#failures=&find=%E7%BC%BA%E5%B0%91%20PyAV").inner_text("main")
    page.get_by_role("button", name=re.compile("English")).click()
    page.reload()
    assert page.get_attribute("html", "lang") == "en"
    for place in PLACES:
        assert not re.search(r"[\u4e00-\u9fff]", visit(page, place).inner_text("main")), place


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_by_the_rules_of_axe(open_page: Open, scheme: str) -> None:
    """axe-core finds nothing wrong on any page: names, roles, contrast, landmarks, order of headings."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="not verified: axe-playwright-python is not installed")
    page = settled(open_page(color_scheme=scheme))
    for place in PLACES:
        visit(page, place).evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = axe.Axe().run(page).response["violations"]
        assert not found, place + json.dumps([(row["id"], row["help"], [node["html"][:200] for node in row["nodes"][:3]]) for row in found])


def test_it_fits_a_phone(open_page: Open) -> None:
    """At 390 pixels nothing is wider than the screen but what scrolls by itself."""
    page = settled(open_page(viewport={"width": 390, "height": 844}, has_touch=True))
    for place in PLACES:
        assert visit(page, place).evaluate("document.documentElement.scrollWidth") <= 390, place


def test_the_keyboard_alone_gets_there(open_page: Open) -> None:
    """Tab reaches the skip link first, then the machines; Enter opens one, and the heading has the focus."""
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.getAttribute('href') || '').startsWith('#machine=')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.tagName === 'H1' && location.hash.startsWith('#machine=')")


def test_it_prints(open_page: Open, tmp_path: Path) -> None:
    """On paper there are no filters and buttons, the commands are whole, and ink is dark on white whatever the screen has."""
    page = settled(open_page(f"#cell={TOP.id}", color_scheme="dark"))
    ink = "getComputedStyle(document.querySelector('h1')).color"
    pale = page.evaluate(ink)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ink) != pale and page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".copy").first.is_visible()
    assert page.locator(".recipe pre").is_visible()
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
