"""The first commit of a subject at which a rung of the ladder falls, found in one environment whose checkout alone moves.

Called by `slowfast-verify bisect`. Runs on the host. What a commit showed is kept, so that an interrupted search goes on where it
stopped; a commit that could not be judged (an outage, nothing verified) is skipped, and looked at again by the next run.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from . import climb, layout, moving, provision
from .atomic import write_text
from .causes import sentence
from .cell import Cell
from .errors import Infrastructure, NotVerifiable, Problem
from .history import History, Word
from .knowledge import RUNGS
from .matrix import Matrix
from .provenance import run_id, suite_revision
from .record import CheckResult, Frozen, Record

FAILS = ("failed", "failed as expected")
PASSES = ("passed", "passed unexpectedly")
Say = Callable[[str], None]
Look = Callable[[str], Record]


class Looked(Frozen):
    """What one commit showed: its record, or why there is none; seconds it took."""

    commit: str
    seconds: float
    record: Record | None = None
    problem: str = ""

    @property
    def judged(self) -> bool:
        """Whether it is worth keeping: an outage may be over by the next run."""
        return self.record is not None and not any(check.outcome == "infrastructure" for check in self.record.checks)


class Row(Frozen):
    """One commit of a search, as the report shows it."""

    commit: str
    date: str
    subject: str
    verdict: Word
    why: str
    seconds: float


class Bisection(Frozen):
    """What a search found; seconds: of looking, this run's and an interrupted one's.

    first is None where only commits that could not be judged were left: then it is one of `candidates`.
    """

    cell: str
    rung: str
    good: str
    bad: str
    commits: int
    first: Row | None
    candidates: list[str] = []
    before: str
    after: str
    knowledge: str | None = None
    judged: list[Row]
    seconds: float
    run: str
    suite: str


def failing(record: Record, rung: str) -> dict[str, CheckResult]:
    """{id: check} of what fails at a rung, expected or not: an expectation speaks of the cell's own revision, not of this commit."""
    return {check.id: check for check in record.checks if check.rung == rung and check.outcome in FAILS}


def fallen(good: Record, bad: Record) -> str | None:
    """The first rung at which something fails that did not at the good commit."""
    return next((rung for rung in RUNGS if failing(bad, rung).keys() - failing(good, rung).keys()), None)


def word_for(good: Record, looked: Looked, rung: str) -> tuple[Word, str]:
    """The verdict on a commit, and why: bad where something fails at the rung that did not at the good commit.

    Skipped where it has no record, or where a check that the good commit passed could not be made.
    """
    if looked.record is None:
        return "skip", looked.problem
    new = failing(looked.record, rung).keys() - failing(good, rung).keys()
    if new:
        first = next(check for check in looked.record.checks if check.id in new)
        return "bad", sentence(first)
    found = {check.id: check for check in looked.record.checks}
    passed = [check.id for check in good.checks if check.rung == rung and check.outcome in PASSES]
    unmade = [found[name] for name in passed if name in found and found[name].outcome in ("not verified", "infrastructure")]
    if unmade or not any(name in found for name in passed):
        return "skip", sentence(unmade[0]) if unmade else f"no check of {rung} was made"
    return "good", f"{sum(1 for check in looked.record.checks if check.rung == rung and check.outcome in PASSES)} checks passed"


