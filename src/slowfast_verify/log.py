"""Reads a log that somebody pasted: any encoding, any size, with the noise taken off that terminals and machines put around it.

Runs on the host; called by diagnosis. Keeps the number of every line, so that evidence can be shown where it stands. Imports the standard
library only.
"""

from __future__ import annotations

import html
import json
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import Problem

WHOLE = 2_000_000  #: bytes up to which a log is read as it is; of a longer one the start, the end and the telling lines between
LONG = 20_000_000  #: bytes from which on a person at a terminal is told that it is being read
HEAD, TAIL, BETWEEN = 400_000, 1_000_000, 600_000
LONGEST_LINE = 4_000
LOOKS = 20_000  #: how often one word is looked at in a very long log
#: Words of which a telling line of a very long log has one. Cheap to look for, and wide: what they miss is neither an error nor a warning.
TELLING = (
    b"rror", b"RROR", b"xception", b"arning", b"WARN", b"fail", b"FAIL", b"Fail", b"atal", b"FATAL", b"annot", b"undefined", b"illed",
    b"No module", b"not found", b"No such", b"bort", b"ignal", b"enied", b"nsupported", b"not load", b"dump",
)  # fmt: skip

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_]|\([0-9A-B])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\ufeff]")
_TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "：": ": ", "，": ", ", "（": "(", "）": ")"}
    | dict.fromkeys("\u00a0\u3000\u2028\u2029", " ")
)
_CLOCK = r"\d{1,4}[-/.]\d{1,2}(?:[-/.]\d{1,4})?[T ,]+\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
#: What machines put in front of a line: a time, a level, a rank, a container's or a build step's name. Taken off again and again.
_PREFIX = re.compile(
    rf"^(?:\s*\[?{_CLOCK}\]?:?\s?"  # 2026-11-22T10:00:00.123Z, [11/20 08:58:46]
    r"|\s*\[?\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\]?:?\s"  # 10:00:00
    r"|#\d+ \d+\.\d+ ?"  # docker build: #12 3.456
    r"|\[(?:rank|default|Rank ?)\d+\]:? ?"  # torchrun
    r"|\((?:pid|\w+ pid)=\d+[^)]*\) ?"  # ray
    r"|[\w.-]+-\d+\s+\| ?"  # docker compose: train-1  |
    r"|\[(?:INFO|ERROR|WARNING|DEBUG|CRITICAL|STDERR|STDOUT|stderr|stdout)\]:? ?"
    r"|##\[\w+\]"  # workflow commands
    r"|(?:>|&gt;) ?(?!>)"  # a quotation
    r"|E   (?=\s*\S))"  # pytest
)
_DOCKER_JSON = re.compile(r'^\{"log":"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Log:
    """One log. lines: (number in the source from 1, text without noise). cut: whether parts of a very long one were passed over."""

    source: str
    lines: tuple[tuple[int, str], ...]
    cut: bool = False

    @cached_property
    def text(self) -> str:
        """The lines, joined."""
        return "\n".join(line for _, line in self.lines)

    def at(self, start: int, end: int) -> tuple[int, str]:
        """(line number in the source, the line) of a place in `text`: of several lines the one that says most, which is the last."""
        first, last = self.text.count("\n", 0, start), self.text.count("\n", 0, max(start, end - 1))
        number, line = self.lines[min(last, len(self.lines) - 1)] if self.lines else (0, "")
        return (number, line) if line.strip() or first == last else self.lines[first]

    @cached_property
    def unwrapped(self) -> Log | None:
        """The log with the lines joined that a terminal of a fixed width had broken; None where nothing looks broken."""
        widths = [len(line) for _, line in self.lines if len(line) >= 60]
        width = max(widths, default=0)
        if widths.count(width) < 2 or width > 400:
            return None
        joined: list[tuple[int, str]] = []
        carry = False
        for number, line in self.lines:
            joined[-1:] = [(joined[-1][0], joined[-1][1] + line)] if carry else [*joined[-1:], (number, line)]
            carry = len(line) == width
        return Log(self.source, tuple(joined), self.cut)


def is_long(name: str) -> bool:
    """Whether reading a file takes seconds."""
    try:
        return Path(name).stat().st_size > LONG
    except OSError:
        return False


def read(name: str) -> Log:
    """Read a file, or standard input for "-". Raises Problem where it cannot be read."""
    if name == "-":
        return from_bytes(sys.stdin.buffer.read(), "-")
    path = Path(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(
            f"the log cannot be read: {error.strerror or error}",
            where=name,
            cause="it is a folder" if path.is_dir() else "the name is misspelt, or the file belongs to somebody else",
            next="give the file that holds the output, or pipe it in: COMMAND 2>&1 | slowfast-verify diagnose -",
        ) from None
    return from_bytes(data, name)


def from_bytes(data: bytes, source: str = "") -> Log:
    """A log from what a file or a pipe held."""
    if len(data) <= WHOLE:
        return from_text(_decoded(data), source)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    numbered: list[tuple[int, str]] = []
    for number, piece in _telling(data):
        numbered += [(number + i, clean(line)) for i, line in enumerate(_decoded(piece).split("\n"))]
    return Log(source, tuple(numbered), cut=True)


def from_text(text: str, source: str = "") -> Log:
    """A log from a text."""
    lines = text.replace("\r\n", "\n").split("\n")
    return Log(source, tuple((number, clean(line)) for number, line in enumerate(lines, 1)))


def clean(line: str) -> str:
    """One line without escape sequences, what a progress bar had drawn before, prefixes of machines, typographic quotes and entities."""
    if not line.isascii():
        line = line.translate(_TYPOGRAPHY)
    if "\x1b" in line:
        line = _ESCAPES.sub("", line)
    if "\r" in line:
        line = next((part for part in reversed(line.split("\r")) if part.strip()), "")
    if line.startswith('{"log":'):
        inner = _DOCKER_JSON.match(line)
        line = json.loads(f'"{inner[1]}"').rstrip("\n") if inner else line
    line = _CONTROL.sub("", line)
    if "&" in line and ";" in line:
        line = html.unescape(line)
    for _ in range(4):
        shorter = _PREFIX.sub("", line, count=1)
        if shorter == line:
            break
        line = shorter
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
    return line.rstrip()


def _decoded(data: bytes) -> str:
    """Text in UTF-8, UTF-16, or what a Chinese Windows writes; never an error."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if data[1:40:2].count(0) > 15:
        return data.decode("utf-16-le", "replace")
    for encoding in ("utf-8-sig", "gb18030", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _telling(data: bytes) -> list[tuple[int, bytes]]:
    """(number of the first line, piece) of a long log: its start, the telling lines between with what surrounds them, its end."""
    begin = data.find(b"\n", HEAD) + 1 or HEAD
    stop = max(begin, data.rfind(b"\n", begin, len(data) - TAIL) + 1 or len(data) - TAIL)
    spans: set[tuple[int, int]] = set()
    shapes: set[bytes] = set()
    for word in TELLING:
        room = BETWEEN // len(TELLING)  # each word has its own, or a flood of warnings would push the one error out
        at = data.find(word, begin, stop)
        for _ in range(LOOKS):
            if at < 0 or room <= 0:
                break
            start = max(data.rfind(b"\n", begin, at) + 1, at - 500, begin)
            end = data.find(b"\n", at, stop)
            end = min(stop if end < 0 else end, at + 1_500)
            shape = re.sub(rb"\d+", b"0", data[start:end])[:200]
            if shape not in shapes:  # the thousandth warning of one kind says nothing new
                shapes.add(shape)
                before = max(data.rfind(b"\n", begin, max(begin, start - 200)) + 1, begin)
                after = data.find(b"\n", min(end + 300, stop), stop)
                spans.add((before, end if after < 0 else after))
                room -= end - before
            at = data.find(word, max(end, at + 1), stop)
    pieces = [(0, begin)]
    for start, end in sorted(spans):
        pieces[-1:] = [(pieces[-1][0], max(end, pieces[-1][1]))] if start <= pieces[-1][1] else [pieces[-1], (start, end)]
    pieces.append((max(stop, pieces[-1][1]), len(data)))
    told, number, seen = [], 1, 0
    for start, end in pieces:
        number += data.count(b"\n", seen, start)
        told.append((number, data[start:end]))
        seen = start
    return told
