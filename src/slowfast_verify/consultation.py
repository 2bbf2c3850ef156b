"""The `doctor` command from its options to its exit status: examine, show what is being done, tell the verdict.

Runs on the host; called by cli.py. On a terminal one line shows the step at hand and goes again; elsewhere a plain line per rung.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from . import active, container, told
from .errors import HEALTHY, PROBLEMS_FOUND, Problem
from .examination import Order, Say, examine
from .findings import Examination
from .language import chosen, of

if TYPE_CHECKING:
    from rich.status import Status

NOTHING_VERIFIED = 4


def order_of(target: str | None, subject: str, rung: str, config: str | None, checkpoint: str | None, began: float) -> Order:
    """What the options ask for; raises Problem for a target, a subject or a file that there is not."""
    return Order(container.stand(active.target_of(target)), subject, rung, config, checkpoint, began=began)


def hold(order: Order, *, as_json: bool = False, quiet: bool = False, share: Path | None = None,
         sarif: Path | None = None) -> Examination:  # fmt: skip
    """Examine and tell; as_json: one document on standard output and nothing else there. quiet: tell nothing at all.

    share: a file for a report that can be posted; sarif: one for the findings as SARIF, scrubbed likewise. Whether they can be written is
    found out before the examination.
    """
    for option, path in (("--share report.md", share), ("--sarif findings.sarif", sarif)):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise Problem("the report cannot be written", where=str(path), cause="a file in a folder that exists is meant",
                          next=f"slowfast-verify doctor {option}")  # fmt: skip
    with telling(order, silent=as_json or quiet):
        found = examine(order)
    if not quiet:
        _print(found, as_json=as_json)
    if share is not None:
        from .identity import identity
        from .share import write_shared

        document = found.model_dump(by_alias=True, exclude_none=True)
        write_shared(share, document, "\n".join(told.lines(found)), who=identity(argv=order.target.argv))
        print(of(chosen(), f"written: {share}; read it before you post it", f"已写入: {share}；公开之前请先看一遍"), file=sys.stderr)
    if sarif is not None:
        from .formats.sarif import sarif as findings
        from .identity import identity
        from .share import scrubbed, write_whole

        clean = Examination.model_validate(scrubbed(found.model_dump(by_alias=True, exclude_none=True), identity(argv=order.target.argv)))
        write_whole(sarif, findings(clean), "slowfast-verify doctor --sarif FILE")
        print(of(chosen(), f"written: {sarif}", f"已写入: {sarif}"), file=sys.stderr)
    return found


def tell_again(path: Path, *, as_json: bool = False) -> Examination:
    """Tell what a shared report says; raises Problem for what is none, or of another version. Nothing of it is carried out."""
    from .share import read_shared

    document = read_shared(path)
    try:
        found = Examination.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise Problem("the report is of another version of this tool", where=f"{path}: {'.'.join(map(str, first['loc']))} {first['msg']}",
                      next="read it with the version that its own lines name, or ask for a new one") from None  # fmt: skip
    _print(found, as_json=as_json)
    return found


def _print(found: Examination, *, as_json: bool) -> None:
    if as_json:
        # ASCII: a path that is no valid text in this locale (LC_ALL=C and a Chinese folder) has no UTF-8.
        print(json.dumps(found.model_dump(by_alias=True, exclude_none=True), indent=1))
    else:
        print("\n".join(told.lines(found, chosen())))
    sys.stdout.flush()


def exit_code(found: Examination) -> int:
    """0 healthy, 1 problems found, 4 nothing could be verified."""
    return {"healthy": HEALTHY, "problems": PROBLEMS_FOUND}.get(found.verdict, NOTHING_VERIFIED)


@contextmanager
def telling(order: Order, *, silent: bool) -> Iterator[None]:
    """Say on standard error what is being done: a status line on a terminal, a line per rung elsewhere."""
    began = order.began

    def first_level(found: Examination) -> None:
        print(told.first_level(found, chosen()), file=sys.stderr, flush=True)

    if not silent:
        order.show = first_level
    if silent or not sys.stderr.isatty():
        order.say = (lambda rung, text: None) if silent else _by_rung(began)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(of(chosen(), "looks at the environment", "正在查看环境")) as status:
        order.say = _live(status, began)
        yield


def _live(status: Status, began: float) -> Say:
    def say(rung: str, text: str) -> None:
        status.update(f"{time.monotonic() - began:4.0f} s  {rung}: {text[:90]}")

    return say


def _by_rung(began: float) -> Say:
    said: set[str] = set()

    def say(rung: str, text: str) -> None:
        if rung not in said and rung != "environment":
            said.add(rung)
            print(f"{time.monotonic() - began:4.0f} s  {rung}", file=sys.stderr, flush=True)

    return say
