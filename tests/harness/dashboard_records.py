"""Made records for the dashboard's tests and its benchmark: every standing, several runs of a cell, harmful texts, many of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from slowfast_verify.cell import Cell
from slowfast_verify.record import RUNGS, CheckResult, FailureDetail, Installation, Record

SYSTEMS = ("linux", "windows", "macos")
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
TORCHES = tuple(f"{major}.{minor}.{patch}" for major, minor, patch in itertools.product((1, 2), range(6, 16), (0, 1)))
ACCELERATORS = ("cpu", "cu102", "cu118", "cu126", "rocm6.2")
SUBJECTS = (("pyslowfast", "main"), ("pyslowfast", "bac7b67"), ("pytorchvideo", "main"), ("slowfast-release", "1.0"))
HARM = {
    "markup": '<script>window.harmed = 1</script></script><img src=x onerror="window.harmed=1"><!--',
    "direction": "\u202egnp.exe\u2066 right to left \u2067",
    "lines": "a\u2028b\u2029c\x00\x1b[31m",
    "long": "x" * 1_000_000 + "the end",
}


def many_cells(count: int) -> Iterator[Cell]:
    """So many different cells, in the proportions of a large matrix."""
    every = itertools.product(TORCHES, SUBJECTS, SYSTEMS, PYTHONS, ACCELERATORS, ("uv", "pip"))
    for torch, (subject, revision), os, python, accelerator, installer in itertools.islice(every, count):
        yield Cell(os=os, python=python, torch=torch, accelerator=accelerator, installer=installer, subject=subject, revision=revision)


def check(rung: str, name: str, outcome: str = "passed", *, known: str = "", message: str = "", seconds: float = 0.1) -> CheckResult:
    """One check; what failed says so."""
    failure = FailureDetail(how="raised", type="ImportError", message=message or f"{name} is not as it should be", step=f"import {name}")
    bad = outcome in ("failed", "failed as expected", "infrastructure")
    return CheckResult.model_validate({
        "id": f"{rung}::{name}", "rung": rung, "outcome": outcome, "seconds": seconds, "failure": failure if bad else None,
        "knowledge": known or None, "reason": "needs a GPU" if outcome == "not verified" else None,
    })  # fmt: skip


def record(cell: str, checks: list[CheckResult], run: str = "2026-11-20T10:00:00Z-0001", **more: object) -> Record:
    """A record of a cell that ran natively."""
    target = {"kind": "venv", "runner": "native", "python": "3.10.13", "torch": "2.4.1", "machine": "x86_64"}
    steps = {"torch": 10.5, "dependencies": 4.0}
    made = Installation(installer="uv", workarounds=[], seconds=14.5, step_seconds=steps, created=run[:20])
    return Record.model_validate(
        {
            "schema": 2,
            "cell": cell,
            "run": run,
            "suite": "abc1234",
            "target": target,
            "installation": made,
            "checks": checks,
            "seconds": 9.0,
        }
        | more
    )


def climbed(to: str = "train", **outcomes: str) -> list[CheckResult]:
    """Two checks of each rung, passed up to a rung; outcomes: of the second check of a rung."""
    upto = RUNGS[: RUNGS.index(to) + 1]
    return [
        check(rung, name, "passed" if name == "first" else outcomes.get(rung, "passed")) for rung in upto for name in ("first", "second")
    ]


def whole_rung(rung: str, outcome: str, known: str = "", message: str = "") -> list[CheckResult]:
    """A climb that ends at a rung of which no check passed."""
    below = [row for row in climbed() if RUNGS.index(row.rung) < RUNGS.index(rung)]
    return [
        *below,
        check(rung, "first", outcome, known=known, message=message),
        check(rung, "second", outcome, known=known, message=message),
    ]


CHECKS = [(RUNGS[number % len(RUNGS)], f"question_{number}[{number % 7}]") for number in range(60)]


def many_records(count: int) -> Iterator[Record]:
    """So many records of 60 checks each: most reach the top, some fail each in its own words, some are cut short by an outage."""
    for number, cell in enumerate(many_cells(count)):
        checks = []
        for place, (rung, name) in enumerate(sorted(CHECKS, key=lambda row: RUNGS.index(row[0]))):
            outcome, known = "passed", ""
            if place in (13, 27):
                outcome = "not verified"
            elif place in (31, 40, 44):
                outcome, known = "failed as expected", ("vision-fair-import", "config-key-unknown", "torch-six-removed")[place % 3]
            elif number % 10 == 3 and place == 50:
                outcome = "failed"
            elif number % 50 == 7 and place == 12:
                outcome = "infrastructure"
            message = f"No module named 'm{number % 13}' at line {number}" if outcome == "failed" else ""
            checks.append(
                check(rung, name, outcome, known=known, message=message, seconds=round(0.01 * ((number * 7 + place * 13) % 997), 3))
            )
        yield record(cell.id, checks, f"2026-11-{10 + number % 12:02}T10:{number % 60:02}:{number // 60 % 60:02}Z-{number:04x}")
