"""How a cause is worded where no known failure has words for it: title, reason, proof, id. Runs on the host; called by cause.py."""

from __future__ import annotations

from collections.abc import Sequence

from . import knowledge
from .staged import ENDED
from .symptom import Symptom

SHOWN = 3  # lines of one check that are quoted
OWN_KINDS = ("missing", "version", "lacks", "broken", "lost")  # what an id of ours is made of where no known failure has one


def words(symptoms: Sequence[Symptom], known: str | None, subject: str) -> tuple[str, str]:
    """(title, reason) of a cause: those of its known failure, or ours."""
    if known:
        row = knowledge.known(known)
        return row.title, " ".join(row.explain.cause.split())
    first = symptoms[0]
    kind, accused = first.key
    seen = first.observation
    if kind == "missing" and first.data:
        names = first.data["names"].split()
        return (
            f"{len(names)} packages that {subject} needs are not installed: {', '.join(names[:8])}" + (", ..." if len(names) > 8 else ""),
            "The installation stopped on its way, or this is another environment than the one that it went into.",
        )
    if kind == "missing":
        return f"{accused} is not installed", f"It is on no entry of the search path, and {subject} imports it."
    if kind == "version":
        return f"{accused} is of a version that does not fit", first.evidence
    if kind == "pth":
        return f"{accused} leads nowhere", "What it was written for was moved, renamed or taken away after it was installed."
    if kind == "lost":
        return f"{accused} is not whole", "The installation stopped on its way, the disk was full, or something took files away."
    if kind == "lacks":
        return f"{accused} does not exist in what is installed", "Another version of the package is installed than the one that has it."
    if kind in ("broken", "barred") and seen is not None and seen.how in ENDED:
        how = {"hung": "does not end", "died": "ends the process", "memory": "takes all the memory"}[seen.how]
        return (
            f"the import of {accused} {how}",
            f"{seen.message}. Usually its compiled part belongs to other versions, or a file is damaged.",
        )
    if kind in ("broken", "barred"):
        return (
            f"{accused} is installed and does not import",
            "Its files are damaged, incomplete, or made for other versions than those beside it.",
        )
    return negated(first), first.evidence if first.evidence != first.sentence else first.sentence


def proof(symptoms: Sequence[Symptom]) -> str:
    """The line that proves it; of a check that lists, the first few and how many there are."""
    lines = list(dict.fromkeys(symptom.evidence for symptom in symptoms if symptom.check == symptoms[0].check))
    more = f" (and {len(lines) - SHOWN} more)" if len(lines) > SHOWN else ""
    return "; ".join(lines[:SHOWN]) + more


def own_id(first: Symptom) -> str:
    """An id of ours for what no known failure names: `missing:scipy`, or the check that shows it."""
    return ":".join(first.key).replace(" ", "-") if first.key[0] in OWN_KINDS else first.check.partition("[")[0]


def negated(symptom: Symptom) -> str:
    """A title for what no known failure names: the first words of the evidence, which already say what is wrong."""
    return symptom.evidence if len(symptom.evidence) <= 120 else f"{symptom.evidence[:117]}..."
