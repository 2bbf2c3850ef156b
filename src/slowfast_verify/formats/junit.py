"""JUnit XML: a test suite a cell, a test case a check. Records in, XML out, one cell at a time.

The format knows passed, failure, error and skipped. `failure` is what nobody expected; everything else that did not pass is `skipped`
with its outcome in front of the reason, and as a property: an `error` would make an outage red in the tools that read this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from ..causes import sentence
from ..harmless import xml
from ..record import RED, CheckResult, Record


def junit(records: Iterable[Record]) -> Iterator[str]:
    """The document, a piece a record. Times are seconds, timestamps UTC."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="slowfast-verify">\n'
    for record in records:
        yield tostring(_suite(record), encoding="unicode") + "\n"
    yield "</testsuites>\n"


def _suite(record: Record) -> Element:
    red = sum(check.outcome in RED for check in record.checks)
    rest = sum(check.outcome not in RED and check.outcome != "passed" for check in record.checks)
    suite = Element("testsuite", {
        "name": record.cell, "tests": str(len(record.checks)), "failures": str(red), "errors": "0", "skipped": str(rest),
        "time": f"{record.seconds:.3f}", "timestamp": record.run[:19],
    })  # fmt: skip
    facts = {"run": record.run, "suite": record.suite, "tool": record.tool, "reached": record.reached() or "nothing",
             "outcome": record.outcome()}  # fmt: skip
    facts |= {f"target.{name}": str(value) for name, value in record.target.items() if isinstance(value, str | int | float)}
    properties = SubElement(suite, "properties")
    for name, value in facts.items():
        if value:
            SubElement(properties, "property", {"name": xml(name), "value": xml(value)})
    for check in record.checks:
        suite.append(_case(record.cell, check))
    return suite


def _case(cell: str, check: CheckResult) -> Element:
    case = Element("testcase", {"classname": f"{cell}.{check.rung}", "name": xml(check.id), "time": f"{check.seconds:.3f}"})
    if check.outcome == "passed":
        return case
    if check.outcome in RED:
        kind = (check.failure.type if check.failure else None) or check.outcome
        failure = SubElement(case, "failure", {"message": xml(sentence(check)), "type": xml(kind)})
        failure.text = xml(details(check))
        return case
    why = f"{check.outcome}: {check.knowledge}" if check.outcome == "failed as expected" and check.knowledge else check.outcome
    SubElement(case, "skipped", {"type": check.outcome, "message": xml(f"{why}: {sentence(check)}")})
    return case


def details(check: CheckResult) -> str:
    """Everything that a record says of a failure, a line each."""
    lines = [f"outcome: {check.outcome}"]
    lines += [f"known failure: {check.knowledge}"] if check.knowledge else []
    lines += [check.reason] if check.reason else []
    if check.failure:
        told = {"how": check.failure.how, "step": check.failure.step, "signal": check.failure.signal}
        lines += [f"{name}: {value}" for name, value in told.items() if value]
        lines += ["", check.failure.message, "", check.failure.stderr_tail]
    return "\n".join(lines).rstrip()
