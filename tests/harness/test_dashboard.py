"""The dashboard's data: where cells stand, what goes into the file and how, without a browser."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tomllib
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast_verify import knowledge, pages
from slowfast_verify.cell import Cell
from slowfast_verify.collection import Collection, past
from slowfast_verify.dashboard import Sources, page, render
from slowfast_verify.dashboard.standing import JUDGED, STATES, TOP, of_past, of_resolution, standing
from slowfast_verify.errors import Problem
from slowfast_verify.harmless import STEERING
from slowfast_verify.record import RUNGS, Record

from .dashboard_records import HARM, check, climbed, many_cells, many_records, record, whole_rung

CELL = "linux-py3.10-torch2.4.1-cpu-uv-pyslowfast@main"
OUTCOMES = ("passed", "failed", "failed as expected", "passed unexpectedly", "not verified", "infrastructure")
A_CHECK = st.builds(check, st.sampled_from(RUNGS), st.sampled_from(["a", "b", "c"]), st.sampled_from(OUTCOMES))


def front(path: Path) -> dict:
    """What the page knows without unpacking anything."""
    return json.loads(element(path, "front"))


def element(path: Path, identifier: str) -> str:
    found = re.search(rf'<script type="[^"]+" id="{identifier}">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found, identifier
    return found[1]


def block(path: Path, name: str) -> list:
    return json.loads(zlib.decompress(base64.b64decode(element(path, f"block-{name}"))))


def made(tmp_path: Path, records: list[Record], cells: tuple[Cell, ...] = (), **more: object) -> Path:
    with Collection(records) as found:
        return render(Sources(held=found, cells=cells, **more), tmp_path / "out")


@pytest.mark.parametrize(
    ("checks", "state", "reached", "cause"),
    [
        (climbed(), "passed", "train", ""),
        (climbed("demo"), "passed", "demo", ""),
        (climbed(config="failed as expected"), "reached", "train", ""),
        (climbed(compute="not verified"), "reached", "train", ""),
        (whole_rung("decode", "failed as expected", "missing-pyav"), "known", "checkpoint", "missing-pyav"),
        (whole_rung("imports", "failed", "missing-torch"), "failed", "environment", "missing-torch"),
        (climbed(demo="failed"), "failed", "decode", ""),
        (climbed(demo="passed unexpectedly"), "unexpected", "decode", ""),
        (whole_rung("install", "infrastructure"), "infrastructure", "resolve", ""),
        (whole_rung("demo", "not verified"), "unverified", "decode", ""),
        ([check("compute", "a", "not verified")], "unverified", "", ""),
        ([], "unverified", "", ""),
    ],
)
def test_each_run_stands_in_one_place(checks: list, state: str, reached: str, cause: str) -> None:
    """A run is one of the words, reaches a rung, and names the known failure that stopped it."""
    found = standing(record(CELL, checks))
    assert (found.state, found.reached, found.cause) == (state, reached, cause)


@given(st.lists(A_CHECK, max_size=12, unique_by=lambda row: row.id))
@settings(max_examples=200, deadline=None)
def test_only_what_passed_is_green(checks: list) -> None:
    """A run is called passed only if every check passed; one that reaches the top has a passed check on its last rung and nothing red."""
    found = standing(record(CELL, checks))
    outcomes = {row.outcome for row in checks}
    assert (found.state == "passed") == (outcomes == {"passed"})
    if found.state in TOP:
        last = max(checks, key=lambda row: RUNGS.index(row.rung)).rung
        assert found.reached == last
        assert any(row.rung == last and row.outcome == "passed" for row in checks)
        assert not outcomes & {"failed", "passed unexpectedly", "infrastructure"}
    for rung, letter in zip(RUNGS, found.ladder, strict=True):
        here = {row.outcome for row in checks if row.rung == rung}
        assert (letter == "p") == (here == {"passed"})


@given(st.lists(A_CHECK, max_size=12, unique_by=lambda row: row.id))
@settings(max_examples=100, deadline=None)
def test_an_older_run_stands_where_it_stood(checks: list) -> None:
    """What a collection keeps of an older run tells the same state, rung and cause as the record did."""
    then = record(CELL, checks)
    was, now = of_past(past(then)), standing(then)
    assert (was.state, was.reached, was.stop, was.ladder) == (now.state, now.reached, now.stop, now.ladder)


def share(front: dict) -> tuple[int, int]:
    """(cells at the top, cells with a verdict), as the page counts them."""
    return sum(n < len(TOP) for n in front["state"]), sum(n < len(JUDGED) for n in front["state"])


CLIMBS = [climbed(), climbed(demo="failed"), whole_rung("decode", "failed as expected", "missing-pyav")]


@given(st.lists(st.sampled_from(CLIMBS), min_size=1, max_size=5), st.integers(0, 4), st.sampled_from(["infrastructure", "not verified"]))
@settings(max_examples=25, deadline=None)
def test_an_outage_lowers_no_percentage(tmp_path_factory: pytest.TempPathFactory, climbs: list, which: int, outcome: str) -> None:
    """A newer run that an outage cut short, or that could verify nothing, leaves the verdict and the share as they were, and is told."""
    cells = [f"linux-py3.10-torch2.4.{n}-cpu-uv-pyslowfast@main" for n in range(len(climbs))]
    before = [record(cell, checks) for cell, checks in zip(cells, climbs, strict=True)]
    cell = cells[which % len(cells)]
    cut = [check(rung, "first", outcome) for rung in ("install", "imports")]
    other = [record("linux-py3.11-torch2.9.0-cpu-uv-pyslowfast@main", cut)]
    newer = record(cell, cut, "2026-11-21T10:00:00Z-0002")
    was = front(made(tmp_path_factory.mktemp("was"), before))
    now = front(made(tmp_path_factory.mktemp("now"), [*before, newer, *other]))
    assert share(was) == share(now)
    told = [STATES[entry[1]] for history in now["histories"].values() for entry in history]
    assert ("infrastructure" if outcome == "infrastructure" else "unverified") in told
    alone = [STATES[n] for n in now["state"]]
    assert alone.count("infrastructure" if outcome == "infrastructure" else "unverified") == 1


def test_what_was_only_resolved_never_ran() -> None:
    """A resolution is no run, whatever it says; a known failure that applies makes it a prediction to fail."""
    words = {verdict: of_resolution(verdict, []).state for verdict in ("resolves", "conflicts", "no wheel", "not verified")}
    assert words == {"resolves": "resolves", "conflicts": "conflicts", "no wheel": "nowheel", "not verified": "unresolved"}
    foretold = of_resolution("resolves", [("missing-pyav", "decode"), ("torch-six-removed", "imports")])
    assert (foretold.state, foretold.stop, foretold.cause) == ("predicted", "imports", "torch-six-removed")
    assert not set(words.values()) & set(JUDGED)
    survived = of_resolution("resolves", [("missing-pyav", "decode")], frozenset({"missing-pyav"}))
    assert (survived.state, survived.cause, survived.fails) == ("resolves", "", ("missing-pyav",))


class Elements(HTMLParser):
    """Which elements a browser would see outside of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.append(tag)


