"""What mends a cause in this one environment: steps that can be carried out, and their lines for a person's own shell and installer.

Runs on the host; called by cause.py (what to write), repair.py (what to do) and told.py. Carries nothing out and starts nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from . import distributions, knowledge, torch_pairs
from .action import Action
from .language import Language
from .reach import HERE, Reach
from .snapshot import FOLDER
from .subject import Subject

Facts = Mapping[str, Any]
SYSTEM = {"win32": "windows", "darwin": "macos"}


@dataclass(frozen=True)
class Prescriber:
    """Writes for one environment: its inventory, the facts that surround it, and the subject that it is for."""

    inventory: Facts
    facts: Facts
    subject: Subject
    reach: Reach = HERE

    @property
    def installer(self) -> str:
        """uv where uv made the environment or pip is not in it, else pip (also inside a conda environment)."""
        return installer_of(self.inventory)

    @property
    def site(self) -> str:
        """The folder that packages go to: where torch or anything else lies."""
        rows = [*(row for row in self.inventory["distributions"].values() if row["path"].endswith(".dist-info"))]
        first = distributions.installed(self.inventory).get("torch") or (rows[0] if rows else None)
        if first:
            return str(distributions.path_of(self.inventory, first["path"]).parent)
        return next((entry for entry in self.inventory["path"] if entry.endswith(("site-packages", "dist-packages"))), "")

    def fill(self, text: str) -> str:
        """Put this environment's places where the data has {env}, {site}, {python}, {checkout}."""
        places = {
            "env": self.inventory["prefix"],
            "site": self.site,
            "python": self.inventory["executable"],
            "checkout": self.inventory["checkout"] or "{checkout}",
            "cell": str(distributions.path_of(self.inventory, self.inventory["prefix"]) / FOLDER),
        }
        for key, value in places.items():
            text = text.replace(f"{{{key}}}", value)
        return text

    def concerns(self, action: Action) -> bool:
        """Whether an action is for this system and this installer; what it says of other axes (a cell's) is left aside."""
        here = {"os": self.reach.system or SYSTEM.get(sys.platform, "linux"), "installer": self.installer}
        for axis, wanted in action.when.items():
            allowed = [wanted] if isinstance(wanted, str) else list(wanted)
            if axis in here and here[axis] not in allowed:
                return False
        return True

    def filled(self, action: Action) -> Action:
        """The same action with this environment's places in it."""

        def deep(value: Any) -> Any:
            if isinstance(value, str):
                return self.fill(value)
            if isinstance(value, list):
                return [deep(item) for item in value]
            return {key: deep(item) for key, item in value.items()} if isinstance(value, dict) else value

        return Action.model_validate({key: deep(value) for key, value in action.model_dump().items()})

    def lines(self, action: Action, language: Language = "en") -> list[str]:
        """What a person does for this action, a command or a sentence each, in order."""
        python, found = self.inventory["executable"], []
        found += [self.reach.editing(python, self._edited(edit.file), edit.find, edit.replace, language) for edit in action.edit]
        if action.uninstall:
            found += self._install("uninstall", action.uninstall)
        found += [self.reach.removing(self.fill(path)) for path in action.remove]
        if action.install:
            found += self._install("install", [self.fill(part) for part in action.install])
        for row in action.file:
            path = self.fill(row.path)
            found.append(
                self.reach.writing(path, row.text, language)
                if row.text is not None
                else self.reach.linking(path, self.fill(row.link_to or ""))
            )
        for key, value in action.env.items():
            before = os.environ.get(key, "") if key == "PYTHONPATH" and self.reach.kind == "here" else ""
            found.append(self.reach.setting(key, in_front(self.fill(value), before) if value else "", language))
        if action.opts:
            found.append("--opts " + " ".join(f"{key} {value}" for key, value in action.opts.items()))
        if action.run:
            found.append(self.reach.written([python if part == "python" else self.fill(part) for part in action.run]))
        found += self._advice(action, language)
        return [line.replace("{checkout}", "CHECKOUT") for line in found]  # nobody knows where it lies: the person does

    def _advice(self, action: Action, language: Language) -> list[str]:
        said = action.advised(language)
        here = self.reach.system or SYSTEM.get(sys.platform, "linux")
        return [text for place, text in said.items() if place in (here, self.installer, "all", "")] or [*said.values()]

    def _install(self, verb: str, arguments: list[str]) -> list[str]:
        return self.reach.installing(self.installer, self.inventory["executable"], verb, arguments)

    def _edited(self, file: str) -> str:
        """A file of the checkout by its whole path where it is edited from elsewhere."""
        checkout = self.inventory["checkout"]
        return file if self.reach.kind == "here" or not checkout else f"{checkout}/{file}"

    def possible(self, actions: list[Action]) -> list[Action]:
        """The actions; where the system keeps this Python for itself (PEP 668), an environment beside it instead of installations."""
        refused = [action for action in actions if action.install or action.uninstall]
        if not refused or not self.inventory.get("managed"):
            return actions
        return [
            *(Action(advice=line, advice_zh=chinese) for line, chinese in self.reach.beside()),
            *(action for action in actions if action not in refused),
        ]

    # ---- what mends what --------------------------------------------------------------------------------------------------

    def of_known(self, identifier: str) -> list[Action]:
        """The fix of a known failure, as far as it concerns this environment."""
        return [action for action in knowledge.known(identifier).fix if self.concerns(action)]

    def again(self, name: str) -> Action:
        """The same version of a distribution once more, from where it came."""
        return Action(install=["--force-reinstall", "--no-deps", self.pinned(name)])

    def pinned(self, name: str) -> str:
        """`numpy==1.24.4`, or the address and commit that a distribution was installed from."""
        facts = distributions.installed(self.inventory).get(canonicalize_name(name))
        if facts is None:
            return name
        try:
            origin = json.loads(facts["direct_url"]) if facts["direct_url"] else {}
        except ValueError:
            origin = {}
        if origin.get("vcs_info"):
            return f"{facts['name']} @ {origin['vcs_info']['vcs']}+{origin['url']}@{origin['vcs_info']['commit_id']}"
        return f"{facts['name']}=={facts['version']}" if facts["version"] else str(facts["name"])

    def missing(self, name: str) -> list[Action]:
        """What installs a distribution that is not there: its own, or what it is called, or where it has to come from."""
        if name == canonicalize_name(self.subject.name) or name in self.subject.modules.packages:
            return [
                Action(
                    advice=f"git clone {self.subject.source.git} and install it: {self._install('install', ['-e', 'SlowFast'])[-1]} "
                    "(or put the folder with setup.py on PYTHONPATH)"
                    if self.subject.source.git
                    else self._install("install", [self.subject.source.distribution or name])[-1]
                )
            ]
        torch = distributions.version_of(self.inventory, ["torch"])
        if name == "torchvision" and torch:
            return [Action(install=["--no-deps", torch_pairs.mate_of(torch[1])])]
        if name == "torch":
            return [Action(install=self._torch())]
        for row in distributions.allowances().instead:
            if canonicalize_name(row.requirement) == name:
                return [Action(install=[row.install])]
        phase = next((phase for phase in self.subject.phase if phase.name == name and phase.build), None)
        if phase and phase.build:
            return [Action(install=["--no-build-isolation", phase.build])]
        if name == "pytorchvideo" and "pytorchvideo-cat-all-gather" in knowledge.all_known():
            return self.of_known("pytorchvideo-cat-all-gather")
        return [Action(install=[name])]

    def all_of(self, names: list[str]) -> list[Action]:
        """What installs many: torch and its partner first, then all that an index has, then the others one by one."""
        partners = [name for name in ("torch", "torchvision") if name in names]
        singly = [name for name in names if name not in partners and (self.missing(name)[0].install[:1] != [name])]
        plain = [name for name in names if name not in partners and name not in singly]
        first = [Action(install=self._torch() if "torch" in partners else self.missing("torchvision")[0].install)] if partners else []
        return [*first, *([Action(install=plain)] if plain else []), *(action for name in singly for action in self.missing(name))]

    def _torch(self) -> list[str]:
        """The torch that the installed torchvision belongs to, else both."""
        vision = distributions.installed(self.inventory).get("torchvision")
        for line in vision["requires"] if vision else []:
            if re.match(r"torch\b\s*\(?==", line):
                return [re.sub(r"[\s()]", "", line.partition(";")[0])]
        return ["torch"] if vision else ["torch", "torchvision"]


def in_front(entry: str, others: str) -> str:
    """A search path with the entry first; others that name the same folder, or one inside it (the inner slowfast/), give way to it."""
    kept = [other for other in others.split(os.pathsep) if other and not Path(other).is_relative_to(entry)]
    return os.pathsep.join([entry, *kept])


def installer_of(inventory: Facts) -> str:
    """The installer that speaks for an environment: the one that put torch there, as long as it can be called."""
    torch = distributions.installed(inventory).get("torch") or next(iter(inventory["distributions"].values()), {"installer": ""})
    if torch["installer"] == "uv" or "pip" not in distributions.installed(inventory):
        return "uv"
    return "pip"
