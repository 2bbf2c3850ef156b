"""CTRF JSON (Common Test Report Format): one document over all records. Records in, JSON out, one cell at a time.

Its `other` takes what is neither passed, failed nor skipped: a known failure and an outage, each with our word in rawStatus.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ..causes import sentence
from ..reading import moment
from ..record import CheckResult, Record
from .junit import details

SPEC = "0.0.0"
STATUS = {
    "passed": "passed", "failed": "failed", "passed unexpectedly": "failed", "failed as expected": "other", "infrastructure": "other",
    "not verified": "skipped", "never run": "pending", "stale": "other",
}  # fmt: skip


def ctrf(records: Iterable[Record]) -> Iterator[str]:
    """The document, in pieces: the tests first, then the summary that counts them. Durations and moments are milliseconds."""
    counts: Counter[str] = Counter()
    cells, start, stop = 0, None, None
    yield '{"reportFormat": "CTRF", "specVersion": "' + SPEC + '", "generatedBy": "slowfast-verify", "results": {"tests": [\n'
    for record in records:
        ended = int(moment(record.run).timestamp() * 1000)
        begun = ended - int(record.seconds * 1000)
        start, stop = min(begun, start or begun), max(ended, stop or ended)
        for check in record.checks:
            lead = ",\n" if counts else ""
            counts[STATUS[check.outcome]] += 1
            yield lead + json.dumps(_test(record, check), ensure_ascii=False)
        cells += 1
    names = ("passed", "failed", "skipped", "pending", "other")
    summary = {
        "tests": sum(counts.values()),
        **{name: counts[name] for name in names},
        "suites": cells,
        "start": start or 0,
        "stop": stop or 0,
    }
    yield '\n], "tool": {"name": "slowfast-verify"}, "summary": ' + json.dumps(summary) + "}}\n"


def _test(record: Record, check: CheckResult) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": check.id, "status": STATUS[check.outcome], "duration": int(check.seconds * 1000), "suite": [record.cell, check.rung],
        "rawStatus": check.outcome, "type": "installation",
    }  # fmt: skip
    extra = {"run": record.run, "phase": check.phase, "knownFailure": check.knowledge, "suiteRevision": record.suite}
    if check.failure:
        extra |= {"how": check.failure.how, "step": check.failure.step, "signal": check.failure.signal, "exception": check.failure.type}
    if check.outcome != "passed":
        test["message"] = sentence(check)
        if check.failure:
            test["trace"] = details(check)
    return test | {"extra": {key: value for key, value in extra.items() if value}}