class Search:
    """One search: the history, how to look at a commit, and where what was seen is kept."""

    def __init__(self, cell: str, history: History, look: Look, kept: Path, say: Say = print) -> None:
        self.cell, self.history, self.look, self.kept, self.say = cell, history, look, kept, say
        self.seen: dict[str, Looked] = {}

    def run(self, good: str, bad: str, rung: str | None = None) -> Bisection:
        """Search between two commits (forty digits).

        Raises Problem where there is nothing to find, NotVerifiable where one of the two cannot be judged.
        """
        self.history.require_ancestor(good, bad)
        commits = self.history.between(good, bad)
        ends = [self._end(good), self._end(bad)]
        rung = rung or fallen(*ends)
        if rung is None or word_for(ends[0], self.seen[bad], rung)[0] != "bad":
            raise self._nothing(good, bad, ends, rung)
        self.say(f"{rung} falls between {good[:7]} and {bad[:7]}: {commits} commits")
        rows: dict[str, Row] = {}

        def judge(commit: str) -> Word:
            looked = self._looked(commit)
            rows[commit] = self._row(ends[0], looked, rung)
            self.say(f"  {rows[commit].verdict:4} {commit[:7]} {rows[commit].date} {rows[commit].subject[:60]} ({looked.seconds:.0f} s)")
            return rows[commit].verdict

        found = self.history.search(good, bad, judge)
        for commit in (good, bad):  # git asks about neither
            rows[commit] = self._row(ends[0], self.seen[commit], rung)
        last_good = next((row for row in self._ordered(rows, good, bad) if row.verdict == "good"), rows[good])
        first = rows.get(found.first)
        shown = failing(self._record(first.commit if first else bad), rung)
        new = next(check for name, check in shown.items() if name not in failing(ends[0], rung))
        return Bisection(
            cell=self.cell, rung=rung, good=good, bad=bad, commits=commits, first=first, candidates=found.candidates,
            before=_first_cause(self._record(last_good.commit), rung), after=sentence(new), knowledge=new.knowledge,
            judged=self._ordered(rows, good, bad), seconds=round(sum(row.seconds for row in rows.values()), 1), run=run_id(),
            suite=suite_revision(),
        )  # fmt: skip

    def _looked(self, commit: str) -> Looked:
        if commit in self.seen:
            return self.seen[commit]
        path = self.kept / f"{commit}.json"
        try:
            looked = Looked.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            looked = None
        if looked is None or not looked.judged:
            begun = time.monotonic()
            record, problem = None, ""
            try:
                record = self.look(commit)
            except Problem as found:
                problem = str(found)
            looked = Looked(commit=commit, seconds=round(time.monotonic() - begun, 1), record=record, problem=problem)
            self.kept.mkdir(parents=True, exist_ok=True)
            write_text(path, looked.model_dump_json(by_alias=True, exclude_none=True))
        self.seen[commit] = looked
        return looked

    def _end(self, commit: str) -> Record:
        date, subject = self.history.told(commit)
        looked = self._looked(commit)
        if looked.record is None or not looked.judged:
            why = looked.problem or "an outage"
            raise NotVerifiable(f"{commit[:7]} could not be judged, so there is nothing to start from", cause=why, code=4)
        self.say(f"  look {commit[:7]} {date} {subject[:60]} ({looked.seconds:.0f} s)")
        return looked.record

    def _record(self, commit: str) -> Record:
        found = self.seen[commit].record
        assert found
        return found

    def _row(self, good: Record, looked: Looked, rung: str) -> Row:
        date, subject = self.history.told(looked.commit)
        word, why = word_for(good, looked, rung)
        return Row(commit=looked.commit, date=date, subject=subject, verdict=word, why=why.splitlines()[0][:300], seconds=looked.seconds)

    def _ordered(self, rows: dict[str, Row], good: str, bad: str) -> list[Row]:
        """Newest first, as git lists them."""
        return [rows[commit] for commit in self.history.listed(good, bad) if commit in rows]

    def _nothing(self, good: str, bad: str, ends: list[Record], rung: str | None) -> Problem:
        swapped = fallen(ends[1], ends[0])
        worse = f"at {good[:7]} {swapped} is worse than at {bad[:7]}: it was mended between them" if swapped else "both show the same"
        what = f"{rung} does not fall" if rung else "no rung falls"
        return Problem(f"{what} between {good[:7]} and {bad[:7]}", cause=worse, next="name another pair, or another rung with --rung")


def _first_cause(record: Record, rung: str) -> str:
    """What failed at the rung, in a sentence, or that nothing did."""
    found = failing(record, rung)
    first = next(iter(found.values()), None)
    if first is None:
        return f"nothing fails at {rung}"
    return sentence(first) + (f" [{first.knowledge}, as expected]" if first.outcome == "failed as expected" else "")


def of_cell(cell: Cell, matrix: Matrix, good: str, bad: str, rung: str | None, say: Say = print) -> Bisection:
    """Search the history of a cell's subject. good and bad: names of the subject's revisions, commits, branches or tags."""
    if rung is not None and rung not in RUNGS:
        raise Problem(f"there is no rung {rung!r}", where="bisect --rung", next=f"one of {', '.join(RUNGS)}")
    folder = layout.home() / "bisect" / cell.id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            return _locked(cell, matrix, good, bad, rung, folder, say)
    except Timeout:
        raise Infrastructure(f"another run searches with {cell.id}", where=str(folder), next="wait for it, or end it") from None


def _locked(cell: Cell, matrix: Matrix, good: str, bad: str, rung: str | None, folder: Path, say: Say) -> Bisection:
    found = provision.provision(cell, matrix, say=say)
    made = moving.stand(cell, found, folder / "cell")
    assert made.checkout
    history = History(Path(made.checkout))
    history.fetch()
    named = {revision.name: revision.commit for revision in matrix.subjects[cell.subject].revision if revision.commit}
    ends = [history.commit(named.get(name) or name) for name in (good, bad)]
    kept = folder / "seen" / f"{found.inputs[:12]}-{suite_revision()}"

    def look(commit: str) -> Record:
        for line in moving.move(made, cell, matrix, commit):
            say(f"  {line}")
        place = folder / "records"
        shutil.rmtree(place, ignore_errors=True)
        standing = folder / "cell" / moving.STATE
        return climb.verify_cell(cell, place, made=standing)[0]

    result = Search(cell.id, history, look, kept, say).run(ends[0], ends[1], rung)
    shutil.rmtree(folder / "cell", ignore_errors=True)  # kept where the search was interrupted
    return result
