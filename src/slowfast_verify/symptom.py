"""What a failed check tells: one symptom for each independent line, with whom it accuses. Runs on the host; puts no question.

A check says which property does not hold; a symptom says whose fault that is: a distribution that is missing, a module that ends the
process, a known failure. cause.py makes causes of symptoms that accuse the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from packaging.utils import canonicalize_name

from . import distributions, knowledge
from .judge import Judged
from .question import Observation
from .staged import ENDED, Staged
from .verdict import Unanswered

HALTED = re.compile(r"import of ([\w.]+) halted; None in sys.modules|No module named '[\w.]+'; '([\w.]+)' is not a package")
NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
NO_NAME = re.compile(r"cannot import name '?(\w+)'? from (?:partially initialized module )?'?([\w.]+)'?")
HAS_NO_NAME = re.compile(r"^([\w.]+) has no name (\w+)$")
ABSENT = re.compile(r"^([\w.-]+) is not installed, and \S+ needs it")
LOST = re.compile(r"^([\w.-]+) has (?:lost \S+|\S+ of \d+ bytes, and)|^the metadata of (?P<unread>[\w.-]+) cannot be read")
PTH = re.compile(r"^(.+\.pth): (?:line \d|it cannot)")
LEFT = re.compile(r"~([\w.-]+) is left of an interrupted installation")
REQUIRES = re.compile(r"^(\S+) \S+ requires ([\w.-]+)\S*, (which is not installed|but \S+ \S+ is installed)")
EVIDENCE_KEPT = 400


@dataclass(frozen=True)
class Symptom:
    """One line of one failed check.

    key: what it is grouped by: (kind, accused). about: canonical names of all distributions that it speaks of. module: the dotted name
    that is accused. evidence: the line that proves it. mend: what the check itself says mends it. order: its place in the climb.
    """

    check: str
    rung: str
    order: int
    key: tuple[str, str]
    evidence: str
    sentence: str
    about: frozenset[str] = frozenset()
    module: str = ""
    mend: str = ""
    known: str | None = None
    observation: Observation | None = None
    data: dict[str, str] = field(default_factory=dict, hash=False, compare=False)


class Reader:
    """Reads symptoms out of judged checks, for one environment."""

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        self.names = self._names()

    def _names(self) -> Mapping[str, str]:
        """{importable top-level name in small letters, or canonical name of a distribution: canonical name of its distribution}."""
        inventory = self.staged.inventory
        owned = (self.staged.ask("environment").facts or {}).get("owned", {})
        found: dict[str, str] = {}
        for row in self.staged.subject.dependency:
            for name in row.distributions:
                found[canonicalize_name(name)] = canonicalize_name(name)
            found.setdefault(canonicalize_name(row.name), canonicalize_name(next(iter(row.distributions), row.name)))
            if row.module and row.distributions:
                top = row.module.partition(".")[0].lower()
                there = distributions.version_of(inventory, row.distributions)
                found.setdefault(top, canonicalize_name(there[0] if there else row.distributions[0]))
        for row in inventory["distributions"].values():
            name = canonicalize_name(row["name"])
            found[name] = name
            for top in [*row["top_level"], *owned.get(row["path"], {}).get("names", [])]:
                found.setdefault(top.lower(), name)
        return {**found, "slowfast": "slowfast"}

    def distribution_of(self, module: str) -> str:
        """The canonical name of the distribution that a module belongs to, as far as anybody says; else its own top-level name."""
        top = module.partition(".")[0].lower()
        return self.names.get(top, canonicalize_name(top))

    def about(self, text: str) -> frozenset[str]:
        """The distributions that a sentence names. Paths are no names; the words beside an operator are."""
        words = [word for word in re.split(r"[\s,;()'\"]+", text) if "/" not in word and "\\" not in word]
        bare = [re.split(r"[<>=!~:\[]", word)[0].rstrip(".") for word in words if word]
        names = {canonicalize_name(name) for word in bare for name in (word, word.partition(".")[0])}
        return frozenset(self.names[name] for name in names if name in self.names)

    def read(self, judged: Judged, order: int) -> list[Symptom]:
        """The symptoms of one failed check, in the order of its lines."""
        if isinstance(judged.error, Unanswered):
            return [self._unanswered(judged, judged.error.observation, order)]
        text = str(judged.error).partition("\nassert ")[0]
        lines = [line for line in text.splitlines() if line.strip()]
        mend = next((line.partition(": ")[2] for line in lines if line.startswith("mend: ")), "")
        lines = [line for line in lines if not line.startswith("mend: ")] or [judged.check.sentence]
        if judged.check.rung != "environment" and not judged.check.id.startswith("imports::nothing_is_swallowed"):
            lines = ["\n".join(lines)]  # these tell one story in several lines
        return [self._judged(judged, line, mend, order, alone=len(lines) == 1) for line in lines]

    def _judged(self, judged: Judged, line: str, mend: str, order: int, *, alone: bool) -> Symptom:
        check, name = judged.check.id, judged.check.id.partition("[")[0]
        known = judged.result.knowledge if alone else named(line)
        common = {"check": check, "rung": judged.check.rung, "order": order, "sentence": judged.check.sentence, "mend": mend}
        evidence = line.partition("\n")[0][:EVIDENCE_KEPT]
        about = self.about(line)
        if found := REQUIRES.match(line):
            wanted = canonicalize_name(found.group(2))
            kind = "missing" if "not installed" in found.group(3) else "version"
            key = (kind, self.names.get(wanted, wanted))
            return Symptom(**common, key=key, evidence=evidence, about=about | {wanted}, known=known, module=wanted)  # type: ignore[arg-type]
        if found := ABSENT.match(line):
            name = canonicalize_name(found.group(1))
            module = next((row.module for row in self.staged.subject.dependency if found.group(1) in row.distributions), found.group(1))
            known = known or named_import(module.partition(".")[0])
            return Symptom(**common, key=("missing", name), evidence=evidence, about=frozenset({name}), known=known, module=module)  # type: ignore[arg-type]
        if found := LOST.match(line):
            name = canonicalize_name(found.group(1) or found.group("unread"))
            return Symptom(**common, key=("lost", name), evidence=evidence, about=frozenset({name}), known=known, module=name)  # type: ignore[arg-type]
        if found := HAS_NO_NAME.match(line):
            key = ("lacks", f"{found.group(1)}.{found.group(2)}")
            return Symptom(**common, key=key, evidence=evidence, about=about, known=known, module=found.group(1))  # type: ignore[arg-type]
        if (found := HALTED.search(line)) and judged.check.rung != "environment":
            module = found.group(1) or found.group(2)
            return Symptom(**common, key=("barred", module), evidence=evidence, about=about, module=module)  # type: ignore[arg-type]
        lost = NO_NAME.search(line) or NO_MODULE.search(line)
        if lost and judged.check.rung != "environment":
            key, module = self._accused(line)
            return Symptom(**common, key=key, evidence=evidence, about=about, known=known, module=module)  # type: ignore[arg-type]
        if found := PTH.match(line):
            words = re.split(r"[-_.\s]+", re.split(r"[\\/]", found.group(1))[-1]) + re.split(r"[\\/.\s,]+", line.rpartition(": ")[2])
            names = frozenset(self.names[word.lower()] for word in words if word.lower() in self.names)
            return Symptom(**common, key=("pth", found.group(1)), evidence=evidence, about=names, known=known)  # type: ignore[arg-type]
        if found := LEFT.search(line):
            tails = {name: dist for name, dist in self.names.items() if name[1:] == found.group(1).partition("-")[0].lower()}
            return Symptom(**common, key=(name, ""), evidence=evidence, about=frozenset(tails.values()), known=known)  # type: ignore[arg-type]
        told = re.sub(r"\d+", "0", line.partition("\n")[2] or line)
        key = (name, "" if judged.check.rung == "environment" else _short(told))
        return Symptom(**common, key=key, evidence=evidence, about=about, known=known)  # type: ignore[arg-type]

    def _accused(self, text: str) -> tuple[tuple[str, str], str]:
        """((kind, accused), module) of Python's own words about an import."""
        if found := NO_NAME.search(text):
            return ("lacks", f"{found.group(2)}.{found.group(1)}"), found.group(2)
        found = NO_MODULE.search(text)
        assert found
        return self._missing(found.group(1)), found.group(1)

    def _missing(self, module: str) -> tuple[str, str]:
        facts = self.staged.ask("environment").facts or {"entries": []}
        top = module.partition(".")[0]
        if "." in module and any(place["offers"].get(top) for place in facts["entries"]):
            return "lacks", module
        return "missing", self.distribution_of(module)

    def _unanswered(self, judged: Judged, seen: Observation, order: int) -> Symptom:
        """The symptom of a question that has no answer: whose import, whose process, whose time limit."""
        first = (seen.message or "").strip().partition("\n")[0]
        evidence = f"{seen.type}: {first}" if seen.type else first
        key, module = self._end(seen, evidence)
        names = {self.distribution_of(module), self.distribution_of(module.rpartition(".")[0] or module)} if module else set()
        return Symptom(
            check=judged.check.id, rung=judged.check.rung, order=order, key=key, evidence=self._proof(seen, evidence), module=module,
            sentence=judged.check.sentence, about=self.about(evidence) | names, observation=seen,
            known=None if key[0] == "barred" else judged.result.knowledge,  # those words are of our own making
        )  # fmt: skip

    def _end(self, seen: Observation, evidence: str) -> tuple[tuple[str, str], str]:
        message = seen.message or ""
        if seen.how == "raised":
            if found := HALTED.search(message):
                module = found.group(1) or found.group(2)
                return ("barred", module), module
            if seen.type in ("ModuleNotFoundError", "ImportError") and (NO_NAME.search(message) or NO_MODULE.search(message)):
                return self._accused(message)
        inner = self.staged.innermost(seen)
        if not inner and seen.id in self.staged.dependencies():
            inner = seen.id.partition(":")[2]  # nothing of it was run: its very text is no Python
        if inner and seen.id.startswith(("import:", "name:")):
            return ("broken", self.distribution_of(inner)), inner
        if seen.how in ENDED and (seen.step or "").startswith("import "):
            module = (seen.step or "")[7:]
            return ("broken", self.distribution_of(module)), module
        return (seen.type or seen.how, _short(re.sub(r"0x[0-9a-f]+|\d+", "0", message.strip()))), inner

    def _proof(self, seen: Observation, evidence: str) -> str:
        if seen.how in ENDED:
            frames = [file for file in Staged.frames(seen) if not file.startswith("<")]
            where = next((file for file in frames if self.staged.package_of(file)), next(iter(frames), ""))
            where = f"; it stood in {where}" if where else ""
            return f"{seen.how}: {seen.message}, while: {seen.step}{where}"[:EVIDENCE_KEPT]
        return evidence[:EVIDENCE_KEPT]


def named(line: str) -> str | None:
    """The known failure that a line alone is."""
    return _named(line)


@cache
def _named(line: str) -> str | None:
    return knowledge.diagnose(knowledge.Failure(type="AssertionError", message=line, text=line))


@cache
def named_import(module: str) -> str | None:
    """The known failure that the absence of a module is."""
    message = f"No module named '{module}'"
    return knowledge.diagnose(knowledge.Failure(type="ModuleNotFoundError", message=message, text=f"ModuleNotFoundError: {message}"))


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