@pytest.mark.parametrize("harm", HARM)
def test_what_a_record_says_stays_data(tmp_path: Path, harm: str) -> None:
    """Texts of a record end no element and open none; but for what steers they come out as they went in, long ones cut and saying so."""
    clean, dirty = Elements(), Elements()
    checks = whole_rung("imports", "failed", message=HARM[harm])
    clean.feed(made(tmp_path / "a", [record(CELL, whole_rung("imports", "failed"))]).read_text(encoding="utf-8"))
    path = made(tmp_path / "b", [record(CELL, checks, target={"kind": HARM[harm][:200], "runner": HARM[harm][:200]})])
    dirty.feed(path.read_text(encoding="utf-8"))
    assert dirty.seen == clean.seen
    texts = block(path, "shared")["texts"]
    assert any(text.startswith(STEERING.sub("", HARM[harm])[:900]) for text in texts)
    assert (len(HARM[harm]) < 2000) or any("more characters in the record" in text for text in texts)
    assert path.stat().st_size < 1_000_000


def test_a_name_that_is_no_cell_is_shown_too(tmp_path: Path) -> None:
    """A record of somebody's own environment has a row under its own name."""
    found = front(made(tmp_path, [record("target-myenv", climbed())]))
    assert list(found["names"].values()) == ["target-myenv"]


