"""The few things that a fix, a workaround or a reproduction may do. Data only: fix.py carries them out.

Text may contain {checkout} (the subject's checkout), {env} (the environment's folder), {site} (its site-packages), {python} (its
interpreter), {fixtures} and {tmp} (an empty folder that lives as long as the actions do).
Imports data, cell and language only.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from .cell import When
from .data import Row
from .language import Language, of


class Edit(Row):
    """Replace text in a file of the subject's checkout; `find` is a regular expression that must match at least once."""

    file: str
    find: str
    replace: str


class File(Row):
    """Write a file, or make a link: exactly one of text and link_to."""

    path: str
    text: str | None = None
    link_to: str | None = None

    @model_validator(mode="after")
    def _one(self) -> File:
        if (self.text is None) == (self.link_to is None):
            raise ValueError("a file action has either text or link_to")
        return self


#: What an action says, and does not do.
WORDS = {"advice", "advice_zh", "when", "why", "why_zh"}


class Action(Row):
    """One step. `why` is its reason; `when` limits it to some cells; `advice` is printed and never executed. why_zh, advice_zh: the same in
    Chinese; advice that differs from system to system does so in both languages.

    env: an empty value takes the variable away; PYTHONPATH goes before what is there. remove: files, folders or patterns to take away, of
    the environment and the checkout only. run: one command, as an argv, whose `python` and `pip` are the environment's; in a reproduction
    it may fail, and then its output is the failure.
    """

    install: list[str] = []
    uninstall: list[str] = []
    env: dict[str, str] = {}
    edit: list[Edit] = []
    opts: dict[str, str] = {}
    file: list[File] = []
    remove: list[str] = []
    run: list[str] = []
    advice: str | dict[str, str] = ""
    advice_zh: str | dict[str, str] = ""
    when: When = Field(default_factory=dict)
    why: str = ""
    why_zh: str = ""

    @model_validator(mode="after")
    def _something(self) -> Action:
        does = (self.install, self.uninstall, self.env, self.edit, self.opts, self.file, self.remove, self.run, self.advice)
        if not any(does):
            raise ValueError("an action must do something: install, uninstall, env, edit, opts, file, remove, run or advice")
        if self.advice_zh and _places(self.advice_zh) != _places(self.advice):
            raise ValueError("advice_zh is for other systems than advice")
        return self

    @property
    def does(self) -> bool:
        """Whether it is more than words: something that can be carried out."""
        return bool(self.model_fields_set - WORDS)

    def advised(self, language: Language = "en") -> dict[str, str]:
        """{system or installer, "" for all: what to do there}, in that language where it is written in it."""
        said = of(language, self.advice, self.advice_zh)
        rows = said if isinstance(said, dict) else {"": said} if said else {}
        return {place: " ".join(text.split()) for place, text in rows.items()}


def _places(advice: str | dict[str, str]) -> list[str] | None:
    return sorted(advice) if isinstance(advice, dict) else None
