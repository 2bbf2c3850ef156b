"""The file itself: data, style and scripts in one HTML document that asks nothing of the network. Runs on the host.

Called by `report render` and `nox -s dashboard`. Nothing that a record says becomes markup: data stands in JSON elements, where `<` is
written as an escape, and the scripts put texts into text nodes only. A content security policy lets nothing run but our own script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from .. import __version__
from ..atomic import write_text
from ..cell import Cell
from ..collection import Held
from ..errors import Problem
from ..pages import pages as published
from ..recipe import Recipe
from ..record import RUNGS
from ..resolution import Resolution
from . import failures as known
from .entries import Entry, advisable, gather, survived
from .packing import BLOCK, Tables, columns, details, squeezed
from .standing import JUDGED, LETTERS, RAN, STATES, TOP, of_resolution

HERE = Path(__file__).parent
SCRIPTS = (
    "words", "data", "dom", "address", "glyphs", "choose", "front", "grid", "listing", "cell",
    "evidence", "machine", "failure", "changes", "main",
)  # fmt: skip
STYLES = ("tokens", "frame", "tiles", "filters", "cells", "cell", "pages", "narrow", "print")
NAME = "index.html"


@dataclass(frozen=True)
class Sources:
    """What the page is made from. held: a collection. cells: what can exist. resolution, recipe: of a cell's id, None where there is none.

    evidence: links to what lies in the evidence of a row (record and lock), by its name; none where nobody can follow them.
    refused: how many files of the collection were no records. now: seconds of 1970.
    """

    held: Iterable[Held]
    cells: Iterable[Cell] = ()
    resolution: Callable[[str], Resolution | None] = lambda cell: None
    recipe: Callable[[str], Recipe | None] = lambda cell: None
    evidence: Callable[[str], list[str]] = lambda name: []
    refused: Callable[[], int] = lambda: 0
    now: float | None = None


def render(sources: Sources, output: Path) -> Path:
    """Write the dashboard into a folder; returns the file. Raises Problem where it cannot be written."""
    tables = Tables()
    rows = gather(sources.cells, sources.held, tables.detail)
    harmless = survived(rows)
    resolved = [_resolved(row, sources, tables, harmless) for row in rows]
    advised = advisable(rows)
    extras = [found | _extra(row, sources, tables, row.name in advised) for row, found in zip(rows, resolved, strict=True)]
    heads, pages = known.failures()
    made = time.time() if sources.now is None else sources.now
    words = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
    front = {
        "made": int(made), "version": __version__, "rungs": RUNGS, "states": STATES, "ran": len(RAN), "judged": len(JUDGED),
        "top": len(TOP), "letters": {letter: outcome for outcome, letter in LETTERS.items()}, "failures": heads, "block": BLOCK,
        "advise": [row.subject for row in published().advise], "refused": sources.refused(), "words": words,
        **columns(rows, [head[0] for head in heads]),
    }  # fmt: skip
    blocks = {f"cells-{number}": text for number, text in enumerate(details(rows, extras))}
    blocks |= {"shared": squeezed(tables.shared()), "failures": squeezed(pages)}
    text = _document(front, blocks)
    path = output / NAME
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise Problem(
            "the dashboard cannot be written", where=f"{path}: {error.strerror}",
            cause="the folder is read-only, belongs to somebody else, or the disk is full", next="name another: --output DIR",
        ) from error  # fmt: skip
    return path


def _resolved(row: Entry, sources: Sources, tables: Tables, harmless: dict[tuple[str, str], frozenset[str]]) -> dict[str, Any]:
    """What resolving a cell said, for its page; sets where the row stands if it never ran."""
    resolution = sources.resolution(row.name.partition("+")[0])
    if not resolution:
        return {}
    if not row.runs:
        foretold = [(p.id, p.rung) for p in resolution.predicted]
        survives = harmless.get((row.axes["subject"], row.axes["revision"]), frozenset())
        row.predicted = of_resolution(resolution.verdict, foretold, survives)
        row.date = resolution.date
    dump = resolution.model_dump(exclude={"cell", "versions", "digest", "seconds"}, exclude_defaults=True)
    versions = " ".join(f"{name}=={version}" for name, version in resolution.versions.items())
    return {"resolved": {**dump, "verdict": resolution.verdict, "versions": tables.texts.number(versions)}}


def _extra(row: Entry, sources: Sources, tables: Tables, advised: bool) -> dict[str, Any]:
    """What else a cell's page shows beside its runs: where its evidence lies, and what to type."""
    found: dict[str, Any] = {}
    if row.runs and (links := sources.evidence(row.name)):
        found["links"] = links
    recipe = sources.recipe(row.name.partition("+")[0]) if advised else None
    if recipe:
        found["recipe"] = [
            recipe.proof, recipe.evidence.name if recipe.evidence else "", recipe.needs, recipe.notes,
            recipe.differences,
            {form: [block.proof, [tables.lines.number(line) for line in block.text.rstrip("\n").split("\n")]]
             for form, block in recipe.blocks.items()},
        ]  # fmt: skip
    return found


def _document(front: dict[str, Any], blocks: dict[str, str]) -> str:
    """The HTML. The policy names our script and style by digest, so that nothing else runs whatever the data say."""
    style = "".join((HERE / "styles" / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)
    parts = "\n".join((HERE / "scripts" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{parts}\n}})();\n'
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("page.html.j2").render(
        script=script, style=style, script_digest=_digest(script), style_digest=_digest(style), data=in_element(front), blocks=blocks
    )


def in_element(value: Any) -> str:
    """JSON that may stand inside a script element: no text of it can end the element, open a comment, or be a line end of JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate of a message is no text


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
