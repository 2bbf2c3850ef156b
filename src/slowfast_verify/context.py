"""What the engine is sent to build a cell's image: the Dockerfile, the pins, a file per step, the sources, and the way to the index.

Runs on the host; called by image.py. Repositories are checked out here, by this machine's git as it is configured, so that the image needs
no git and learns nothing of mirrors and passwords; edits are made to those trees. Needs no engine and installs nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import fix, installer, layout, sources
from .action import Action, File
from .atomic import write_text
from .cell import Cell
from .errors import NotVerifiable, Problem
from .stack import Stack, Wheels
from .subject import Phase, Subject, actions_of

PLACE = "/opt/slowfast/src"  # of checkouts and links, inside the image
TREES = "/sources/trees"  # of other sources, in the first stage only
#: What of pip's configuration means the same inside: addresses, not folders of this machine.
CARRIED = ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "timeout", "default-timeout", "retries", "no-index")
BUNDLE = "/trust/ca.pem"
GIT = re.compile(r"git\+(https?://[^@#\s]+)@([0-9a-f]{7,40})")


@dataclass
class Context:
    """What was laid: the build arguments, where the subject lies in the image, its variables, {path in the first stage: address}, and the
    workarounds that it took.
    """

    arguments: dict[str, str]
    checkout: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    opts: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    workarounds: list[str] = field(default_factory=list)


def lay(folder: Path, cell: Cell, stack: Stack, subject: Subject) -> Context:
    """Write everything into the empty folder. Raises NotVerifiable for a repository that does not answer."""
    return _Layer(folder, cell, stack, subject).lay()


class _Layer:
    """One context. The steps that need no source come first, in a layer that stays when only a source changes."""

    def __init__(self, folder: Path, cell: Cell, stack: Stack, subject: Subject) -> None:
        self.folder, self.cell, self.stack, self.subject = folder, cell, stack, subject
        self.revision = subject.at(cell.revision)
        self.actions = [action for _, action in actions_of(self.revision, stack.workarounds) if cell.matches(action.when)]
        wheels = stack.wheels_of(cell)
        assert wheels  # the matrix refuses a cell without
        self.wheels: Wheels = wheels
        self.number = 0
        self.late = False
        self.made = Context({})

    def lay(self) -> Context:
        shutil.copy2(layout.docker() / "Dockerfile", self.folder)
        shutil.copy2(layout.docker() / "steps.sh", self.folder)
        lay_trust(self.folder / "trust")
        for name in ("install/steps", "sources/steps", "sources/trees", "sources/place"):
            (self.folder / name).mkdir(parents=True)
        trio = self._pins()
        self.made.workarounds = list(dict.fromkeys(name for name, _ in actions_of(self.revision, self.stack.workarounds)))
        for phase in self.subject.phase:
            if self.cell.matches(phase.when) and (not phase.checkout or self.subject.source.git):
                self._phase(phase)
        for action in self.actions:
            self._action(action)
        self.made.arguments = {
            "PYTHON": f"python{self.cell.python}", "INSTALLER": self.cell.installer, "TORCH": trio["torch"],
            "TORCHVISION": trio["torchvision"], "TORCH_FROM": _where(self.wheels),
        }  # fmt: skip
        for key, value in self.subject.env.items():
            self.made.variables.setdefault(key, self._inside(value))
        return self.made

    def _pins(self) -> dict[str, str]:
        local = self.wheels.local
        trio = {"torch": self.stack.torch.version + local, "torchvision": self.stack.torch.torchvision + local}
        pins = [f"{name}=={number}{self.wheels.also if name == 'torch' else ''}" for name, number in trio.items()]
        pins += [f"{pin.name}{pin.spec}" for pin in self.stack.pin if self.cell.matches(pin.when)]
        write_text(self.folder / "install" / "constraints.txt", "\n".join(pins) + "\n")
        return trio

    def _phase(self, phase: Phase) -> None:
        if phase.install:
            self._step(phase.name, [word.replace("{version}", self.revision.version or "") for word in phase.install])
        if phase.build:
            tree = self._tree(phase.build)
            for edit in phase.without_compiler:  # a slim base has no compiler, and the finished image needs none
                fix.replace_in(self.folder / "sources" / "trees" / Path(tree).name, edit)
            self.made.workarounds += [phase.without_known] if phase.without_known else []
            self._step(phase.name, ["--no-build-isolation", "--no-deps", tree], late=True)
        if phase.checkout:
            assert self.subject.source.git and self.revision.commit
            inside = f"{PLACE}/{self.cell.subject}"
            there = self.folder / "sources" / "place" / self.cell.subject
            _check_out(self.subject.source.git, self.revision.commit, there, self.subject.source.sparse)
            for action in self.actions:
                for edit in action.edit:
                    fix.replace_in(there, edit)
            self.made.checkout = inside
            self.made.addresses[inside] = f"git+{self.subject.source.git}@{self.revision.commit}"
            if phase.editable:
                self._step(phase.name, ["--no-deps", "--editable", inside], late=True)

    def _action(self, action: Action) -> None:
        if action.install:
            self._step("workaround", action.install)
        for row in action.file:
            self._file(row)
        for key, value in action.env.items():
            before = self.made.variables.get(key, self._inside(self.subject.env.get(key, "")))
            joined = ":".join(filter(None, [self._inside(value), before])) if key == "PYTHONPATH" else self._inside(value)
            self.made.variables[key] = joined
        self.made.opts.update({key: self._inside(value) for key, value in action.opts.items()})

    def _file(self, row: File) -> None:
        path = self._inside(row.path)
        if not path.startswith(f"{PLACE}/"):
            raise NotVerifiable(f"no image is made for {self.cell.id}", cause=f"a workaround writes {row.path}",
                                next=f"slowfast-verify climb {self.cell.id}")  # fmt: skip
        here = self.folder / "sources" / "place" / path.removeprefix(f"{PLACE}/")
        here.parent.mkdir(parents=True, exist_ok=True)
        if row.link_to is not None:
            here.symlink_to(self._inside(row.link_to))
        else:
            write_text(here, self._inside(row.text or ""))

    def _inside(self, text: str) -> str:
        """Put the image's paths where the data has {checkout} and {cell}."""
        return text.replace("{checkout}", f"{PLACE}/{self.cell.subject}").replace("{cell}", PLACE)

    def _step(self, name: str, words: list[str], *, late: bool = False) -> None:
        """One more installation, as a line of a file of its own; a repository among the words becomes its tree."""
        filled = []
        for word in words:
            if GIT.search(word):
                word = f"{word.partition(' @ ')[0]} @ file://{self._tree(word)}" if " @ " in word else self._tree(word)
                late = True
            filled.append(word)
        self.late = self.late or late
        self.number += 1
        folder = self.folder / ("sources" if self.late else "install") / "steps"
        write_text(folder / f"{self.number:02d}-{name}.txt", shlex.join(filled) + "\n")

    def _tree(self, address: str) -> str:
        """The repository's tree, checked out once; returns its path in the first stage."""
        found = GIT.search(address)
        if not found:
            raise Problem(f"the source {address!r} names no commit", where="matrices/", next="write git+https://HOST/NAME@COMMIT", code=2)
        url, commit = found.groups()
        name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
        tree = self.folder / "sources" / "trees" / name
        if not tree.exists():
            _check_out(url, commit, tree, [])
        self.made.addresses[f"{TREES}/{name}"] = f"git+{url}@{commit}"
        return f"{TREES}/{name}"


