"""Many at once: two matrix runs on one checkout, 500 cells whose probes all crash, 200 children, a gigabyte of output, no memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import psutil
import pytest

from slowfast_verify import compatibility, report
from slowfast_verify import subject as subjects
from slowfast_verify.causes import gather
from slowfast_verify.ending import run_to_end
from slowfast_verify.judge import checks_of, judge
from slowfast_verify.matrix import Matrix
from slowfast_verify.observe import observe
from slowfast_verify.record import read
from slowfast_verify.running import HEAD, TAIL
from slowfast_verify.target import Target
from slowfast_verify.verdict import Verdicts

from ..harness.conftest import Put
from ..harness.fakes import gone
from .conftest import Tell
from .ground import Ground

ROOT = Path(__file__).parents[2]
WHOLE = bool(os.environ.get("FAULTS_WHOLE"))
CELLS = 500 if WHOLE else 20
MEGABYTES = 1024 if WHOLE else 30
whole = pytest.mark.skipif(not WHOLE, reason="not verified: nox -s faults does it")
linux = pytest.mark.skipif(sys.platform != "linux", reason="not verified: the memory limit and the adoption of orphans are Linux's")


def test_two_runs_of_one_cell(ground: Ground, tell: Tell) -> None:
    """Both end well, the environment is built once, and the record is a whole one."""
    ends = []
    for process in [ground.start(), ground.start()]:
        said, _ = process.communicate(timeout=120)
        ends.append((process.returncode, "nothing to install" in said))
    assert sorted(ends) == [(0, False), (0, True)]
    assert ground.outcomes() == {"passed"}
    ground.must_hold("two at once")
    tell("two-climbs", "two runs climb one cell at once", ends="one builds, both pass")


@whole
def test_two_matrix_runs(ground: Ground, tell: Tell) -> None:
    """Two real `nox -s matrix` on one checkout: both green, one table each, nothing half-written."""
    argv = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "-s", "matrix", "--", "--fresh"]
    running = [
        subprocess.Popen(argv, env=ground.environment, cwd=ground.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    for process in running:
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
        assert "records and COMPATIBILITY.md" in said, said
    assert ground.outcomes() == {"passed"}
    assert ground.id in (ground.reports / "records" / "COMPATIBILITY.md").read_text(encoding="utf-8")
    assert not [path.name for path in (ground.reports / "records").iterdir() if path.name.startswith(".")]
    ground.must_hold("two matrix runs")
    tell("two-matrix-runs", "two matrix runs at once on one checkout", ends="both pass")


def test_many_cells_whose_probes_crash(ground: Ground, here: Target, monkeypatch: pytest.MonkeyPatch, tell: Tell) -> None:
    """Each cell gets its record with its signal; the report names the one cause once, with all its cells, and none is green."""
    for name in ("DATA", "HOME", "REPORTS"):
        monkeypatch.setenv(f"SLOWFAST_VERIFY_{name}", ground.environment[f"SLOWFAST_VERIFY_{name}"])
    from slowfast_verify import ladder, layout

    layout.root.cache_clear()
    subjects.all_subjects.cache_clear()
    questions_file = ground.data / "matrices" / "questions.toml"
    questions_file.write_text('[[question]]\nid = "crash"\nprobe = "fake_dying"\nbatch = "imports"\nargs = { how = "SEGV" }\n', "utf-8")
    suites = ground.data / "tests" / "verify"
    (suites / "test_demo.py").unlink()
    (suites / "test_imports.py").write_text('import pytest\npytestmark = pytest.mark.batch("imports")\n\n'
                                            'def test_crash(facts):\n    """It answers."""\n    facts("crash")\n', "utf-8")  # fmt: skip
    try:
        folder = ground.reports / "records"
        before, begun = psutil.Process().memory_info().rss, time.monotonic()
        seen = observe(here, [ladder.inventory_question(subjects.subject("tiny"))])["inventory"]
        cell = Matrix(ground.data / "matrices").cell(ground.id)
        for number in range(CELLS):
            scratch = ground.root / f"run-{number}"
            scratch.mkdir()
            verdicts = Verdicts("tiny", None, here, scratch, seen.facts or {}, {"record": str(folder)}, None)
            judged = [judge(check, verdicts).result for check in checks_of("imports", verdicts)]
            path = verdicts.write(judged, 0.1, whole=True)
            assert path
            text = path.read_text(encoding="utf-8")
            name = f"{cell.id}-{number:03d}"
            (folder / f"{name}.json").write_text(text.replace(f'"{read(path).cell}"', f'"{name}"', 1), encoding="utf-8")
            path.unlink()
        grown = (psutil.Process().memory_info().rss - before) / 1e6
        shown, complaints = report.load([folder])
        assert (len(shown), complaints) == (CELLS, [])
        assert {check.failure.signal for held in shown for check in held.record.checks if check.failure} == {"SIGSEGV"}
        (cause,) = gather(held.record for held in shown)
        assert len(cause.cells) == CELLS
        assert "SIGSEGV" in cause.evidence
        assert compatibility.markdown(shown).count("SIGSEGV") == 1
        assert grown < 150, f"{grown:.0f} MB more after {CELLS} cells in {time.monotonic() - begun:.0f} s"
    finally:
        monkeypatch.undo()
        layout.root.cache_clear()
        subjects.all_subjects.cache_clear()
    tell(
        "cells-crashing",
        "a cell whose probe crashes",
        times=CELLS,
        ends="failed, died by SIGSEGV; the report names one cause with all cells",
    )


@linux
@pytest.mark.parametrize("how", ["hanging", "apart", "answered"])
def test_a_bomb_of_children(put: Put, token: str, how: str, tell: Tell) -> None:
    """200 sleeping children, in sessions of their own or not, of a probe that hangs or answers: all are gone with it."""
    if how == "answered":
        seen = put(("fake_leaving", {"how": "apart", "token": token, "children": 200}), ("fake_answer",))
        assert [one.how for one in seen.values()] == ["answered", "answered"]
    else:
        seen = put(("fake_hanging", {"token": token, "children": 200, "apart": how == "apart"}, {"seconds": 5}), ("fake_answer",))
        assert [one.how for one in seen.values()] == ["hung", "answered"]
    assert gone(token, within=2)
    tell(f"children-{how}", f"a probe leaves 200 sleeping children ({how})", ends="all are ended")


def test_a_gigabyte_from_a_probe(put: Put, tell: Tell) -> None:
    """Its end is kept, the answer gets through, and the host's memory stays where it was."""
    tracemalloc.start()
    seen = put(("fake_printing", {"how": "flood", "megabytes": MEGABYTES}, {"seconds": 200}))["0"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen.how == "answered"
    assert len(seen.stderr_tail) <= 16384
    assert seen.stderr_tail.endswith("the last of it\n")
    assert peak < 20_000_000
    tell("output-probe", f"a probe prints {MEGABYTES} MB", ends="answered; 16 kB are kept")


@pytest.mark.skipif(os.name != "posix", reason="yes and head are POSIX")
def test_a_gigabyte_from_an_installer(tmp_path: Path, tell: Tell) -> None:
    """Its log keeps the beginning and the end, says how much is missing, and neither disk nor memory fill up."""
    script = f"echo the first; yes 'building a thing that says much' | head -c {MEGABYTES}000000; echo; echo the last; exit 3"
    tracemalloc.start()
    with (tmp_path / "log").open("wb") as stream:
        status = run_to_end(["sh", "-c", script], stream, dict(os.environ), 300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    log = (tmp_path / "log").read_bytes()
    assert status == 3
    assert log.startswith(b"the first\n")
    assert log.endswith(b"the last\n")
    assert b"bytes left out here" in log
    assert len(log) < HEAD + TAIL + 500_000
    assert peak < 40_000_000
    tell("output-installer", f"an installer prints {MEGABYTES} MB", ends="its log keeps 3 MB, beginning and end")


@linux
@pytest.mark.parametrize("where", ["itself", "children"])
def test_no_memory(put: Put, where: str, tell: Tell) -> None:
    """A probe beyond its limit, itself or in a child, is ended and says so; the next question is answered."""
    seen = put(("fake_memory", {"megabytes": 4000, "child": where == "children"}, {"memory_mb": 200}), ("fake_answer",))
    assert [one.how for one in seen.values()] == ["memory", "answered"]
    assert "more than the memory limit" in (seen["0"].message or "")
    tell(f"memory-{where}", f"a probe takes more memory than its limit ({where})", ends="ended: memory; the next question is answered")


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_what_a_killed_host_has_started_ends(token: str, tell: Tell) -> None:
    """An installer that starts a process in a session of its own: both end when the host is killed, within seconds."""
    code = ("import os, sys\nfrom slowfast_verify.ending import run_to_end\n"
            f"run_to_end(['sh', '-c', 'setsid sleep {token} & sleep {token}'], open(os.devnull, 'wb'), dict(os.environ))\n")  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 20
    while gone(token, within=0) and time.monotonic() < until:
        time.sleep(0.05)
    assert not gone(token, within=0.3)
    process.kill()
    process.wait()
    assert gone(token, within=5)
    tell("keeper", "the host is killed while an installer has a child in a session of its own", ends="both are ended within seconds")
