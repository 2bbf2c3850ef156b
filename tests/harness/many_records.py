"""Records by the handful, for the tests of collections, differences, questions and formats: written by hand, and drawn by hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from slowfast_verify.collection import Collection, Held
from slowfast_verify.knowledge import RUNGS
from slowfast_verify.reading import Refused
from slowfast_verify.record import CheckResult, FailureDetail, Record

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CELLS = ("linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@main", "linux-py3.11-torch2.15.0-cpu-uv-pytorchvideo@main",
         "windows-py3.8-torch1.8.0-cpu-uv-pyslowfast@main+wine", "target-pyslowfast-venv-mine")  # fmt: skip
KNOWN = ("vision-fair-import", "torch-six-removed")
OUTAGE = "the package index does not answer: 503 for numpy"


def run_id(days: float = 0, word: str = "0000") -> str:
    """The name of a run that ended so many days before NOW."""
    return f"{(NOW - timedelta(days=days)).strftime('%Y-%m-%dT%H:%M:%SZ')}-{word}"


def check(name: str, outcome: str = "passed", **more: Any) -> CheckResult:
    """A check by its id `rung::name`; a failure may be given as its message."""
    if isinstance(more.get("failure"), str):
        more["failure"] = FailureDetail(how="raised", type="ImportError", message=more["failure"], step="import x")
    return CheckResult.model_validate({"id": name, "rung": name.partition("::")[0], "outcome": outcome, "seconds": 1.5, **more})


def record(cell: str = CELLS[0], *checks: CheckResult, days: float = 0, word: str = "0000", **more: Any) -> Record:
    """A run of a cell, so many days before NOW."""
    return Record(cell=cell, run=run_id(days, word), suite=more.pop("suite", "abc1234"), target=more.pop("target", {"kind": "venv"}),
                  checks=list(checks), **more)  # fmt: skip


def held(*runs: Record) -> Held:
    """What a collection of these runs of one cell knows of it."""
    with Collection(runs) as found:
        (one,) = found
        return one


# -- drawn ---------------------------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
nasty = st.sampled_from([
    "<script>alert(1)</script>", "\u202egnp.exe", "\x1b[2J\x1b]0;x\x07", "]]>&amp;<![CDATA[", "`a``b`", "| a |\n# h", "\x00\x0b", "\ufffe",
])  # fmt: skip
said = texts | nasty
failures = st.builds(FailureDetail, how=st.sampled_from(["raised", "died", "judged"]), type=st.none() | said, message=said,
                     step=st.none() | said, signal=st.none() | st.just("SIGSEGV"), stderr_tail=said)  # fmt: skip


@st.composite
def drawn_checks(draw: st.DrawFn, outcomes: tuple[str, ...]) -> list[CheckResult]:
    """Checks with distinct ids, of these outcomes."""
    names = draw(st.lists(st.tuples(st.sampled_from(RUNGS), st.integers(0, 3)), unique=True, min_size=1, max_size=6))
    rows = []
    for rung, number in sorted(names, key=lambda row: (RUNGS.index(row[0]), row[1])):
        outcome = draw(st.sampled_from(outcomes))
        more: dict[str, Any] = {"reason": draw(said)} if outcome in ("not verified", "infrastructure") else {}
        if outcome in ("failed", "failed as expected", "passed unexpectedly"):
            more = {"failure": draw(failures), "knowledge": draw(st.sampled_from(KNOWN))}
        rows.append(check(f"{rung}::check_{number}", outcome, **more))
    return rows


EVERY = ("passed", "failed", "failed as expected", "passed unexpectedly", "not verified", "infrastructure")
WITHOUT_OUTAGE = tuple(outcome for outcome in EVERY if outcome != "infrastructure")


@st.composite
def drawn_records(draw: st.DrawFn, outcomes: tuple[str, ...] = EVERY) -> Record:
    """A record of one of a few cells and a few runs: collisions are wanted."""
    return record(draw(st.sampled_from(CELLS)), *draw(drawn_checks(outcomes)), days=draw(st.integers(0, 4)),
                  word=draw(st.sampled_from(["0000", "aaaa"])), target=draw(st.dictionaries(texts, said, max_size=2)))  # fmt: skip


refusals = st.builds(Refused, where=said, why=said)
items = st.lists(drawn_records() | refusals, max_size=8)
