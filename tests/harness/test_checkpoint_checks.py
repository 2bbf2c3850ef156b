"""Every check of the checkpoint rung can fail: on doctored answers, on broken files, and on real loaders that are given the wrong file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.observe import Question, observe
from slowfast_verify.target import Target
from slowfast_verify.verdict import Unanswered, answered

from .judging import answers, checks, of_cell, question_of, standing

CHECKPOINT = checks("checkpoint")
WEIGHTS = layout.fixtures() / "weights"
CLASSIC = "*-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
FITS = {
    "missing_keys": [],
    "unexpected_keys": [],
    "not_loaded": [],
    "random_initialization": False,
    "weights_read": 1,
    "tensors": 662,
    "untouched": 0,
}


@pytest.mark.parametrize("damage", ["cut", "flipped", "page", "empty"])
def test_shipped_file_that_is_broken(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipped file that is cut, has a flipped bit, is a web page or is empty is red, with what is wrong with it."""
    data = bytearray((WEIGHTS / "tiny_kinetics.pyth").read_bytes())
    data[len(data) // 2] ^= 0x40
    content = {"cut": data[: len(data) // 2], "flipped": data, "page": b"<!DOCTYPE html><html></html>", "empty": b""}[damage]
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "tiny_kinetics.pyth").write_bytes(content)
    monkeypatch.setattr(CHECKPOINT.layout, "fixtures", lambda: tmp_path)
    with pytest.raises(AssertionError, match=r"tiny_kinetics\.pyth is a .*(truncated|damaged|empty|not a checkpoint)"):
        CHECKPOINT.test_shipped_file_is_intact("tiny_kinetics.pyth")
    if damage in ("page", "empty"):
        with pytest.raises(AssertionError, match="the sniffer says None"):
            CHECKPOINT.test_checkpoint_type_is_told("tiny_kinetics.pyth")


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        ("no_key_is_missing_or_left_over", {"missing_keys": ["head.projection.weight"]}, r"missing keys: \['head"),
        ("no_key_is_missing_or_left_over", {"unexpected_keys": ["ema.decay"]}, r"unexpected keys: \['ema"),
        ("no_key_is_missing_or_left_over_with_detection", {"missing_keys": ["s5.pathway0_nonlocal"]}, r"missing keys: \['s5"),
        ("no_key_is_missing_or_left_over_with_detection", {"unexpected_keys": ["head.roi"]}, r"unexpected keys: \['head\.roi"),
        ("loader_changes_every_weight", {"untouched": 662}, "662 of 662 tensors are as random as before"),
        ("loader_changes_every_weight", {"weights_read": 0}, "reported 0 checkpoints"),
    ],
)
def test_weights_that_do_not_fit(name: str, broken: dict[str, Any], words: str) -> None:
    """A missing key, one too many, a loader that changes nothing and one that read nothing are red."""
    with pytest.raises(AssertionError, match=words):
        getattr(CHECKPOINT, f"test_{name}")(answers(checkpoint={**FITS, **broken}, checkpoint_ava={**FITS, **broken}))


def test_silence_is_red() -> None:
    """A SlowFast that no longer tells of the head it left out, or of random weights, makes the two checks about that red."""
    with pytest.raises(AssertionError, match="as not loaded: nothing"):
        CHECKPOINT.test_wrong_class_count_is_caught(answers(checkpoint_of_other_classes={**FITS, "untouched": 2, "classes": 7}))
    told = {**FITS, "untouched": 662, "classes": 7, "not_loaded": CHECKPOINT.HEAD}
    with pytest.raises(AssertionError, match="662 tensors kept"):
        CHECKPOINT.test_wrong_class_count_is_caught(answers(checkpoint_of_other_classes=told))
    with pytest.raises(AssertionError, match="nothing in what the loader says"):
        CHECKPOINT.test_random_initialisation_is_caught(answers(checkpoint_left_empty={**FITS, "untouched": 662}))
    with pytest.raises(AssertionError, match="662 tensors changed"):
        CHECKPOINT.test_random_initialisation_is_caught(answers(checkpoint_left_empty={**FITS, "random_initialization": True}))


def test_damage_that_is_none(tmp_path: Path) -> None:
    """Were a damaged copy called intact, the check would be red and say what torch makes of it."""
    row = {"error": None, "keep": 1 << 30}
    facts = answers(torch_load={"file": "tiny_kinetics.pyth", "damaged": {"one bit flipped": row}})
    with pytest.raises(AssertionError, match=r"calls it intact .* torch\.load says nothing: it loads"):
        CHECKPOINT.test_damage_is_caught("one bit flipped", facts, tmp_path)


def test_torch_that_refuses() -> None:
    """A torch that refuses our checkpoint, and a file without model_state, are red."""
    refused = {"error": {"type": "UnpicklingError", "message": "Weights only load failed"}, "keys": []}
    with pytest.raises(AssertionError, match=r"torch 2\.6\.0 refuses our checkpoint: UnpicklingError: Weights only"):
        CHECKPOINT.test_torch_load_works_with_its_defaults(answers(torch_load={"torch": "2.6.0", "loaded": refused}))
    with pytest.raises(AssertionError, match="no model_state"):
        CHECKPOINT.test_torch_load_works_with_its_defaults(answers(torch_load={"torch": "2.6.0", "loaded": {"error": None, "keys": ["a"]}}))