def test_wine_is_never_windows(tmp_path: Path) -> None:
    """A run under Wine has a row of its own beside the native cell, which stays never run."""
    cell = Cell(os="windows", python="3.10", torch="2.4.1", accelerator="cpu", installer="uv", subject="pyslowfast", revision="main")
    ran = record(f"{cell.id}+wine", climbed(), target={"kind": "wine", "runner": "Windows binaries under Wine 8.0"})
    found = front(made(tmp_path, [ran], (cell,)))
    rows = [(found["axes"]["runner"][0][n], STATES[s], found["labels"][lab])
            for n, s, lab in zip(found["axes"]["runner"][1], found["state"], found["label"], strict=True)]  # fmt: skip
    assert sorted(rows) == [("native", "never", ""), ("wine", "passed", "Windows binaries under Wine 8.0")]


def test_details_come_back_whole(tmp_path: Path) -> None:
    """Every check of a run with its outcome and time, and what it said, can be read from the blocks."""
    checks = [*climbed(config="not verified"), check("train", "third", "failed as expected", known="missing-pyav", seconds=1.25)]
    path = made(tmp_path, [record(CELL, checks)], cells=tuple(many_cells(150)))
    row = next(number for number in range(front(path)["rows"]) if front(path)["state"][number] < len(JUDGED))
    shared = block(path, "shared")
    run = block(path, f"cells-{row // 100}")[row % 100]["runs"][0]
    assert [tuple(shared["checks"][n]) for n in shared["sets"][run["checks"]]] == [(c.id, c.rung) for c in checks]
    assert [float(t) for t in run["times"].split(",")] == [c.seconds for c in checks]
    last = run["told"][str(len(checks) - 1)]
    assert shared["texts"][last[0] - 1] == "missing-pyav"
    assert len(run["again"]) == 2


def test_the_file_stays_small(tmp_path: Path) -> None:
    """A thousand cells with a record of sixty checks each take less than a megabyte, beside what the page itself takes."""
    alone = made(tmp_path / "a", []).stat().st_size
    with Collection(many_records(1000)) as found:
        full = render(Sources(held=found), tmp_path / "b").stat().st_size
    assert full - alone < 1_000_000


def test_recipes_are_told_where_they_are_advised(tmp_path: Path) -> None:
    """Of cells that differ in torch only, the one whose torch reached the top elsewhere has its commands, else the newest."""
    torches = ("2.2.0", "2.4.1", "2.9.0")
    cells = tuple(Cell(os="windows", python="3.10", torch=torch, accelerator="cu118", installer="pip", subject=subject, revision="main")
                  for subject in ("pyslowfast", "pytorchvideo") for torch in torches)  # fmt: skip
    asked: list[str] = []

    def recipe(name: str) -> None:
        asked.append(name)

    made(tmp_path, [record(CELL, climbed())], cells, recipe=recipe)
    assert asked == [CELL, cells[1].id, cells[5].id]


def test_every_known_failure_has_its_page(tmp_path: Path) -> None:
    """Each id that doctor or diagnose may name is an address of the page, with cause, both languages, and what mends it."""
    path = made(tmp_path, [])
    heads, told = front(path)["failures"], block(path, "failures")
    rows = knowledge.all_known()
    assert [(head[0], head[1], head[3]) for head in heads] == [(name, rows[name].title, rows[name].title_zh) for name in sorted(rows)]
    assert all(row["cause"] and row["cause_zh"] and (row.get("fix") or row.get("unsure")) for row in told)


