"""Install verification for facebookresearch/SlowFast: cells, targets, probes, checks, known failures, records."""

from __future__ import annotations

__version__ = "0.1.0"
TYPE_CHECKING = False  # not from typing: before own_path is imported, a typing.py on PYTHONPATH would stand for the standard library's

if TYPE_CHECKING:
    from .notebook import Shown


def doctor(target: str | None = None, *, subject: str = "pyslowfast", rung: str = "train", config: str | None = None,
           checkpoint: str | None = None) -> Shown:  # fmt: skip
    """Examine an environment, in a notebook the kernel's own unless another is named, as `slowfast-verify doctor` does.

    The last value of a notebook's cell, it is shown as HTML; elsewhere its repr is the same as text. Raises Problem for a target,
    a subject, a rung or a file that there is not.
    """
    from .notebook import examined

    return examined(target, subject, rung, config, checkpoint)
