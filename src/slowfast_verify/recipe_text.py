"""A recipe as it is printed: one script in which everything but the commands is a comment, in English or Chinese. Pure."""

from __future__ import annotations

import re

from . import knowledge, script
from .errors import Problem
from .index import index
from .instructions import steps as instructions_of
from .nearest import Answer
from .recipe import Recipe
from .script import Form

WORDS = {
    "en": {
        "ran as printed": "ran as printed: these commands made the environment that climbed to `{reached}` on {date}",
        "verified": "verified cell, commands not yet run as they stand: the cell climbed to `{reached}` on {date} with these pins{runner}",
        "resolves": "predicted, never run: these versions resolve together (uv, {date}), nobody installed them",
        "predicted": "predicted, never run: spanned by the data, asked of nobody",
        "beside": "predicted, never run: this build of torch was out of reach; what goes beside it was resolved (uv, {date})",
        "binding": "predicted, never run for what you asked: {differences}",
        "under": " ({runner})",
        "asked": "asked",
        "detected": "this machine",
        "differs": "differs from what was asked",
        "nothing": "nothing",
        "evidence": "evidence",
        "needs": "needs",
        "needs_none": "nothing beside the installer",
        "pins": "versions",
        "lock": "every one from the lock of that record",
        "resolution": "every one from the resolution",
        "stack": "torch and what must be held; the rest is the newest that fits",
        "refused": "not offered",
        "nearest": "nearest cell that ran",
        "its_recipe": "its commands",
        "breaks": "known to fail there all the same",
        "then": "then",
        "known": "known on this system",
        "note": "note",
    },
    "zh": {
        "ran as printed": "原样运行过：正是这些命令在 {date} 建成了环境，并一直验证到 `{reached}`",
        "verified": "单元已验证，但命令本身尚未原样运行：该单元 {date} 用同样的版本验证到 `{reached}`{runner}",
        "resolves": "predicted（预测），从未运行：这些版本可以一起解析（uv，{date}），没有人安装过",
        "predicted": "predicted（预测），从未运行：数据里有这个组合，尚未求解",
        "beside": "predicted（预测），从未运行：取不到这一版 torch，与它相配的其余版本已求解（uv，{date}）",
        "binding": "predicted（预测），没有为你的要求运行过：{differences}",
        "under": "（{runner}）",
        "asked": "要求",
        "detected": "本机",
        "differs": "与要求不同之处",
        "nothing": "无",
        "evidence": "证据",
        "needs": "需要",
        "needs_none": "除安装器外不需要别的",
        "pins": "版本",
        "lock": "全部取自该记录的锁文件",
        "resolution": "全部取自求解结果",
        "stack": "只固定 torch 与必须固定的包，其余取能装的最新版",
        "refused": "没有采用",
        "nearest": "最近的已运行单元",
        "its_recipe": "它的命令",
        "breaks": "即使装好也会失败的已知问题",
        "then": "然后",
        "known": "此系统的已知问题",
        "note": "注意",
    },
}


def form_of(answer: Answer, asked: str = "") -> Form:
    """The language of the commands: the one that was asked for, else that of the person's shell, else the cell's first."""
    offered = list(answer.recipe.blocks)
    if asked:
        if asked not in script.FORMS:
            raise Problem(f"there is no --shell {asked}", where="--shell", next=f"write one of {', '.join(script.FORMS)}")
        if asked not in offered:
            raise Problem(
                f"{answer.recipe.cell} has no commands for {asked}",
                where="--shell", cause="a cell's commands are written for its own system and installer",
                next=f"--shell {offered[0]}" if offered else "another cell",
            )  # fmt: skip
        return next(form for form in offered if form == asked)
    return next((form for form in offered if form == answer.wanted.shell), offered[0])


def headline(answer: Answer, form: Form, language: str = "en") -> str:
    """The first line: how sure these commands are."""
    words, found = WORDS[language], answer.recipe
    seen = found.evidence
    if answer.predicted and not found.predicted:
        return words["binding"].format(differences="; ".join(found.differences))
    proof: str = found.blocks[form].proof if seen else found.proof
    proof = "beside" if proof == "predicted" and found.versions == "resolution" else proof
    runner = words["under"].format(runner=seen.runner) if seen and seen.runner != "native" else ""
    date = seen.date if seen else found.resolved
    return words[proof].format(reached=seen.reached or "-" if seen else "", date=date, runner=runner)


