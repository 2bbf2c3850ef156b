"""The dashboard that these tests look at: a cell of every kind, and how a page of it is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from slowfast_verify.cell import Cell
from slowfast_verify.recipe import Recipe
from slowfast_verify.resolution import Prediction, Resolution
from slowfast_verify.script import Form

NOW = datetime(2025, 11, 23, 12, tzinfo=UTC)  # so that ages do not depend on the day on which the tests run


def cell(os: str = "linux", python: str = "3.10", torch: str = "2.4.1", accelerator: str = "cpu", installer: str = "uv",
         subject: str = "pyslowfast", revision: str = "main", arch: str = "x86_64") -> Cell:  # fmt: skip
    return Cell(
        os=os, arch=arch, python=python, torch=torch, accelerator=accelerator, installer=installer, subject=subject, revision=revision
    )


TOP = cell()
BROKEN = cell(torch="2.1.2")
KNOWN = cell(revision="main-as-is")
OUTAGE = cell(torch="2.5.0")
RESOLVED = cell(os="windows", accelerator="cu118")
FORETOLD = cell(os="windows", accelerator="cu118", torch="2.9.0")
NEVER = cell(os="macos", arch="arm64", python="3.12")
WINE = cell(os="windows")
CELLS = (TOP, BROKEN, KNOWN, OUTAGE, RESOLVED, FORETOLD, NEVER, WINE, cell(python="3.11"), cell(installer="pip"))


def recipe(name: str) -> Recipe | None:
    """Commands that name their cell, so that a test can tell whose they are."""
    windows = name.startswith("windows")
    forms: tuple[Form, ...] = ("powershell", "cmd") if windows else ("bash", "dockerfile")
    proof = "verified" if name == TOP.id else "predicted"
    blocks = {form: {"form": form, "text": f"echo {form}\npip install {name}\n", "proof": proof, "digest": "0"} for form in forms}
    rest = {"evidence": None, "versions": "pins", "pins": [], "needs": ["git"], "notes": ["add NUM_GPUS 0"]}
    return Recipe.model_validate({"cell": name, "title": name, "proof": proof, "blocks": blocks, **rest})


def resolution(name: str) -> Resolution | None:
    if name == RESOLVED.id:
        return Resolution(cell=name, verdict="resolves", versions={"torch": "2.4.1+cu118"}, date="2025-11-20T00:00:00Z")
    if name == FORETOLD.id:
        foretold = [Prediction(id="missing-pyav", rung="decode", why="av is not there")]
        return Resolution(cell=name, verdict="resolves", predicted=foretold, date="2025-11-20T00:00:00Z")
    return None


Open = Callable[..., Any]


def settled(page: Any) -> Any:
    """The page once its details are unpacked."""
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    return page


def left(page: Any) -> str:
    return page.inner_text("#results-title")
