"""Writes the READMEs' table of speeds from bench/*.json: `python bench/table.py`; `--check` compares and writes nothing.

A figure that nobody has measured yet is left out; every row says where it was measured and under which load.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slowfast_verify.generated import settle

BENCH = Path(__file__).resolve().parent
BEGIN, END = "<!-- how fast -->", "<!-- end -->"
Figures = Callable[[Any], dict[str, str]]


def each(key: str, shown: str, named: str = "cell") -> Figures:
    """{where: figure} of all results that have the key; `shown` formats it."""
    return lambda whole: {str(row[named]): shown.format(**row) for row in whole["results"] if key in row}


def largest(by: str, needs: str, figure: Callable[[dict[str, Any]], str], where: str) -> Figures:
    """The figure of the result with the most of `by`."""

    def read(whole: Any) -> dict[str, str]:
        rows = sorted((row for row in whole["results"] if by in row and needs in row), key=lambda row: int(row[by]))
        return {where.format(**rows[-1]): figure(rows[-1])} if rows else {}

    return read


#: (name, file, its figures, what it says in English, in Chinese)
ROWS: list[tuple[str, str, Figures, str, str]] = [
    ("verify_over_floor", "verify_over_floor", each("verify_over_floor", "{verify_over_floor} ×"),
     "the whole ladder, over the bare work of its questions in one script", "完整验证，与把同样的问题直接写成一个脚本相比"),
    ("verify_over_plain", "plain", each("verify_over_plain", "{verify_over_plain} ×"),
     "the same, over plain pytest with one process for each question", "同上，与每个问题各开一个进程的普通 pytest 相比"),
    ("doctor_over_collect_env", "doctor", each("doctor_over_collect_env", "{doctor_over_collect_env} ×"),
     "the doctor's first level, over `torch.utils.collect_env`", "`doctor` 的第一级检查，与 `torch.utils.collect_env` 相比"),
    ("warm_provision_over_pip", "provision", each("warm_provision_over_pip", "{warm_provision_over_pip} ×"),
     "building a cell from warm caches, over pip with the same lock", "缓存已热时搭建一个环境，与 pip 安装同一锁文件相比"),
    ("clone_over_pip", "provision", each("clone_over_pip", "{clone_over_pip} ×"),
     "a clone of a cell that stands, over the same", "克隆一个现成的环境，与上面的 pip 相比"),
    ("matrix", "matrix", largest("cells", "matrix_over_climbs", lambda row: f"{row['matrix_over_climbs']} ×", "{cells} cells"),
     "`nox -s matrix`, over its cells climbed one by one", "`nox -s matrix`，与逐个验证各环境相比"),
    ("resolve", "resolve", largest("cells", "seconds_per_cell", lambda row: f"{row['seconds_per_cell']} s", "{cells} cells"),
     "resolving one cell of another machine", "解析另一台机器的一个组合"),
    ("report", "report", largest("records", "query", lambda row: f"{row['query']['seconds']} s", "{records} records"),
     "a question to a collection of records", "查询一份记录集"),
    ("diagnose", "diagnose", lambda whole: {f"{whole['known_failures']} known failures": f"{whole['one_log_seconds']['median']} s"},
     "`diagnose` for one log, from start to answer", "`diagnose` 一份日志，从启动到给出答案"),
    ("help", "help", lambda whole: {f"Python {row['python']}": f"{row['median']} s" for row in whole["results"]},
     "the command with `--help`, from start to end", "命令加 `--help`，从启动到结束"),
    ("new_user", "new_user", each("commands", "{seconds} s", "system"),
     "three commands: from `git clone` to the doctor's first verdict on a fresh machine, downloads included",
     "三条命令：在全新的机器上从 `git clone` 到 `doctor` 的第一个判断，含下载"),
    ("dashboard", "dashboard", largest("records", "filter_ms", lambda row: f"{row['filter_ms']['median']} ms", "{records} records"),
     "a filter on the dashboard", "仪表板上的一次筛选"),
]  # fmt: skip
HEADS = {
    "README.md": ("| | figure | where | load, cores |", "Measured; none is a promise. The scripts and all figures: [bench/](bench/)."),
    "README.zh-CN.md": ("| | 数值 | 对象 | 负载，核数 |", "均为实测，不是承诺；脚本与全部数据见 [bench/](bench/)。"),
}


def table(readme: str, folder: Path = BENCH) -> str:
    """The block between the markers, in the README's language."""
    head, about = HEADS[readme]
    lines = [head, "|---|---|---|---|"]
    for name, file, figures, english, chinese in ROWS:
        path = folder / f"{file}.json"
        if not path.exists():
            continue
        whole = json.loads(path.read_text(encoding="utf-8"))
        about_machine = whole["machine"]
        load = about_machine.get("load_before", about_machine.get("load_after"))
        said = chinese if "zh" in readme else english
        lines += [
            f"| `{name}`: {said} | {value} | {where} | {load:.1f}, {about_machine['cores']} |" for where, value in figures(whole).items()
        ]
    return "\n".join([BEGIN, about, "", *lines, END])


def replaced(text: str, block: str) -> str:
    """The README with the block between its markers exchanged."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"the README has no {BEGIN} ... {END}")
    return before + block + after


def main() -> int:
    """Both READMEs; 1 where --check finds one that says something else."""
    readmes = [BENCH.parent / name for name in HEADS]
    texts = {path: replaced(path.read_text(encoding="utf-8"), table(path.name)) for path in readmes}
    return settle(texts, sys.argv[1:], "python bench/table.py")


if __name__ == "__main__":
    sys.exit(main())
