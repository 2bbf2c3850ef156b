"""The JSON Schemas of what the project writes, generated from the models: reports/schema. Called by `slowfast-verify report schema`.

A file's number is the schema number of what it describes; older ones stay where they are, for those who hold older documents.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from . import findings, reading, record
from .atomic import write_text

DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: {file name: (model, title, description)}
SCHEMAS: dict[str, tuple[type[BaseModel], str, str]] = {
    f"record-{record.SCHEMA}.json": (record.Record, "Record of slowfast-verify", "What one run found in one target."),
    "refused-1.json": (reading.RefusedLine, "Refused line of a collection",
                       "A collection is JSON Lines: records, sorted by cell and run, then one such line for each thing that was refused."),
    f"doctor-{findings.SCHEMA}.json": (findings.Examination, "Examination of slowfast-verify doctor", "What `doctor --json` prints."),
}  # fmt: skip


def generated(name: str) -> dict[str, Any]:
    """One schema, as the model says it."""
    model, title, description = SCHEMAS[name]
    made = model.model_json_schema(by_alias=True, mode="validation")
    head = {"$schema": DRAFT, "$id": f"urn:slowfast-verify:{name.removesuffix('.json')}", "title": title, "description": description}
    return head | {key: value for key, value in made.items() if key not in head}


def text_of(name: str) -> str:
    """The file's text."""
    return json.dumps(generated(name), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write_all(folder: Path) -> list[Path]:
    """Write every schema; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        write_text(folder / name, text_of(name))
    return [folder / name for name in SCHEMAS]


def drifted(folder: Path) -> list[str]:
    """The names of the files that are not what the models say."""
    return [name for name in SCHEMAS if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text_of(name)]
