"""The dashboard in a real Chromium, from a file: what people click, read, hear and print. Not verified where no Chromium is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from slowfast_verify import layout
from slowfast_verify.cell import Cell
from slowfast_verify.cli import app
from slowfast_verify.collection import Collection
from slowfast_verify.dashboard import Sources, render
from slowfast_verify.knowledge import known
from slowfast_verify.recipe import Recipe
from slowfast_verify.resolution import Prediction, Resolution
from slowfast_verify.script import Form

from . import browser
from .dashboard_records import HARM, check, climbed, record, whole_rung

pytestmark = pytest.mark.skipif(bool(browser.missing()), reason=f"not verified: {browser.missing()}")

NOW = datetime(2025, 11, 23, 12, tzinfo=UTC)  # so that ages do not depend on the day on which the tests run


def cell(os: str = "linux", python: str = "3.10", torch: str = "2.4.1", accelerator: str = "cpu", installer: str = "uv",
         subject: str = "pyslowfast", revision: str = "main", arch: str = "x86_64") -> Cell:  # fmt: skip
    return Cell(
        os=os, arch=arch, python=python, torch=torch, accelerator=accelerator, installer=installer, subject=subject, revision=revision
    )


TOP = cell()
BROKEN = cell(torch="2.1.2")
KNOWN = cell(revision="main-as-is")
OUTAGE = cell(torch="2.5.0")
RESOLVED = cell(os="windows", accelerator="cu118")
FORETOLD = cell(os="windows", accelerator="cu118", torch="2.9.0")
NEVER = cell(os="macos", arch="arm64", python="3.12")
WINE = cell(os="windows")
CELLS = (TOP, BROKEN, KNOWN, OUTAGE, RESOLVED, FORETOLD, NEVER, WINE, cell(python="3.11"), cell(installer="pip"))


def recipe(name: str) -> Recipe | None:
    """Commands that name their cell, so that a test can tell whose they are."""
    windows = name.startswith("windows")
    forms: tuple[Form, ...] = ("powershell", "cmd") if windows else ("bash", "dockerfile")
    proof = "verified" if name == TOP.id else "predicted"
    blocks = {form: {"form": form, "text": f"echo {form}\npip install {name}\n", "proof": proof, "digest": "0"} for form in forms}
    rest = {"evidence": None, "versions": "pins", "pins": [], "needs": ["git"], "notes": ["add NUM_GPUS 0"]}
    return Recipe.model_validate({"cell": name, "title": name, "proof": proof, "blocks": blocks, **rest})


def resolution(name: str) -> Resolution | None:
    if name == RESOLVED.id:
        return Resolution(cell=name, verdict="resolves", versions={"torch": "2.4.1+cu118"}, date="2025-11-20T00:00:00Z")
    if name == FORETOLD.id:
        foretold = [Prediction(id="missing-pyav", rung="decode", why="av is not there")]
        return Resolution(cell=name, verdict="resolves", predicted=foretold, date="2025-11-20T00:00:00Z")
    return None


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a dashboard with a cell of every kind."""
    records = [
        record(TOP.id, climbed(config="failed as expected"), "2025-11-22T10:00:00Z-0001"),
        record(TOP.id, climbed(demo="failed"), "2025-10-02T10:00:00Z-0000"),
        record(BROKEN.id, whole_rung("imports", "failed", "missing-torch", "No module named 'torch'"), "2025-11-21T10:00:00Z-0002"),
        record(BROKEN.id, climbed(), "2025-11-01T10:00:00Z-0003"),
        record(KNOWN.id, whole_rung("imports", "failed as expected", "vision-fair-import"), "2025-11-21T11:00:00Z-0004"),
        record(OUTAGE.id, climbed(), "2025-10-01T10:00:00Z-0005"),
        record(OUTAGE.id, whole_rung("install", "infrastructure"), "2025-11-22T11:00:00Z-0006"),
        record(f"{WINE.id}+wine", climbed("demo", compute="not verified"), "2025-11-20T10:00:00Z-0007",
               target={"kind": "wine", "runner": "Windows binaries under Wine 8.0"}),
        record("target-harm", [check("imports", f"module[{name}]", "failed", message=text) for name, text in HARM.items()],
               "2025-11-20T10:00:00Z-0008", target={"kind": HARM["markup"], "runner": HARM["markup"]}),
    ]  # fmt: skip
    with Collection(records) as found:
        path = render(
            Sources(held=found, cells=CELLS, resolution=resolution, recipe=recipe, now=NOW.timestamp()),
            tmp_path_factory.mktemp("dashboard"),
        )
    return path.as_uri()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with browser.started() as running:
        yield running