def _check_out(address: str, commit: str, folder: Path, sparse: list[str]) -> None:
    sources.require_reachable([address])
    for argv in sources.checkout_commands(address, commit, folder, sparse):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=900, env=installer.environment("pip"))
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["git said nothing"])[-1]
            raise sources.outage_in(done.stderr) or NotVerifiable("source unreachable", where=f"{address}: {last}",
                                                                  next=f"git ls-remote {address}")  # fmt: skip
    shutil.rmtree(folder / ".git")  # its configuration names the way it came


def _where(wheels: Wheels) -> str:
    index = ["--index-url", wheels.index] if wheels.index != "default" else []
    return shlex.join([*index, *(["--find-links", wheels.find_links] if wheels.find_links else [])])


def lay_trust(folder: Path) -> None:
    """pip's configuration of this machine as far as it holds in a container, the same for uv, and the certificates that it names."""
    folder.mkdir(parents=True)
    settings = installer.pip_settings()
    carried: dict[str, str] = {}
    for key in CARRIED:
        words = [word for word in settings.get(key, "").split() if not word.startswith(("/", "~", ".", "file:"))]
        if words:
            carried[key.replace("default-timeout", "timeout")] = " ".join(words)
    bundle = Path(settings.get("cert", "") or "nowhere")
    if bundle.is_file():
        shutil.copyfile(bundle, folder / "ca.pem")
        carried["cert"] = BUNDLE
    write_text(folder / "pip.conf", "\n".join(["[global]", *(f"{key} = {value}" for key, value in carried.items())]) + "\n")
    lines = [f"export {key}={shlex.quote(value)}" for key, value in _for_uv(carried, os.environ).items()]
    write_text(folder / "uv.sh", "\n".join(lines) + "\n")


def _for_uv(carried: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """uv's variables for the same; one that the person has set for uv itself goes before, unless it names a folder of this machine."""
    found = {"UV_NO_CACHE": "1", "UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    for key, value in carried.items():
        variable = installer.UV_VARIABLE.get(key)
        if variable:
            found[variable] = ",".join(value.split()) if variable == "UV_FIND_LINKS" else value
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INSECURE_HOST"):
        if own.get(variable) and "file:" not in own[variable]:
            found[variable] = own[variable]
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


def digest_of(folder: Path, arguments: dict[str, str]) -> str:
    """A digest over everything that decides what comes out; how the installer reaches its index does not."""
    parts = [f"{key}={value}" for key, value in sorted(arguments.items())]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink():
            parts.append(f"{name.as_posix()} -> {path.readlink()}")
        elif path.is_file() and "trust" not in name.parts[:1]:
            parts.append(f"{name.as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
