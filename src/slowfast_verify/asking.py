"""From what a person typed to what is wanted: options over their words over, where they name no place at all, this machine."""

from __future__ import annotations

import re

from .errors import Problem, did_you_mean
from .matrix import default
from .wanted import Wanted, capability_of, rules, understood

CHOICES = {
    "os": ("linux", "windows", "macos"),
    "arch": ("x86_64", "aarch64", "arm64"),
    "installer": ("uv", "pip", "conda"),
    "shell": ("bash", "powershell", "cmd", "dockerfile", "conda"),
}

#: Options whose value is free in this form: (option, form, an example).
FORMS = (("python", r"[23]\.\d+", "3.10"), ("torch", r"[12](\.\d+){0,2}", "2.4.1"),
         ("accelerator", r"cpu|cuda|mps|cu\d{2,3}|rocm\d*(\.\d+)*", "cu118"))  # fmt: skip


def wanted_of(text: str, options: dict[str, str], cell: str = "") -> Wanted:
    """What is wanted. cell: an id, which leaves nothing open. Raises Problem for a value that no axis has."""
    for name, values in CHOICES.items():
        if options.get(name) and options[name] not in values:
            raise Problem(
                f"there is no {name} {options[name]!r}", where=f"--{name}",
                cause=did_you_mean(options[name], list(values)) or f"it is one of {', '.join(values)}", next=f"--{name} {values[0]}",
            )  # fmt: skip
    for name, form, example in FORMS:
        if options.get(name) and not re.fullmatch(form, options[name]):
            raise Problem(
                f"{options[name]!r} is no {name}", where=f"--{name}", cause=f"something like {example} is meant", next=f"--{name} {example}"
            )
    subjects = list(default().subjects)
    if options.get("subject") and options["subject"] not in subjects:
        cause = did_you_mean(options["subject"], subjects) or f"there are {', '.join(subjects)}"
        raise Problem(f"there is no subject {options['subject']!r}", where="--subject", cause=cause, next=f"--subject {subjects[0]}")
    if options.get("gpu") and not capability_of(options["gpu"]):
        raise Problem(
            f"no GPU {options['gpu']!r} is known here", where="--gpu", cause="it is misspelt, or matrices/gpus.toml lacks it",
            next="--gpu 'RTX 4090'   (or the CUDA release that its driver allows: --accelerator cu118)",
        )  # fmt: skip
    said = Wanted.model_validate({key: value for key, value in options.items() if value})
    if cell:
        given = default().cell(cell)
        return Wanted.model_validate({**given.model_dump(exclude={"stack"}), "shell": said.shell})
    if text:
        said = said.over(understood(text))
    if said.gpu and not said.accelerator:
        said = said.model_copy(update={"accelerator": "cuda"})
    if said.shell == "conda" and not said.installer:
        said = said.model_copy(update={"installer": "conda"})
    if said.os or text:
        return _completed(said)
    from .here import this_machine

    here = this_machine()
    if said.gpu or said.accelerator:  # another machine's GPU says nothing about this one's driver
        here = here.model_copy(update={"gpu": "", "driver": "", "capability": "", "accelerator": ""})
    return _completed(said.over(here))


def _completed(wanted: Wanted) -> Wanted:
    """With the processor that goes without saying, the default subject, and the system that a shell belongs to."""
    system = wanted.os or ("windows" if wanted.shell in ("powershell", "cmd") else "linux")
    arch = wanted.arch or ("arm64" if system == "macos" else "x86_64")
    return wanted.model_copy(update={"os": system, "arch": arch, "subject": wanted.subject or rules().default_subject})
