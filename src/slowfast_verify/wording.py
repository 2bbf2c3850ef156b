"""How a cause is worded where no known failure has words for it: title, reason, proof, id. Runs on the host; called by cause.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import knowledge
from .staged import ENDED
from .symptom import Symptom

SHOWN = 3  # lines of one check that are quoted
ENDS = {
    "hung": ("does not end", "不会结束"),
    "died": ("ends the process", "进程随之结束"),
    "memory": ("takes all the memory", "会占满内存"),
}
OWN_KINDS = ("missing", "version", "lacks", "broken", "lost")  # what an id of ours is made of where no known failure has one


class Words(NamedTuple):
    """What a cause is called and why it happens, in English and in Chinese; Chinese is empty where only a program's own words are told."""

    title: str
    title_zh: str
    cause: str
    cause_zh: str


def words(symptoms: Sequence[Symptom], known: str | None, subject: str) -> Words:
    """The words of a cause: those of its known failure, or ours."""
    if known:
        row = knowledge.known(known)
        return Words(row.title, row.title_zh, " ".join(row.explain.cause.split()), " ".join(row.explain.cause_zh.split()))
    first = symptoms[0]
    kind, accused = first.key
    seen = first.observation
    if kind == "missing" and first.data:
        names = first.data["names"].split()
        some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return Words(
            f"{len(names)} packages that {subject} needs are not installed: {some}",
            f"{subject} 需要的 {len(names)} 个包没有安装：{some}",
            "The installation stopped on its way, or this is another environment than the one that it went into.",
            "安装中途停下了，或者这不是当时安装到的那个环境。",
        )
    if kind == "missing":
        return Words(
            f"{accused} is not installed", f"{accused} 没有安装",
            f"It is on no entry of the search path, and {subject} imports it.", f"搜索路径上哪里都没有它，而 {subject} 要导入它。",
        )  # fmt: skip
    if kind == "version":
        return Words(f"{accused} is of a version that does not fit", f"{accused} 的版本不合适", first.evidence, "")
    if kind == "pth":
        return Words(
            f"{accused} leads nowhere", f"{accused} 指向的位置不存在",
            "What it was written for was moved, renamed or taken away after it was installed.",
            "安装之后，它所指的内容被移动、改名或删除了。",
        )  # fmt: skip
    if kind == "lost":
        return Words(
            f"{accused} is not whole", f"{accused} 不完整",
            "The installation stopped on its way, the disk was full, or something took files away.",
            "安装中途停下、磁盘写满，或者有文件被删掉了。",
        )  # fmt: skip
    if kind == "lacks":
        return Words(
            f"{accused} does not exist in what is installed", f"已安装的版本里没有 {accused}",
            "Another version of the package is installed than the one that has it.", "装的是该包的另一个版本，不是含有它的那个。",
        )  # fmt: skip
    if kind in ("broken", "barred") and seen is not None and seen.how in ENDED:
        how, how_zh = ENDS[seen.how]
        return Words(
            f"the import of {accused} {how}", f"导入 {accused} 时{how_zh}",
            f"{seen.message}. Usually its compiled part belongs to other versions, or a file is damaged.",
            f"{seen.message}。通常是它的编译部分属于别的版本，或者某个文件已损坏。",
        )  # fmt: skip
    if kind in ("broken", "barred"):
        return Words(
            f"{accused} is installed and does not import", f"{accused} 已安装但无法导入",
            "Its files are damaged, incomplete, or made for other versions than those beside it.",
            "它的文件已损坏、不完整，或者是为别的版本制作的。",
        )  # fmt: skip
    return Words(negated(first), "", f"What should hold, and does not: {first.sentence}", "")


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
