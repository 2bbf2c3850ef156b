"""A Wine prefix from its making to its end, and what a process under Wine gets. Runs on the host; data: matrices/emulators.toml.

Called by ground, target, provision and the loops. Nothing here is ever the cell's fault: Infrastructure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from . import layout
from .emulator import all_emulators
from .ending import end_group
from .errors import Infrastructure

PREFIX_SECONDS = 180.0  # a first start writes some 600 MB of links and files
SERVER_SECONDS = 20.0  # it is asked to end; 0.1 s where it listens
C_UTF8 = ("/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8")
LANGUAGES = ("en_US.utf8", "zh_CN.utf8")


def windows_path(path: str | Path) -> str:
    r"""A path of this machine as a Windows program under Wine sees it: Z: is the root of the file system."""
    text = str(path)
    return "Z:" + text.replace("/", "\\") if text.startswith("/") else text


def wine_variables(prefix: Path) -> dict[str, str]:
    """What a process under Wine needs beside its argv."""
    return {**all_emulators()["wine"].variables(), "WINEPREFIX": str(prefix)}


def make_prefix(prefix: Path) -> None:
    """A fresh Wine prefix that calls itself Windows 10. Raises Infrastructure where Wine does not manage that."""
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    _wine(prefix, "wineboot", "--init")
    _wine(prefix, "winecfg", "-v", "win10")  # a fresh one is Windows 7, on which Python >= 3.9 does not start
    end_server(prefix)
    if not prefix_stands(prefix):
        raise Infrastructure(
            "Wine made no usable prefix", where=str(prefix), cause="it crashed, or the disk is full", next=f"rm -r {prefix}"
        )


def prefix_stands(prefix: Path) -> bool:
    """Whether the prefix has what Wine cannot start without."""
    needed = ("system.reg", "user.reg", "dosdevices/z:", "drive_c/windows/system32/kernel32.dll")
    return all((prefix / name).exists() and ((prefix / name).is_dir() or (prefix / name).stat().st_size) for name in needed)


def end_server(prefix: Path) -> None:
    """End the wineserver of this prefix, and with it whatever still runs there; nobody else's."""
    try:
        subprocess.run(["wineserver", "-k"], env=_environ(prefix), capture_output=True, timeout=SERVER_SECONDS, check=False)
        subprocess.run(["wineserver", "-w"], env=_environ(prefix), capture_output=True, timeout=SERVER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        pass  # it is not there, or it does not listen
    for number in processes_of(prefix):
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)


def processes_of(prefix: Path) -> list[int]:
    """The processes of this machine that run in this prefix."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"WINEPREFIX={prefix}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def languages() -> Path:
    """A folder in which the C library finds the languages that Wine is to speak, though this machine was installed without them.

    Wine takes its language from the name of the locale, and from the locale that file names are UTF-8: where there is none of that name
    it speaks the language and finds no file whose name is not ASCII. C.UTF-8 under that name serves both. Empty where there is no C.UTF-8.
    """
    folder = layout.home() / "wine" / "languages"
    source = next((path for path in map(Path, C_UTF8) if path.is_dir()), None)
    for name in LANGUAGES if source else ():
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):  # another loop was faster
                (folder / name).symlink_to(source)  # type: ignore[arg-type]
    return folder


def _environ(prefix: Path) -> dict[str, str]:
    return {**os.environ, **wine_variables(prefix)}


def _wine(prefix: Path, *arguments: str) -> None:
    process = subprocess.Popen(["wine", *arguments], env=_environ(prefix), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    try:
        _, said = process.communicate(timeout=PREFIX_SECONDS)
    except subprocess.TimeoutExpired:
        raise Infrastructure(f"wine {arguments[0]} gave no answer within {PREFIX_SECONDS:g} s", where=str(prefix)) from None
    finally:
        end_group(process)
    if process.returncode:
        last = (said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
        raise Infrastructure(f"wine {arguments[0]} left with status {process.returncode}", where=str(prefix), cause=last)
