"""A draft of a known failure from a log: signature, rung, scrubbed example, a near miss; what only a person knows is marked.

Called by `slowfast-verify new failure`; runs on the host, reads matrices/drafts.toml and the log, writes nothing.
Imports data, diagnosis, identity, layout, log, scrub.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from . import diagnosis, layout
from .data import Row, load
from .errors import PROBLEMS_FOUND, Problem
from .identity import identity
from .log import Log, from_text
from .scrub import Scrubber

MARK = "FILL IN"  #: stands at every place that a person must fill; a test refuses a known failure that still has one
SHOWN = 12  #: lines of the log that an example keeps
LAST = 60  #: lines before the exception that are looked at for the rung
_RAISED = re.compile(
    r"^(?:[A-Za-z_][\w.]*\.)?(?P<type>[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Failure|Timeout|NotFound))(?:: (?P<message>.*))?$"
)
_TOLD = re.compile(r"(?i)\b(error|fatal|cannot|could not|failed|unable to|not found|abort\w*)\b")
_FRAME = re.compile(r'^\s*(?:File "|at |~+\^|\^)|^\s{4,}\S')
_WORDS = re.compile(r"[A-Za-z_][A-Za-z_0-9]{2,}")


class Step(Row):
    """Which rung a log speaks of. where: `frames` for lines of a traceback, `all` for every line."""

    name: str
    where: Literal["frames", "all"]
    expression: str
    reason: str


class Variation(Row):
    """What differs from machine to machine, and what stands for it."""

    expression: str
    becomes: str
    reason: str


class Drafts(Row):
    """matrices/drafts.toml."""

    rung: list[Step]
    volatile: list[Variation]
    place: list[Variation]


@cache
def rules() -> Drafts:
    """The rules, read once."""
    return load(layout.matrices() / "drafts.toml", Drafts)


@cache
def _volatile() -> re.Pattern[str]:
    return re.compile("|".join(f"({row.expression})" for row in rules().volatile))


@dataclass(frozen=True)
class Draft:
    """One draft. id: the suggested file name, without its end. text: TOML. marks: how many places a person must fill."""

    id: str
    text: str
    marks: int


def draft(log: Log, name: str = "") -> Draft:
    """The draft for what ended this log; name: its id, else made of the exception and its words.

    Raises Problem where the log is known already (naming the known failure) and where it shows no error.
    """
    known = [row for row in diagnosis.diagnose(log).diagnoses if row.confidence != "low"]
    if known:
        raise Problem(
            f"this log is known already: {known[0].id}",
            where=f"{log.source} line {known[0].evidence['line']}: {known[0].evidence['text'][:200]}",
            cause=known[0].title,
            next=f"slowfast-verify explain {known[0].id}; where it is something else, cut the log down to that and try again",
            code=PROBLEMS_FOUND,
        )
    number, type_, message = _end(log)
    lines = [line for _, line in log.lines[max(0, number - LAST + 1) : number + 1]]
    said = scrubbed("\n".join(lines[-SHOWN:]))
    words = scrubbed(message)
    identifier = name or _slug(type_, words)
    signature = _signature(type_, words)
    near = near_miss(type_, words)
    theirs = next((row.id for row in diagnosis.diagnose(from_text(near)).diagnoses), "")
    text = TEMPLATE.format(
        mark=MARK, rung=_rung(lines), signature="\n".join(signature), example=_block(said), near=_block(near),
        near_id=f"id = {json.dumps(theirs)}\n" if theirs else "",
    )  # fmt: skip
    return Draft(identifier, text, text.count(MARK))


def _signature(type_: str, message: str) -> list[str]:
    """The keys of a signature. A message without a word of its own (`3`) would fit every log: the exception's name goes before it."""
    if type_ and _WORDS.search(_volatile().sub(" ", message)):
        return [f"type = {json.dumps(type_)}", f"message = {_literal(generalised(message))}"]
    return [f"text = {_literal(generalised(': '.join(filter(None, (type_, message)))))}"]


