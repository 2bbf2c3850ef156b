"""The doctor on real environments with one thing wrong each: one cause, named, with its consequences, and nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import active, ladder, layout, shell
from slowfast_verify import target as targets
from slowfast_verify.errors import Problem
from slowfast_verify.findings import Examination
from slowfast_verify.judge import checks_of
from slowfast_verify.knowledge import RUNGS
from slowfast_verify.plugin import check_id
from slowfast_verify.staged import Staged, first_level
from slowfast_verify.subject import subject

from .doctor_bench import Bench
from .judging import of_cell, standing


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.install("alpha==1.0", "beta")
    return made


def read(bench: Bench, rung: str = "imports") -> Examination:
    """The JSON document, which must be one and nothing else."""
    done = bench.doctor("--json", rung=rung)
    assert "Traceback" not in done.stderr, done.stderr
    found = Examination.model_validate_json(done.stdout)
    assert done.returncode == (1 if found.causes else 0), done.stderr
    return found


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """{path: (bytes, time of change)} of all files of a folder."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return {str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in files}


# ---- what it tells -------------------------------------------------------------------------------------------------------


def test_healthy_is_quiet_and_nothing_is_written(bench: Bench) -> None:
    """Two lines at most on standard output, exit status 0, and every file of the environment is as it was: no .pyc either."""
    before = tree(bench.env)
    done = bench.doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("healthy: ")
    assert "up to imports" in done.stdout
    assert len(done.stdout.splitlines()) <= 2
    assert tree(bench.env) == before


def test_missing_package_is_one_cause_on_the_first_level(bench: Bench) -> None:
    """alpha is gone: named at once, with the command of this environment's installer; beta, which needs it, is a consequence."""
    bench.uv("pip", "uninstall", "--quiet", "--python", str(bench.python), "alpha")
    bench.put("beta", "import alpha\n")
    found = read(bench)
    assert [cause.id for cause in found.causes] == ["missing:alpha"]
    cause = found.causes[0]
    assert (cause.rung, cause.title) == ("environment", "alpha is not installed")
    assert {"imports::dependency_imports[alpha]", "imports::dependency_imports[beta]"} <= set(cause.consequences)
    assert cause.fix[0].startswith("uv pip install --python")
    assert cause.fix[0].endswith(" alpha")
    assert read(bench, rung="environment").causes[0].id == "missing:alpha"
    text = bench.doctor().stdout
    positions = [text.index(word) for word in ("[environment]", "cause: ", "evidence: ", "fix: ", "because of it")]
    assert positions == sorted(positions)
    told = bench.doctor(language="zh").stdout
    assert "[environment] alpha 没有安装" in told and "搜索路径上哪里都没有它" in told, told
    told = bench.doctor(language="zh").stdout
    assert "[environment] alpha 没有安装" in told and "搜索路径上哪里都没有它" in told, told


def test_hanging_import_ends_in_its_limit(bench: Bench) -> None:
    """An import that never ends is ended once; whoever needs the module is a consequence, and does not hang again."""
    limits = bench.data / "matrices" / "doctor.toml"
    text = limits.read_text(encoding="utf-8")
    assert "imports = 60" in text
    limits.write_text(text.replace("imports = 60", "imports = 2"), encoding="utf-8")
    bench.put("alpha", "import time\ntime.sleep(1000)\n")
    bench.put("beta", "import alpha\n")
    found = read(bench)
    assert [cause.id for cause in found.causes] == ["broken:alpha"]
    assert "does not end" in found.causes[0].title
    assert "alpha.py" in found.causes[0].evidence
    assert found.causes[0].consequences == ["imports::dependency_imports[beta]"] or len(found.causes[0].checks) == 2
    assert found.rung_seconds["imports"] < 20


def test_lost_file_explains_what_does_not_import(bench: Bench) -> None:
    """alpha's record is there and its file is not: what imports it says `No module named`, and that is a consequence."""
    (bench.site / "alpha.py").unlink()
    bench.put("beta", "import alpha\n")
    found = read(bench)
    assert [cause.id for cause in found.causes] == ["lost:alpha"], found.causes
    assert "alpha has lost alpha.py" in found.causes[0].evidence
    assert {"imports::dependency_imports[alpha]", "imports::dependency_imports[beta]"} <= set(found.causes[0].consequences)
    assert "--force-reinstall --no-deps alpha==1.0" in found.causes[0].fix[0]


