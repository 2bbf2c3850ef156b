"""Actions as a person reads them: one command or sentence a line, for their shell and their installer. Carries nothing out.

Runs on the host; called by index (for `diagnose` and `explain`, where nobody knows the machine) and wherever a fix is printed.
Imports action only.
"""

from __future__ import annotations

from typing import NamedTuple

from .action import Action

INSTALLERS = {"pip": "python -m pip", "uv": "uv pip"}


class Step(NamedTuple):
    """One line of a way out.

    for_: the systems or installers that it is limited to, empty for all. command: to be typed as it stands, so never broken into lines.
    text_zh, why_zh: the same in Chinese, empty where it is a command or nobody wrote it.
    """

    text: str
    for_: str = ""
    why: str = ""
    command: bool = False
    text_zh: str = ""
    why_zh: str = ""


def quoted(argument: str) -> str:
    """An argument as sh, PowerShell and (with double quotes) cmd take it."""
    return f'"{argument}"' if not argument or (set(argument) & set(" <>=!~;[](){}&|*?$'`") and '"' not in argument) else argument


def steps(action: Action, installer: str = "", shell: str = "") -> list[Step]:
    """The lines of one action, in the order in which they are to be done. installer, shell: "" for all of them."""
    limits = "; ".join(f"{axis}: {' or '.join([v] if isinstance(v, str) else v)}" for axis, v in action.when.items())
    lines = [*_edits(action, limits), *(Step(text, limits, command=True) for text in _packages(action, installer))]
    lines += _files(action, limits)
    lines += [Step(text, limits, command=True) for text in _commands(action, shell)]
    chinese = action.advised("zh")
    lines += [
        Step(text, "; ".join(filter(None, [place, limits])), text_zh=chinese[place] if action.advice_zh else "")
        for place, text in action.advised().items()
    ]
    if lines and action.why:
        lines[0] = lines[0]._replace(why=" ".join(action.why.split()), why_zh=" ".join(action.why_zh.split()))
    return lines


def _edits(action: Action, limits: str) -> list[Step]:
    return [
        Step(f"in {edit.file}: replace {edit.find} by {edit.replace}", limits, command=True,
             text_zh=f"在 {edit.file} 里：把 {edit.find} 替换为 {edit.replace}")
        for edit in action.edit
    ]  # fmt: skip


def _files(action: Action, limits: str) -> list[Step]:
    lines = [Step(f"delete {path}", limits, command=True, text_zh=f"删除 {path}") for path in action.remove]
    for row in action.file:
        told = f"write {row.path}: {row.text!r}", f"写入 {row.path}：{row.text!r}"
        if row.text is None:
            told = f"link {row.path} to {row.link_to}", f"建立链接 {row.path} 指向 {row.link_to}"
        lines.append(Step(told[0], limits, command=True, text_zh=told[1]))
    return lines


def _packages(action: Action, installer: str) -> list[str]:
    lines: list[str] = []
    for verb, arguments in (("uninstall", action.uninstall), ("install", action.install)):
        if not arguments:
            continue
        only = action.when.get("installer", "")
        if only == "conda":
            lines.append(f"conda {verb} {' '.join(map(quoted, arguments))}")
            continue
        line = " ".join(map(quoted, arguments))
        chosen = {installer: INSTALLERS[installer]} if installer in INSTALLERS else INSTALLERS
        lines += [f"{command} {verb} {'-y ' if verb == 'uninstall' and name == 'pip' else ''}{line}" for name, command in chosen.items()]
    return lines


def _commands(action: Action, shell: str) -> list[str]:
    lines: list[str] = []
    for key, value in action.env.items():
        lines += [variable(key, value, one) for one in ([shell] if shell else ["sh", "powershell"])]
    if action.opts:
        lines.append("--opts " + " ".join(f"{key} {quoted(value)}" for key, value in action.opts.items()))
    if action.run:
        lines.append(" ".join(map(quoted, action.run)))
    return lines


def variable(key: str, value: str, shell: str) -> str:
    """The command that sets an environment variable, or takes it away where the value is empty."""
    if not value:
        return {"powershell": f"Remove-Item Env:{key}", "cmd": f"set {key}="}.get(shell, f"unset {key}")
    if shell == "powershell":
        return f'$env:{key} = "{value}"'
    return f"set {key}={value}" if shell == "cmd" else f'export {key}="{value}"'
