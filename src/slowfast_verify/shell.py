"""How a command is written for a person's own shell: sh, PowerShell or cmd. Runs on the host; starts nothing."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

Shell = Literal["sh", "powershell", "cmd"]


def own_shell(environ: Mapping[str, str] | None = None, system: str = os.name) -> Shell:
    """The shell that this process was started from, as far as its variables tell: cmd sets PROMPT, PowerShell its module path."""
    variables = os.environ if environ is None else environ
    if system != "nt":
        return "sh"
    return "cmd" if "PROMPT" in variables else "powershell"


def written(argv: list[str], shell: Shell = "sh") -> str:
    """A command as one line that means these arguments in that shell."""
    if shell == "cmd":
        return " ".join(f'"{part}"' if set(part) & set(" <>|&^()") else part for part in argv)
    if shell == "powershell":
        quoted = [part if re.fullmatch(r"[\w@%+=:,./\\-]+", part) and not part.startswith("@") else "'" + part.replace("'", "''") + "'"
                  for part in argv]  # fmt: skip
        return ("& " if quoted[0].startswith("'") else "") + " ".join(quoted)
    return shlex.join(argv)


def setting(name: str, value: str, shell: Shell = "sh") -> str:
    """The line that gives an environment variable a value in this shell."""
    if shell == "cmd":
        return f"set {name}={value}"
    if shell == "powershell":
        return f"$env:{name} = '{value.replace(chr(39), chr(39) * 2)}'"
    return f"export {name}={shlex.quote(value)}"


def unsetting(name: str, shell: Shell = "sh") -> str:
    """The line that takes an environment variable away in this shell."""
    return {"cmd": f"set {name}=", "powershell": f"Remove-Item Env:{name}", "sh": f"unset {name}"}[shell]


def reaching(program: str, shell: Shell | None = None) -> str:
    """The line after which this shell finds a program's folder, behind all that it finds now."""
    chosen = shell or own_shell()
    folder = str((PurePosixPath(program) if chosen == "sh" else PureWindowsPath(program)).parent)
    if chosen == "cmd":
        return f'set "PATH=%PATH%;{folder}"'
    if chosen == "powershell":
        return f"$env:PATH += ';{folder.replace(chr(39), chr(39) * 2)}'"
    return f'export PATH="$PATH":{shlex.quote(folder)}'


def removing(path: str, shell: Shell = "sh") -> str:
    """The line that deletes a file or a folder."""
    if shell == "cmd":
        return f'rmdir /s /q "{path}" 2>nul || del /q "{path}"'
    if shell == "powershell":
        return f"Remove-Item -Recurse -Force '{path.replace(chr(39), chr(39) * 2)}'"
    return f"rm -rf {shlex.quote(path)}"


def untabbing(path: str, shell: Shell = "sh") -> str:
    """The line that writes two blanks where a file has tabs; a copy comes first, so that a full disk loses nothing."""
    if shell == "sh":
        return f"expand -t 2 {shlex.quote(path)} > {shlex.quote(path + '.new')} && mv {shlex.quote(path + '.new')} {shlex.quote(path)}"
    quoted = "'" + path.replace("'", "''") + "'"
    line = f"(Get-Content -Raw {quoted}) -replace '\\t', '  ' | Set-Content -NoNewline -Encoding utf8 {quoted}"
    return f'powershell -Command "{line}"' if shell == "cmd" else line


def linking(path: str, to: str, shell: Shell = "sh") -> str:
    """The line that makes `path` a link to a folder, with the folders above it."""
    above = str((PureWindowsPath(path) if shell != "sh" else PurePosixPath(path)).parent)
    if shell == "cmd":
        return f'mkdir "{above}" & mklink /J "{path}" "{to}"'
    if shell == "powershell":
        link, target = (written([part], shell).removeprefix("& ") for part in (path, to))
        return f"New-Item -ItemType Junction -Force -Path {link} -Target {target}"
    return f"mkdir -p {shlex.quote(above)} && ln -sfn {shlex.quote(to)} {shlex.quote(path)}"
