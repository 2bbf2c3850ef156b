"""`doctor --fix` on real throw-away environments: what it mends stays mended, and what does not help is taken back to the same list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .doctor_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_healthy_environment_takes_no_fix(bench: Bench) -> None:
    """Nothing to mend: nothing is done, and the exit status is 0."""
    bench.install("alpha==1.0", "beta")
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "healthy" in done.stdout
    assert not (bench.env / ".slowfast-verify").exists()


def test_a_version_that_does_not_fit_is_mended(bench: Bench) -> None:
    """alpha 2 beside a beta that wants alpha<2: the dry run prints the command and changes nothing, the fix brings alpha 1."""
    bench.install("alpha==2.0", "beta")
    dry = bench.doctor("--dry-run")
    assert dry.returncode == 1, dry.stdout + dry.stderr
    command = next(line for line in dry.stdout.splitlines() if line.startswith("uv pip install --python "))
    assert "'alpha<2'" in command
    assert str(bench.python) in command
    assert bench.frozen() == ["alpha==2.0", "beta==1.0"]
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bench.frozen() == ["alpha==1.0", "beta==1.0"]
    assert "mended: version:alpha" in done.stderr
    kept = next((bench.env / ".slowfast-verify").glob("*/frozen.txt"))
    assert kept.read_text(encoding="utf-8").splitlines() == ["alpha==2.0", "beta==1.0"]


def test_two_owners_of_one_import_are_mended(bench: Bench) -> None:
    """Two distributions with different files of one name: one goes, the other is whole again."""
    bench.install("alpha==1.0", "beta")
    site = bench.site
    info = site / "alpha_headless-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha-headless\nVersion: 1.0\n", encoding="utf-8")
    rows = ["alpha.py,sha256=x,1", *(f"{info.name}/{name},," for name in ("METADATA", "RECORD", "INSTALLER"))]
    (info / "RECORD").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (info / "INSTALLER").write_text("uv\n", encoding="utf-8")
    found = json.loads(bench.doctor("--json").stdout)
    assert [cause["rung"] for cause in found["causes"]] == ["environment"], found
    assert "alpha-headless" in found["causes"][0]["evidence"]
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bench.frozen() == ["alpha==1.0", "beta==1.0"], done.stderr
    assert "1.0" in (site / "alpha.py").read_text(encoding="utf-8")


def test_a_fix_that_does_not_help_is_taken_back(bench: Bench) -> None:
    """The known fix installs gamma and alpha still fails: gamma is gone afterwards, and every file is what it was."""
    bench.install("alpha==1.0", "beta")
    broken = bench.put("alpha", "1 / 0\n")
    bench.know("gamma")
    before = bench.frozen()
    assert "# alpha 除以了零" in bench.doctor("--dry-run", language="zh").stdout
    assert "# alpha does not divide" in bench.doctor("--dry-run").stdout
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nothing improved" in done.stderr
    assert "taken back" in done.stderr
    assert bench.frozen() == before == ["alpha==1.0", "beta==1.0"]
    assert broken.read_text(encoding="utf-8") == "1 / 0\n"
    assert not (bench.env / ".slowfast-verify").exists()


def test_a_fix_that_cannot_be_carried_out_is_taken_back(bench: Bench) -> None:
    """The known fix names what no index has: the environment stays as it was, and what the installer said is told."""
    bench.install("alpha==1.0", "beta")
    bench.put("alpha", "1 / 0\n")
    bench.know("nobody-has-this==9")
    done = bench.doctor("--fix", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cannot be carried out" in done.stderr
    assert "nobody-has-this" in done.stderr
    assert bench.frozen() == ["alpha==1.0", "beta==1.0"]


def test_nothing_is_changed_unasked(bench: Bench) -> None:
    """Without --yes and without a terminal to answer at, the command refuses and changes nothing."""
    bench.install("alpha==2.0", "beta")
    done = bench.doctor("--fix")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--yes" in done.stderr
    assert bench.frozen() == ["alpha==2.0", "beta==1.0"]