def printed(answer: Answer, form: Form, language: str = "en") -> str:
    """The whole answer as one script."""
    words, found = WORDS[language], answer.recipe
    block = found.blocks[form]
    head = [headline(answer, form, language), f"{found.title}  [{found.cell}]"]
    if answer.wanted.detected:
        head.append(f"{words['detected']}: {'; '.join(answer.wanted.detected)}")
    head.append(f"{words['asked']}: {', '.join(answer.wanted.words())}")
    head.append(f"{words['differs']}: {words['nothing'] if not found.differences else ''}".rstrip())
    head += [f"  - {line}" for line in found.differences]
    head += [f"{words['evidence']}: {line}" for line in evidence_lines(found)]
    head.append(f"{words['pins']}: {words['stack' if found.versions == 'pins' else found.versions]}")
    head += [f"{words['refused']}: {line}" for line in answer.refused]
    if answer.nearest_run:
        near = answer.nearest_run
        head.append(f"{words['nearest']}: {near.cell} ({'; '.join(answer.nearest_run_differs) or words['nothing']})")
        head += [f"  {line}" for line in evidence_lines(near)]
        head.append(f"  {words['its_recipe']}: slowfast-verify recipe --cell {near.cell}")
    head += [f"{words['breaks']}: {', '.join(found.breaks)} (slowfast-verify explain ID)"] if found.breaks else []
    head.append(f"{words['needs']}: {', '.join(found.needs) or words['needs_none']}")
    tail = [f"{words['note']}: {line}" for line in found.notes] + known_lines(answer, language)
    tail.append(f"{words['then']}: slowfast-verify doctor {script.ENV}")
    lines = [line for text in head for line in script.comment(text, form)]
    lines += [_commented(block.text.rstrip("\n"), language)]
    return "\n".join([*lines, *(line for text in tail for line in script.comment(text, form))]) + "\n"


def _commented(text: str, language: str) -> str:
    """The commands with their comments in the language of the answer; the commands themselves are the same in all of them."""
    if language == "en":
        return text
    told = {step["why"]: step["why_zh"] for entry in index().known for step in entry.shown["fix"] if step["why_zh"]}
    text = re.sub(r"(?m)^((?:#|rem) )workaround: (.*)$", lambda hit: f"{hit[1]}变通: {told.get(hit[2], hit[2])}", text)
    text = re.sub(r"(?m)^((?:#|rem) )(\S+) without its compiled part$", r"\1\2 不带编译部分", text)
    return re.sub(r"(?m)^((?:#|rem) )or in one line: ", r"\1或者用一行: ", text)


def evidence_lines(found: Recipe) -> list[str]:
    """Where what was seen of a cell is kept."""
    seen = found.evidence
    if not seen:
        return []
    lines = [f"{seen.path}, {seen.lock} ({seen.date}, {seen.runner}, reached {seen.reached or 'nothing'})"]
    return lines + ([seen.tried] if seen.tried and seen.tried != seen.path else [])


def known_lines(answer: Answer, language: str = "en") -> list[str]:
    """The known failures of the system, each with what mends it."""
    lines = []
    for name in answer.known:
        row = knowledge.known(name)
        lines.append(f"{WORDS[language]['known']}: {row.title_zh if language == 'zh' else row.title} [{name}]")
        system = answer.recipe.cell.partition("-")[0]
        for action in row.fix[:2]:
            fits = [
                step
                for step in instructions_of(action, shell="powershell" if system == "windows" else "sh")
                if not step.for_ or system in step.for_
            ]
            lines += [f"  {step.text_zh if language == 'zh' and step.text_zh else step.text}" for step in fits[:1]]
    return lines


def as_json(answer: Answer) -> str:
    """The answer as one document, with every language's commands."""
    return answer.model_dump_json(indent=1)
