"""Where the commands that mend an environment are typed: in this machine's shell, into a container, in an image's Dockerfile, over ssh.

Runs on the host; called by prescription.py. Asks a container once what its user may write and whether it has uv; changes nothing.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import installer
from . import shell as shells
from .language import Language, of
from .shell import Shell
from .target import Target

ASKS = """
import getpass, json, os, shutil, sys
try:
    user = getpass.getuser()
except Exception:
    user = str(os.getuid())
print(json.dumps({"writable": os.access(sys.argv[1], os.W_OK), "uv": bool(shutil.which("uv")), "user": user}))
"""
REWRITES = (
    "import re, sys; p, a, b = sys.argv[1:]; t = open(p, encoding='utf-8').read(); open(p, 'w', encoding='utf-8').write(re.sub(a, b, t))"
)
KEEPS = (
    "it keeps the variables that it was started with: docker run -e {pair} IMAGE, or for one command docker exec -e {pair} -i {name} ..."
)
KEEPS_ZH = "容器保留启动时的环境变量：docker run -e {pair} IMAGE，或者只对一条命令：docker exec -e {pair} -i {name} ..."
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Reach:
    """name: the container, image or host. root: only root may change the environment; user: who it runs as; uv: that is there.

    command: how `uv` is typed: by its path where only this suite's own environment has it.
    """

    kind: Literal["here", "container", "image", "ssh", "wsl"] = "here"
    name: str = ""
    root: bool = False
    user: str = ""
    uv: bool = True
    shell: Shell = "sh"
    command: str = "uv"

    @property
    def system(self) -> str:
        """The system that is mended, where it is not this machine's; empty where it is."""
        return "linux" if self.kind in ("container", "image", "wsl") else ""

    def written(self, argv: list[str]) -> str:
        """One line that has this command carried out there."""
        if self.kind == "container":
            return shells.written(["docker", "exec", "-i", *(["-u", "0"] if self.root else []), self.name, *argv], self.shell)
        if self.kind == "image":
            return f"RUN {shlex.join(argv)}"
        if self.kind == "ssh":
            return shells.written(["ssh", self.name, shlex.join(argv)], self.shell)
        if self.kind == "wsl":
            return shells.written(["wsl", "-d", self.name, "--", *argv], self.shell)
        return shells.written(argv, self.shell)

    def beside(self) -> list[tuple[str, str]]:
        """The lines that make an environment beside a Python that belongs to the system there, in English and in Chinese."""
        why = "this Python is the system's own, which lets no installer change it (PEP 668); an environment beside it:"
        why_zh = "这是系统自带的 Python，不允许安装器改动它（PEP 668）；在它旁边另建一个环境："
        lines = ["slowfast-verify recipe > slowfast-env.sh", ". ./slowfast-env.sh", "slowfast-verify doctor slowfast-env"]
        if self.kind != "here":
            lines = [f"slowfast-verify recipe --os linux --shell {'dockerfile' if self.kind == 'image' else 'bash'}"]
        return [(why, why_zh), *((line, line) for line in lines)]

    def installing(self, installer: str, python: str, verb: str, arguments: list[str]) -> list[str]:
        """The lines that install or uninstall there. Where neither uv nor pip is at hand, Python's own copy of pip comes first."""
        if installer == "uv" and self.uv:
            return [self.written([self.command, "pip", verb, "--python", python, *arguments])]
        argv = [python, "-m", "pip", verb, *(["-y"] if verb == "uninstall" else []), *arguments]
        return [*([self.written([python, "-m", "ensurepip"])] if installer == "uv" else []), self.written(argv)]

    def removing(self, path: str) -> str:
        """The line that deletes a file or a folder there."""
        return shells.removing(path, self.shell) if self.kind == "here" else self.written(["rm", "-rf", path])

    def linking(self, path: str, to: str) -> str:
        """The line that makes `path` a link to a folder there."""
        return shells.linking(path, to, self.shell) if self.kind == "here" else self.written(["sh", "-c", shells.linking(path, to)])

    def writing(self, path: str, text: str, language: Language = "en") -> str:
        """The line, or here the sentence, that writes a file."""
        if self.kind == "here":
            return of(language, f"write {path}: {text!r}", f"写入 {path}：{text!r}")
        parent = shlex.quote(path.rpartition("/")[0])
        return self.written(["sh", "-c", f"mkdir -p {parent} && printf '%b' {shlex.quote(_escaped(text))} > {shlex.quote(path)}"])

    def editing(self, python: str, file: str, find: str, replace: str, language: Language = "en") -> str:
        """The line, or here the sentence, that replaces text in a file of the checkout."""
        if self.kind == "here" or file.startswith("CHECKOUT"):
            return of(language, f"in {file}: replace {find} by {replace}", f"在 {file} 里：把 {find} 替换为 {replace}")
        return self.written([python, "-c", REWRITES, file, find, replace])

    def setting(self, name: str, value: str, language: Language = "en") -> str:
        """The line that gives a variable a value there; an empty value takes it away."""
        if self.kind != "here":
            value = value.replace("{checkout}", "CHECKOUT")  # nobody knows where it lies there: the person does
        if self.kind == "image":
            return f"ENV {name}={shlex.quote(value)}" if value else f"ENV {name}="
        if self.kind == "container":
            return of(language, KEEPS, KEEPS_ZH).format(pair=shlex.quote(f"{name}={value}"), name=self.name)
        return shells.setting(name, value, self.shell) if value else shells.unsetting(name, self.shell)

    def framed(self, lines: list[str]) -> list[str]:
        """A cause's lines as they are typed together: of an image's, a whole Dockerfile in which sentences are comments."""
        if self.kind != "image" or not any(line.startswith(("RUN ", "ENV ")) for line in lines):
            return lines
        body = [line if line.startswith(("RUN ", "ENV ")) else f"# {line}" for line in lines]
        return [f"FROM {self.name}", *(["USER root", *body, f"USER {self.user}"] if self.root else body)]


HERE = Reach()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def reach_of(target: Target, site: str) -> Reach:
    """How a person reaches this target; site: the folder that packages go to there."""
    shell = shells.own_shell()
    if target.kind == "ssh":
        return Reach("ssh", target.argv[-2], shell=shell)
    if target.kind == "wsl":
        return Reach("wsl", target.argv[-3], shell=shell)
    if target.kind not in ("container", "docker"):
        return Reach(shell=shell, command=installer.uv_command() or "uv")
    facts = _asked(target, site)
    name = shlex.split(target.name)[-2] if target.kind == "docker" else target.argv[-2]
    kind: Literal["container", "image"] = "image" if target.kind == "docker" else "container"
    return Reach(kind, name, not facts.get("writable", True), str(facts.get("user", "root")), bool(facts.get("uv", True)), shell)


def _asked(target: Target, site: str) -> Mapping[str, Any]:
    argv = target.command("-c", ASKS, site)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False, env=dict(os.environ))
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}  # it answered a moment ago; without this its lines are those of a user who may write
    return found if isinstance(found, dict) else {}
