"""Why a Python does not start, found out from outside: its file, its links, its variables, and what it says with less around it.

Runs on the host; called by the doctor when a target gave no answer. Looks first and runs last
(trial.py). For a target elsewhere it tells what the way there said.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from . import target as targets
from .executable import made_for, own_format, own_processor
from .findings import Cause
from .intruder import intruder
from .question import Observation
from .trial import Found, last_line, make_again, runnable, try_with_less


def why(target: targets.Target, seen: Observation) -> Cause:
    """The cause. Never raises for what it finds."""
    said = seen.stderr_tail.strip() or seen.traceback or ""
    last = last_line((1, said)) if said else (seen.message or "")[:400]
    try:
        if target.local:
            python = Path(target.argv[0])
            _look_at_file(python)
            _look_at_home(python)
            _look_at_intruder(said, last)
            try_with_less(python, said)
        else:
            _way(target, said or seen.message or "")
        raise Found(
            "this Python does not run our program",
            last or "it said nothing",
            seen.message or "it gave no answer",
            f"try it by hand: {target.name} -c 1",
            zh=("这个 Python 无法运行我们的程序", ""),
        )
    except Found as found:
        number = "environment::python_starts"
        fix = [line for line in found.fix if line]
        return Cause(id=number, rung="environment", title=found.title, title_zh=found.zh[0], cause=found.cause, cause_zh=found.zh[1],
                     evidence=found.evidence, fix=fix, checks=[number])  # fmt: skip


# ---- what the file is ----------------------------------------------------------------------------------------------------


def _look_at_file(python: Path) -> None:
    shown = str(python)
    if python.is_symlink() and not python.exists():
        raise Found(
            f"{shown} is a link that leads nowhere",
            f"{shown} -> {_end_of_link(python)}, which does not exist",
            "The Python that the environment was made from is gone: it was upgraded, moved or removed.",
            *make_again(python),
            zh=(f"{shown} 是一个失效的链接", "创建该环境的 Python 已经不在了：被升级、移动或删除。"),
        )
    if not python.exists():
        raise Found(
            f"there is no {shown}",
            f"{shown} does not exist",
            "The environment lost its interpreter.",
            *make_again(python),
            zh=(f"没有 {shown}", "环境丢失了它的解释器。"),
        )
    if python.is_dir():
        raise Found(
            f"{shown} is a folder",
            f"{shown} is a folder",
            "The path of an interpreter is meant.",
            "name bin/python inside it",
            zh=(f"{shown} 是一个文件夹", "这里应写解释器的路径。"),
        )
    try:
        with python.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise Found(
            f"{shown} cannot be read",
            f"{shown}: {error.strerror}",
            "You have no right to read it.",
            runnable(python),
            zh=(f"{shown} 无法读取", "你没有读取它的权限。"),
        ) from None
    if not head:
        raise Found(
            f"{shown} is empty",
            f"{shown} has 0 bytes",
            "The installation was interrupted, or the disk was full.",
            *make_again(python),
            zh=(f"{shown} 是空文件", "安装被中断，或者磁盘写满了。"),
        )
    _look_at_head(python, head)
    if os.name == "posix" and not os.access(python, os.X_OK):
        raise Found(
            f"{shown} is not executable",
            f"{shown} lacks the permission to be run",
            "The environment was copied through a disk or an archive that keeps no permissions, or the disk is mounted noexec.",
            runnable(python),
            zh=(f"{shown} 没有执行权限", "环境是经由不保留权限的磁盘或压缩包复制来的，或者磁盘以 noexec 挂载。"),
        )


def _look_at_head(python: Path, head: bytes) -> None:
    if head.startswith(b"#!"):
        line = head[2:].partition(b"\n")[0].decode("utf-8", "replace").strip()
        command = Path((line.split() or [""])[0])
        if not command.exists():
            raise Found(
                f"{python} starts with an interpreter that is not there",
                f"#!{line}",
                "The script was written for another place: an environment was moved, or has line ends of Windows.",
                *make_again(python),
                zh=(f"{python} 第一行指定的解释器不存在", "脚本是为另一个位置写的：环境被移动过，或者用了 Windows 的换行。"),
            )
        return
    made, system = made_for(head)
    here, mine = own_processor(), own_format()
    if system is None:
        words = head[:60].decode("ascii", "replace").splitlines() or [""]
        raise Found(
            f"{python} is no program",
            f"it begins with {words[0]!r}",
            "Something else was saved under this name.",
            *make_again(python),
            zh=(f"{python} 不是程序", "用这个名字保存的是别的东西。"),
        )
    if system != mine:
        raise Found(
            f"{python} is a program of another system",
            f"its file format is {system}, this system runs {mine}",
            "The environment was copied from another system: environments cannot be moved.",
            *make_again(python),
            zh=(f"{python} 是另一种系统的程序", "环境是从另一种系统复制来的：环境不能搬移。"),
        )
    emulated = (mine == "Mach-O" and made == "x86_64") or (here == "x86_64" and made == "i386") or (mine == "PE")
    if made and made != here and not emulated:
        raise Found(
            f"{python} is made for another processor",
            f"it is a program for {made}, this machine is {here} (Exec format error)",
            "The environment or the container image was made on another kind of machine.",
            *make_again(python),
            zh=(f"{python} 是为另一种处理器编译的", "环境或容器镜像是在另一种机器上做的。"),
        )


def _end_of_link(path: Path) -> str:
    for _ in range(20):
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    return str(path)


def _look_at_home(python: Path) -> None:
    """A virtual environment names the installation that it was made from."""
    config = python.parent.parent / "pyvenv.cfg"
    try:
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    found = re.search(r"^home\s*=\s*(.+?)\s*$", text, re.MULTILINE)
    if found and not Path(found.group(1)).is_dir():
        raise Found(
            "the Python that this environment was made from is gone",
            f"{config}: home = {found.group(1)}, which does not exist",
            "It was upgraded, moved or removed; the environment borrows its standard library from there.",
            *make_again(python),
            zh=("创建这个环境的 Python 已经不在了", "它被升级、移动或删除；环境要借用它的标准库。"),
        )


def _look_at_intruder(said: str, last: str) -> None:
    """A random.py on PYTHONPATH stands for Python's own in everything that the interpreter runs."""
    found = intruder(said)
    if found:
        raise Found(
            f"{found[0]} stands for Python's own module {found[1]}",
            last,
            f"Whatever imports {found[1]} gets this file: its folder comes before the standard library, by PYTHONPATH or because "
            "one stands in it.",
            "rename the file, or take its folder out of PYTHONPATH",
            zh=(
                f"{found[0]} 遮住了 Python 自己的模块 {found[1]}",
                f"凡是导入 {found[1]} 的都会得到这个文件：它所在的文件夹排在标准库之前（PYTHONPATH 或当前目录）。",
            ),
        )


