"""docs/reliability.md says what reports/faults.json holds, and nothing by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowfast_verify import fault_table
from slowfast_verify.fault_table import BEGIN, END, Result, Run

ROWS = [
    Result(id="killed-host", what="kill -9 of the host", times=50, ends="it goes on", seed=7, seconds=2.5),
    Result(id="disk-full", what="no room", ends="infrastructure", outcome="broke"),
    Result(id="other", what="another", ends="-", outcome="not verified"),
]


def test_the_document_is_what_the_results_say() -> None:
    """The committed document is the one that the command writes."""
    assert fault_table.main(["--check"]) == 0


def test_counts_are_counted() -> None:
    """Kinds that held, faults in all, kills: a fault that broke counts in none of them and is bold."""
    text = fault_table.render(Run(date="2026-01-01", machine="m", results=ROWS))
    assert text.startswith("1 of 3 kinds of faults held, 50 faults in all, 50 of them SIGKILL")
    assert "| no room | 1 | infrastructure | **no** |" in text
    assert "| another | 1 | - | not verified |" in text


def test_a_figure_typed_by_hand_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """--check is red when the document says something else, and the command mends it."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "reports").mkdir()
    monkeypatch.setattr(fault_table.layout, "root", lambda: tmp_path)
    document = tmp_path / "docs" / "reliability.md"
    document.write_text(f"# Head\n{BEGIN}\nold\n{END}\nfoot\n", encoding="utf-8")
    fault_table.keep(ROWS, fault_table.kept())
    assert fault_table.main(["--check"]) == 1
    assert "fault_table" in capsys.readouterr().out
    assert fault_table.main([]) == 0
    assert fault_table.main(["--check"]) == 0
    document.write_text(document.read_text(encoding="utf-8").replace("| 50 |", "| 500 |"), encoding="utf-8")
    assert fault_table.main(["--check"]) == 1
    assert document.read_text(encoding="utf-8").startswith("# Head\n")


def test_a_part_replaces_its_own_rows_alone(tmp_path: Path) -> None:
    """What held before and breaks now is no longer in the table as held; other tests' rows stay; a whole run begins anew."""
    path = tmp_path / "faults.json"
    held = Result(id="a", what="a", ends="-", test="t.py::a")
    other = Result(id="b", what="b", ends="-", test="t.py::b")
    fault_table.keep([held, other], path)
    fault_table.keep([Result(id="t.py::a", what="a", ends="-", outcome="broke", test="t.py::a")], path)
    rows = {row.id: row.outcome for row in Run.model_validate_json(path.read_text(encoding="utf-8")).results}
    assert rows == {"t.py::a": "broke", "b": "held"}
    fault_table.keep([held], path)
    assert {row.id for row in Run.model_validate_json(path.read_text(encoding="utf-8")).results} == {"a", "b"}
    fault_table.keep([held], path, anew=True)
    assert {row.id for row in Run.model_validate_json(path.read_text(encoding="utf-8")).results} == {"a"}
