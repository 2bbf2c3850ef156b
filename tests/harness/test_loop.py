"""The loops themselves: each way in which one must not end green ends red, and actions do in a place what their data says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slowfast_verify import fix, healthy, index, knowledge, layout, loop, loop_table
from slowfast_verify.action import Action, File
from slowfast_verify.cell import Cell, this_os
from slowfast_verify.errors import NotVerifiable, Problem
from slowfast_verify.fix import Place
from slowfast_verify.knowledge import Explain, KnownFailure, Signature, Witness

CELL = Cell(os=this_os(), python="3.11", torch="0", accelerator="cpu", installer="pip", subject="pyslowfast", revision="none")
FIX = Action(file=[File(path="{site}/thing.py", text="NAME = 'thing'\n")])
BREAK = Action(remove=["{site}/thing.py"])
MISSING = KnownFailure(
    id="missing-thing", title="t", title_zh="t", rung="imports", explain=Explain(cause="c", cause_zh="c"),
    signature=[Signature(type="ModuleNotFoundError", message="No module named 'thing'")],
    fix=[Action(advice="put it there"), FIX], reproduce=[BREAK], witness=Witness(python="import thing"),
)  # fmt: skip


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    env = tmp_path_factory.mktemp("healthy") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True, timeout=120)
    (healthy._site(env) / "thing.py").write_text("NAME = 'thing'\n", encoding="utf-8")
    return env


@pytest.fixture
def place(venv: Path, tmp_path: Path) -> Place:
    """A place of its own for each test, as `healthy` gives one."""
    env = tmp_path / "clone" / "env"
    shutil.copytree(venv, env, symlinks=True)
    (tmp_path / "clone" / "src").mkdir()
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return Place("pip", python, env, healthy._site(env), tmp_path / "clone" / "src", tmp_path / "clone")


@pytest.fixture
def turn(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[KnownFailure], loop.LoopResult]]:
    """`turn(row)` runs the loop of a made-up known failure in the place; the index of rules is made from it alone, and forgotten."""

    def work(row: KnownFailure) -> loop.LoopResult:
        monkeypatch.setattr(knowledge, "all_known", lambda folder=None: {row.id: row})
        monkeypatch.setattr(knowledge, "known", lambda name: row)
        monkeypatch.setattr(loop, "healthy", lambda name, folder: (place, CELL))
        monkeypatch.setattr(healthy, "healthy", lambda name, folder: (place, CELL))
        monkeypatch.setattr(layout, "home", lambda: tmp_path)
        index.index.cache_clear()
        return loop.run_loop(row.id)

    yield work
    index.index.cache_clear()


def test_a_right_loop_is_green(turn) -> None:
    """Broken, diagnosed, mended by the first fix that can be carried out here; the advice before it is passed over."""
    result = turn(MISSING)
    assert (result.outcome, result.fixes, result.reason) == ("green", "2", "")
    assert result.evidence == "ModuleNotFoundError: No module named 'thing'"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fix": [Action(file=[File(path="{site}/other.py", text="")])]}, "stays red after fix 1"),
        ({"fix": [Action(advice="put it there")]}, "all are advice"),
        ({"fix": [Action(run=["{python}", "-c", "raise SystemExit(3)"])]}, "fix 1 cannot be carried out"),
        ({"fix": [FIX.model_copy(update={"when": {"os": ["windows", "macos", "linux"], "installer": "conda"}})]}, "all are advice"),
        ({"signature": [Signature(type="ModuleNotFoundError", message="No module named 'other'")]}, "diagnose names None"),
        ({"reproduce": [Action(file=[File(path="{tmp}/x", text="")])]}, "breaks nothing"),
        ({"witness": Witness(python="import nothing_of_that_name")}, "red before anything was broken"),
        ({"reproduce": [Action(remove=["{site}/nothing*.py"])]}, "breaks nothing"),
        ({"witness": Witness(python="import thing", needs=["a moon"])}, "there is no need"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_wrong_loop_is_red(change: dict[str, object], reason: str, turn) -> None:
    """An empty fix, a wrong signature, a reproduction that breaks nothing, a witness that was never green: each is told."""
    result = turn(MISSING.model_copy(update=change))
    assert result.outcome == "red" and reason in result.reason, result


def test_what_is_missing_here_is_not_run(turn, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that does not stand makes no red and no green."""

    def nothing(name: str, folder: Path) -> None:
        raise NotVerifiable("the environment does not stand")

    row = MISSING
    monkeypatch.setattr(knowledge, "all_known", lambda folder=None: {row.id: row})
    monkeypatch.setattr(knowledge, "known", lambda name: row)
    monkeypatch.setattr(loop, "healthy", nothing)
    assert loop.run_loop(row.id).outcome == "not run"


