"""An examination as a person reads it: two lines where all is well, and for each cause what, why, the proof and the way out.

Runs on the host; called by the `doctor` command. Prints an Examination and knows nothing else.
"""

from __future__ import annotations

from .findings import Cause, Examination, Note
from .pages import failure_page

NOTES_SHOWN = 6
REASON_KEPT = 70
NOTE_KEPT = 200  # characters; --json has all of it


def summary(found: Examination) -> str:
    """One line: what was examined, how far it got, in which time."""
    target = found.target
    facts = [f"Python {target['python']}"] if target.get("python") else []
    facts += [f"{name} {target[name]}" for name in ("torch", "torchvision") if target.get(name)]
    what = target["name"] + (f" ({', '.join(facts)})" if facts else "")
    if found.verdict == "healthy":
        return f"healthy: {what} is right for {found.subject} up to {found.reached}; {found.passed} checks in {found.seconds:.1f} s"
    if found.verdict == "not verified":
        return f"not verified: nothing could be judged of {what}"
    count = len(found.causes)
    reached = f"it got as far as {found.reached}" if found.reached else "it does not get past the environment"
    return f"{count} problem{'s' if count > 1 else ''}: {what} for {found.subject}; {reached}; {found.seconds:.1f} s"


def lines(found: Examination) -> list[str]:
    """The whole report."""
    out = [summary(found)]
    for number, cause in enumerate(found.causes, 1):
        out += ["", *_cause(cause, number if len(found.causes) > 1 else 0)]
    if found.causes and (found.notes or found.not_verified):
        out.append("")
    own = [note for note in found.notes if note.own]
    others = [note for note in found.notes if not note.own]
    out += [_note(note) for note in others[:NOTES_SHOWN]]
    if len(others) > NOTES_SHOWN:
        out.append(f"note: and {len(others) - NOTES_SHOWN} more (--json lists them)")
    if own:
        checks = sum(len(note.checks) for note in own)
        out.append(f"note: {checks} check{'s' if checks > 1 else ''} of {found.subject}'s own faults fail in every environment: "
                   f"{', '.join(sorted({note.id for note in own}))}")  # fmt: skip
    if found.not_verified and found.causes:
        count = sum(len(row.checks) for row in found.not_verified)
        out.append(f"not verified: {count} check{'s' if count > 1 else ''} (--json tells why)")
    elif found.not_verified:
        count = sum(len(row.checks) for row in found.not_verified)
        reasons = "; ".join(f"{row.reason.splitlines()[0][:REASON_KEPT]} ({len(row.checks)})" for row in found.not_verified[:4])
        more = "; ..." if len(found.not_verified) > 4 else ""
        out.append(f"not verified: {count} check{'s' if count > 1 else ''}: {reasons}{more}")
    return out


def _cause(cause: Cause, number: int) -> list[str]:
    head = f"{number}. " if number else ""
    out = [f"{head}[{cause.rung}] {cause.title}"]
    if cause.cause and cause.cause != cause.title:
        out.append(f"   cause: {cause.cause}")
    if cause.evidence not in (cause.title, cause.cause):
        out.append(f"   evidence: {cause.evidence}")
    out += [f"   fix: {line}" if not index else f"        {line}" for index, line in enumerate(cause.fix)]
    if cause.known:
        page = failure_page(cause.id)
        out.append(f"   more: slowfast-verify explain {cause.id}" + (f" or {page}" if page else ""))
    follows = []
    if cause.consequences:
        count = len(cause.consequences)
        follows.append(f"{count} further check{'s fail' if count > 1 else ' fails'} because of it")
    if cause.unreached:
        follows.append(f"{len(cause.unreached)} were not reached")
    return [*out, f"   {', '.join(follows)}"] if follows else out


def _note(note: Note) -> str:
    first = next((line for line in note.fix if not line.startswith(("FROM ", "USER "))), "")  # of a Dockerfile, what it does
    fix = f" -> {first}" if first else ""
    said = note.evidence if len(note.evidence) <= NOTE_KEPT else f"{note.evidence[: NOTE_KEPT - 3]}..."
    return f"note: [{note.rung}] {said}{fix}"
