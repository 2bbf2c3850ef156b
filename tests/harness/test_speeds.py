"""The READMEs' table of speeds and their picture: made from measured figures and from a real command, and from nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from slowfast_verify import layout

ROOT = layout.root()
PROMISED = (
    "verify_over_floor", "verify_over_plain", "doctor_over_collect_env", "warm_provision_over_pip", "clone_over_pip", "matrix", "resolve",
    "report", "diagnose", "help", "new_user", "dashboard",
)  # fmt: skip


def script(path: str) -> ModuleType:
    """A script of the checkout that is no part of the package."""
    spec = importlib.util.spec_from_file_location(f"checkout_{Path(path).stem}", ROOT / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(folder: Path, name: str, **row: object) -> None:
    """A file of figures, as bench/machine.py writes it."""
    machine = {"cores": 2, "load_before": 0.5}
    (folder / f"{name}.json").write_text(json.dumps({"date": "2026-01-01", "machine": machine, "results": [row]}), encoding="utf-8")


def test_the_table_has_the_promised_names_in_their_order() -> None:
    """None was lost; a benchmark that is new is added here and there."""
    assert tuple(row[0] for row in script("bench/table.py").ROWS) == PROMISED


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_what_was_not_measured_is_left_out(readme: str, tmp_path: Path) -> None:
    """Of one file only its rows are there, and of a file without that figure none."""
    written(tmp_path, "provision", cell="one", warm_provision_over_pip=0.42)
    written(tmp_path, "doctor", cell="two")
    rows = [line for line in script("bench/table.py").table(readme, tmp_path).splitlines() if line.startswith("| `")]
    assert len(rows) == 1 and "`warm_provision_over_pip`" in rows[0] and "| 0.42 × | one | 0.5, 2 |" in rows[0]


@pytest.mark.parametrize(("name", "row", "figure"), [
    ("verify_over_floor", {"cell": "c", "verify_over_floor": 1.5}, "1.5 ×"),
    ("plain", {"cell": "c", "verify_over_plain": 0.1}, "0.1 ×"),
    ("doctor", {"cell": "c", "doctor_over_collect_env": 0.2}, "0.2 ×"),
    ("provision", {"cell": "c", "clone_over_pip": 0.03}, "0.03 ×"),
    ("matrix", {"cells": 9, "matrix_over_climbs": 1.1}, "1.1 × | 9 cells"),
    ("resolve", {"cells": 9, "seconds_per_cell": 0.4}, "0.4 s | 9 cells"),
    ("report", {"records": 9, "query": {"seconds": 7.0}}, "7.0 s | 9 records"),
    ("dashboard", {"records": 9, "filter_ms": {"median": 70}}, "70 ms | 9 records"),
])  # fmt: skip
def test_a_figure_is_read_where_its_benchmark_writes_it(name: str, row: dict[str, object], figure: str, tmp_path: Path) -> None:
    """Each row of the table finds its key, and the benchmark's script still writes that key."""
    written(tmp_path, name, **row)
    assert figure in script("bench/table.py").table("README.md", tmp_path)
    source = (ROOT / "bench" / f"{name}.py").read_text(encoding="utf-8")
    assert [key for key in row if key not in source] == []


def test_only_what_is_between_the_markers_changes() -> None:
    """The prose before and behind stays; without markers the script says so."""
    table = script("bench/table.py")
    assert table.replaced(f"a\n{table.BEGIN}\nold\n{table.END}\nb", "new") == "a\nnew\nb"
    with pytest.raises(SystemExit, match="has no"):
        table.replaced("a", "new")


def test_the_picture_shows_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn again it is the same words; it fetches nothing; another output is another picture."""
    make = script("docs/pictures/make.py")
    picture = make.drawn(make.recorded())
    shown = re.sub(r"<[^>]+>", "", picture).replace("&#160;", " ")
    assert "$ python tools/run_net.py" in shown and "[pytorchvideo-cat-all-gather]" in shown and "cause:" in shown
    assert not re.search(r"@font-face|url\((?!#)|xlink:href|src=", picture)
    assert make.drawn("something else") != picture
    monkeypatch.setattr(sys, "argv", ["make.py", "--check"])
    monkeypatch.setattr(make, "recorded", lambda: "something else")
    assert make.main() == 1
