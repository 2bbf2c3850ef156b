"""What comes nearest to a question: its words, the prices of differences, the builds that a GPU or a driver rules out, this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import installer, knowledge, layout, nearest, recipe_text, wanted
from slowfast_verify.asking import wanted_of
from slowfast_verify.errors import Problem
from slowfast_verify.matrix import default
from slowfast_verify.script import commands_in
from slowfast_verify.wanted import Wanted, understood

SMALL = "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5"


def answer_to(text: str) -> nearest.Answer:
    """The answer to a question in words."""
    return nearest.answer(wanted_of(text, {}))


@pytest.mark.parametrize("question", wanted.rules().question, ids=lambda row: row.text)
def test_a_question_is_answered_with_evidence_or_as_predicted(question: wanted.Question) -> None:
    """As a process of its own (bench/recipe.py says how long it takes): a record that exists, or the word in the first line."""
    done = subprocess.run(
        [sys.executable, "-m", "slowfast_verify", "recipe", question.text], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    told = answer_to(question.text)
    if "predicted, never run" not in first:
        assert told.recipe.evidence and told.recipe.evidence.path in done.stdout
        assert (layout.root() / told.recipe.evidence.path).is_file()
    assert told.wanted.os == question.os


def test_a_cpu_recipe_is_no_answer_to_a_gpu() -> None:
    """Whoever names a GPU is told in the first line where the commands would leave it unused."""
    found = answer_to("Windows 11, RTX 4090, Python 3.10")
    assert found.wanted.capability == "8.9"
    if found.recipe.cell.split("-")[3] == "cpu":
        assert found.predicted
        assert "cpu instead of cuda" in recipe_text.headline(found, "cmd")
    assert not any(cell in found.recipe.cell for cell in ("cu102", "cu111"))


def test_what_is_known_of_a_system_is_told_in_both_languages() -> None:
    """The title of each known failure, in the language of the answer."""
    found = answer_to("Windows 11, RTX 4090, Python 3.10")
    assert found.known
    for language in ("en", "zh"):
        told = recipe_text.printed(found, recipe_text.form_of(found), language).replace("#", "")
        told = "".join(re.sub(r"(?m)^(REM|::) ?", "", told).split())
        for name in found.known:
            row = knowledge.known(name)
            shown = [f"{''.join(title.split())}[{name}]" in told for title in (row.title, row.title_zh)]
            assert shown == [language == "en", language == "zh"], name


def test_the_comments_of_a_recipe_are_in_the_language_and_its_commands_are_not() -> None:
    """Each workaround says why it is there, in English or in Chinese; what is typed is the same to the letter."""
    found = answer_to("Linux CPU torch 2.4")
    form = recipe_text.form_of(found)
    english, chinese = (recipe_text.printed(found, form, language) for language in ("en", "zh"))
    assert commands_in(english, form) == commands_in(chinese, form)
    fix = knowledge.known("pytorchvideo-cat-all-gather").fix[0]
    assert f"# workaround: {fix.why}" in english and f"# 变通: {fix.why_zh}" in chinese and "workaround" not in chinese


@pytest.mark.parametrize("asked", [{"accelerator": "rocm9.9"}, {"arch": "riscv64"}, {"accelerator": "cu999"}])
def test_another_thing_than_asked_is_a_prediction_however_well_it_ran(asked: dict[str, str]) -> None:
    """Nothing that exists is as asked, the nearest ran: its commands were never run for this, and the first line says so."""
    found = nearest.answer(Wanted.model_validate({"os": "linux", "arch": "x86_64", "subject": "pytorchvideo", **asked}))
    assert found.recipe.evidence and found.predicted
    assert recipe_text.headline(found, "bash").startswith("predicted, never run for what you asked: ")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "Windows 11, RTX 4090, Python 3.10",
            {"os": "windows", "gpu": "RTX 4090", "capability": "8.9", "python": "3.10", "accelerator": "cuda"},
        ),
        ("ubuntu 22.04 H100 torch 2.4", {"os": "linux", "capability": "9.0", "torch": "2.4"}),
        ("CUDA 11.8 on Linux", {"os": "linux", "accelerator": "cu118"}),
        ("Apple M2 Pro", {"os": "macos", "arch": "arm64"}),
        ("Linux, RTX 3090, CUDA 11.8", {"gpu": "RTX 3090", "accelerator": "cu118"}),
        ("T4", {"capability": "7.5", "accelerator": "cuda"}),
        ("classic conda", {"installer": "conda", "torch": "1.8.0"}),
        ("docker, cpu", {"shell": "dockerfile", "accelerator": "cpu"}),
        ("NVIDIA GeForce RTX 3060 Ti 12GB with powershell", {"capability": "8.6", "shell": "powershell", "os": "windows"}),
    ],
)
def test_words_are_understood(text: str, fields: dict[str, str]) -> None:
    """A person's own words, each for what it means."""
    assert fields.items() <= understood(text).model_dump().items()


