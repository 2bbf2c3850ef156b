"""What a Python says with less around it: `-V`, without site-packages, without the variables that steer it, one start file at a time.

Runs on the host; called by standstill.py. Every trial has a limit of a few seconds and writes no .pyc. Raises Found with the cause.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import shell

TRIAL_SECONDS = 8.0
SUSPECT_SECONDS = 3.0  # one file alone, without site-packages
LOWEST = (3, 6)
STEERING = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONPLATLIBDIR", "PYTHONCASEOK", "PYTHONMALLOC", "PYTHONIOENCODING")
AGAIN = "make the environment again with a Python of this machine"


class Found(Exception):
    """The cause is known: leave the search."""

    def __init__(self, title: str, evidence: str, cause: str, *fix: str, zh: tuple[str, str] = ("", "")) -> None:
        """zh: title and cause in Chinese."""
        super().__init__(title)
        self.title, self.evidence, self.cause, self.fix, self.zh = title, evidence, cause, fix, zh


def try_with_less(python: Path, said: str) -> None:
    """Start it with less and less around it, and raise Found at the first difference; returns where nothing tells."""
    version = _version(python)
    if version and version < LOWEST:
        shown = ".".join(map(str, version))
        raise Found(
            f"Python {shown} is too old",
            f"{python} is Python {shown}",
            "SlowFast needs Python 3.8 or newer, and our questions 3.6.",
            "make the environment with a newer Python: uv venv --python 3.10 DIR   (or python3.10 -m venv DIR)",
            zh=(f"Python {shown} 太旧", "SlowFast 需要 Python 3.8 或更高，我们的检查程序需要 3.6。"),
        )
    bare = _run(python, "-I", "-S", "-c", "1", env=_without(*STEERING))
    if bare is not None and bare[0] != 0:
        _broken(python, bare[1] or said)
    if bare is None:
        raise Found(
            "this Python does not come to its start",
            f"no end of `{python} -I -S -c 1` within {TRIAL_SECONDS:g} s",
            "Even without packages it hangs: a network drive that is away, or a wrapper that waits for input.",
            f"run it by hand: {python} -I -S -c 1",
            zh=("这个 Python 启动不完", "即使不加载任何包也会卡住：网络盘已断开，或包装脚本在等待输入。"),
        )
    for name in STEERING:
        if name in os.environ:
            with_it, without = _run(python, "-S", "-c", "1", env={**_without(*STEERING), name: os.environ[name]}), bare
            if (with_it is None or with_it[0] != 0) and without[0] == 0:
                raise Found(
                    f"the variable {name} keeps this Python from starting",
                    f"{name}={os.environ[name]}; {last_line(with_it)}",
                    "It was set for another Python (a module system, a conda, a game engine) and every Python reads it.",
                    shell.unsetting(name, shell.own_shell()),
                    f"and take {name} out of your shell profile or system settings",
                    zh=(
                        f"环境变量 {name} 使这个 Python 无法启动",
                        "它是为另一个 Python 设置的（module 系统、conda、游戏引擎），而所有 Python 都会读它。",
                    ),
                )
    with_site = _run(python, "-E", "-c", "1", env=_without(*STEERING))
    if with_site is None or with_site[0] != 0:
        _site(python, with_site)


def _version(python: Path) -> tuple[int, ...]:
    done = _run(python, "-V", env=_without(*STEERING))
    found = re.search(r"^Python (\d+)\.(\d+)", done[1], re.MULTILINE) if done else None
    return tuple(int(part) for part in found.groups()) if found else ()


def _broken(python: Path, said: str) -> None:
    lost = re.search(r"error while loading shared libraries: (\S+?):|Library not loaded: (\S+)|(\S+\.dll) was not found", said)
    if lost:
        name = next(group for group in lost.groups() if group)
        raise Found(
            f"a library that this Python needs is missing: {name}",
            _line(said, name),
            "The installation that it belongs to was moved or upgraded, or LD_LIBRARY_PATH no longer names it.",
            *make_again(python),
            zh=(f"缺少这个 Python 所需的库: {name}", "它所属的安装被移动或升级了，或者 LD_LIBRARY_PATH 里不再有它。"),
        )
    if "GLIBC_" in said or "GLIBCXX_" in said:
        raise Found(
            "this Python was built for a newer system",
            _line(said, "GLIBC"),
            "It comes from a system with newer C libraries than this one.",
            *make_again(python),
            zh=("这个 Python 是为更新的系统编译的", "它来自 C 运行库比本机更新的系统。"),
        )
    if "No module named 'encodings'" in said or "init_fs_encoding" in said:
        raise Found(
            "this Python does not find its standard library",
            _line(said, "encodings"),
            "The installation is incomplete, or was moved after it was made.",
            *make_again(python),
            zh=("这个 Python 找不到它的标准库", "安装不完整，或者装好之后被移动过。"),
        )
    raise Found(
        "this Python does not start",
        last_line((1, said)),
        f"Even without packages and without variables it ends: {last_line((1, said))}",
        *make_again(python),
        zh=("这个 Python 无法启动", f"即使没有任何包和环境变量也会结束: {last_line((1, said))}"),
    )


def _site(python: Path, done: tuple[int, str] | None) -> None:
    """It starts without site-packages: a .pth file, sitecustomize or usercustomize is the culprit; which, their contents tell."""
    hangs = done is None
    suspects = list(_suspects(python))
    guilty = next((path for path in suspects if _is_guilty(python, path, hangs=hangs)), None)
    what = f"{guilty}" if guilty else "a .pth file, sitecustomize.py or usercustomize.py"
    how = f"no end within {TRIAL_SECONDS:g} s" if hangs else last_line(done)
    raise Found(
        f"{what} {'hangs' if hangs else 'breaks'} the start of this Python",
        how,
        "Python reads .pth files, sitecustomize and usercustomize whenever it starts; with -S, which leaves them out, it starts.",
        f"rename it, so that Python no longer reads it: {shell.written(['mv', str(guilty), f'{guilty}.off'], shell.own_shell())}"
        if guilty
        else f"look into {', '.join(map(str, suspects[:5]))}",
        zh=(
            f"{guilty or '某个 .pth 文件、sitecustomize.py 或 usercustomize.py'} 使这个 Python {'启动时卡住' if hangs else '无法启动'}",
            "Python 每次启动都会读取 .pth 文件、sitecustomize 和 usercustomize；加 -S 跳过它们就能启动。",
        ),
    )


def _is_guilty(python: Path, path: Path, *, hangs: bool) -> bool:
    """Whether this file alone keeps a Python that has not read any other from coming to its end."""
    program = (
        f"import site; site.addpackage({str(path.parent)!r}, {path.name!r}, set())"
        if path.suffix == ".pth"
        else f"import sys; sys.path.insert(0, {str(path.parent)!r}); import {path.stem}"
    )
    done = _run(python, "-I", "-S", "-c", program, env=_without(*STEERING), seconds=SUSPECT_SECONDS)
    return done is None if hangs else done is not None and done[0] != 0


def _suspects(python: Path) -> Iterator[Path]:
    """What Python reads at its start: sitecustomize first, then .pth files, of its own site-packages and of the person's."""
    listing = _run(
        python,
        "-I",
        "-S",
        "-c",
        "import site,sys;print('\\n'.join(site.getsitepackages()+[site.getusersitepackages()]+sys.path))",
        env=_without(*STEERING),
    )
    home = python.parent.parent
    folders = [*home.glob("lib/python*/site-packages"), *home.glob("Lib/site-packages")]  # its own first: without site it is no environment
    folders += [Path(line.strip()) for line in (listing[1] if listing else "").splitlines() if line.strip()]
    folders += [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    seen: set[Path] = set()
    for folder in folders:
        if folder in seen or not folder.is_dir():
            continue
        seen.add(folder)
        yield from (folder / name for name in ("sitecustomize.py", "usercustomize.py") if (folder / name).is_file())
        yield from sorted(folder.glob("*.pth"))


def text_of(path: Path) -> str:
    """The text of a file, or nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _without(*names: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in names}


def _run(python: Path, *arguments: str, env: dict[str, str], seconds: float = TRIAL_SECONDS) -> tuple[int, str] | None:
    """(status, all that it said), or None when it took too long. Writes no .pyc."""
    try:
        done = subprocess.run(
            [str(python), "-B", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        return 126, f"{python}: {error.strerror or error}"
    return done.returncode, done.stdout.decode("utf-8", "replace")


def last_line(done: tuple[int, str] | None) -> str:
    """The last line that tells something of what was said; of what took too long, that it did."""
    if done is None:
        return f"no end within {TRIAL_SECONDS:g} s"
    lines = [line.strip() for line in done[1].splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"Error|rror:|annot|No module|not found", line)]
    return (telling or lines or [f"exit status {done[0]}"])[-1][:400]


def _line(text: str, word: str) -> str:
    return next((line.strip()[:400] for line in text.splitlines() if word in line), text.strip()[:400])


def runnable(python: Path) -> str:
    """The command that makes a file executable."""
    return shell.written(["chmod", "+x", str(python)], "sh")


def make_again(python: Path) -> tuple[str, ...]:
    """What to do where the environment itself is lost."""
    home = python.parent.parent
    if (home / "pyvenv.cfg").is_file():
        by_uv = "uv = " in text_of(home / "pyvenv.cfg")
        command = ["uv", "venv", "--clear", str(home)] if by_uv else ["python3", "-m", "venv", "--clear", str(home)]
        return f"{AGAIN}: {shell.written(command, shell.own_shell())}", "and install into it what was there (its site-packages still tell)"
    return (f"{AGAIN}, or install that Python again",)
