"""The generated reference covers every data file, every key and every command, and drift is seen."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from slowfast_verify import knowledge, layout, reference
from slowfast_verify.cli import app
from slowfast_verify.data import load

ROOT = layout.root()
DATA = sorted(path.relative_to(ROOT).as_posix() for name in ("matrices", "knowledge") for path in (ROOT / name).rglob("*.toml"))


def test_every_data_file_is_read_by_the_model_that_is_documented() -> None:
    """Each TOML file fits one row of the table and loads with its model, so that the page speaks of what is really read."""
    read = {path: [name for name in reference.FILES if Path(path).match(name) and path.count("/") == name.count("/")] for path in DATA}
    assert {path: names for path, names in read.items() if len(names) != 1} == {}
    for path in (path for path in DATA if not path.startswith("knowledge/")):
        assert load(ROOT / path, reference.FILES[read[path][0]])
    assert {name for names in read.values() for name in names} == set(reference.FILES)


def test_a_page_names_every_key() -> None:
    """Every key of every model is in the table of its section."""
    page = reference.toml_page()
    for model in reference.FILES.values():
        for name, field in model.model_fields.items():
            assert f"| `{field.alias or name}` |" in page or (name in ("id", "name") and field.default == "")
    assert "| `megabytes` | whole number | **an error** |" in page


def test_every_command_and_option_is_documented() -> None:
    """What the command line has is on the page: each command with its help, each option."""
    page = reference.commands_page()
    found = dict(reference._commands(typer.main.get_command(app), "slowfast-verify"))
    assert {"slowfast-verify doctor", "slowfast-verify report merge", "slowfast-verify new failure"} <= set(found)
    for path, command in found.items():
        section = re.split(rf"(?m)^## {re.escape(path)}$", page)[1].split("\n## ")[0]
        assert (command.help or "").split()[0] in section, f"{path} has no help"
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help" and not parameter.hidden:
                assert parameter.opts[0] in section


@pytest.mark.parametrize("rung", knowledge.RUNGS)
def test_a_rung_has_its_page(rung: str) -> None:
    """Prose by hand, then the checks and the known failures of that rung and of no other. `nox -s lint` sees a page that fell behind."""
    prose, _, lists = reference.rung_page(ROOT / "docs" / "rungs" / f"{rung}.md").partition(reference.BEGIN)
    assert "**What fails here typically.**" in prose
    listed = re.findall(r"\]\(\.\./\.\./knowledge/([\w.-]+)\.toml\)", lists)
    assert sorted(listed) == sorted(row.id for row in knowledge.all_known().values() if row.rung == rung)


def test_drift_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that lost a line is named by --check with the command that writes it; writing mends it and keeps the prose."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    monkeypatch.setattr(reference.layout, "root", lambda: tmp_path)
    monkeypatch.setattr(reference.layout, "suites", lambda: ROOT / "tests" / "verify")
    monkeypatch.setattr(reference.layout, "knowledge", lambda: ROOT / "knowledge")
    reference.main([])
    assert reference.main(["--check"]) == 0
    page = tmp_path / "docs" / "rungs" / "train.md"
    page.write_text(page.read_text(encoding="utf-8").replace("- **two_iterations_run**", "- **gone**"), encoding="utf-8")
    assert reference.main(["--check"]) == 1
    assert "docs/rungs/train.md drifted" in capsys.readouterr().out
    assert reference.main([]) == 0 and reference.main(["--check"]) == 0
    assert "- **two_iterations_run**" in page.read_text(encoding="utf-8")


PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link names a file or a folder that is there."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_how_it_works_speaks_of_files_that_are_there() -> None:
    """Every module and data file that the page names exists: a module that is renamed or split must be told."""
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    places = [
        ROOT,
        ROOT / "src" / "slowfast_verify",
        *(ROOT / "src" / "slowfast_verify" / name for name in ("probes", "dashboard", "formats")),
    ]
    named = set(re.findall(r"(?<![\w/.-])((?:[\w-]+/)*\w+\.(?:py|toml))\b", text))
    assert len(named) > 40
    assert sorted(name for name in named if not any((place / name).exists() for place in [*places, ROOT / "matrices"])) == []


def test_how_it_works_leaves_out_no_rung_and_no_part() -> None:
    """From the noxfile to the dashboard: each step of the way is on the page."""
    text = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    assert [f"{n:>2} " for n in range(1, 11) if not re.search(rf"^ ?{n} ", text, re.MULTILINE)] == []
    for part in (
        "resolve.py",
        "recipe.py",
        "release_check.py",
        "conda.py",
        "toxfile.py",
        "bisection.py",
        "collection.py",
        "carried.py",
        "keeper.py",
    ):
        assert part in text


def test_every_module_and_every_decision_is_in_the_contents() -> None:
    """A new module has a group, and a page that somebody wrote is found from another one."""
    done = subprocess.run([sys.executable, str(ROOT / "docs" / "contents.py"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
