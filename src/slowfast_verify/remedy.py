"""Steps that mend what no known failure names: for each kind of symptom, from the facts that its check judged.

Runs on the host; called by cause.py. An empty list means that only the person can mend it, by what the check's own sentence says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

from packaging.utils import canonicalize_name

from . import distributions, torch_pairs
from .action import Action
from .prescription import Prescriber
from .symptom import Symptom


def remedies(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    """The steps that mend what these symptoms accuse."""
    kind, accused = symptoms[0].key
    if kind == "missing" and symptoms[0].data:
        return prescriber.all_of(symptoms[0].data["names"].split())
    if kind == "missing":
        return prescriber.missing(accused)
    if kind == "version":
        return _versions(symptoms, prescriber)
    if kind == "lost":  # with what an interrupted pip left beside it
        left = [path for path in prescriber.facts["leftovers"] if any(path in symptom.evidence for symptom in symptoms)]
        return [*([Action(remove=left)] if left else []), prescriber.again(accused)]
    if kind == "broken":
        return [prescriber.again(accused)] if accused in distributions.installed(prescriber.inventory) else []
    remedy = REMEDIES.get(symptoms[0].check.partition("::")[2].partition("[")[0])
    return remedy(symptoms, prescriber) if remedy else []


def _versions(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    """All that is required of the distribution whose version does not fit, in one command."""
    sentences = {symptom.evidence for symptom in symptoms}
    wanted = [requirement for sentence, requirement in distributions.unmet(prescriber.inventory, prescriber.facts) if sentence in sentences]
    return [Action(install=list(dict.fromkeys(wanted)))] if wanted else []


def _two_owners(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    """Take all but one of the owners away, and install that one again: its double's files lie over its own."""
    junk, names = distributions.allowances().junk_names, _by_path(prescriber)
    rows = [row for row in prescriber.facts["shared"] if set(row["names"]) - junk and all(path in names for path in row["owners"])]
    keep = {names[row["owners"][0]] for row in rows}
    extra = {names[row["owners"][-1]] for row in rows}
    keep -= extra
    return [Action(uninstall=sorted(extra)), *(prescriber.again(name) for name in sorted(keep))] if extra and keep else []


def _lost_files(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    names = _by_path(prescriber)
    lost = [names[path] for path, row in prescriber.facts["owned"].items() if (row["lost"] or row["short"]) and path in names]
    spoken = frozenset().union(*(symptom.about for symptom in symptoms))
    return [prescriber.again(name) for name in lost if canonicalize_name(name) in spoken]


def _interrupted(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    """Delete what is left, and install again what has no whole record beside it."""
    left = [path for path in prescriber.facts["leftovers"] if any(path in symptom.evidence for symptom in symptoms)]
    broken = [row["name"] for row in prescriber.inventory["distributions"].values() if "broken" in row
              and any(f"metadata of {row['name']} " in symptom.evidence for symptom in symptoms)]  # fmt: skip
    gone = [
        prescriber.inventory["distributions"][name.lower()]["path"]
        for name in broken
        if name.lower() in prescriber.inventory["distributions"]
    ]
    actions = [Action(remove=[*left, *gone])] if left or gone else []
    return [*actions, *(Action(install=["--force-reinstall", "--no-deps", name]) for name in broken)]


def _pair(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    torch = distributions.version_of(prescriber.inventory, ["torch"])
    return [Action(install=["--no-deps", torch_pairs.mate_of(torch[1])])] if torch else []


def _by_path(prescriber: Prescriber) -> dict[str, str]:
    return {row["path"]: row["name"] for row in prescriber.inventory["distributions"].values()}


def _misspelt(symptoms: Sequence[Symptom], prescriber: Prescriber) -> list[Action]:
    names = [found.group(1) for symptom in symptoms if (found := re.match(r"(\w+) is set, and no Python reads it", symptom.evidence))]
    lines: list[str] = []
    chinese: dict[str, str] = {}
    for name in names:
        if prescriber.reach.kind == "here" and (value := os.environ.get(name)):  # what a person types here; a tool cannot do it for them
            lines += [prescriber.reach.setting("PYTHONPATH", value), prescriber.reach.setting(name, "")]
        lines.append(f"rename the variable {name} to PYTHONPATH where it is set (shell profile, system settings)")
        chinese[lines[-1]] = f"在设置它的地方（shell 启动文件、系统设置）把变量 {name} 改名为 PYTHONPATH"
    return [Action(advice=line, advice_zh=chinese.get(line, "")) for line in lines]


Remedy = Callable[[Sequence[Symptom], Prescriber], list[Action]]
REMEDIES: Mapping[str, Remedy] = {
    "no_two_distributions_own_one_import": _two_owners,
    "no_distribution_has_lost_its_files": _lost_files,
    "no_compiled_file_is_cut": _lost_files,
    "no_installation_was_interrupted": _interrupted,
    "torch_and_torchvision_are_a_pair": _pair,
    "pythonpath_is_spelt_right": _misspelt,
}