def test_an_outage_is_no_red(turn) -> None:
    """A fix that fails because the index does not answer says nothing about the fix."""
    said = "print('Could not fetch URL: Temporary failure in name resolution'); raise SystemExit(1)"
    result = turn(MISSING.model_copy(update={"fix": [Action(run=["{python}", "-c", said])]}))
    assert result.outcome == "not run", result.reason


def test_a_failing_command_is_the_failure(turn) -> None:
    """Where the reproduction's own command fails, its output is diagnosed, and the witness may be red from the start."""
    command = Action(run=["{python}", "-c", "raise SystemExit('No matching ' + 'distribution found for thing')"])
    signature = [Signature(text="No matching distribution found for thing")]
    result = turn(MISSING.model_copy(update={"reproduce": [BREAK, command], "signature": signature}))
    assert (result.outcome, result.evidence) == ("green", "No matching distribution found for thing")


def test_an_advice_is_followed_by_hand(turn) -> None:
    """Where the fix is advice alone, the loop does what it means for its reproduction, and says so."""
    witness = Witness(python="import thing", by_hand=[FIX])
    result = turn(MISSING.model_copy(update={"fix": [Action(advice="put it there")], "witness": witness}))
    assert (result.outcome, result.fixes) == ("green", "by hand")


def test_words_are_red_whatever_the_exit_status(turn) -> None:
    """A command that succeeds and prints what the signature knows has failed: the silent ones are the worst."""
    witness = Witness(command=["{python}", "-c", "import sys; print('lost' if len(sys.argv) > 1 else 'found')", "{opts}"])
    change = {"reproduce": [Action(opts={"A.B": "1"})], "fix": [Action(opts={"A.B": "2"})], "signature": [Signature(text="lost")],
              "witness": witness}  # fmt: skip
    assert "stays red" in turn(MISSING.model_copy(update=change)).reason


def test_hanging_is_red_and_ends(turn) -> None:
    """A witness that never ends is ended at its limit, and is red."""
    hang = Action(file=[File(path="{site}/thing.py", text="import time\nprint('waits', flush=True)\ntime.sleep(600)\n")])
    row = MISSING.model_copy(update={"reproduce": [hang], "signature": [Signature(text="waits")],
                                     "witness": Witness(python="import thing", seconds=2)})  # fmt: skip
    result = turn(row)
    assert result.outcome == "green" and result.seconds < 60


def test_a_check_is_a_witness(place: Place, turn) -> None:
    """A check of the suites judges the place: its finding is diagnosed, and the variable taken back makes it green."""
    folder = place.folder / "package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    place.variables["PYTHONPATH"] = str(place.site)
    row = MISSING.model_copy(update={
        "id": "pythonpath-inner-folder",
        "reproduce": [Action(env={"PYTHONPATH": "{cell}/package"})], "fix": [Action(env={"PYTHONPATH": "{cell}"})],
        "signature": [Signature(text="which is a package")],
        "witness": Witness(check="environment::pythonpath_is_not_inside_a_package"),
    })  # fmt: skip
    result = turn(row)
    assert result.outcome == "green", result.reason
    assert result.evidence.startswith("environment::pythonpath_is_not_inside_a_package")


def test_placeholders_and_own_commands(place: Place) -> None:
    """{python}, {fixtures}, {tmp} and the rest are filled, and `pip` is never the calling shell's."""
    text = place.fill("{python}|{fixtures}|{tmp}|{site}|{cell}|{unknown}")
    assert text.split("|") == [*map(str, (place.python, layout.fixtures(), place.tmp, place.site, place.folder)), "{unknown}"]
    assert place.tmp.is_dir() and not any(place.tmp.iterdir())
    assert fix.command(place, ["pip", "list"]) == [str(place.python), "-m", "pip", "list"]
    assert fix.command(place, ["python3", "{tmp}"])[0] == str(place.python)
    place.variables["WHERE"] = "{checkout}"
    found = fix.environ(place)
    assert found["WHERE"] == str(place.checkout) and found["PATH"].startswith(str(place.python.parent))


