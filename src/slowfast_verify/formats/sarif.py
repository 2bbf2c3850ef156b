"""SARIF 2.1.0: what the doctor found, for tools that show findings beside code. An examination in, JSON out.

A rule is a known failure (or the check that shows a cause nobody has described). A finding about an environment has no line of code: its
place is the check that judged, logically and as a file of the suite (viewers of SARIF show nothing without a file).
What could not be verified is a result of kind `open`, never `pass`.
"""

from __future__ import annotations

import json
from typing import Any

from .. import __version__
from ..causes import described
from ..findings import Cause, Examination, Note
from ..harmless import line

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(found: Examination) -> str:
    """The document. Levels: a cause is an error, a note a note."""
    rules: dict[str, dict[str, Any]] = {}
    results = [_result(cause, "error", rules) for cause in found.causes]
    results += [_result(note, "note", rules) for note in found.notes]
    for unverified in found.not_verified:
        for check in unverified.checks:
            rules.setdefault(check, {"id": check, "shortDescription": {"text": check}})
            results.append({"ruleId": check, "kind": "open", "level": "none", "message": {"text": f"not verified: {unverified.reason}"},
                            "locations": [_place(check.partition("::")[0], check)]})  # fmt: skip
    number = {name: position for position, name in enumerate(rules)}
    for result in results:
        result["ruleIndex"] = number[result["ruleId"]]
    run = {
        "tool": {"driver": {"name": "slowfast-verify", "semanticVersion": __version__, "rules": list(rules.values())}},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SUITE": {"description": {"text": "the checkout of slowfast-verify"}}},
        "properties": {"verdict": found.verdict, "reached": found.reached, "subject": found.subject, "passed": found.passed},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _result(finding: Cause | Note, level: str, rules: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rules.setdefault(finding.id, _rule(finding, level))
    text = [finding.title, *([finding.evidence] if finding.evidence else []), *(f"fix: {step}" for step in finding.fix)]
    checks = finding.checks or [finding.id]
    return {
        "ruleId": finding.id, "level": level, "message": {"text": "\n".join(text)},
        "locations": [_place(finding.rung, check) for check in checks],
        "partialFingerprints": {"cause/v1": f"{finding.id}/{finding.rung}"},
    }  # fmt: skip


def _rule(finding: Cause | Note, level: str) -> dict[str, Any]:
    known = described(finding.id)
    cause = finding.cause if isinstance(finding, Cause) else ""
    rule: dict[str, Any] = {
        "id": finding.id, "shortDescription": {"text": line(finding.title) or finding.id}, "defaultConfiguration": {"level": level},
        "properties": {"tags": ["installation", finding.rung]},
    }  # fmt: skip
    if cause or known:
        rule["fullDescription"] = {"text": cause or (known.explain.cause if known else "")}
    if finding.fix:
        rule["help"] = {"text": "\n".join(finding.fix)}
    return rule


def _place(rung: str, check: str) -> dict[str, Any]:
    file = {"artifactLocation": {"uri": f"tests/verify/test_{rung}.py", "uriBaseId": "SUITE"}, "region": {"startLine": 1}}
    return {"physicalLocation": file, "logicalLocations": [{"name": check, "fullyQualifiedName": f"{rung}/{check}", "kind": "member"}]}