def test_your_checkpoint(tmp_path: Path) -> None:
    """A checkpoint that somebody handed in is judged like ours: half a download is red, with the command that mends it."""
    half = tmp_path / "half.pyth"
    half.write_bytes((WEIGHTS / "tiny_kinetics.pyth").read_bytes()[:500_000])
    with pytest.raises(AssertionError, match=r"half\.pyth is a torch zip, truncated[\s\S]*mend: curl -fL -C -"):
        CHECKPOINT.test_your_checkpoint_is_intact({"checkpoint": str(half)})
    failed = {"loaded": {"error": {"type": "RuntimeError", "message": "failed finding central directory"}}}
    with pytest.raises(AssertionError, match="failed finding central directory"):
        CHECKPOINT.test_your_checkpoint_loads({"checkpoint": str(half)}, answers(your_checkpoint=failed))
    caffe2 = tmp_path / "model.pkl"
    caffe2.write_bytes(b"\x80\x02}q\x00U\x05blobsq\x01}q\x02s.")
    with pytest.raises(NotVerifiable, match="caffe2"):
        CHECKPOINT.test_your_checkpoint_loads({"checkpoint": str(caffe2)}, answers(your_checkpoint=failed))
    with pytest.raises(AssertionError, match="3 of 662 tensors"):
        CHECKPOINT.test_your_checkpoint_fits_your_config(answers(your_checkpoint_in_its_model={**FITS, "untouched": 3}))


def test_build_model_that_wants_a_gpu(here: Target, tmp_path: Path) -> None:
    """A build_model that asks for a GPU whatever NUM_GPUS says is red with its own words; one without a weight is red as well."""
    (tmp_path / "fake_subject.py").write_text(
        "class Config:\n    NUM_GPUS = 1\n    def merge_from_file(self, path):\n        self.path = path\n"
        "get_cfg = Config\n"
        "def build_model(cfg):\n    assert cfg.NUM_GPUS == 0\n"
        "    raise AssertionError('Cannot use more GPU devices than available')\n",
        encoding="utf-8",
    )
    args = {"defaults": "fake_subject", "module": "fake_subject", "config": "any.yaml"}
    target = here.with_env({"PYTHONPATH": str(tmp_path)})
    seen = observe(target, [Question(id="build_model", probe="build_model", args=args)])["build_model"]
    with pytest.raises(Unanswered, match=r"Cannot use more GPU devices than available\n  while: build_model"):
        CHECKPOINT.test_build_model_needs_no_gpu(lambda _: answered(seen))
    CHECKPOINT.test_build_model_needs_no_gpu(answers(build_model={"tensors": 662}))
    with pytest.raises(AssertionError):
        CHECKPOINT.test_build_model_needs_no_gpu(answers(build_model={"tensors": 0}))


@pytest.mark.heavy
def test_real_loader_with_the_wrong_file(tmp_path: Path) -> None:
    """SlowFast's own loader with the AVA checkpoint in the Kinetics model, and torch.load with a cut file: red for the true reason."""
    cell = standing(CLASSIC)
    cut = tmp_path / "cut.pyth"
    cut.write_bytes((WEIGHTS / "tiny_kinetics.pyth").read_bytes()[:1_000_000])
    found = observe(
        of_cell(cell),
        [
            question_of(cell, "checkpoint", options={"TEST.CHECKPOINT_FILE_PATH": str(WEIGHTS / "tiny_ava.pyth")}),
            question_of(cell, "torch_load", weights=str(cut), damage=False),
        ],
    )
    asked = answers(**{name: seen.facts for name, seen in found.items()})
    with pytest.raises(AssertionError, match=r"lacks weights that the model has; missing keys: .*pathway0_res2"):
        CHECKPOINT.test_no_key_is_missing_or_left_over(asked)
    with pytest.raises(AssertionError, match="tensors are as random as before"):
        CHECKPOINT.test_loader_changes_every_weight(asked)
    with pytest.raises(AssertionError, match=r"torch 1\.8\.0 refuses our checkpoint: RuntimeError: .*central directory"):
        CHECKPOINT.test_torch_load_works_with_its_defaults(asked)


@pytest.mark.heavy
def test_newer_torch_refuses_a_stored_object(tmp_path: Path) -> None:
    """A checkpoint that holds its config as an object loads in torch 1.8 and is refused by default since 2.6: both are seen."""
    found = {}
    for pattern in (CLASSIC, "*-py3.11-torch2.15.0-cpu-uv-pyslowfast@main"):
        cell = of_cell(standing(pattern))
        made = tmp_path / "object.pyth"
        if not made.exists():
            script = f"import argparse, torch; torch.save({{'model_state': {{}}, 'cfg': argparse.Namespace(a=1)}}, {str(made)!r})"
            subprocess.run(cell.command("-c", script), env=cell.environ(), check=True, timeout=60)
        seen = observe(cell, [Question(id="torch_load", probe="torch_load", args={"weights": str(made), "damage": False})])["torch_load"]
        found[pattern] = answers(torch_load=seen.facts)
    CHECKPOINT.test_torch_load_works_with_its_defaults(found[CLASSIC])
    with pytest.raises(AssertionError, match=r"torch 2\.15.* refuses our checkpoint: UnpicklingError: Weights only load failed"):
        CHECKPOINT.test_torch_load_works_with_its_defaults(found.popitem()[1])


def test_damage_is_the_same_on_both_sides() -> None:
    """The host's copy is damaged where the target's is: by length, and by one bit."""
    data = bytes(range(100))
    assert CHECKPOINT.damaged(data, {"keep": 10}) == data[:10]
    flipped = CHECKPOINT.damaged(data, {"flip": 50})
    assert [place for place in range(100) if flipped[place] != data[place]] == [50] and len(flipped) == 100
