"""The known failures in the form in which `diagnose` needs them: rules with needles, and what is printed. Kept as one file in the cache:
a line of JSON with all rules, then a line for each known failure with what is printed of it, read only where it is printed.

Reading, checking and rendering some hundred TOML files takes longer than a whole answer may (docs/decisions/007). The kept form is used
only while names, sizes and times of all files are what they were; where the cache cannot be written it is made anew each time.
Runs on the host; called by diagnosis. Imports the standard library, layout, atomic, matching; knowledge and instructions only to build.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, layout
from .atomic import write_text
from .matching import Failure

if TYPE_CHECKING:
    from .knowledge import KnownFailure

FORM = 10  #: raise it when what is kept changes


@dataclass(frozen=True)
class Rule:
    """One signature. parts: of `message` and `text`, each alternative with its needles (groups, of each of which a text has one piece)."""

    type: str | None = None
    message: str | None = None
    text: str | None = None
    not_text: str | None = None
    signal: str | None = None
    finding: str | None = None
    parts: dict[str, list[tuple[str, list[list[str]]]]] = field(default_factory=dict)

    def narrowed(self, has: Callable[[str], bool]) -> Rule | None:
        """The rule with those alternatives only that a text may match; None where it cannot match at all.

        `has` tells whether a piece is in the text. Plain loops: they run some thousand times for every log.
        """
        if self.type and self.message is None and not has(self.type.lower()):  # with a message, a log need not name the exception
            return None
        live: dict[str, str] = {}
        for key, parts in self.parts.items():
            left = []
            for pattern, groups in parts:
                for group in groups:
                    for piece in group:
                        if has(piece):
                            break
                    else:
                        break
                else:
                    left.append(pattern)
            if not left:
                return None
            if len(left) < len(parts):
                live[key] = _joined(left)
        return replace(self, **live) if live else self  # type: ignore[arg-type]


def _joined(patterns: list[str]) -> str:
    """One expression of several; flags that stand at the start of each are written once."""
    flags = re.match(r"\(\?[aimsux]+\)", patterns[0])
    lead = flags[0] if flags else ""
    return lead + "|".join(pattern[len(lead) :] for pattern in patterns)


@dataclass(frozen=True)
class Entry:
    """A known failure, or a question that would decide (`between` is not empty then). line: what is printed, as JSON."""

    id: str
    generic: bool
    consequence_of: list[str]
    between: list[str]
    rules: list[Rule]
    line: bytes

    @property
    def shown(self) -> dict[str, Any]:
        """What is printed of it."""
        found: dict[str, Any] = json.loads(self.line)
        return found


@dataclass(frozen=True)
class Index:
    """known: every known failure; asks: what to ask where none of them matches."""

    known: list[Entry]
    asks: list[Entry]

    def candidates(self, entries: Iterable[Entry], failure: Failure) -> Iterator[Entry]:
        """The entries of which a rule may match, with these rules only."""
        text, known = failure.lowered, dict[str, bool]()

        def has(piece: str) -> bool:
            answer = known.get(piece)
            if answer is None:
                answer = known[piece] = piece in text
            return answer

        for entry in entries:
            rules = [rule for rule in (one.narrowed(has) for one in entry.rules) if rule]
            if rules:
                yield Entry(entry.id, entry.generic, entry.consequence_of, entry.between, rules, entry.line)


@cache
def index() -> Index:
    """The index, from the cache or made anew. Raises Problem where a file of knowledge/ is not right."""
    kept, key = layout.home() / "index" / "knowledge.jsonl", _key()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        head, _, told = kept.read_bytes().partition(b"\n")
        raw = json.loads(head)
        if raw.pop("key") == key and raw.pop("bytes") == len(told):
            return _parsed(raw, told.split(b"\n"))
    raw = {"known": [*_known()], "asks": [*_asks()]}
    told = b"\n".join(json.dumps(row.pop("shown"), ensure_ascii=False).encode() for rows in raw.values() for row in rows)
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, f"{json.dumps({'key': key, 'bytes': len(told), **raw}, ensure_ascii=False)}\n{told.decode()}")
    return _parsed(raw, told.split(b"\n"))


def _parsed(raw: dict[str, Any], lines: list[bytes]) -> Index:
    rest = iter(lines)
    known, asks = (
        [Entry(**{**row, "rules": [Rule(**rule) for rule in row["rules"]], "line": next(rest)}) for row in raw[name]]
        for name in ("known", "asks")
    )  # fmt: skip
    return Index(known, asks)


def _key() -> str:
    """What the index is made from: every file's name, size and time, and the code's version."""
    paths = [
        *layout.knowledge().rglob("*.toml"),
        *(Path(__file__).with_name(f"{name}.py") for name in ("index", "instructions", "knowledge", "needles")),
        proven_file(),
    ]
    rows = sorted((str(path), stat.st_mtime_ns, stat.st_size) for path in paths if (stat := _stat(path)))
    return hashlib.sha256(repr((FORM, __version__, rows)).encode()).hexdigest()


def _stat(path: Path) -> Any:
    try:
        return path.stat()
    except OSError:
        return None


def proven_file() -> Path:
    """What the loops carried out: a list of {id, outcome, fixes, ...} as `nox -s loops` wrote it; it need not exist."""
    return layout.root() / "reports" / "loops.json"  # the project's own, wherever a run of today writes its reports


def _known() -> Iterator[dict[str, Any]]:
    from .instructions import steps
    from .knowledge import all_known

    proven = _proven()
    for name, row in all_known().items():
        fix = [step._asdict() for action in row.fix for step in steps(action)]
        shown = {
            "title": row.title, "title_zh": row.title_zh, "rung": row.rung,
            "cause": _flat(row.explain.cause), "cause_zh": _flat(row.explain.cause_zh), "fix": fix,
            **_tried(row, *proven.get(name, (None, ""))), "unsure": _flat(row.unsure),
            "unsure_zh": _flat(row.unsure_zh), "seen_in": row.seen_in,
            "dead_ends": [dead.model_dump() for dead in row.dead_end], "applies": row.applies,
        }  # fmt: skip
        rules = [_rule(signature.model_dump(exclude={"unshown"})) for signature in row.signature]
        yield {"id": name, "generic": row.generic, "consequence_of": row.consequence_of, "between": [], "rules": rules, "shown": shown}


def _asks() -> Iterator[dict[str, Any]]:
    from .knowledge import all_asks

    for name, row in all_asks().items():
        rules = [_rule(signature.model_dump(exclude={"unshown"})) for signature in row.signature]
        shown = {
            "fact": _flat(row.fact),
            "fact_zh": _flat(row.fact_zh),
            "command": row.command,
            "command_zh": row.command_zh,
            "between": row.between,
        }
        yield {"id": name, "generic": False, "consequence_of": [], "between": row.between, "rules": rules, "shown": shown}


def _rule(signature: dict[str, Any]) -> dict[str, Any]:
    from .needles import alternatives, needles_of

    parts = {
        key: [[pattern, needles_of(pattern)] for pattern in alternatives(signature[key])] for key in ("message", "text") if signature[key]
    }
    return {**signature, "parts": parts}


def _tried(row: KnownFailure, fixes: str | None, runner: str) -> dict[str, Any]:
    """What our tests did with the fix, in one sentence, in both languages.

    fixes: the numbers of the actions that a green loop carried out, or `by hand`;
    runner: how its programs ran.
    """
    where, where_zh = (f" ({runner})", f"（{runner}）") if runner != "native" else ("", "")
    if fixes == "by hand":
        text = f"our tests broke an environment this way and followed the advice by hand, in a program of their own{where}"
        chinese = f"我们的测试用这种方式破坏过一个环境，并由自己的程序手工照建议修好{where_zh}"
    elif fixes:
        text = f"our tests broke an environment this way and mended it by action {fixes} of the fix, with one installer{where}"
        chinese = f"我们的测试用这种方式破坏过一个环境，并用修复中的第 {fixes} 步修好（一种安装器）{where_zh}"
    else:
        text = f"not by our tests: {_flat(row.unreproduced) or 'no loop of it is green'}"
        chinese = "我们的测试没有做过"
    return {"carried_out": bool(fixes) and fixes != "by hand", "tried": text, "tried_zh": chinese}


def _proven() -> dict[str, tuple[str, str]]:
    """{known failure: which actions of its fix a green loop carried out, or `by hand`; how its programs ran}."""
    try:
        rows = json.loads(proven_file().read_bytes())
        return {row["id"]: (row["fixes"], row.get("runner", "native")) for row in rows if row["outcome"] == "green"}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _flat(text: str) -> str:
    return " ".join(text.split())
