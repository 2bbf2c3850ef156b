"""An examination as a person reads it: two lines where all is well, and for each cause what, why, the proof and the way out.

Runs on the host; called by the `doctor` command. Prints an Examination and knows nothing else.
"""

from __future__ import annotations

from .columns import wide
from .findings import Cause, Examination, Note
from .language import Language, of
from .pages import failure_page

LABELS: dict[Language, dict[str, str]] = {
    "en": {"cause": "cause", "evidence": "evidence", "fix": "fix", "more": "more", "or": "or"},
    "zh": {"cause": "原因", "evidence": "证据", "fix": "修复", "more": "详情", "or": "或"},
}

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "note": "note", "more notes": "note: and {n} more (--json lists them)",
        "own": "note: {n} check{s} of {subject}'s own faults fail in every environment: {ids}",
        "not verified": "not verified: {n} check{s}", "json tells": " (--json tells why)",
        "follow": "{n} further check{s} because of it", "unreached": "{n} were not reached", "and": ", ",
    },
    "zh": {
        "note": "提示", "more notes": "提示: 另有 {n} 条（--json 全部列出）",
        "own": "提示: {subject} 自身的缺陷使 {n} 项检查在任何环境里都失败: {ids}",
        "not verified": "not verified（未能验证）: {n} 项检查", "json tells": "（--json 写明原因）",
        "follow": "因此还有 {n} 项检查失败", "unreached": "{n} 项没有检查到", "and": "，",
    },
}  # fmt: skip

NOTES_SHOWN = 6
REASON_KEPT = 70
NOTE_KEPT = 200  # characters; --json has all of it


def summary(found: Examination, language: Language = "en") -> str:
    """One line: what was examined, how far it got, in which time."""
    target = found.target
    facts = [f"Python {target['python']}"] if target.get("python") else []
    facts += [f"{name} {target[name]}" for name in ("torch", "torchvision") if target.get(name)]
    what = target["name"] + (f" ({', '.join(facts)})" if facts else "")
    if language == "zh":
        return _summary_zh(found, what)
    if found.verdict == "healthy":
        return f"healthy: {what} is right for {found.subject} up to {found.reached}; {found.passed} checks in {found.seconds:.1f} s"
    if found.verdict == "not verified":
        return f"not verified: nothing could be judged of {what}"
    count = len(found.causes)
    reached = f"it got as far as {found.reached}" if found.reached else "it does not get past the environment"
    return f"{count} problem{'s' if count > 1 else ''}: {what} for {found.subject}; {reached}; {found.seconds:.1f} s"


def _summary_zh(found: Examination, what: str) -> str:
    if found.verdict == "healthy":
        return f"healthy（正常）：{what} 适合 {found.subject}，一直验证到 {found.reached}；{found.passed} 项检查，{found.seconds:.1f} 秒"
    if found.verdict == "not verified":
        return f"not verified（未能验证）：{what} 无法作任何判断"
    reached = f"验证到 {found.reached} 为止" if found.reached else "环境这一级就没有通过"
    return f"{len(found.causes)} 个问题：{what}（{found.subject}）；{reached}；{found.seconds:.1f} 秒"


def first_level(found: Examination, language: Language) -> str:
    """One line while the examination goes on: what the environment alone shows."""
    count = len(found.causes)
    if language == "zh":
        return f"environment: {f'{count} 个问题' if count else '一切正常'}，{found.passed} 项检查，{found.seconds:.1f} 秒；接着检查后面各级"
    problems = f"{count} problem{'s' if count != 1 else ''}" if count else "all is well"
    return f"environment: {problems}, {found.passed} checks in {found.seconds:.1f} s; the rest of the ladder follows"


def lines(found: Examination, language: Language = "en") -> list[str]:
    """The whole report, in the language that was asked for; what programs printed, and commands, stay as they are."""
    words = WORDS[language]
    out = [summary(found, language)]
    for number, cause in enumerate(found.causes, 1):
        out += ["", *_cause(cause, number if len(found.causes) > 1 else 0, language)]
    if found.causes and (found.notes or found.not_verified):
        out.append("")
    own = [note for note in found.notes if note.own]
    others = [note for note in found.notes if not note.own]
    out += [_note(note, language) for note in others[:NOTES_SHOWN]]
    if len(others) > NOTES_SHOWN:
        out.append(words["more notes"].format(n=len(others) - NOTES_SHOWN))
    if own:
        checks = sum(len(note.checks) for note in own)
        ids = ", ".join(sorted({note.id for note in own}))
        out.append(words["own"].format(n=checks, s="s" if checks > 1 else "", subject=found.subject, ids=ids))
    if found.not_verified:
        count = sum(len(row.checks) for row in found.not_verified)
        line = words["not verified"].format(n=count, s="s" if count > 1 else "")
        if found.causes:
            out.append(line + words["json tells"])
        else:
            reasons = "; ".join(f"{row.reason.splitlines()[0][:REASON_KEPT]} ({len(row.checks)})" for row in found.not_verified[:4])
            out.append(f"{line}: {reasons}" + ("; ..." if len(found.not_verified) > 4 else ""))
    return out


def title(cause: Cause, language: Language) -> str:
    """What is wrong, in one sentence, in the language that was asked for."""
    return of(language, cause.title, cause.title_zh)


def reason(cause: Cause, language: Language) -> str:
    """Why, in one paragraph, in the language that was asked for."""
    return of(language, cause.cause, cause.cause_zh)


def _cause(cause: Cause, number: int, language: Language) -> list[str]:
    head, label = f"{number}. " if number else "", LABELS[language]
    named = title(cause, language)
    out = [f"{head}[{cause.rung}] {named}"]
    why = reason(cause, language)
    if why and why != named:
        out.append(f"   {label['cause']}: {why}")
    if cause.evidence not in (cause.title, cause.cause):
        out.append(f"   {label['evidence']}: {cause.evidence}")
    lead = f"   {label['fix']}: "
    fix = of(language, cause.fix, cause.fix_zh)
    out += [f"{lead}{line}" if not index else f"{' ' * wide(lead)}{line}" for index, line in enumerate(fix)]
    if cause.known:
        page = failure_page(cause.id)
        out.append(f"   {label['more']}: slowfast-verify explain {cause.id}" + (f" {label['or']} {page}" if page else ""))
    follows, words = [], WORDS[language]
    if cause.consequences:
        count = len(cause.consequences)
        follows.append(words["follow"].format(n=count, s="s fail" if count > 1 else " fails"))
    if cause.unreached:
        follows.append(words["unreached"].format(n=len(cause.unreached)))
    return [*out, f"   {words['and'].join(follows)}"] if follows else out


def _note(note: Note, language: Language) -> str:
    first = next(
        (line for line in of(language, note.fix, note.fix_zh) if not line.startswith(("FROM ", "USER "))), ""
    )  # of a Dockerfile, what it does
    fix = f" -> {first}" if first else ""
    said = note.evidence if len(note.evidence) <= NOTE_KEPT else f"{note.evidence[: NOTE_KEPT - 3]}..."
    return f"{WORDS[language]['note']}: [{note.rung}] {said}{fix}"
