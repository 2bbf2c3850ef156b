"""What `nox -s mutation` changes is the same program, what survived is told by its place, and the page follows the data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import layout, mutation, mutation_page
from slowfast_verify.errors import Problem
from slowfast_verify.mutation import Outcome, Run, Subject, Subjects, Survivor
from slowfast_verify.mutation_page import BEGIN, END, Equivalent

DECORATED = '''
from functools import cache, cached_property

def twice(function):
    return lambda *given: 2 * function(*given)

@cache
@twice
def four():
    """Decorated twice."""
    return 2

class Thing:
    kind = 1

    @property
    def size(self):
        return self.kind

    @size.setter
    def size(self, value):
        self.kind = value

    @classmethod
    def made(cls):
        return cls()

    @cached_property
    def kept(self):
        return [self.kind]
'''


def test_without_decorators_it_is_the_same_program() -> None:
    """What was decorated still is, below its definition; what the tool understands and what is set again stays as it was."""
    text = mutation.undecorated(DECORATED)
    assert "@cache" not in text and "@twice" not in text and "@cached_property" not in text
    assert "@classmethod" in text and "@size.setter" in text
    spaces: list[dict[str, Any]] = [{}, {}]
    for space, source in zip(spaces, (DECORATED, text), strict=True):
        exec(compile(source, "m.py", "exec"), space)
        thing = space["Thing"].made()
        assert (space["four"](), space["four"].cache_info().currsize, thing.kept, thing.kept is thing.kept) == (4, 1, [1], True)
    assert mutation.undecorated("def f():\n    return 1\n") == "def f():\n    return 1\n"


@pytest.mark.parametrize("name", list(mutation.subjects().subject))
def test_subjects_name_what_exists(name: str) -> None:
    """Files, tests, and tests that are left out; each file is still a program without its decorators."""
    subject = mutation.subjects().subject[name]
    for path in (*subject.files, *subject.tests):
        assert (layout.root() / path).is_file(), path
    for test in subject.deselect:
        path, _, function = test.partition("::")
        assert f"def {function}(" in (layout.root() / path).read_text(encoding="utf-8"), test
    assert bool(subject.deselect) == bool(subject.deselect_why)
    for path in subject.files:
        compile(mutation.undecorated((layout.root() / path).read_text(encoding="utf-8")), path, "exec")


SUM = "def plus(a, b):\n    return a + b\n\n\ndef unused():\n    return 1\n"
TEST = "import sys\nsys.path.insert(0, 'src')\nfrom small import plus\n\ndef test_plus():\n    assert plus(2, 0) == 2\n"


@pytest.mark.skipif(
    shutil.which("mutmut", path=str(Path(sys.executable).parent)) is None, reason="not verified: mutmut is not installed here"
)
def test_a_weak_test_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real, on two functions: a mutant is killed, one survives and is named with its line, one that no test reaches counts as alive."""
    root = tmp_path / "root"
    for path, text in {
        "src/small.py": SUM, "tests/test_small.py": TEST, "tests/verify/none.py": "", "pyproject.toml": "[project]\nname = 'small'\n",
        "reports/none": "", "tests/harness/mutated.py": (layout.root() / "tests" / "harness" / "mutated.py").read_text(encoding="utf-8"),
    }.items():  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    monkeypatch.setattr(layout, "root", lambda: root)
    monkeypatch.setattr(layout, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    subject = Subject(files=["src/small.py"], tests=["tests/test_small.py"], why="small")
    data = Subjects(limit_factor=2, limit_seconds=20, limit_why="-", subject={"small": subject})
    folder = mutation.prepare("small", subject, data)
    mutation.run(folder, [])
    found = mutation.outcome(folder, subject)
    assert found.mutants == found.killed + found.timed_out + len(found.survivors) and found.killed == 0
    plus, unused = found.survivors
    assert (plus.function, plus.line, plus.before, plus.after, plus.reached) == ("plus", 2, "return a + b", "return a - b", True)
    assert (unused.function, unused.line, unused.reached) == ("unused", 6, False)
    (root / "tests" / "test_small.py").write_text(TEST.replace("2, 0) == 2", "2, 1) == 3"), encoding="utf-8")
    mutation.refresh(folder, subject, data)
    mutation.run(folder, mutation.survivors(folder, subject)[:1])
    assert [row.function for row in mutation.outcome(folder, subject).survivors] == ["unused"]
    mutation.keep("small", found)
    assert mutation.results().subjects["small"] == found


def test_a_subject_that_does_not_exist_is_told() -> None:
    """With the nearest one."""
    with pytest.raises(Problem, match="there is no subject 'recrod'") as caught:
        mutation.main(["recrod"])
    assert "'record'" in caught.value.cause


# -- the page ---------------------------------------------------------------------------------------------------------

ALIVE = [
    Survivor(file="src/slowfast_verify/atomic.py", function="f", line=3, before="import os", after="a | b"),
    Survivor(file="src/slowfast_verify/atomic.py", function="f", line=4, before="import os", after="c", reached=False),
]
FOUND = Outcome(
    date="2026-01-01", seconds=9, mutants=50, killed=47, timed_out=1, files={"src/slowfast_verify/atomic.py": 50}, survivors=ALIVE
)
RUN = Run(tool="mutmut 3", machine="m", subjects={"a": FOUND})
DATA = Subjects(limit_factor=1, limit_seconds=1, limit_why="-", subject={
    "a": Subject(files=["src/slowfast_verify/atomic.py"], tests=["t"], why="it matters"), "b": Subject(files=["f"], tests=["t"], why="too"),
})  # fmt: skip
SAME = Equivalent(file="src/slowfast_verify/atomic.py", function="f", before="import os", after=["a | b"], reason="both are the same")


def test_figures_are_counted() -> None:
    """Both percentages, timed out counts as noticed; what has a reason stands last, what was never run says so."""
    text = mutation_page.render(RUN, DATA, [SAME])
    assert "| a | 50 | 47 | 1 | 2 | 1 | 96 % | 97.9 % | 2026-01-01 | 9 |" in text
    assert "| b | not run |" in text and "**Not run.**" in text
    assert "| **all** | 50 | 47 | 1 | 2 | 1 | 96 % | 97.9 % |" in text
    gap, same = (line for line in text.splitlines() if line.startswith("| atomic.py"))
    assert gap.endswith("**a gap**: no test gets here |") and same.endswith("| both are the same |") and "a \\| b" in same


def test_a_percentage_is_not_rounded_up() -> None:
    """94.99 is not 95."""
    assert (mutation_page.percent(9499, 10000), mutation_page.percent(95, 100), mutation_page.percent(0, 0)) == ("94.9 %", "95 %", "-")


def test_a_reason_for_what_is_gone_is_an_error() -> None:
    """A row that fits no survivor, or whose line no longer stands in the file."""
    assert mutation_page.stale([SAME], RUN) == [] and mutation_page.gone([SAME]) == []
    other = SAME.model_copy(update={"after": ["a | b", "z"], "before": "import os"})
    assert mutation_page.stale([other], RUN) == ["src/slowfast_verify/atomic.py: f: import os -> z"]
    assert mutation_page.gone([SAME.model_copy(update={"before": "no such line"})]) == ["src/slowfast_verify/atomic.py: no such line"]


def test_the_page_is_what_the_results_say(capsys: pytest.CaptureFixture[str]) -> None:
    """The committed page is the one that the command writes, and each equivalent mutant is still one."""
    assert mutation_page.main(["--check"]) == 0, capsys.readouterr().out


def test_a_figure_typed_by_hand_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """--check is red when the page says something else, and the command mends it; a page without a place for it is told."""
    page = tmp_path / "mutation.md"
    page.write_text(f"# Head\n{BEGIN}\nold\n{END}\nfoot\n", encoding="utf-8")
    monkeypatch.setattr(mutation_page, "document", lambda: page)
    assert mutation_page.main(["--check"]) == 1 and "mutation_page" in capsys.readouterr().out
    assert mutation_page.main([]) == 0 and mutation_page.main(["--check"]) == 0
    page.write_text(page.read_text(encoding="utf-8").replace(" killed |", " dead |"), encoding="utf-8")
    assert mutation_page.main(["--check"]) == 1


def test_a_stale_reason_turns_the_check_red(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named."""
    monkeypatch.setattr(mutation_page, "equivalents", lambda: [SAME.model_copy(update={"before": "no such line"})])
    assert mutation_page.main(["--check"]) == 1
    assert "the line is gone: src/slowfast_verify/atomic.py: no such line" in capsys.readouterr().out


def test_every_check_is_counted_among_the_seeded_faults() -> None:
    """The page says how many checks there are and how many have a test that damages what they judge."""
    said = mutation_page.seeded()
    first, _, rest = said.partition(" of ")
    assert int(first) == int(rest.partition(" checks")[0]) > 100