def test_the_doctor_links_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a dashboard is published, explain prints the address of the failure's page; where none is, nothing."""
    from slowfast_verify.explain import story

    monkeypatch.setenv(pages.VARIABLE, "https://example.org/dash/")
    assert "https://example.org/dash/#failure=missing-pyav" in story("missing-pyav")
    monkeypatch.delenv(pages.VARIABLE)
    assert bool(pages.pages().address) == ("#failure=" in story("missing-pyav"))


def test_words_are_there_in_both_languages_and_used() -> None:
    """Every word that the scripts ask for exists in both languages, with the same places to fill; none is left over."""
    words = tomllib.loads((page.HERE / "words.toml").read_text(encoding="utf-8"))
    scripts = "".join((page.HERE / "scripts" / f"{name}.js").read_text(encoding="utf-8") for name in page.SCRIPTS)
    template = (page.HERE / "templates" / "page.html.j2").read_text(encoding="utf-8")
    asked = set(re.findall(r'\bt\("([\w-]+)"', scripts)) | set(re.findall(r'data-(?:word|label)="(\w+)"', template))
    asked |= set(re.findall(r'"(head_\w+)"', scripts)) | {"chosen", "advised"}
    assert asked <= set(words), asked - set(words)
    built = re.findall(r"t\(`(\w+)_\$", scripts) + re.findall(r"either\(`(\w+)_\$", scripts)
    left = {key for key in words if key not in asked and not key.startswith(tuple(f"{lead}_" for lead in built))}
    assert not left
    for key, row in words.items():
        assert set(row) == {"en", "zh"} and all(row.values()), key
        assert set(re.findall(r"\{\w+\}", row["en"])) == set(re.findall(r"\{\w+\}", row["zh"])), key


@pytest.mark.parametrize("lead", ["state", "short", "said", "means"])
def test_every_state_has_its_words(lead: str) -> None:
    """No state is shown without a word."""
    words = tomllib.loads((page.HERE / "words.toml").read_text(encoding="utf-8"))
    wanted = [name for name in STATES if lead != "short" or name not in STATES[:7]]
    wanted = [name for name in wanted if not (lead == "means" and name == "unexpected")]
    assert not [name for name in wanted if f"{lead}_{name}" not in words]
    template = (page.HERE / "templates" / "page.html.j2").read_text(encoding="utf-8")
    assert not [name for name in STATES if f'id="glyph-{name}"' not in template]


def test_scripts_write_texts_only() -> None:
    """No script turns a text into markup or code: the ways to do so are not used at all."""
    scripts = "".join(path.read_text(encoding="utf-8") for path in (page.HERE / "scripts").glob("*.js"))
    assert sorted(path.stem for path in (page.HERE / "scripts").glob("*.js")) == sorted(page.SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*[\"']|srcdoc", scripts
    )


def test_it_knows_nothing_that_acts() -> None:
    """Making the dashboard imports nothing that observes, installs or starts anything."""
    code = "import sys, slowfast_verify.dashboard, slowfast_verify.commands.dashboard as c; c.recipes([]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("slowfast_verify.") for name in done.stdout.split()}
    assert "dashboard.page" in loaded
    assert not loaded & {"observe", "target", "provision", "installer", "plugin", "verdict", "climb"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An output that is a file is a Problem with the next step."""
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(Problem, match="cannot be written") as problem:
        made(tmp_path, [])
    assert "--output" in str(problem.value)


def test_hosts_of_links_are_known(tmp_path: Path) -> None:
    """The document itself loads nothing: no address stands in an attribute that a browser would fetch."""
    text = made(tmp_path, [record(CELL, climbed())]).read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert "default-src 'none'" in text
