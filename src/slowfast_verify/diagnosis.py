"""What a log shows: the known failures, best first, with the line that tells; or what to ask; or nothing.

Runs on the host; called by the `diagnose` command. Imports the standard library, index, log, matching: an answer takes less than the
import of anything larger.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from .columns import columns, wide, wrapped
from .index import Entry, Index, index
from .language import Language, because, of
from .log import Log
from .matching import Failure, Match, place, ranked

MOST = 5  #: diagnoses of one log; what stands further down was never the cause
LABEL = 9  #: columns of a label


@dataclass(frozen=True)
class Diagnosis:
    """One known failure that a log shows. confidence: high (the exception and its words, or several things agree), medium (words), low
    (only the class of the failure is certain). fix: lines as instructions.Step has them; tried: what our tests did with it.
    evidence: {"line": from 1, "text"}. What ends in _zh is the same in Chinese.
    """

    id: str
    title: str
    title_zh: str
    rung: str
    cause: str
    cause_zh: str
    evidence: dict[str, Any]
    fix: list[dict[str, str]]
    carried_out: bool
    tried: str
    tried_zh: str
    confidence: str
    unsure: str
    unsure_zh: str
    seen_in: list[str]
    dead_ends: list[dict[str, str]]


@dataclass(frozen=True)
class Answer:
    """What is said about one log. needs: facts that would decide, where the log does not ({"fact", "command", "between"})."""

    source: str
    diagnoses: list[Diagnosis]
    needs: list[dict[str, Any]]

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)


def diagnose(log: Log) -> Answer:
    """What the log shows. An empty answer means: nothing that is known here."""
    table = index()
    found = _found(table, log)
    if log.unwrapped and all(match.generic for match in found):  # nothing, or only the class of it: the telling word may be broken in two
        again = _found(table, log.unwrapped)
        if again and not (found and again[0].generic):
            log, found = log.unwrapped, again
    diagnoses = [_diagnosis(table, match, log) for match in found[:MOST]]
    needs = []
    if not found:
        failure = Failure(text=log.text)
        asks = ranked(table.candidates(table.asks, failure), lambda row: row.rules, failure)
        needs = [_entry(table.asks, match.id).shown for match in asks[:1]]
    return Answer(log.source, diagnoses, needs)


def _found(table: Index, log: Log) -> list[Match]:
    failure = Failure(text=log.text)
    return ranked(table.candidates(table.known, failure), lambda row: row.rules, failure)


def _entry(entries: list[Entry], identifier: str) -> Entry:
    return next(entry for entry in entries if entry.id == identifier)


def _diagnosis(table: Index, match: Match, log: Log) -> Diagnosis:
    shown = _entry(table.known, match.id).shown
    number, line = log.at(*place(match.signature, log.text))
    agreeing = match.weight[2]
    confidence = "low" if match.generic else "high" if agreeing > 1 and not shown["unsure"] else "medium"
    return Diagnosis(
        id=match.id, title=shown["title"], title_zh=shown["title_zh"], rung=shown["rung"], cause=shown["cause"], cause_zh=shown["cause_zh"],
        evidence={"line": number, "text": line.strip()}, fix=shown["fix"], carried_out=shown["carried_out"], tried=shown["tried"],
        tried_zh=shown["tried_zh"],
        confidence=confidence,
        unsure=shown["unsure"], unsure_zh=shown["unsure_zh"], seen_in=shown["seen_in"], dead_ends=shown["dead_ends"],
    )  # fmt: skip


LABELS: dict[Language, dict[str, str]] = {
    "en": {
        "also": "also: ", "cause": "cause:", "seen": "seen:", "fix": "fix:", "tried": "tried:", "not": "not:", "unsure": "unsure:",
        "threads": "threads:", "tell": "tell:", "run": "run:", "between": "between:", "next": "next:",
        "line": "line {number}: {text}", "which": "This log does not tell which it is.",
        "nothing": "nothing known: none of the known failures says what this log says",
        "empty": "nothing to look at: the log is empty",
        "both": "errors go another way than output, and both are needed: COMMAND 2>&1 | slowfast-verify diagnose -",
        "whole": "give the whole output (COMMAND 2>&1 | slowfast-verify diagnose -), or look at the environment: slowfast-verify doctor",
    },
    "zh": {
        "also": "另外：", "cause": "原因:", "seen": "证据:", "fix": "修复:", "tried": "验证:", "not": "无效:", "unsure": "存疑:",
        "threads": "讨论:", "tell": "请确认:", "run": "运行:", "between": "候选:", "next": "下一步:",
        "line": "第 {number} 行: {text}", "which": "这份日志不足以判断是哪一种。",
        "nothing": "没有已知的问题：没有一条已知故障与这份日志相符",
        "empty": "没有可看的内容：日志是空的",
        "both": "报错与普通输出走不同的通道，两者都要：COMMAND 2>&1 | slowfast-verify diagnose -",
        "whole": "请给出完整输出（COMMAND 2>&1 | slowfast-verify diagnose -），或者检查环境：slowfast-verify doctor",
    },
}  # fmt: skip


def printed(answer: Answer, width: int = 0, language: Language = "en") -> str:
    """The answer for people: cause, evidence, fix, sources, and what it is unsure of. width: in columns, 0 for the terminal's."""
    lines, width, label = [], width or columns(), LABELS[language]
    for number, found in enumerate(answer.diagnoses):
        title = of(language, found.title, found.title_zh)
        lines += ["", *wrapped(f"{label['also'] if number else ''}{title}  [{found.id}]", width, "", "  ")]
        lines += _block(label["cause"], of(language, found.cause, found.cause_zh), width)
        lines += _block(label["seen"], label["line"].format(number=found.evidence["line"], text=found.evidence["text"][:400]), width)
        for step in found.fix:
            limit = f"({step['for_']}) " if step["for_"] else ""
            lines += _block(label["fix"], limit + of(language, step["text"], step["text_zh"]), width, whole=bool(step["command"]))
            lines += _block("", because(language, step["why"], step["why_zh"]), width)
        lines += _block(label["tried"], of(language, found.tried, found.tried_zh), width)
        for dead in found.dead_ends:
            tried, why = of(language, dead["tried"], dead["tried_zh"]), of(language, dead["why"], dead["why_zh"])
            lines += _block(label["not"], f"{tried}: {why}", width)
        lines += _block(label["unsure"], of(language, found.unsure, found.unsure_zh), width)
        lines += _block(label["threads"], ", ".join(found.seen_in), width)
    for need in answer.needs:
        lines += [label["which"], *_block(label["tell"], of(language, need["fact"], need["fact_zh"]), width)]
        lines += _block(label["run"], of(language, need["command"], need["command_zh"]), width, whole=True) + _block(
            label["between"], ", ".join(need["between"]), width
        )
    if not lines:
        lines = [label["nothing"], *_block(label["next"], label["whole"], width)]
    return "\n".join(lines).strip("\n")


def nothing_in_it(language: Language = "en", width: int = 0) -> str:
    """What is said of a log that holds nothing."""
    label = LABELS[language]
    return "\n".join([label["empty"], *_block(label["next"], label["both"], width or columns())])


def _block(label: str, text: str, width: int, whole: bool = False) -> list[str]:
    """whole: a command stays on its line, however long: what is copied must run as it stands."""
    if not text:
        return []
    lead = f"  {label}{' ' * max(1, LABEL - wide(label))}"
    if whole:
        return [lead + text]
    return wrapped(text, width, lead, " " * (LABEL + 2))
