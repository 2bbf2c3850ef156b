"""What other tools read: valid by the formats' published schemas, and true to the records: no skip is passed, no outage is red or green."""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import platformdirs
import pooch
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast_verify import consultation, layout, report, schema
from slowfast_verify import target as targets
from slowfast_verify.errors import Problem
from slowfast_verify.examination import Order
from slowfast_verify.findings import Cause, Examination, Note, Unverified
from slowfast_verify.formats import badge, ctrf, junit, sarif, summary
from slowfast_verify.record import RED, RUNGS, Record

from .many_records import CELLS, NOW, OUTAGE, check, drawn_records, held, record, run_id

CACHE = platformdirs.user_cache_path("slowfast-verify") / "schemas"
ROWS = tomllib.loads(Path(__file__).with_name("schemas.toml").read_text(encoding="utf-8"))["schema"]


def published(name: str) -> Path:
    """A published schema: from the cache, or fetched; skipped where it cannot be had."""
    row = next(row for row in ROWS if row["name"] == name)
    pooch.get_logger().setLevel("ERROR")
    try:
        fetcher = pooch.HTTPDownloader(timeout=5)
        return Path(pooch.retrieve(row["address"], row["sha256"], fname=name, path=CACHE, downloader=fetcher))
    except Exception as error:
        pytest.skip(f"not verified: {name} cannot be fetched ({type(error).__name__})")


ALL = record(
    CELLS[0],
    check("resolve::requirements_resolve", phase="provision"),
    check("imports::a", "failed", failure="cannot import name 'x'", phase="observe"),
    check("imports::b", "failed as expected", failure="No module named 'vision'", knowledge="vision-fair-import"),
    check("compute::c", "not verified", reason="needs a GPU"),
    check("demo::d", "infrastructure", reason=OUTAGE),
    check("train::e", "passed unexpectedly", knowledge="torch-six-removed", reason="no check failed for this cause"),
    target={"kind": "venv", "python": "3.8.18", "installers": {"uv": 3}},
)  # fmt: skip

EXAMINED = Examination(
    target={"name": "python", "kind": "venv"}, subject="pyslowfast", verdict="problems", reached="environment", passed=40,
    causes=[Cause(id="vision-fair-import", known=True, rung="imports", title="SlowFast imports vision", cause="It exists only inside Meta",
                  evidence="ModuleNotFoundError: No module named 'vision'", fix=["mkdir links"], checks=["imports::a", "imports::b"]),
            Cause(id="imports::z", rung="imports", title="<b>\u202e", cause="", evidence="")],
    notes=[Note(id="installers-mixed", rung="environment", title="pip and conda", evidence="")],
    not_verified=[Unverified(reason="needs a GPU", checks=["compute::c"])],
)  # fmt: skip


def suite_of(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text))


def case_words(text: str) -> Counter[str]:
    """What a reader of JUnit XML counts."""
    return Counter(next((child.tag for child in case), "passed") for suite in suite_of(text) for case in suite.iter("testcase"))


# -- by the formats' own schemas -----------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(drawn_records(), max_size=3))
def test_junit_is_valid_by_its_schema(found: list[Record]) -> None:
    """Whatever stands in records, the XML is well-formed and valid by the schema that Jenkins and pytest use."""
    xsd = xmlschema.XMLSchema(str(published("junit-10.xsd")))
    xsd.validate(ElementTree.ElementTree(ElementTree.fromstring("".join(junit.junit([*found, ALL])))))


