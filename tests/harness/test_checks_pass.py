"""A check passes on what is right, and on no more than that; what it says where it cannot tell or does not pass, word for word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.question import Observation

from .judging import answers, checks

CHECKPOINT, COMPUTE, DEMO = checks("checkpoint"), checks("compute"), checks("demo")
DISTRIBUTED, IMPORTS = checks("distributed"), checks("imports")
TINY = layout.fixtures() / "weights" / "tiny_kinetics.pyth"

# -- checkpoint -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", CHECKPOINT.SHIPPED)
def test_what_we_ship_is_whole(weights: str) -> None:
    """Each file, as it lies in this checkout."""
    CHECKPOINT.test_shipped_file_is_intact(weights)
    CHECKPOINT.test_checkpoint_type_is_told(weights)


@pytest.mark.parametrize(
    ("damage", "row"),
    [
        ("cut in half", {"keep": TINY.stat().st_size // 2}),
        ("last byte missing", {"keep": TINY.stat().st_size - 1}),
        ("one bit flipped", {"flip": TINY.stat().st_size // 2}),
    ],
)
def test_each_damage_is_caught(damage: str, row: dict[str, Any], tmp_path: Path) -> None:
    """Whether torch refuses the file or loads it without a word; the damaged copy lies in the test's folder."""
    for error in (None, {"type": "RuntimeError", "message": "failed"}):
        facts = answers(torch_load={"file": TINY.name, "damaged": {damage: {**row, "error": error}}})
        CHECKPOINT.test_damage_is_caught(damage, facts, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["damaged.pyth"]


def test_what_torch_makes_of_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Its own words, where the damage was none."""
    row = {"error": {"type": "RuntimeError", "message": "no directory"}}
    with pytest.raises(AssertionError, match=r"^cut: the sniffer calls it intact .*; torch\.load says RuntimeError: no directory$"):
        CHECKPOINT.test_damage_is_caught("cut", answers(torch_load={"file": TINY.name, "damaged": {"cut": row}}), tmp_path)


def test_a_flipped_bit_is_one_bit() -> None:
    """The same one on both sides, whatever the byte was; a length that nobody named is the whole."""
    for byte in (0x00, 0x40, 0xFF):
        assert CHECKPOINT.damaged(bytes([1, byte, 3]), {"flip": 1}) == bytes([1, byte ^ 0x40, 3])
    assert CHECKPOINT.damaged(b"abc", {}) == b"abc"


def test_a_checkpoint_that_was_not_opened_is_not_verified() -> None:
    """With the reason of the probe; of one that was opened the facts are judged."""
    for judge, question in ((CHECKPOINT.test_your_checkpoint_fits_your_config, "your_checkpoint_in_its_model"),):
        with pytest.raises(NotVerifiable) as caught:
            judge(answers(**{question: {"unopened": "it would run os.system"}}))
        assert caught.value.what == "the checkpoint was not opened: it would run os.system"
    assert CHECKPOINT.opened({"a": 1}) == {"a": 1}


# -- compute ----------------------------------------------------------------------------------------------------------

BUILD: dict[str, Any] = {
    "version": "2.4.1+cu121", "cuda_build": "12.1", "cuda_usable": True, "cuda_error": None, "visible": None, "arch_list": ["sm_90"],
    "driver": {"cuda": 12040, "status": 0, "devices": 1}, "devices": [{"name": "H200", "capability": [9, 0]}],
}  # fmt: skip


@pytest.mark.parametrize(("visible", "said"), [(None, "needs a GPU"), ("", "needs a GPU (CUDA_VISIBLE_DEVICES is '')")])
def test_a_machine_without_a_gpu_in_words(visible: str | None, said: str) -> None:
    """A variable that hides the GPUs is named, also where it is empty; where it is not set nothing is said of it."""
    with pytest.raises(NotVerifiable) as caught:
        COMPUTE.gpu({**BUILD, "driver": None, "visible": visible})
    assert caught.value.what == said


def test_a_gpu_that_cannot_be_used_in_words() -> None:
    """Whether it can is the question of another check."""
    with pytest.raises(NotVerifiable) as caught:
        COMPUTE.usable({**BUILD, "cuda_usable": False})
    assert caught.value.what == "needs a GPU that torch can use"
    assert COMPUTE.usable(BUILD) is BUILD


def test_the_driver_s_cuda_is_told() -> None:
    """As people write it: 12.4 of 12040, 13.0 of 13000."""
    for number, said in ((12040, "12.4"), (13000, "13.0"), (11080, "11.8")):
        build = {**BUILD, "cuda_usable": False, "cuda_error": "too old", "driver": {"cuda": number, "status": 0, "devices": 1}}
        with pytest.raises(AssertionError, match=rf"the driver serves CUDA up to {said}: too old$"):
            COMPUTE.test_gpu_is_usable(answers(torch_build=build))


@pytest.mark.parametrize(
    ("built", "served", "enough"),
    [
        ("12.4", 12010, True),  # minor versions of one major go together from 11 on
        ("11.8", 11000, True),
        ("11.8.89", 11000, True),
        ("11.8", 10020, False),
        ("13.0", 12090, False),
        ("10.2", 10020, True),
        ("10.2", 10010, False),
        ("10.2", 11000, True),
    ],
)
def test_a_driver_is_new_enough(built: str, served: int, enough: bool) -> None:
    """Within a major version from 11 on, at least as new before."""
    facts = answers(torch_build={**BUILD, "cuda_build": built, "driver": {"cuda": served, "status": 0, "devices": 1}})
    if enough:
        COMPUTE.test_driver_is_new_enough(facts)
        return
    with pytest.raises(AssertionError, match="a newer driver, or an older torch"):
        COMPUTE.test_driver_is_new_enough(facts)


@pytest.mark.parametrize(
    ("arches", "capability", "covered"),
    [
        (["sm_90"], [9, 0], True),
        (["sm_86"], [8, 9], True),
        (["sm_89"], [8, 6], False),
        (["compute_90"], [9, 0], True),
        (["compute_80"], [9, 0], True),
        (["sm_120"], [12, 0], True),
        (["sm_121"], [12, 0], False),
        (["sm_90a", "sm_80"], [8, 0], True),
    ],
)
def test_an_architecture_covers_its_own_and_later_minor_ones(arches: list[str], capability: list[int], covered: bool) -> None:
    """PTX covers all later ones."""
    facts = answers(torch_build={**BUILD, "arch_list": arches, "devices": [{"name": "X", "capability": capability}]})
    if covered:
        COMPUTE.test_arch_list_covers_the_gpu(facts)
        return
    with pytest.raises(AssertionError, match="no kernel image"):
        COMPUTE.test_arch_list_covers_the_gpu(facts)


def test_the_architectures_are_listed() -> None:
    """All that torch has kernels for."""
    with pytest.raises(AssertionError, match="has kernels for sm_50, sm_60 only: no kernel image is available for it"):
        COMPUTE.test_arch_list_covers_the_gpu(answers(torch_build={**BUILD, "arch_list": ["sm_50", "sm_60"]}))
    assert [COMPUTE.capability(text) for text in ("sm_90", "sm_90a", "compute_120", "sm_100f_x1")] == [(9, 0), (9, 0), (12, 0), (100, 1)]


def test_a_gpu_without_cudnn_in_words() -> None:
    """Whatever the numbers are."""
    with pytest.raises(AssertionError, match=r"^torch runs on the GPU without cuDNN"):
        COMPUTE.test_conv3d_on_the_gpu(answers(torch_build=BUILD, gpu__conv3d={"cudnn": None, "deviations": {}}))


# -- demo -------------------------------------------------------------------------------------------------------------


def test_the_ava_video_is_named() -> None:
    """By the demo that wrote it."""
    expected = {"ava": {"pictures": 24, "width": 1, "height": 1}}
    with pytest.raises(AssertionError, match=r"^ava: the demo ended, and there is no output video"):
        DEMO.test_ava_demo_writes_a_video(answers(ava_demo={"output": {"exists": False}}), expected)
    DEMO.test_ava_demo_writes_a_video(answers(ava_demo={"output": {"exists": True, "frames": 24, "width": 1, "height": 1}}), expected)


def test_a_log_that_warns_in_words() -> None:
    """As people search for it."""
    right = {"random_initialization": False, "weights_read": 1, "missing_keys": [], "unexpected_keys": [], "not_loaded": [], "not_used": []}
    DEMO.judge_log(right, 1)
    with pytest.raises(AssertionError, match=r"^the model was used with random initialization: no checkpoint was read"):
        DEMO.judge_log({**right, "random_initialization": True}, 1)
    with pytest.raises(AssertionError, match=r"^the log tells of weights that do not fit \(not used\): a, b"):
        DEMO.judge_log({**right, "not_used": ["a", "b"]}, 1)


# -- distributed ------------------------------------------------------------------------------------------------------

SUBJECT = SimpleNamespace(command={"a": SimpleNamespace(probe="config_files")})


def backends(**more: Any) -> Any:
    return answers(backends={"wanted": "gloo", "gpus": 0, "started": {}, **more})


def test_a_default_backend_that_starts_and_sums_passes() -> None:
    """Two ones over one process are two ones."""
    DISTRIBUTED.test_default_backend_starts(backends(started={"gloo": {"started": True, "sum": [1, 1]}}), SUBJECT)
    for wrong in ([1, 2], [2, 1], [2, 2]):
        with pytest.raises(AssertionError, match="sums two ones over one process to"):
            DISTRIBUTED.test_default_backend_starts(backends(started={"gloo": {"started": True, "sum": wrong}}), SUBJECT)


def test_a_default_backend_that_is_not_there_in_words() -> None:
    """Red for gloo; not verified for NCCL without a GPU."""
    with pytest.raises(
        AssertionError, match=r"^the default backend gloo does not start: torch\.distributed is not available; use another: "
    ):
        DISTRIBUTED.test_default_backend_starts(backends(), SUBJECT)
    with pytest.raises(NotVerifiable, match=r"^nccl needs a GPU, here it says torch\.distributed is not available; without one: --opts"):
        DISTRIBUTED.test_default_backend_starts(backends(wanted="nccl"), SUBJECT)


# -- imports ----------------------------------------------------------------------------------------------------------


def test_an_import_with_a_python_passes() -> None:
    """By the answer to its own question."""
    facts = {"import:av": {"executable": "/bin/python"}}.__getitem__
    IMPORTS.test_dependency_imports("av", facts)
    IMPORTS.test_module_imports("av", facts)


def test_a_name_is_looked_up_in_its_module() -> None:
    """What stands before the last point is the module."""
    with pytest.raises(AssertionError, match=r"^a\.b has no name c"):
        IMPORTS.test_name_exists("a.b.c", {"name:a.b.c": {"exists": False}}.__getitem__)
    IMPORTS.test_name_exists("a.b.c", {"name:a.b.c": {"exists": True}}.__getitem__)


def test_each_swallowed_failure_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of dependencies and modules alike."""
    monkeypatch.setattr(IMPORTS.ladder, "dependency_modules", lambda *_: ["dep"])
    monkeypatch.setattr(IMPORTS.ladder, "subject_modules", lambda *_: ["mod"])
    monkeypatch.setattr(IMPORTS.swallowed, "hidden", lambda seen: [seen.id.upper()])
    with pytest.raises(AssertionError) as caught:
        IMPORTS.test_nothing_is_swallowed(lambda question: Observation(id=question, how="answered"), {}, None)
    told = str(caught.value).split("\nassert ")[0]
    assert told == "dep imports, but hides a failure: IMPORT:DEP\nmod imports, but hides a failure: IMPORT:MOD"
    monkeypatch.setattr(IMPORTS.swallowed, "hidden", lambda seen: [])
    IMPORTS.test_nothing_is_swallowed(lambda question: Observation(id=question, how="answered"), {}, None)
