"""Lines no wider than the terminal. Standard library only; a Chinese character takes two columns, and no word is broken."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata

WIDEST = 100  # columns; longer lines are hard to read
NARROWEST = 40


def columns() -> int:
    """The width to write for: the terminal's, at most 100; 100 where the output is no terminal and COLUMNS is not set."""
    given = shutil.get_terminal_size((WIDEST, 24)).columns
    return max(NARROWEST, min(WIDEST, given - 1 if sys.stdout.isatty() else given))


def wrapped(text: str, width: int, first: str, other: str) -> list[str]:
    """The text in lines of at most `width` columns, each with its lead; a word that is longer stays whole."""
    if not any(unicodedata.east_asian_width(char) in "WF" for char in text):
        return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False)
    lines, line, room = [], first, width - wide(first)
    for piece in _pieces(text):
        if wide(piece) > room and line.strip() and line not in (first, other):
            lines.append(line.rstrip())
            line, room, piece = other, width - wide(other), piece.lstrip()
        line, room = line + piece, room - wide(piece)
    return [*lines, line.rstrip()]


def wide(text: str) -> int:
    """How many columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pieces(text: str) -> list[str]:
    """Where a line may be broken: before a blank and around a wide character, but never in front of its punctuation."""
    pieces: list[str] = []
    for char in text:
        joins = bool(pieces) and not (char.isspace() or unicodedata.east_asian_width(char) in "WF" or _ends_wide(pieces[-1]))
        if pieces and (joins or char in "，。；：、）」！？"):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _ends_wide(piece: str) -> bool:
    return unicodedata.east_asian_width(piece[-1]) in "WF"