CRASHES = {
    "segfault": ("import ctypes\nctypes.string_at(0)\n", "SIGSEGV"),
    "exit": ("import os\nos._exit(3)\n", "left with exit status 3"),
    "sys.exit": ("raise SystemExit(0)\n", "SystemExit"),
    "syntax": ("def broken(:\n", "SyntaxError"),
    "null bytes": ("\0\0\0", "null bytes"),
}


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("how", CRASHES)
def test_module_that_ends_the_process_is_named(bench: Bench, how: str) -> None:
    """Whatever the import of alpha does, alpha is the one cause and beta its consequence."""
    text, word = CRASHES[how]
    bench.put("alpha", text)
    bench.put("beta", "import alpha\n")
    found = read(bench)
    assert len(found.causes) == 1, found.causes
    cause = found.causes[0]
    assert word in cause.evidence
    assert "alpha" in f"{cause.id} {cause.title} {cause.fix}"
    assert {*cause.checks, *cause.consequences} >= {"imports::dependency_imports[alpha]", "imports::dependency_imports[beta]"}


def test_two_causes_stay_two(bench: Bench) -> None:
    """What has nothing to do with each other is two causes, the lower rung first."""
    bench.put("alpha", "1 / 0\n")
    bench.uv("pip", "uninstall", "--quiet", "--python", str(bench.python), "beta")
    found = read(bench)
    assert [cause.id for cause in found.causes] == ["missing:beta", "broken:alpha"]
    assert [cause.rung for cause in found.causes] == ["environment", "imports"]
    assert found.reached is None


def test_record_that_is_gone_is_a_note(bench: Bench) -> None:
    """A package that works without a record is told of, and is no problem."""
    import shutil

    shutil.rmtree(next(bench.site.glob("alpha-*.dist-info")))
    found = read(bench)
    assert found.verdict == "healthy"
    assert [note.id for note in found.notes if "alpha" in note.evidence]


def test_unknown_rung_is_refused(bench: Bench) -> None:
    """Exit status 2, and the nearest rung."""
    done = bench.doctor(rung="import")
    assert done.returncode == 2
    assert "did you mean 'imports'" in done.stderr


# ---- the same checks as pytest's -----------------------------------------------------------------------------------------


def test_judge_finds_the_checks_that_pytest_collects(tmp_path: Path) -> None:
    """For the Python of the tests, every id that pytest collects is found without it, and no other."""
    suites = layout.suites()
    argv = [sys.executable, "-m", "pytest", str(suites), "-c", str(suites / "pytest.ini"), "--rootdir", str(layout.root()),
            "--collect-only", "-q", "-p", "no:cacheprovider", "--target", sys.executable, "--side-by-side", "0"]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    collected = {check_id(line) for line in done.stdout.splitlines() if "::" in line}
    target = targets.of_python(sys.executable)
    staged = Staged("pyslowfast", target, tmp_path, {}, first_level(target, subject("pyslowfast")), lambda rung, text: None)
    found = [check.id for rung in RUNGS for check in checks_of(rung, staged)]
    assert collected
    assert sorted(found) == sorted(collected)


def test_every_question_of_the_first_level_is_put(tmp_path: Path) -> None:
    """The first level asks what the batch `environment` asks, and nothing is left for later."""
    target = targets.of_python(sys.executable)
    first = first_level(target, subject("pyslowfast"))
    staged = Staged("pyslowfast", target, tmp_path, {}, first, lambda rung, text: None)
    assert {question.id for question in staged.batches["environment"]} | {"inventory"} == set(first)
    assert all(row.facts is not None for row in first.values())
    assert ladder.BATCHES == ("environment", "imports", "demo")


@pytest.mark.heavy
def test_real_environment_is_healthy() -> None:
    """A provisioned cell, as its own shell would see it: healthy up to the training loop, no cause; what upstream breaks is noted."""
    cell = standing("linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67")
    target = of_cell(cell)
    argv = [sys.executable, "-m", "slowfast_verify", "doctor", target.argv[0], "--json"]
    done = subprocess.run(argv, env={**os.environ, **target.env}, capture_output=True, text=True, timeout=600, check=False)
    found = Examination.model_validate_json(done.stdout)
    assert found.causes == [], found.causes
    assert (found.verdict, found.reached, done.returncode) == ("healthy", "train", 0)
    assert {"config-key-unknown", "predictor-gpu-id-on-cpu"} <= {note.id for note in found.notes if note.own}


