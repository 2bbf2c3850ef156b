"""From symptoms to causes: what accuses the same is one cause, and what only follows from another is its consequence.

Runs on the host; called by the doctor. A cause stands on the lowest rung that shows it. Nothing that failed is lost: every failed
check is a cause's own, a consequence, or in a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from . import knowledge
from .action import Action
from .expectation import check_matches
from .findings import Cause, Note
from .knowledge import RUNGS
from .language import Language
from .prescription import Prescriber
from .remedy import remedies
from .staged import Staged, settings
from .symptom import Reader, Symptom
from .wording import OWN_KINDS, own_id, proof, words

TELLING = 12  # characters of a message that is no coincidence when another one contains it
MANY = 4  # distributions that are missing at once are one cause: the installation stopped, or it is another environment
#: Checks whose finding is a note where it speaks of distributions that the subject does not need.
FIRST = (
    ["environment::virtual_environment_is_used"],
    ["environment::python_is_in_range"],
    ["environment::python_is_64_bit"],
)  # nothing else is worth mending before
TORN = ("environment::torch_", "environment::requirements_are_met", "environment::minimum_versions")  # judge by the first record of a name
BYSTANDERS = (
    "requirements_are_met",
    "no_distribution_is_there_twice",
    "no_two_distributions_own_one_import",
    "no_distribution_has_lost_its_files",
    "no_installation_was_interrupted",
    "nothing_is_shadowed",
)


@dataclass
class Group:
    """Symptoms that accuse the same."""

    symptoms: list[Symptom]
    followers: list[Symptom] = field(default_factory=list)

    @property
    def first(self) -> Symptom:
        """The one on the lowest rung."""
        return self.symptoms[0]

    @property
    def known(self) -> str | None:
        """The known failure that it is: the first that any of its own symptoms names."""
        return next((symptom.known for symptom in self.symptoms if symptom.known), None)

    @property
    def about(self) -> frozenset[str]:
        """All distributions that its symptoms speak of."""
        return frozenset().union(*(symptom.about for symptom in self.symptoms))

    @property
    def soft(self) -> bool:
        """Whether nothing but soft checks shows it."""
        return all(is_note(symptom.check) for symptom in self.symptoms)


def is_note(check: str) -> bool:
    """Whether the data calls the failure of this check a note."""
    return any(fnmatchcase(check, row.check) for row in settings().note)


class Causes:
    """Causes and notes of one examination."""

    def __init__(self, staged: Staged, prescriber: Prescriber, reader: Reader) -> None:
        self.staged, self.prescriber, self.reader = staged, prescriber, reader
        self.passed: set[str] = set()
        self.needed = (
            {
                reader.distribution_of(name)
                for row in staged.subject.dependency
                if not row.optional
                for name in (row.distributions[:1] or [])
            }
            | {name for row in staged.subject.dependency if not row.optional for name in map(reader.distribution_of, row.distributions)}
            | {reader.distribution_of(name) for name in staged.subject.modules.packages}
        )

    def of(self, symptoms: Iterable[Symptom], passed: Iterable[str]) -> tuple[list[Cause], list[Note]]:
        """The causes, worst first, and the notes. passed: the rungs on which a check passed."""
        self.passed = set(passed)
        groups = self._grouped(sorted(symptoms, key=lambda s: (RUNGS.index(s.rung), s.order)))
        roots = self._roots(groups)
        notes = [group for group in roots if self._is_note(group)]
        causes = [self._cause(group) for group in roots if group not in notes]
        causes.sort(key=lambda cause: (RUNGS.index(cause.rung), cause.checks[:1] not in FIRST, -len(cause.consequences)))
        return causes, self._notes(notes)

    # ---- grouping ---------------------------------------------------------------------------------------------------------

    def _grouped(self, symptoms: list[Symptom]) -> list[Group]:
        groups: dict[tuple[str, str], Group] = {}
        by_question: dict[str, tuple[str, str]] = {}
        same: dict[tuple[str, str], tuple[str, str]] = {}
        for symptom in symptoms:
            key = self._key(symptom)
            if symptom.key[0] == "barred":  # the module was not importable before: whoever failed then is to blame
                wanted = self.reader.distribution_of(symptom.key[1])
                key = by_question.get(f"import:{symptom.key[1]}") or same.get(("broken", wanted)) or ("broken", wanted)
            elif symptom.key[0] == "lacks":  # a module of the subject that is there and failed by itself
                key = by_question.get(f"import:{symptom.key[1]}", key)
            elif symptom.observation is None and symptom.rung not in ("environment", "imports"):
                key = next(filter(None, (by_question.get(f"import:{name}") for name in _modules_in(symptom.evidence))), key)
            if symptom.key[0] in OWN_KINDS:
                key = same.setdefault(symptom.key, key)
            if symptom.observation and symptom.observation.id.startswith("import:"):
                by_question.setdefault(symptom.observation.id, key)
            groups.setdefault(key, Group([])).symptoms.append(symptom)
        return self._folded(list(groups.values()))

    @staticmethod
    def _folded(groups: list[Group]) -> list[Group]:
        """Many missing distributions become one group."""
        missing = [group for group in groups if group.first.key[0] == "missing" and group.first.rung == "environment"]
        if len(missing) < MANY:
            return groups
        names = sorted({group.first.key[1] for group in missing})
        first = replace(missing[0].first, key=("missing", f"{len(names)} distributions"), known=None, data={"names": " ".join(names)})
        symptoms = [first, *(replace(s, known=None) for group in missing for s in group.symptoms if s is not missing[0].first)]
        return [Group(symptoms) if group is missing[0] else group for group in groups if group is missing[0] or group not in missing]

    def _key(self, symptom: Symptom) -> tuple[str, str]:
        if self._expected(symptom):
            return ("own", symptom.known or "")  # the same fault in a file of the person's is another matter
        if symptom.known and not knowledge.known(symptom.known).generic:
            return ("known", symptom.known)
        return symptom.key

    def _roots(self, groups: list[Group]) -> list[Group]:
        """The groups that follow from no other; the others' symptoms become followers of theirs."""
        roots: list[Group] = []
        there = {group.known for group in groups if group.known}
        for group in sorted(groups, key=lambda group: ([group.first.check] not in FIRST, bool(there & _behind(group)))):
            parent = next((root for root in roots if self._follows(group, root)), None)
            if parent is None:
                roots.append(group)
                continue
            parent.followers += [*group.symptoms, *group.followers]
            if parent.known is None and group.known and parent.first.key[0] != "lost" and self._same(group, parent):
                parent.symptoms[0] = _named(parent.first, group.known)
        return roots

    def _same(self, group: Group, root: Group) -> bool:
        if any(fnmatchcase(group.first.check, row.check) and fnmatchcase(root.first.check, row.of) for row in settings().follows):
            return group.first.rung == root.first.rung
        return group.first.key[1] == root.first.key[1] or bool({group.first.module} & {symptom.module for symptom in root.symptoms} - {""})

    def _follows(self, group: Group, root: Group) -> bool:
        """Whether what a group accuses is already explained by a root that stands below it, or beside it among the imports."""
        if group.known and root.known and root.known in knowledge.known(group.known).consequence_of:
            return True
        first, top = group.first, root.first
        if any(fnmatchcase(first.check, row.check) and fnmatchcase(top.check, row.of) for row in settings().follows):
            return True
        if top.check == "environment::virtual_environment_is_used":  # it does not look where its packages lie
            return first.key[0] == "missing" or first.check == "environment::subject_is_found"
        if top.check == "environment::no_distribution_is_there_twice" and first.check.startswith(TORN):
            return bool(group.about & root.about)  # which of the two records was read is chance
        said = top.evidence.partition(": ")[2]
        if len(said) > TELLING and first.rung != "environment" and any(said in symptom.evidence for symptom in group.symptoms):
            return True
        accused = self._accused(root)
        if first.rung == "environment":
            if first.key[0] == "version" and group.about <= root.about:
                return True
            whole = top.key[0] in ("missing", "lost") and first.key[0] in (
                "version",
                "lost",
                "environment::no_installation_was_interrupted",
            )
            lost = top.key[0] == "pth" and first.check == "environment::subject_is_found"
            return (whole or lost) and bool(accused & group.about)
        if top.rung == "environment" or RUNGS.index(first.rung) > RUNGS.index(top.rung):
            return bool(accused & group.about)
        return False

    def _accused(self, root: Group) -> frozenset[str]:
        """The distributions whose failures a root explains: the one that it accuses, else all that it speaks of."""
        kind, name = root.first.key
        if root.first.data:
            return frozenset(root.first.data["names"].split())
        if kind in OWN_KINDS:
            return frozenset({self.reader.distribution_of(name), name})
        return root.about if root.first.rung in ("environment", "imports") else frozenset()

    # ---- what is told of each ---------------------------------------------------------------------------------------------

    def _is_note(self, group: Group) -> bool:
        if group.followers and not all(is_note(symptom.check) for symptom in group.followers):
            return False
        if group.soft or self._own(group):
            return True
        if all("is left of an interrupted installation" in symptom.evidence for symptom in group.symptoms):
            return True  # beside what is whole it is litter; what it was before is missing on its own account
        bystander = group.first.rung == "environment" and group.about and not group.about & self.needed
        return bool(bystander) and group.first.check.partition("::")[2].partition("[")[0] in BYSTANDERS

    def _own(self, group: Group) -> bool:
        """Whether it is the subject's own fault in every environment: expected there, and nothing that this suite mends by a workaround.

        What leaves a rung without a single check that passes is no note, whoever's fault it is.
        """
        return {symptom.rung for symptom in group.symptoms} <= self.passed and all(map(self._expected, group.symptoms))

    def _expected(self, symptom: Symptom) -> bool:
        """Whether the subject's data expects this check to fail for this cause, and nothing that this suite does mends it."""
        mended = {name for revision in self.staged.subject.revision for name in revision.workarounds}
        rows = [row for row in self.staged.subject.expect if row.cause == symptom.known]
        return bool(symptom.known) and symptom.known not in mended and any(_fits(row.check, symptom.check) for row in rows)

    def _notes(self, groups: list[Group]) -> list[Note]:
        found = []
        for group in groups:
            cause = self._cause(group)
            found.append(
                Note(
                    id=cause.id,
                    rung=cause.rung,
                    title=cause.title,
                    evidence=cause.evidence,
                    fix=cause.fix,
                    fix_zh=cause.fix_zh,
                    checks=[*cause.checks, *cause.consequences],
                    own=self._own(group),
                )
            )
        return found

    def _fix(self, actions: list[Action], mend: str, language: Language) -> list[str]:
        """What to do, a command or a sentence each; mend: what the check itself says mends it."""
        lines = list(dict.fromkeys(line for action in actions for line in self.prescriber.lines(action, language)))
        return self.prescriber.reach.framed([mend, *lines] if mend and not any(action.does for action in actions) else lines)

    def _cause(self, group: Group) -> Cause:
        first = group.first
        known = knowledge.known(group.known) if group.known else None
        wanted = self._actions(group)
        actions = self.prescriber.possible(wanted)
        mend = next((symptom.mend for symptom in group.symptoms if symptom.mend), "") if actions is wanted else ""
        checks = list(dict.fromkeys(s.check for s in group.symptoms if s.rung == first.rung))
        others = [s.check for s in [*group.symptoms, *group.followers] if s.check not in checks]
        said = words(group.symptoms, group.known, self.staged.subject.name)
        return Cause(
            id=known.id if known else own_id(first),
            known=known is not None,
            rung=first.rung,
            **said._asdict(),
            evidence=proof(group.symptoms),
            fix=self._fix(actions, mend, "en"),
            fix_zh=self._fix(actions, mend, "zh"),
            actions=[self.prescriber.filled(action) for action in actions],
            checks=checks,
            consequences=list(dict.fromkeys(others)),
        )

    def _actions(self, group: Group) -> list[Action]:
        known = self.prescriber.of_known(group.known) if group.known else []
        if any(action.does for action in known):
            return known
        return (
            remedies([*group.symptoms, *group.followers], self.prescriber) or known
        )  # what fits this environment says more than advice for all


def _behind(group: Group) -> set[str]:
    """The known failures of which this one is a consequence."""
    return set(knowledge.known(group.known).consequence_of) if group.known else set()


def _named(symptom: Symptom, known: str) -> Symptom:
    return replace(symptom, known=known)


def _modules_in(text: str) -> list[str]:
    """Every dotted name of a sentence, and the packages that it is in."""
    names = [word.split(".") for word in re.findall(r"\w+(?:\.\w+)+", text)]
    return [".".join(parts[:size]) for parts in names for size in range(len(parts), 0, -1)]


def _fits(pattern: str, check: str) -> bool:
    return check_matches(pattern, check)
