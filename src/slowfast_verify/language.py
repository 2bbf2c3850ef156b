"""In which language a person is told things: `--lang`, else SLOWFAST_VERIFY_LANG, else the locale. Commands are the same in all of them.

May import the standard library and errors only; asked by whatever prints. What cannot be shown on this output stays English.
"""

from __future__ import annotations

import locale
import os
import sys
from typing import Literal, TypeVar

from .errors import Problem, did_you_mean

Language = Literal["en", "zh"]
Said = TypeVar("Said")
LANGUAGES: tuple[Language, ...] = ("en", "zh")
VARIABLE = "SLOWFAST_VERIFY_LANG"


def ask_for(word: str) -> None:
    """Take the language of `--lang` for this process and those that it starts; raises Problem for one that we do not speak."""
    if word not in LANGUAGES:
        raise Problem(f"there is no language {word!r} here", where="--lang", cause=did_you_mean(word, list(LANGUAGES)),
                      next=f"--lang {' or --lang '.join(LANGUAGES)}")  # fmt: skip
    os.environ[VARIABLE] = word


def chosen(chinese: bool = False) -> Language:
    """The language to print in. chinese: a command was asked for it by an option of its own."""
    if chinese:
        return "zh"
    return "zh" if _meant().startswith("zh") and showable("中文") else "en"


def of(language: Language, english: Said, chinese: Said) -> Said:
    """The one of two that say the same; English where nobody wrote the other."""
    return chinese if language == "zh" and chinese else english


def because(language: Language, english: str, chinese: str) -> str:
    """A reason as it stands behind what is to be done; empty where there is none."""
    reason = of(language, english, chinese)
    return (f"说明：{reason}" if language == "zh" else f"because {reason}") if reason else ""


def _meant() -> str:
    """`zh...` where Chinese is meant: asked for, or the locale's; Windows names its locales in words."""
    asked = os.environ.get(VARIABLE, "")
    if asked:
        return asked.lower()
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order in which a system reads them
        if os.environ.get(variable):
            return os.environ[variable].lower()
    name = (locale.getlocale()[0] or "").lower()
    return "zh" if name.startswith("chinese") else name


def showable(text: str) -> bool:
    """Whether standard output can encode a text: escapes and question marks help nobody."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