@settings(max_examples=50)
@given(st.lists(drawn_records(), max_size=3))
def test_ctrf_is_valid_by_its_schema(found: list[Record]) -> None:
    """Whatever stands in records, the JSON is valid by the format's own schema."""
    rules = json.loads(published("ctrf.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(rules).validate(json.loads("".join(ctrf.ctrf(found))))
    jsonschema.Draft7Validator(rules).validate(json.loads("".join(ctrf.ctrf([]))))


def test_sarif_is_valid_by_its_schema() -> None:
    """Causes, notes and what could not be verified: valid by the schema of OASIS."""
    rules = json.loads(published("sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(rules).validate(json.loads(sarif.sarif(EXAMINED)))
    jsonschema.Draft4Validator(rules).validate(json.loads(sarif.sarif(Examination(target={}, subject="pyslowfast", verdict="healthy"))))


def test_the_schemas_would_find_a_mistake() -> None:
    """The counter-example: a word that a format does not have is found by its schema."""
    xsd = xmlschema.XMLSchema(str(published("junit-10.xsd")))
    assert not xsd.is_valid("".join(junit.junit([ALL])).replace("<failure", "<outage").replace("</failure", "</outage"))
    rules = json.loads(published("ctrf.schema.json").read_text(encoding="utf-8"))
    broken = "".join(ctrf.ctrf([ALL])).replace('"status": "other"', '"status": "outage"')
    assert not jsonschema.Draft7Validator(rules).is_valid(json.loads(broken))


# -- our own schema ------------------------------------------------------------------------------------------------------------------


def rules_of(name: str) -> dict[str, Any]:
    return dict(json.loads((layout.root() / "reports" / "schema" / name).read_text(encoding="utf-8")))


@settings(max_examples=50)
@given(drawn_records())
def test_every_record_is_valid_by_our_schema(found: Record) -> None:
    """What the models write, the published schema of records takes: a reader without pydantic can rely on it."""
    jsonschema.Draft202012Validator(rules_of("record-2.json")).validate(json.loads(found.model_dump_json(by_alias=True, exclude_none=True)))


def test_our_schema_refuses_what_the_model_refuses() -> None:
    """An unknown outcome, an unknown rung, an unknown key, another schema number."""
    whole = json.loads(ALL.model_dump_json(by_alias=True, exclude_none=True))
    rules = jsonschema.Draft202012Validator(rules_of("record-2.json"))
    assert rules.is_valid(whole)
    for change in ({"schema": 1}, {"new": 1}, {"checks": [{"id": "a", "rung": "x", "outcome": "passed"}]},
                   {"checks": [{"id": "a", "rung": "demo", "outcome": "fine"}]}):  # fmt: skip
        assert not rules.is_valid(whole | change)


def test_schemas_are_what_the_models_say(tmp_path: Path) -> None:
    """The files in reports/schema are generated; a changed one is found."""
    assert schema.drifted(layout.root() / "reports" / "schema") == []
    first, *others = schema.write_all(tmp_path)
    first.write_text(first.read_text(encoding="utf-8").replace('"passed"', '"fine"'), encoding="utf-8")
    others[0].unlink()
    assert schema.drifted(tmp_path) == [first.name, others[0].name]


# -- what they say -------------------------------------------------------------------------------------------------------------------


def test_junit_tells_each_outcome_as_what_it_is() -> None:
    """Red is a failure, everything else that did not pass is skipped with its outcome; nothing is an error."""
    text = "".join(junit.junit([ALL]))
    assert case_words(text) == {"passed": 1, "failure": 2, "skipped": 3}
    (suite,) = suite_of(text)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("6", "2", "0", "3")
    assert suite.get("timestamp") == run_id()[:19]
    messages = [case[0].get("message", "") for case in suite.iter("testcase") if len(case)]
    for said in ("No module named 'vision'", "not verified: compute::c: needs a GPU", f"infrastructure: demo::d: {OUTAGE}"):
        assert any(said in message for message in messages)


def test_what_no_xml_may_hold_is_replaced_and_the_rest_stays() -> None:
    """Control characters, half of a pair and the end of a CDATA section in names, messages and output: the document can be read."""
    hostile = "\x00 \x1b[2J ]]> & <b> \ufffe \u202e \n end"
    text = "".join(junit.junit([record(CELLS[0], check(f"decode::{hostile}", "failed", failure=hostile, reason=hostile))]))
    (case,) = suite_of(text)[0].iter("testcase")
    assert "]]> & <b>" in (case[0].text or "") and "end" in (case[0].text or "") and "]]> & <b>" in case.get("name", "")


def test_ctrf_counts_what_it_lists() -> None:
    """The summary is the sum of the tests; our own word stands in rawStatus."""
    made = json.loads("".join(ctrf.ctrf([ALL, ALL.model_copy(update={"cell": CELLS[1]})])))["results"]
    assert made["summary"] | {"start": 0, "stop": 0} == {
        "tests": 12, "passed": 2, "failed": 4, "skipped": 2, "pending": 0, "other": 4, "suites": 2, "start": 0, "stop": 0,
    }  # fmt: skip
    assert {test["rawStatus"]: test["status"] for test in made["tests"]} == {one.outcome: ctrf.STATUS[one.outcome] for one in ALL.checks}


@settings(max_examples=60)
@given(st.lists(drawn_records(), max_size=3))
def test_nothing_but_passed_is_counted_as_passed(found: list[Record]) -> None:
    """In JUnit, CTRF, the badges' counts and a record's tally, `passed` is what passed and nothing else."""
    passed = sum(one.outcome == "passed" for each in found for one in each.checks)
    red = sum(one.outcome in RED for each in found for one in each.checks)
    words = case_words("".join(junit.junit(found)))
    assert (words["passed"], words["failure"], words["error"]) == (passed, red, 0)
    counted = json.loads("".join(ctrf.ctrf(found)))["results"]["summary"]
    assert (counted["passed"], counted["failed"]) == (passed, red)
    assert sum(each.tally().get("passed", 0) for each in found) == passed


def test_a_skip_is_never_green() -> None:
    """A cell of which a check was not verified reaches a rung, and its badge is not green; one of which everything passed is."""
    whole, skipped = held(record(CELLS[0], check("demo::a"))), held(record(CELLS[0], check("demo::a"), check("compute::b", "not verified")))
    assert badge.cell_text(whole, NOW) == ("demo reached", "green")
    assert badge.cell_text(skipped, NOW) == ("demo reached, 1 not verified", "blue")
    assert badge.counts([whole], NOW)["all", ""].text("demo") == ("demo in 1 of 1 cells", "green")
    assert badge.counts([whole, skipped], NOW)["all", ""].text("demo") == ("demo in 2 of 2 cells", "blue")
    only = held(record(CELLS[0], check("demo::a", "not verified", reason="x")))
    assert badge.counts([only], NOW)["all", ""].share is None and badge.cell_text(only, NOW) == ("not verified", "grey")


def test_a_badge_is_one_element_with_a_title(tmp_path: Path) -> None:
    """Well-formed, with a role and a title that says all it shows; what a record says stays text."""
    text = badge.svg('<b>"&', "it's ]]> \u202e<script>", "grey")
    root = ElementTree.fromstring(text)
    names = [child.tag.partition("}")[2] for child in root]
    title = root[0].text or ""
    assert names == ["title", "rect", "rect", "g"] and root.get("role") == "img" and root.get("aria-label") == title
    assert title == "<b>\"&: it's ]]> <script>"
    assert [node.text for node in root[3]] == ['<b>"&', "it's ]]> <script>"]
    for background in badge.COLOUR.values():
        assert contrast(background) >= 4.5


def contrast(background: str) -> float:
    """Of white text, by WCAG."""
    parts = [int(background[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_badges_of_every_axis_and_cell() -> None:
    """A file for every cell, for every value of every axis, and one over all."""
    made = dict(badge.badges([held(ALL), held(record(CELLS[2], check("demo::a")))], NOW))
    assert {
        f"cell/{CELLS[0]}.svg",
        f"cell/{CELLS[2]}.svg",
        "axis/os-linux.svg",
        "axis/python-3.8.svg",
        "axis/runner-wine.svg",
        "all.svg",
    } <= set(made)
    assert "demo in 1 of 1 cells" in made["axis/os-windows.svg"] and "demo in 1 of 2 cells" in made["all.svg"]


def test_a_step_summary_says_each_cause_once_with_its_fix_and_commands() -> None:
    """Worst first; a cause once with its cells, its fix and how to see it again; an outage apart."""
    text = summary.summary([held(ALL), held(ALL.model_copy(update={"cell": CELLS[1]}))])
    assert text.count("cannot import name 'x'") == 1 and f"`{CELLS[0]}`, `{CELLS[1]}`" in text
    assert f'again: `nox -s "matrix({CELLS[0]})"`' in text and "### Infrastructure" in text and OUTAGE in text
    assert summary.summary([]).endswith("No cell was run.\n")


def test_a_step_summary_stays_below_what_a_service_takes() -> None:
    """Three hundred red cells with 300 kB each to say: under the megabyte of a step summary, and what is left out is counted."""
    loud = [check(f"imports::m{n}", "failed", failure="x" * 100_000) for n in range(3)]
    text = summary.summary(held(record(f"linux-py3.8-torch1.{n}-cpu-uv-a@main", *loud)) for n in range(300))
    assert len(text.encode()) < 1_000_000 and "100 more cells" in text


def test_sarif_keeps_open_what_was_not_verified() -> None:
    """A cause is an error, a note a note, and what could not be verified is open: never a pass."""
    (run,) = json.loads(sarif.sarif(EXAMINED))["runs"]
    told = [(result["ruleId"], result["level"], result.get("kind", "fail")) for result in run["results"]]
    assert told == [("vision-fair-import", "error", "fail"), ("imports::z", "error", "fail"), ("installers-mixed", "note", "fail"),
                    ("compute::c", "none", "open")]  # fmt: skip
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [name for name, _, _ in told]
    assert all((layout.root() / place["physicalLocation"]["artifactLocation"]["uri"]).is_file()
               for result in run["results"] for place in result["locations"])  # fmt: skip


def test_doctor_writes_its_findings_scrubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`doctor --sarif` says what it found, without the home folder and the tokens that stood in it."""
    monkeypatch.setenv("HOME", "/home/ann")
    secret = "https://ann:s3cretword@host/simple"
    (cause, *_) = EXAMINED.causes
    found = EXAMINED.model_copy(update={"causes": [cause.model_copy(update={"evidence": f"/home/ann/env/x.py {secret}"})]})
    monkeypatch.setattr(consultation, "examine", lambda order: found)
    path = tmp_path / "findings.sarif"
    order = Order(targets.of_python(sys.executable))
    assert consultation.hold(order, as_json=True, sarif=path) == found
    text = path.read_text(encoding="utf-8")
    assert "vision-fair-import" in text and "s3cretword" not in text and "/home/ann" not in text
    assert json.loads(capsys.readouterr().out)["verdict"] == "problems"


def test_doctor_finds_out_before_it_examines_that_it_cannot_write(tmp_path: Path) -> None:
    """A folder that is not there is told at once, with the option."""
    with pytest.raises(Problem, match="cannot be written") as caught:
        consultation.hold(Order(targets.of_python(sys.executable)), sarif=tmp_path / "no" / "findings.sarif")
    assert "--sarif" in caught.value.next


@settings(max_examples=60)
@given(drawn_records())
def test_a_table_says_plain_ok_only_where_everything_passed(found: Record) -> None:
    """In the terminal, COMPATIBILITY.md and the counts, a rung is `ok` if each of its checks passed, and at no other time."""
    for rung in RUNGS:
        outcomes = {one.outcome for one in found.checks if one.rung == rung}
        assert (report.word_of(found, rung)[0] == "ok") == (outcomes == {"passed"})
    whole = {one.outcome for one in found.checks} == {"passed"}
    assert not whole or badge.cell_text(held(found), NOW)[1] == "green"
    assert whole or badge.cell_text(held(found), NOW)[1] != "green"
