"""Many cells at once: equal questions asked once, answers kept, interrupted runs continued, and what cannot be reached told as that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slowfast_verify import package_index, resolution, resolve
from slowfast_verify.cli import app
from slowfast_verify.matrix import default

from . import tiny_wheel

CELL = "linux-py3.9-torch1.8.1-cpu-uv-pytorchvideo@0.1.5"
GLOB = "linux-py3.*-torch1.8.1-cpu-*-pytorchvideo@0.1.5"  # Python 3.7 to 3.9, uv and pip


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index with what pytorchvideo's cells ask for, and an empty cache."""
    root = tmp_path / "index"
    for name, version in (("torch", "1.8.1"), ("torchvision", "0.9.1"), ("torchaudio", "0.8.1"), ("setuptools", "60.0"),
                          ("numpy", "1.21.0"), ("numpy", "1.25.0"), ("opencv-python", "4.5.0"), ("pytorchvideo", "0.1.5")):  # fmt: skip
        tiny_wheel.wheel(root / name, name.replace("-", "_"), version)
    monkeypatch.setenv("UV_DEFAULT_INDEX", tiny_wheel.links(root))
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        package_index, "answers", lambda place: "ConnectionError"
    )  # whether PyTorch's own index answers is not the question
    for cached in (package_index.address, resolve._answers, resolve._asked):
        cached.cache_clear()
    yield root  # type: ignore[misc]
    for cached in (package_index.address, resolve._answers, resolve._asked):
        cached.cache_clear()


