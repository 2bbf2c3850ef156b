"""The whole story of one known failure, for people. Called by the `explain` command. Imports knowledge, instructions, pages."""

from __future__ import annotations

from .columns import columns, wrapped
from .index import index
from .instructions import steps
from .knowledge import KnownFailure, known
from .language import Language, of, showable
from .pages import failure_page


def story(identifier: str, width: int = 0, language: Language = "en") -> str:
    """Everything that is known about a failure: how it shows, why, where, what mends it, what does not, and how we know.

    width: in columns, 0 for the terminal's. In Chinese the cause stands in Chinese first. Raises Problem with the nearest id where there
    is none of that name.
    """
    width = width or columns()
    row = known(identifier)
    parts = [
        *_wrapped(f"{row.id}: {of(language, row.title, row.title_zh)}", width, ""),
        f"rung: {row.rung}" + ("; a rule for a whole class of failures" if row.generic else ""),
    ]
    causes = [row.explain.cause, *([row.explain.cause_zh] if showable(row.explain.cause_zh) else [])]
    parts += _section("为什么" if language == "zh" else "Why", *(reversed(causes) if language == "zh" else causes), width=width)
    if row.applies:
        given = [f"and there is {row.provided}"] if row.provided else []
        parts += _section("When", *(f"{name} {bound}" for name, bound in row.applies.items()), *given)
    parts += _section("How it shows", *filter(None, map(_signature, row.signature)))
    if row.example:
        origin = "printed by a run of ours" if row.example.ours else "as somebody reported it"
        parts += ["", *_wrapped(f"For example ({origin}: {row.example.origin})", width, "")]
        parts += [f"  | {line}" for line in row.example.text.strip("\n").splitlines()]
    parts += ["", *_wrapped("What mends it" + _proof(row), width, "")]
    for action in row.fix:
        for step in steps(action):
            line = (f"({step.for_}) " if step.for_ else "") + step.text
            parts += [f"  - {line}"] if step.command else _wrapped(line, width, "  - ")
            parts += _wrapped(f"because {step.why}", width, "    ") if step.why else []
    for dead in row.dead_end:
        parts += ["", "What does not", *_wrapped(f"{dead.tried}: {dead.why}", width, "  - ")]
    parts += _section("What the log cannot tell", row.unsure) if row.unsure else []
    others = [*row.consequence_of, *(miss.id for miss in row.near_miss if miss.id)]
    parts += _section("Not to be mistaken for", *dict.fromkeys(others)) if others else []
    parts += _section("Reported in", *row.seen_in)
    parts += _section("On the dashboard", page) if (page := failure_page(identifier)) else []
    parts += _section("Not reproduced by us", row.unreproduced) if row.unreproduced else []
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


def _proof(row: KnownFailure) -> str:
    entry = next((entry for entry in index().known if entry.id == row.id), None)
    return f" ({entry.shown['tried']})" if entry else ""
