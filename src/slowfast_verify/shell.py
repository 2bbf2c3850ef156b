"""How a command is written for a person's own shell: sh, PowerShell or cmd. Runs on the host; starts nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
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
        return subprocess.list2cmdline([f"{part}" for part in argv]) if not any(set(part) & set("<>|&^") for part in argv) else " ".join(
            f'"{part}"' if set(part) & set(' <>|&^"') else part for part in argv
        )  # fmt: skip
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


def removing(path: str, shell: Shell = "sh") -> str:
    """The line that deletes a file or a folder."""
    if shell == "cmd":
        return f'rmdir /s /q "{path}" 2>nul || del /q "{path}"'
    if shell == "powershell":
        return f"Remove-Item -Recurse -Force '{path.replace(chr(39), chr(39) * 2)}'"
    return f"rm -rf {shlex.quote(path)}"