def generalised(message: str) -> str:
    """A regular expression for a message: its words as they stand, what differs from machine to machine as a class."""
    rows = rules().volatile
    parts, at = [], 0
    for hit in _volatile().finditer(message):
        parts += [_escaped(message[at : hit.start()]), rows[(hit.lastindex or 1) - 1].becomes]
        at = hit.end()
    return "".join([*parts, _escaped(message[at:])])


def scrubbed(text: str) -> str:
    """The text without names, secrets and folders of one machine; an environment and a checkout stay recognisable as such."""
    for row in rules().place:
        text = re.sub(row.expression, row.becomes, text)
    scrubber = Scrubber(identity())
    scrubber.learn(text)
    return scrubber.text(text)


def near_miss(type_: str, message: str) -> str:
    """The same exception with the word that tells replaced: the last quoted one, else the longest."""
    quoted = re.findall(r"""['"`]([A-Za-z_][\w.-]*)['"`]""", message)
    told = quoted or sorted(_WORDS.findall(message), key=len)
    other = message.replace(told[0 if quoted else -1], "something_else") if told else "something_else"
    return f"{type_}: {other}" if type_ else other


def _end(log: Log) -> tuple[int, str, str]:
    """(index of the line, exception or "", its message): the last exception, else the last line that tells of an error."""
    for index in range(len(log.lines) - 1, -1, -1):
        hit = _RAISED.match(log.lines[index][1])
        if hit:
            return index, hit["type"], hit["message"] or ""
    for index in range(len(log.lines) - 1, -1, -1):
        if _TOLD.search(log.lines[index][1]):
            return index, "", log.lines[index][1].strip()
    raise Problem(
        "the log shows no error: neither an exception nor a line that tells of one",
        where=log.source,
        cause="only standard output was kept",
        next="run it again with both: COMMAND > LOG 2>&1",
        code=PROBLEMS_FOUND,
    )


def _rung(lines: list[str]) -> str:
    everything, frames = "\n".join(lines), "\n".join(line for line in lines if _FRAME.search(line))
    for row in rules().rung:
        if re.search(row.expression, frames if row.where == "frames" else everything):
            return row.name
    return "environment"


def _slug(type_: str, message: str) -> str:
    words = [word.lower().strip("_") for word in _WORDS.findall(_volatile().sub(" ", message))]
    telling = [word for word in words if word not in ("the", "from", "with", "and", "for", "name", "has", "not", "error", "import")]
    return "-".join(dict.fromkeys([*telling[:4]] or [type_.lower() or "failure"])).replace("_", "-")


def _escaped(text: str) -> str:
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def _literal(text: str) -> str:
    """A TOML string: literal, as expressions are read best, unless it holds three quotes."""
    return json.dumps(text, ensure_ascii=False) if "'''" in text or re.search(r"[\x00-\x08\x7f]", text) else f"'''{text}'''"


def _block(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if "'''" in text else f"'''\n{text}\n'''"


TEMPLATE = """# Replace every `{mark}`, and this line. Keys: docs/reference/toml.md; examples: the others of knowledge/.
title = "{mark}: one sentence that says what is wrong, not what was printed"
title_zh = "{mark}: the same sentence in Chinese"
rung = "{rung}" # a guess from the log
seen_in = ["{mark}: OWNER/REPO#NUMBER of a thread, or `our runs`"]
unreproduced = "{mark}: why no loop shows it; or delete this line and write [[reproduce]] and [witness]"

[[signature]] # from the end of the log; leave out what the next person's log will not have
{signature}

[explain]
cause = "{mark}: why it happens, in two sentences"
cause_zh = "{mark}"

[[fix]]
advice = "{mark}: or an action that is carried out: install, uninstall, env, edit, opts, file, remove, run"
advice_zh = "{mark}"
why = "{mark}"
why_zh = "{mark}"

[example]
text = {example}
origin = "{mark}: the command and the versions that printed it, or `reported: OWNER/REPO#NUMBER`"

[[near_miss]] # one step away, and not this failure: make it what it is really mistaken for
text = {near}
{near_id}"""
