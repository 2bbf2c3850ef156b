"""What `slowfast_verify.doctor()` returns: an examination that a notebook shows as HTML, and everything else as text.

Runs on the host; called by the package itself. In a notebook (Colab, a cloud's workbench) the environment of SlowFast is the kernel's own,
so that one is examined unless another is named.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path

from . import active, consultation, container, target, told
from .examination import Order, examine
from .findings import Cause, Examination
from .language import chosen, of

STYLE = {
    "healthy": "border-left: .3em solid #2e8540; padding-left: .8em",
    "problems": "border-left: .3em solid #c0392b; padding-left: .8em",
    "not verified": "border-left: .3em solid #8a8a8a; padding-left: .8em",
}


@dataclass(frozen=True)
class Shown:
    """An examination and how it shows itself; `found` is the document of `doctor --json`."""

    found: Examination

    def __repr__(self) -> str:
        return "\n".join(told.lines(self.found, chosen()))

    def _repr_html_(self) -> str:
        """The same as HTML. Whatever comes from the environment is escaped: a package may call itself what it likes."""
        _, *rest = told.lines(self.found.model_copy(update={"causes": []}), chosen())
        head = told.summary(self.found, chosen())
        causes = "".join(map(_cause, self.found.causes))
        notes = "".join(f"<li>{escape(line)}</li>" for line in rest if line)
        return (
            f'<div style="{STYLE[self.found.verdict]}"><p><strong>{escape(head)}</strong></p>'
            + (f"<ol>{causes}</ol>" if causes else "")
            + (f"<ul>{notes}</ul>" if notes else "")
            + "</div>"
        )


def _cause(cause: Cause) -> str:
    label = told.LABELS[chosen()]
    title, why = told.title(cause, chosen()), told.reason(cause, chosen())
    parts = [f"<p><strong>[{escape(cause.rung)}] {escape(title)}</strong></p>"]
    parts += [f"<p>{label['cause']}: {escape(why)}</p>"] if why and why != title else []
    parts += (
        [f"<p>{label['evidence']}: <code>{escape(cause.evidence)}</code></p>"] if cause.evidence not in (cause.title, cause.cause) else []
    )
    fix = escape("\n".join(of(chosen(), cause.fix, cause.fix_zh)))
    parts += [f'<p>{label["fix"]}:</p><pre style="white-space: pre-wrap">{fix}</pre>'] if fix else []
    parts += [f"<p>{label['more']}: <code>slowfast-verify explain {escape(cause.id)}</code></p>"] if cause.known else []
    return f"<li>{''.join(parts)}</li>"


def examined(name: str | None, subject: str, rung: str, config: str | None, checkpoint: str | None) -> Shown:
    """Examine and return what was found; says on standard error which rung is climbed."""
    meant = container.stand(active.target_of(name)) if name else target.of_python(Path(sys.executable))
    order = Order(meant, subject, rung, config, checkpoint, began=time.monotonic())
    with consultation.telling(order, silent=False):
        return Shown(examine(order))
