"""What a person asks a recipe for, from options or from their own words. Data: matrices/recipe.toml, matrices/gpus.toml. Starts nothing."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from . import layout
from .cell import When
from .data import Row, load
from .errors import Problem

#: Words that say nothing; what stands before and behind a GPU's name.
EMPTY = r"(?i)\W+|and|with|on|in|the|a|an|for|only|-?like|\d+gb"
BEFORE = r"(?i)((nvidia|geforce|tesla|quadro)\s+)*"
AFTER = r"(\s*(ti|super|laptop|mobile|gpu|sxm\d?|pcie))*"
#: A field of Wanted that words may set.
Named = Literal["os", "arch", "python", "torch", "accelerator", "installer", "subject", "shell"]


class Cost(Row):
    """What a difference on an axis, or a degree of proof, costs. each: times how far apart, at most `most`; binding: see the file."""

    name: str
    cost: float
    each: bool = False
    most: float = 1e9
    binding: bool = False
    reason: str


class Word(Row):
    """What a person's words mean."""

    pattern: str
    axis: Named
    value: str = ""


class System(Row):
    """Known failures of a system, and why they are told."""

    when: When
    known: list[str]
    reason: str


class Question(Row):
    """A question that the command is held to, and the system that its answer is for."""

    text: str
    os: str


class Rules(Row):
    """matrices/recipe.toml."""

    default_subject: str
    axis: list[Cost]
    proof: list[Cost]
    gpu_cost: list[Cost]
    word: list[Word]
    system: list[System]
    question: list[Question]


class Capability(Row):
    """A compute capability, and the CUDA releases whose builds run on it."""

    name: str
    runs_from: str
    native_from: str
    until: str = ""


class Gpu(Row):
    """A family of GPUs by name."""

    pattern: str
    capability: str
    title: str


class Driver(Row):
    """The oldest driver for a CUDA release."""

    cuda: str
    linux: str
    windows: str
    source: str


class Gpus(Row):
    """matrices/gpus.toml."""

    source: str
    capability: list[Capability]
    gpu: list[Gpu]
    driver: list[Driver]


class Wanted(Row):
    """What is asked for; an empty field: whatever is best. gpu: its name; capability: `8.9`; driver: its version; detected: from where."""

    os: str = ""
    arch: str = ""
    python: str = ""
    accelerator: str = ""
    installer: str = ""
    subject: str = ""
    revision: str = ""
    torch: str = ""
    gpu: str = ""
    capability: str = ""
    driver: str = ""
    shell: str = ""
    detected: list[str] = []

    def over(self, other: Wanted) -> Wanted:
        """This, and from the other whatever this leaves open."""
        mine = {key: value for key, value in self.model_dump().items() if value}
        return Wanted.model_validate({**other.model_dump(), **mine})

    def words(self) -> list[str]:
        """What is asked for, in words."""
        shown = {"os": "", "arch": "", "python": "Python ", "torch": "torch ", "gpu": "", "accelerator": "", "installer": "", "subject": ""}
        return [f"{before}{value}" for name, before in shown.items() if (value := getattr(self, name))]


@cache
def rules() -> Rules:
    """matrices/recipe.toml."""
    return load(layout.matrices() / "recipe.toml", Rules)


@cache
def gpus() -> Gpus:
    """matrices/gpus.toml."""
    return load(layout.matrices() / "gpus.toml", Gpus)


@cache
def number(version: str) -> tuple[int, ...]:
    """A version as numbers, for comparing."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def cuda_of(accelerator: str) -> str:
    """`11.8` of `cu118`; empty for anything else."""
    found = re.fullmatch(r"cu(\d+)(\d)", accelerator)
    return f"{found[1]}.{found[2]}" if found else ""


def kind_of(accelerator: str) -> str:
    """cpu, cuda, rocm, mps."""
    return "cuda" if accelerator.startswith("cu") else re.sub(r"[\d.]+$", "", accelerator)


def capability_of(gpu: str) -> str:
    """The compute capability of a GPU by its name; empty where the table has no such name."""
    return next((row.capability for row in gpus().gpu if re.search(row.pattern, gpu)), "")


def understood(text: str) -> Wanted:
    """What a person's words ask for. Raises Problem where a word says nothing to the tables: a wrong answer is worse than none."""
    found: dict[str, str] = {}
    left = text
    for gpu in gpus().gpu:
        if named := re.search(gpu.pattern, left):
            found |= {"gpu": named[0].strip(), "capability": gpu.capability, "accelerator": "cuda"}
            left = re.sub(rf"{BEFORE}{re.escape(named[0])}{AFTER}", " ", left)
            break
    for row in rules().word:
        for hit in re.finditer(row.pattern, text):
            value = row.value or hit[1].lower()
            value = f"cu{value.replace('.', '')}" if row.axis == "accelerator" and value[0].isdigit() else value
            if row.axis not in found or (
                found[row.axis] == "cuda" and value != "cpu"
            ):  # `RTX 4090 with CUDA 11.8`: the build that is meant
                found[row.axis] = value
            left = left.replace(hit[0], " ")
    unknown = [word for word in re.findall(r"[^\s,;/+()\"']+", left) if not re.fullmatch(EMPTY, word)]
    if unknown or not found:
        raise Problem(
            f"not understood: {' '.join(unknown) or text!r}",
            where=f"recipe {text!r}",
            cause="words are looked up in matrices/recipe.toml and matrices/gpus.toml, and these are in neither",
            next="leave them out, or say it by options: slowfast-verify recipe --os windows --python 3.10 --gpu 'RTX 4090'",
        )
    if found.get("os") == "macos":
        found.setdefault("arch", "arm64")
    if found.get("os") == "windows" or found.get("shell") in ("powershell", "cmd"):
        found.setdefault("os", "windows")
    if set(found) - {"subject", "shell"}:
        found.setdefault("os", "linux")
        found.setdefault("arch", "x86_64")
    return Wanted.model_validate(found)
