"""Somebody else's text made harmless: what would steer a terminal, turn the reading direction or start markup is taken out.

Called wherever a text from a record, a log or a shared report is printed. Standard library only.
"""

from __future__ import annotations

import re

STEERING = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LOOKED_AT = 20_000
MARKUP = str.maketrans({"<": "&lt;", ">": "&gt;", "|": "\\|", "[": "\\[", "]": "\\]", "*": "\\*", "`": "\\`"})


def line(text: str, kept: int = 300) -> str:
    """The first line that says anything, without what steers, cut to `kept` characters. Looks no further than 20,000 characters."""
    for row in text[:LOOKED_AT].splitlines():
        clean = STEERING.sub("", row).strip()
        if clean:
            return clean if len(clean) <= kept else clean[: kept - 1] + "…"
    return ""


def plain(text: str, kept: int = 300) -> str:
    """One line as Markdown shows it: no markup of its own."""
    return line(text, kept).translate(MARKUP)


def code(text: str, kept: int = 400) -> str:
    """One line as Markdown code, whatever is in it: the fence is longer than any row of backticks inside."""
    shown = line(text, kept)
    fence = "`" * (1 + max((len(row) for row in re.findall(r"`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else ""


def xml(text: str) -> str:
    """A text without the characters that no XML document may hold; escaping is left to whoever writes it."""
    return NO_XML.sub("\ufffd", text)
