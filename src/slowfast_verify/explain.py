"""The whole story of one known failure, for people. Called by the `explain` command. Imports knowledge, instructions, pages."""

from __future__ import annotations

from .columns import columns, wrapped
from .index import index
from .instructions import steps
from .knowledge import KnownFailure, known
from .language import Language, because, of, showable
from .pages import failure_page

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "class": "; a rule for a whole class of failures", "why": "Why", "when": "When", "given": "and there is {}",
        "shows": "How it shows",
        "example": "For example ({})", "ours": "printed by a run of ours: {}", "theirs": "as somebody reported it: {}",
        "mends": "What mends it", "proof": " ({})", "not": "What does not", "unsure": "What the log cannot tell",
        "alike": "Not to be mistaken for", "seen": "Reported in", "page": "On the dashboard", "loop": "Not reproduced by us",
    },
    "zh": {
        "class": "；针对一整类故障的规则", "why": "为什么", "when": "何时出现", "given": "并且有 {}", "shows": "怎样识别",
        "example": "例如（{}）", "ours": "我们的运行所打印：{}", "theirs": "他人报告：{}",
        "mends": "怎样修复", "proof": "（{}）", "not": "无效的做法", "unsure": "日志里看不出的",
        "alike": "不要混淆为", "seen": "相关讨论", "page": "在仪表板上", "loop": "我们没有复现",
    },
}  # fmt: skip


def story(identifier: str, width: int = 0, language: Language = "en") -> str:
    """Everything that is known about a failure: how it shows, why, where, what mends it, what does not, and how we know.

    width: in columns, 0 for the terminal's. In Chinese the cause stands in Chinese first. Raises Problem with the nearest id where there
    is none of that name.
    """
    width, words = width or columns(), WORDS[language]
    row = known(identifier)
    parts = [
        *_wrapped(f"{row.id}: {of(language, row.title, row.title_zh)}", width, ""),
        f"rung: {row.rung}" + (words["class"] if row.generic else ""),
    ]
    causes = [row.explain.cause, *([row.explain.cause_zh] if showable(row.explain.cause_zh) else [])]
    parts += _section(words["why"], *(reversed(causes) if language == "zh" else causes), width=width)
    if row.applies:
        given = [words["given"].format(row.provided)] if row.provided else []
        parts += _section(words["when"], *(f"{name} {bound}" for name, bound in row.applies.items()), *given)
    parts += _section(words["shows"], *filter(None, map(_signature, row.signature)))
    if row.example:
        origin = words["ours" if row.example.ours else "theirs"].format(row.example.origin)
        parts += ["", *_wrapped(words["example"].format(origin), width, "")]
        parts += [f"  | {line}" for line in row.example.text.strip("\n").splitlines()]
    parts += ["", *_wrapped(words["mends"] + _proof(row, language), width, "")]
    for action in row.fix:
        for step in steps(action):
            line = (f"({step.for_}) " if step.for_ else "") + of(language, step.text, step.text_zh)
            parts += [f"  - {line}"] if step.command else _wrapped(line, width, "  - ")
            reason = because(language, step.why, step.why_zh)
            parts += _wrapped(reason, width, "    ") if reason else []
    for dead in row.dead_end:
        told = f"{of(language, dead.tried, dead.tried_zh)}: {of(language, dead.why, dead.why_zh)}"
        parts += ["", words["not"], *_wrapped(told, width, "  - ")]
    parts += _section(words["unsure"], of(language, row.unsure, row.unsure_zh)) if row.unsure else []
    others = [*row.consequence_of, *(miss.id for miss in row.near_miss if miss.id)]
    parts += _section(words["alike"], *dict.fromkeys(others)) if others else []
    parts += _section(words["seen"], *row.seen_in)
    parts += _section(words["page"], page) if (page := failure_page(identifier)) else []
    parts += _section(words["loop"], row.unreproduced) if row.unreproduced else []
    return "\n".join(parts)


def _section(title: str, *texts: str, width: int = 0) -> list[str]:
    lines = ["", title]
    for text in texts:
        lines += _wrapped(text, width or columns(), "  ")
    return lines


def _wrapped(text: str, width: int, lead: str) -> list[str]:
    return wrapped(" ".join(text.split()), width, lead, " " * len(lead))


def _signature(signature: object) -> str:
    given = {
        key: getattr(signature, key) for key in ("type", "message", "text", "not_text", "signal", "finding") if getattr(signature, key)
    }
    return "; ".join(f"{'not ' if key == 'not_text' else ''}{key.removeprefix('not_')}: {value}" for key, value in given.items())


def _proof(row: KnownFailure, language: Language) -> str:
    entry = next((entry for entry in index().known if entry.id == row.id), None)
    return WORDS[language]["proof"].format(of(language, entry.shown["tried"], entry.shown["tried_zh"])) if entry else ""
