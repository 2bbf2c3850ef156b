"""A report for a bug tracker: one Markdown file that a person can read and `doctor --from-report` can read again. Runs on the host.

Called by the `doctor` command with the document that it prints as JSON. Everything in the file has gone through scrub.py, names of
keys too; variables are written by the list in matrices/share.toml alone. A report that is read again is somebody else's text: it is
data to show, its commands are never run, and what would steer a terminal is taken out of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import __version__
from .atomic import write_text
from .errors import Problem
from .harmless import STEERING
from .identity import Identity, identity
from .scrub import Scrubber, rules

MARK = "slowfast-verify-report"
FORMAT = 1
LARGEST = 20_000_000  # bytes; a report of 1,000 findings has under one million
NESTED = 60  # levels
#: Keys under which a document may hold variables of the target: cut down to the list as well.
VARIABLE_KEYS = ("variables", "environ", "environment_variables")


def allowed(environ: Mapping[str, str]) -> dict[str, str]:
    """The listed ones of these variables; a value without the shape of its kind is told by its length alone. Not scrubbed yet."""
    shapes = {name: row.shape for row in rules().variable for name in row.names}
    found = {}
    for name in sorted(set(environ) & set(shapes)):
        fits = re.fullmatch(shapes[name], environ[name]) is not None
        found[name] = environ[name] if fits else f"(not shown: {len(environ[name])} characters of an unusual kind)"
    return found


def shared(document: Mapping[str, Any], text: str, *, who: Identity | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The Markdown of a report. text: what the terminal shows of the document. who: default is whoever runs this process."""
    variables = allowed(os.environ if environ is None else environ)
    scrubber = Scrubber(who or identity(environ))
    document = _only_listed(document)
    for told in (document, {"text": text}, variables):
        scrubber.learn(told)
    whole = {MARK: FORMAT, "tool": __version__, "variables": scrubber.value(variables), "doctor": scrubber.value(document)}
    shown = STEERING.sub("", scrubber.text(text)).strip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
    return "\n".join(
        [
            "### slowfast-verify doctor",
            "",
            "Names, hosts, home folders, addresses, tokens and passwords were taken out before this was written; variables are those of a",
            "fixed list. Read it before you post it all the same.",
            "",
            f"{fence}text",
            shown or "(nothing was printed)",
            fence,
            "",
            "<details><summary>The whole document, for <code>slowfast-verify doctor --from-report FILE</code></summary>",
            "",
            "```json",
            json.dumps(whole, indent=1, ensure_ascii=True, sort_keys=False),
            "```",
            "",
            "</details>",
            "",
        ]
    )


def write_shared(path: Path, document: Mapping[str, Any], text: str, *, who: Identity | None = None) -> None:
    """Write a report whole or not at all. Raises Problem when the file cannot be written."""
    write_whole(path, shared(document, text, who=who), "slowfast-verify doctor --share FILE")


def write_whole(path: Path, text: str, again: str) -> None:
    """Write a text whole or not at all, what is no valid text escaped. again: the command that Problem names when it cannot be written."""
    try:
        write_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))  # a path may be no valid text
    except OSError as error:
        raise Problem(
            "the report cannot be written",
            where=f"{path}: {error.strerror or error}",
            cause="the folder does not exist, is read-only, or the disk is full",
            next=f"name another file: {again}",
        ) from None


def scrubbed(document: Mapping[str, Any], who: Identity) -> dict[str, Any]:
    """A document without names, hosts, home folders, addresses, tokens and passwords."""
    scrubber = Scrubber(who)
    scrubber.learn(document)
    return dict(scrubber.value(document))


def read_shared(path: Path) -> dict[str, Any]:
    """The document of a report, as it was given to `shared`. Raises Problem for what is none, was cut, or is of another version."""
    try:
        if path.stat().st_size > LARGEST:
            raise _none(path, f"it has more than {LARGEST // 1_000_000} MB")
        text = path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n")
    except OSError as error:
        raise Problem("the report cannot be read", where=f"{path}: {error.strerror or error}", next="look at the file's name") from None
    whole = _json_in(text)
    if whole is None:
        begun = MARK in text
        raise _none(path, "the JSON in it is cut off or was edited" if begun else "there is no JSON document of slowfast-verify in it")
    if whole.get(MARK) != FORMAT or not isinstance(whole.get("doctor"), dict):
        raise _none(path, f"it is of version {str(whole.get(MARK))[:20]!r}, and this tool reads {FORMAT}")
    return dict(_harmless(whole["doctor"]))


def _none(path: Path, why: str) -> Problem:
    return Problem(
        "this is no report that can be read again",
        where=f"{path}: {why}",
        cause="the text was copied without its last part, or another file was named",
        next="copy the whole report, or write one again: slowfast-verify doctor --share FILE",
    )


def _json_in(text: str) -> dict[str, Any] | None:
    """The document in a file, in a comment copied from a tracker (quoted with >, indented, within other text), or alone."""
    unquoted = re.sub(r"^[ \t]*>[ \t]?", "", text, flags=re.M)
    for candidate in (text, unquoted):
        for hit in re.finditer(rf"\{{\s*\"{MARK}\"", candidate):
            try:
                found, _ = json.JSONDecoder().raw_decode(candidate, hit.start())
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return None


def _harmless(value: Any, depth: int = 0) -> Any:
    """Nested values without escape sequences and control characters, cut where they are nested without end."""
    if depth > NESTED:
        return None
    if isinstance(value, str):
        return STEERING.sub("", value)
    if isinstance(value, dict):
        return {STEERING.sub("", str(key)): _harmless(item, depth + 1) for key, item in value.items()}
    return [_harmless(item, depth + 1) for item in value] if isinstance(value, list) else value


def _only_listed(value: Any) -> Any:
    """A nested value in which variables, by name or with their values, are cut down to the listed ones."""
    if isinstance(value, Mapping):
        cut = {}
        for key, item in value.items():
            if key in VARIABLE_KEYS and isinstance(item, Mapping):
                item = allowed({str(name): str(text) for name, text in item.items()})
            elif key in VARIABLE_KEYS and isinstance(item, list | tuple):
                item = sorted(allowed({str(name): "" for name in item}))
            else:
                item = _only_listed(item)
            cut[key] = item
        return cut
    return [_only_listed(item) for item in value] if isinstance(value, list | tuple) else value
