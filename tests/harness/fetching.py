"""Helpers of the tests that fetch: a tiny published checkpoint, the server that has it, and limits that make waiting short."""

from __future__ import annotations

from pathlib import Path

from slowfast_verify.download import Limits
from slowfast_verify.zoo import Entry, Fetched, Weights, fetch

from . import checkpoint_bytes as make
from .scripted_site import Site

DATA = make.torch_zip({"w": 30_000}).data
HALF = len(DATA) // 2
QUICK = Limits(connect=5, stall=0.6, tries=2, pause=0.01, lock=20)


def weights(web: Site, **more: object) -> Weights:
    row = {"name": "k400/tiny", "address": web.url("tiny.pyth"), "config": "c.yaml", "dataset": "k400", "source": "a test"}
    return Weights.model_validate(row | more)


def get(entry: Entry, folder: Path) -> Fetched:
    return fetch(entry, folder, show=False, limits=QUICK)


def left(folder: Path) -> set[str]:
    """The files that a fetch left behind, locks aside."""
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}