def run(*arguments: str) -> tuple[int, list[dict[str, object]], str]:
    done = CliRunner().invoke(app, ["resolve", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.exit_code, rows, done.output


@pytest.mark.usefixtures("shelf")
def test_equal_questions_are_asked_once() -> None:
    """uv and pip ask the same: six cells, three questions; a second run asks nothing."""
    code, _, said = run(GLOB)
    assert code == 0
    assert "6 cells: 6 resolve" in said
    assert "3 distinct resolutions, 3 of them asked now" in said
    assert "3 distinct resolutions, 0 of them asked now" in run(GLOB)[2]


def test_what_was_fetched_answers_without_the_index(shelf: Path) -> None:
    """The index is gone, and the answers are still there."""
    before = run(GLOB, "--json")[1]
    shutil.rmtree(shelf)
    assert run(GLOB, "--json", "--offline")[1] == before


@pytest.mark.usefixtures("shelf")
def test_versions_are_those_of_the_cell_s_own_pins() -> None:
    """The stack's numpy < 1.24 decides here as it does when the cell is built."""
    row = run(CELL, "--json")[1][0]
    assert row["verdict"] == "resolves"
    assert row["versions"]["numpy"] == "1.21.0"  # type: ignore[index]
    assert row["versions"]["torch"] == "1.8.1"  # type: ignore[index]
    assert row["level"] == "glibc 2.31"


@pytest.mark.usefixtures("shelf")
def test_never_fetched_and_offline_is_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was ever asked of this index: exit 4, and the reason is told."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    package_index.address.cache_clear()
    code, rows, _ = run(CELL, "--json", "--offline")
    assert code == 4
    assert rows[0]["verdict"] == "not verified"


@pytest.mark.usefixtures("shelf")
def test_an_interrupted_run_goes_on_where_it_stopped() -> None:
    """What was answered before the interrupt is not asked again."""
    matrix = default()
    cells = matrix.select(GLOB, everywhere=True)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    work = resolve.prepare(cells, matrix)
    assert len(work.left()) == 3
    with pytest.raises(KeyboardInterrupt):
        resolve.carry_out(work, workers=1, tick=stop)
    left = len(resolve.prepare(cells, matrix).left())
    assert 0 < left < 3
    again = resolve.prepare(cells, matrix)
    resolve.carry_out(again, workers=1)
    assert {row.verdict for row in resolve.results(cells, matrix, again)} == {"resolves"}


@pytest.mark.usefixtures("shelf")
def test_a_damaged_answer_is_asked_again() -> None:
    """A file that was cut is no answer."""
    run(CELL)
    for path in (resolve.folder() / "answers").rglob("*.json"):
        path.write_text(path.read_text(encoding="utf-8")[:20], encoding="utf-8")
    assert "1 of them asked now" in run(CELL)[2]


@pytest.mark.usefixtures("shelf")
def test_a_torch_on_an_index_that_cannot_be_reached_is_not_verified() -> None:
    """Its own torch was not asked for; what it would bring beside it is told from the cell with the package index's build."""
    code, rows, _ = run(CELL.replace("cpu", "cu111"), "--json")
    row = rows[0]
    assert code == 4
    assert row["verdict"] == "not verified"
    assert "this torch is only on https://download.pytorch.org/whl/torch_stable.html: cannot be reached from here" in str(row["reason"])
    assert str(row["twin"]).startswith("linux-py3.9-torch1.8.1-cu102-")
    assert row["versions"]["numpy"] == "1.21.0"  # type: ignore[index]


def test_a_conflict_is_red_and_says_why(shelf: Path) -> None:
    """Exit 1, and the reason stands beneath the cell."""
    shutil.rmtree(shelf / "numpy")
    tiny_wheel.wheel(shelf / "numpy", "numpy", "1.25.0")
    tiny_wheel.links(shelf)
    code, _, said = run(CELL)
    assert code == 1
    assert "conflicts" in said
    assert "numpy" in said


@pytest.mark.usefixtures("shelf")
def test_kept_results_are_read_back(tmp_path: Path) -> None:
    """--keep writes what recipe and the dashboard read."""
    file = tmp_path / "out" / "resolve.json"
    assert run(GLOB, "--keep", "--output", str(file))[0] == 0
    kept = resolution.load(file)
    assert len(kept) == 6
    found = kept.of(CELL)
    assert found
    assert found.versions["numpy"] == "1.21.0"
    assert kept.resolver.startswith("uv ")


@pytest.mark.usefixtures("shelf")
def test_predictions_can_be_made_again_without_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept fits today's knowledge; a prediction that was edited is found, and made again."""
    monkeypatch.setattr(resolution, "path", lambda: tmp_path / "resolve.json")
    run(CELL.replace("0.1.5", "main"), "--keep")
    resolution.load.cache_clear()
    assert run("--check")[0] == 0
    file = tmp_path / "resolve.json"
    text = file.read_text(encoding="utf-8")
    assert '"missing-torchaudio"' not in text
    file.write_text(text.replace('"predictions": [\n', '"predictions": [\n{"id":"missing-torchaudio","rung":"imports","why":"edited"}', 1)
                    .replace('"together": [\n[]', '"together": [\n[0]', 1), encoding="utf-8")  # fmt: skip
    resolution.load.cache_clear()
    assert CliRunner().invoke(app, ["resolve", "--check"]).exit_code == 1
    assert run("--repredict")[0] == 0
    assert file.read_text(encoding="utf-8") == text
    resolution.load.cache_clear()


@pytest.mark.usefixtures("shelf")
def test_nothing_but_lines_of_json_is_printed() -> None:
    """Piped, there is no bar and no summary: each line is one cell."""
    done = CliRunner().invoke(app, ["resolve", GLOB, "--json"])
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 6


@pytest.mark.parametrize(("system", "next"), [("glibc", "glibc 2.17"), ("Windows 11", "glibc 2.17")])
def test_a_system_that_is_none_is_told(system: str, next: str) -> None:
    """A misspelt version of a system ends with an example."""
    done = CliRunner().invoke(app, ["resolve", CELL, "--system", system])
    assert done.exit_code != 0
    assert next in str(done.exception)


def test_a_conda_cell_is_asked_of_its_channels_and_of_no_index() -> None:
    """uv is not asked for it: the reason says who could be."""
    cell = default().cell("linux-py3.8-torch1.8.0-cpu-conda-pytorchvideo@0.1.5")
    work = resolve.prepare([cell], default())
    assert not work.questions
    assert resolve.results([cell], default(), work)[0].reason == resolve.CHANNELS