Open = Callable[..., Any]


@pytest.fixture
def open_page(chromium: Any, dashboard: str) -> Iterator[Open]:
    """Opens the dashboard at an address; fails the test if the page raised or asked anything of the network."""
    contexts, complaints = [], []

    def open_it(hash: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.clock.set_fixed_time(NOW)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
        page.goto(dashboard + hash)
        page.wait_for_selector("h1")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not complaints


def settled(page: Any) -> Any:
    """The page once its details are unpacked."""
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    return page


def left(page: Any) -> str:
    return page.inner_text("#results-title")


# -- the question -------------------------------------------------------------------------------------------------------------------


def test_windows_python_3_10_nvidia_in_two_interactions(open_page: Open) -> None:
    """From the front page: one click shows the command lines, a second copies them. They say that nobody ran them."""
    page = open_page()
    page.get_by_role("link", name=re.compile("Windows · NVIDIA, Python 3.10")).click()  # the first
    settled(page)
    shown = page.inner_text(".recipe pre")
    assert RESOLVED.id in shown and "echo powershell" in shown
    assert "Predicted only" in page.inner_text(".proof")
    page.get_by_role("button", name="Copy").first.click()  # the second
    page.get_by_role("button", name="Copied").first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n").strip() == shown.strip()


def test_the_same_with_the_projects_own_records(chromium: Any, tmp_path: Path) -> None:
    """The page made from reports/evidence and every cell that can exist: the same two interactions, and it says what ran nearest."""
    done = CliRunner().invoke(app, ["report", "render", str(layout.root() / "reports" / "evidence"), "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    context = chromium.new_context(locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("link", name=re.compile("^Windows · NVIDIA, Python 3.10")).click()  # the first
    settled(page).get_by_role("button", name="Copy").first.click()  # the second
    page.get_by_role("button", name="Copied").first.wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "py -3.10 -m venv" in copied or "--python 3.10" in copied
    assert "torch==" in copied and "+cu" in copied
    if "never run" in page.inner_text(".verdict"):  # nobody ran it: the page says so, and what did
        assert "Predicted only" in page.inner_text(".proof") and page.locator(".nearest a").count() == 1
    context.close()


def test_a_machine_keeps_its_choices_in_its_address(open_page: Open) -> None:
    """Shell, installer and subject are links; the back button takes them back one by one."""
    page = settled(open_page("#machine=windows/x86_64/nvidia/3.10"))
    page.get_by_role("link", name="cmd").click()
    settled(page)
    assert "form=cmd" in page.url and "echo cmd" in page.inner_text(".recipe pre")
    page.go_back()
    settled(page)
    assert "echo powershell" in page.inner_text(".recipe pre")


def test_the_nearest_that_ran_is_named_where_nothing_ran(open_page: Open) -> None:
    """Somebody whose machine nobody ran on is led to what did run."""
    page = settled(open_page("#machine=macos/arm64/cpu/3.12"))
    assert "never run" in page.inner_text(".verdict")
    assert page.get_attribute(".nearest a", "href") == f"#cell={TOP.id}"


# -- filters and addresses -----------------------------------------------------------------------------------------------------------


def test_filters_narrow_and_have_addresses(open_page: Open) -> None:
    """A facet leaves what has one of its values, two facets what fits both; the address alone brings the same page again."""
    page = open_page()
    everything = int(left(page).split()[0])
    assert everything == len(CELLS) + 2  # and the run under Wine, and somebody's own environment
    page.get_by_label("Windows", exact=False).first.check(force=True)
    page.wait_for_url("**/*#os=windows")
    assert left(page) == "4 cells"
    page.locator("fieldset[data-facet=runner] label", has_text="under Wine").click()
    assert left(page) == "1 cell"
    address = page.url.partition("#")[2]
    assert left(open_page(f"#{address}")) == "1 cell"
    page.go_back()
    page.wait_for_function("() => document.getElementById('results-title').textContent === '4 cells'")
    page.get_by_role("button", name="Clear all filters").click()
    page.wait_for_function(f"() => document.getElementById('results-title').textContent === '{everything} cells'")


@pytest.mark.parametrize(
    ("facet", "value", "count"),
    [("python", "3.11", 1), ("torch", "2.1.2", 1), ("accelerator", "cu118", 2), ("installer", "pip", 1),
     ("subject", "pyslowfast@main-as-is", 1), ("state", "failed", 2), ("state", "resolves", 1), ("arch", "arm64", 1),
     ("state", "infrastructure", 0), ("age", "stale", 1)],
)  # fmt: skip
def test_each_facet_filters(open_page: Open, facet: str, value: str, count: int) -> None:
    """Each facet, by its address. The outage hides no verdict: its cell still stands where its last answer put it, and that is old."""
    page = open_page(f"#{facet}={value}")
    assert left(page).split()[0] == str(count)
    assert page.locator("table.cells tbody tr").count() == count


def test_the_count_is_spoken_and_the_focus_stays(open_page: Open) -> None:
    """A filter announces how many cells are left, and the keyboard stays where it was."""
    page = open_page()
    page.focus("fieldset[data-facet=os] input[value=linux]")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('results-title').textContent === '6 cells'")
    page.wait_for_function("() => document.getElementById('live').textContent === '6 cells'")
    assert page.evaluate("document.activeElement.value") == "linux"


def test_the_grid_leads_to_its_cells(open_page: Open) -> None:
    """A square shows the rungs that its cells reached and how many ran; it leads to exactly these cells."""
    page = open_page()
    square = page.get_by_role("link", name=re.compile("Windows binaries under Wine · CPU, 2.4.1"))
    assert "demo" in square.inner_text() and "1 of 1 ran" in square.inner_text()
    square.click()
    page.wait_for_function("() => document.activeElement.id === 'results-title'")
    assert left(page) == "1 cell"
    page.go_back()
    page.get_by_role("link", name="Subject", exact=True).click()
    assert "rows=subject" in page.url
    assert page.locator("table.grid tbody th").first.inner_text() == "PySlowFast main"


def test_a_parent_is_not_green_while_a_child_is_not(open_page: Open) -> None:
    """The square of torch 2.4.1 on Linux holds a known failure and cells that never ran: it shows the known failure."""
    page = open_page()
    square = page.locator("table.grid a", has=page.get_by_text(re.compile(r"^Linux · CPU, 2\.4\.1:")))
    assert square.locator(".tile.s-known").count() == 1
    green = page.locator("table.grid a", has=page.locator(".tile.s-passed:not(.part)"))
    assert [one.inner_text().splitlines()[-1] for one in green.all()] == ["1 of 1 ran"]  # every check of its only cell passed


# -- a cell ----------------------------------------------------------------------------------------------------------------------------


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


# -- harm, languages, reading ---------------------------------------------------------------------------------------------------------


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
    """On paper there are no filters and buttons, and the commands are whole."""
    page = settled(open_page(f"#cell={TOP.id}"))
    page.emulate_media(media="print")
    assert not page.locator(".copy").first.is_visible()
    assert page.locator(".recipe pre").is_visible()
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