@pytest.mark.parametrize("text", ["Amiga 500", "Windows 11 with a Voodoo2", "?"])
def test_words_that_mean_nothing_are_told(text: str) -> None:
    """Rather than dropped: the answer would be to another question."""
    with pytest.raises(Problem, match="not understood"):
        understood(text)


@pytest.mark.parametrize(
    ("accelerator", "capability", "driver", "refused"),
    [
        ("cu102", "8.9", "", True),
        ("cu111", "8.9", "", False),
        ("cu111", "9.0", "", True),
        ("cu118", "9.0", "", False),
        ("cu126", "12.0", "", True),
        ("cu128", "12.0", "", False),
        ("cu130", "7.0", "", True),
        ("cu126", "7.0", "", False),
        ("cu118", "8.9", "449.10", True),
        ("cu118", "8.9", "450.80.02", False),
        ("cu124", "8.9", "520.61.05", True),
    ],
)
def test_a_build_without_kernels_or_driver_is_not_offered(accelerator: str, capability: str, driver: str, refused: bool) -> None:
    """By the tables of matrices/gpus.toml: same major capability or none, and the driver of the release's series."""
    cell = default().cell(SMALL).model_copy(update={"accelerator": accelerator})
    near = nearest.choice_of(cell, Wanted(os="linux", accelerator="cuda", capability=capability, driver=driver))
    assert (near.distance > 900) == refused, near


def test_another_system_is_farther_than_another_python() -> None:
    """The order that the file gives: system, then accelerator, then torch's first number, then Python."""
    asked = Wanted(os="linux", arch="x86_64", python="3.8", accelerator="cpu", installer="uv", subject="pytorchvideo")
    near = default().cell(SMALL)
    changed = {"os": "windows", "accelerator": "cu118", "python": "3.9", "installer": "pip"}
    far = {
        axis: sum(row.cost for row in nearest.choice_of(near.model_copy(update={axis: value}), asked).differences)
        for axis, value in changed.items()
    }
    assert far["os"] > far["accelerator"] > far["python"] > far["installer"] > 0


def test_the_data_prices_everything_that_the_code_asks_for() -> None:
    """No axis, proof or GPU cost without its number, none that nobody asks for, and known failures that exist."""
    rules = wanted.rules()
    assert sorted(row.name for row in rules.axis) == sorted(nearest.AXES)
    assert sorted(row.name for row in rules.proof) == sorted(nearest.PROOFS)
    assert sorted(row.name for row in rules.gpu_cost) == sorted(nearest.GPU_COSTS)
    from slowfast_verify.knowledge import known

    assert all(known(name) for row in rules.system for name in row.known)
    names = {row.name for row in wanted.gpus().capability}
    assert all(row.capability in names for row in wanted.gpus().gpu)
    assert not {row.name for row in wanted.gpus().capability} - {row.capability for row in wanted.gpus().gpu} - {"3.5", "5.0", "5.2"}


def test_this_machine_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word: the system of this process, the GPU only where a driver names one, uv where it is on PATH or beside the suite."""
    from slowfast_verify.here import this_machine

    found = this_machine({"PATH": ""})
    assert found.os and found.arch and found.gpu == "" and found.installer == "uv"
    assert "PATH" in found.detected[-1] and str(Path(installer.uv()).parent) in found.detected[-1]  # the line that makes it one to type
    monkeypatch.setattr(installer, "uv", lambda: (_ for _ in ()).throw(Problem("there is none")))
    assert this_machine({"PATH": ""}).installer == "pip"
    assert this_machine({"PATH": "", "CONDA_PREFIX": "x"}).installer == "conda"


def test_the_driver_of_this_machine_is_asked(tmp_path: Path) -> None:
    """A program that answers as nvidia-smi does, in both of its manners; what it says of an old driver decides the builds."""
    if sys.platform == "win32":
        pytest.skip("not verified: the stand-in is a shell script")
    from slowfast_verify.here import this_machine

    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 4090, 550.54.15, 8.9'\n", encoding="utf-8")
    smi.chmod(0o755)
    found = this_machine({"PATH": str(tmp_path)})
    assert (found.gpu, found.driver, found.capability, found.accelerator) == ("NVIDIA GeForce RTX 4090", "550.54.15", "8.9", "cuda")
    smi.write_text(
        "#!/bin/sh\ncase $1 in *compute_cap*) echo 'compute_cap is not a valid field'; exit 6;; esac\n"
        "echo 'Tesla V100-SXM2-16GB, 440.33.01'\n",
        encoding="utf-8",
    )
    assert this_machine({"PATH": str(tmp_path)}).capability == "7.0"