@pytest.mark.parametrize("name", ["{env}/../../outside", "{checkout}/../../outside", "{env}", str(Path.home())])
def test_nothing_outside_is_removed(name: str, place: Place) -> None:
    """An action takes away nothing but files of the place, and never the place itself."""
    (place.folder.parent / "outside").touch()
    with pytest.raises(Problem, match="will not be removed"):
        fix.carry_out(Action(remove=[name]), place, lambda *_: None, "x")
    assert (place.folder.parent / "outside").exists() and place.env.exists()


def test_removing_takes_patterns_folders_and_links(place: Place) -> None:
    """A pattern means all that it fits; of a link the link goes, not what it leads to."""
    for name in ("a-1.dist-info", "a-2.dist-info"):
        (place.site / name).mkdir()
    (place.site / "link").symlink_to(place.site / "thing.py")
    fix.carry_out(Action(remove=["{site}/a-*.dist-info", "{site}/link"]), place, lambda *_: None, "x")
    assert sorted(path.name for path in place.site.iterdir() if path.name[0] in "alt") == ["thing.py"]


def test_variables_replace_precede_and_go(place: Place) -> None:
    """PYTHONPATH gains an entry in front, an outer folder takes the place of an inner one, and an empty value takes a variable away."""
    for value in ("{checkout}/slowfast", "{checkout}", "{cell}/links"):
        fix.carry_out(Action(env={"PYTHONPATH": value, "X": value}), place, lambda *_: None, "x")
    assert place.variables["PYTHONPATH"] == os.pathsep.join([f"{place.folder}/links", str(place.checkout)])
    fix.carry_out(Action(env={"X": ""}), place, lambda *_: None, "x")
    assert "X" not in place.variables


def test_the_table_tells_green_by_hand_and_why_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One row for each loop, its seconds, and for what is not reproduced the reason; a stale table is found."""
    row = MISSING.model_copy(update={"witness": Witness(python="import thing", environment="classic", needs=["index"])})
    other = MISSING.model_copy(update={"id": "needs-a-gpu", "witness": None, "unreproduced": "needs a GPU"})
    monkeypatch.setattr(knowledge, "all_known", lambda folder=None: {row.id: row, other.id: other})
    monkeypatch.setattr(knowledge, "_one", {row.id: row, other.id: other}.get)
    monkeypatch.setattr(layout, "reports", lambda: tmp_path)
    loop_table.leave(loop.LoopResult(id=row.id, environment="classic", needs=["index"], outcome="green", fixes="2", seconds=3.2))
    loop_table.leave(loop.LoopResult(id="gone", environment="classic", outcome="green"))
    assert loop_table.main([]) == 0 and loop_table.main(["--check"]) == 0
    text = (tmp_path / "LOOPS.md").read_text(encoding="utf-8")
    assert "| missing-thing | classic | index | 2 | 3 |" in text and "| needs-a-gpu | needs a GPU |" in text and "gone" not in text
    loop_table.leave(loop.LoopResult(id=row.id, environment="classic", outcome="not run", reason="no index"))
    loop_table.main([])
    assert "| missing-thing | classic | index | 2 | 3 |" in (tmp_path / "LOOPS.md").read_text(encoding="utf-8")
    loop_table.leave(loop.LoopResult(id=row.id, environment="classic", outcome="red", reason="the witness stays red\nx"))
    loop_table.main([])
    assert "| missing-thing | classic | red | the witness stays red |" in (tmp_path / "LOOPS.md").read_text(encoding="utf-8")
    (tmp_path / "LOOPS.md").write_text("old", encoding="utf-8")
    assert loop_table.main(["--check"]) == 1


def test_every_loop_names_what_exists() -> None:
    """Witnesses name environments and needs of matrices/loops.toml; what breaks is executable, and by_hand too."""
    table = healthy.loops()
    wrong = []
    for name, row in knowledge.all_known().items():
        if row.witness:
            wrong += [f"{name}: environment {row.witness.environment}"] if row.witness.environment not in table.environment else []
            wrong += [f"{name}: need {need}" for need in row.witness.needs if need not in table.need]
            wrong += [f"{name}: an advice breaks nothing" for action in row.reproduce if not loop.does(action)]
            if not any(map(loop.does, [*row.fix, *row.witness.by_hand])):
                wrong.append(f"{name}: nothing that a loop could carry out")
    assert not wrong, "\n".join(wrong)