# ---- elsewhere -----------------------------------------------------------------------------------------------------------


def _way(target: targets.Target, said: str) -> None:
    last = last_line((1, said))
    tool = target.argv[0]
    if "cannot start" in said or ("No such file" in said and tool in said):
        raise Found(
            f"{tool} is not on this machine",
            last,
            f"{target.kind} targets are reached through it.",
            f"install {tool}, or name another target",
            zh=(f"本机没有 {tool}", f"{target.kind} 目标要通过它到达。"),
        )
    words = {
        "container": ("the container does not answer", "It is not running, or has no python3.", f"docker start {target.argv[-2]}"),
        "docker": ("the image has no Python that answers", "Its python3 is not on PATH.", f"{target.name} -V"),
        "ssh": ("the host does not answer", "It is away, refuses the key, or has no python3.", f"ssh {target.argv[-2]} python3 -V"),
        "wsl": ("the distribution does not answer", "It is not installed, or has no python3.", "wsl -l -v"),
        "conda": ("conda finds no such environment", "The name is misspelt, or it is in another conda.", "conda env list"),
        "conda-prefix": ("conda finds no such environment", "The folder is no conda environment.", "conda env list"),
    }
    if target.kind in words:
        title, cause, fix = words[target.kind]
        raise Found(title, last, cause, fix)