@pytest.mark.heavy
def test_config_and_checkpoint_of_a_person_are_examined(tmp_path: Path) -> None:
    """A YAML with a tab and a checkpoint cut in half are two causes, each on its rung, in an environment that is fine otherwise."""
    cell = standing("linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67")
    target = of_cell(cell)
    config, weights = tmp_path / "mine.yaml", tmp_path / "mine.pyth"
    config.write_text("TRAIN:\n\tENABLE: False\n", encoding="utf-8")
    whole = (layout.fixtures() / "weights" / "tiny_kinetics.pyth").read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    argv = [sys.executable, "-m", "slowfast_verify", "doctor", target.argv[0], "--json", "--rung", "checkpoint"]
    argv += ["--config", str(config), "--checkpoint", str(weights)]
    done = subprocess.run(argv, env={**os.environ, **target.env}, capture_output=True, text=True, timeout=600, check=False)
    found = Examination.model_validate_json(done.stdout)
    assert [cause.rung for cause in found.causes] == ["config", "checkpoint"], found.causes
    assert "mine.yaml" in found.causes[0].evidence
    assert "mine.pyth" in f"{found.causes[1].evidence} {found.causes[1].title}"


# ---- which environment is meant ------------------------------------------------------------------------------------------


@pytest.fixture
def prefix(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path / name / ("Scripts" if os.name == "nt" else "bin")
        folder.mkdir(parents=True)
        (folder / ("python.exe" if os.name == "nt" else "python")).write_bytes(b"x")
        return tmp_path / name

    return make


def test_active_environment_is_taken_in_order(prefix: Callable[[str], Path]) -> None:
    """VIRTUAL_ENV before CONDA_PREFIX before PATH."""
    venv, conda, other = prefix("venv"), prefix("conda"), prefix("other")
    commands = "Scripts" if os.name == "nt" else "bin"
    environ = {"VIRTUAL_ENV": str(venv), "CONDA_PREFIX": str(conda), "PATH": str(other / commands)}
    for name, expected in (("VIRTUAL_ENV", venv), ("CONDA_PREFIX", conda), ("PATH", other)):
        assert Path(active.target_of(None, environ).argv[0]).is_relative_to(expected)
        del environ[name]


def test_own_environment_is_never_taken_unasked() -> None:
    """Where only the tool's own Python is active, the person is asked to name one."""
    environ = {"VIRTUAL_ENV": sys.prefix, "PATH": str(Path(sys.executable).parent)}
    with pytest.raises(Problem, match="no environment is active but this tool's own") as caught:
        active.target_of(None, environ)
    assert "doctor DIR" in caught.value.next
    assert active.target_of(sys.executable).argv == (sys.executable,)


def test_nothing_active_is_said() -> None:
    """No variable and no PATH: usage, exit status 2."""
    with pytest.raises(Problem, match="no environment is active") as caught:
        active.target_of(None, {})
    assert caught.value.code == 2


# ---- shells --------------------------------------------------------------------------------------------------------------

WRITTEN: list[tuple[shell.Shell, str]] = [
    ("sh", "uv pip install 'numpy<2' '/a b/c'"),
    ("powershell", "uv pip install 'numpy<2' '/a b/c'"),
    ("cmd", 'uv pip install "numpy<2" "/a b/c"'),
]


@pytest.mark.parametrize(("kind", "line"), WRITTEN)
def test_command_is_written_for_the_shell(kind: shell.Shell, line: str) -> None:
    """A bound and a blank survive each shell."""
    assert shell.written(["uv", "pip", "install", "numpy<2", "/a b/c"], kind) == line


def test_own_shell_is_told_by_variables() -> None:
    """cmd sets PROMPT, PowerShell does not; elsewhere it is sh."""
    assert shell.own_shell({}, "posix") == "sh"
    assert shell.own_shell({"PROMPT": "$P$G"}, "nt") == "cmd"
    assert shell.own_shell({"PSModulePath": "x"}, "nt") == "powershell"


def test_json_keys_are_the_promised_ones(bench: Bench) -> None:
    """What other programs read does not change its name."""
    bench.put("alpha", "1 / 0\n")
    raw: dict[str, Any] = json.loads(bench.doctor("--json").stdout)
    assert {"schema", "target", "subject", "verdict", "reached", "seconds", "causes", "notes", "not_verified"} <= set(raw)
    assert {"id", "rung", "title", "cause", "evidence", "fix", "consequences"} <= set(raw["causes"][0])
    assert raw["schema"] == 2
    assert {"title_zh", "cause_zh", "fix_zh"} <= set(raw["causes"][0])
