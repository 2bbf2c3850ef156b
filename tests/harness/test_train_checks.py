"""Every check of the train rung can fail: on doctored answers, and on the real training command without a single epoch."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.observe import Observation, observe
from slowfast_verify.verdict import Unanswered, answered

from .judging import answers, checks, of_cell, question_of, standing

TRAIN = checks("train")
EXPECTED = json.loads((layout.fixtures() / "expected.json").read_text(encoding="utf-8"))
RIGHT: dict[str, Any] = {
    "iterations": [{"iter": "1/2", "loss": 2.04, "lr": 0.001}, {"iter": "2/2", "loss": 2.15, "lr": 0.0005}],
    "logged": ["train_epoch", "train_iter_", "val_epoch", "val_iter"],
    "checkpoint": "checkpoint_epoch_00001.pyth",
    "bytes": 6680865,
    "reloaded": {"missing_keys": [], "unexpected_keys": [], "weights_read": 1, "epoch": 0},
}
FITTED = TRAIN.training.__wrapped__ if hasattr(TRAIN.training, "__wrapped__") else TRAIN.training._get_wrapped_function()


def judge(facts: dict[str, Any]) -> list[str]:
    """What the checks complain of when training answers this."""
    said = []
    for check in (
        lambda: TRAIN.test_two_iterations_run(facts, EXPECTED),
        lambda: TRAIN.test_epoch_is_evaluated(facts),
        lambda: TRAIN.test_checkpoint_is_written(facts),
        lambda: TRAIN.test_checkpoint_loads_again(facts),
    ):
        try:
            check()
        except AssertionError as error:
            said.append(str(error).partition("\n")[0])
    return said


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"iterations": RIGHT["iterations"][:1]}, "not 2 iterations"),
        ({"iterations": [*RIGHT["iterations"][:1], {"iter": "2/2", "loss": float("nan")}]}, "a loss is no number"),
        ({"logged": ["train_iter_"]}, "the log has only train_iter_"),
        ({"checkpoint": None, "bytes": 0}, "there is no checkpoint in OUTPUT_DIR"),
        ({"bytes": 100}, "has only 100 bytes"),
        ({"reloaded": None}, "there was no checkpoint to load"),
        ({"reloaded": {**RIGHT["reloaded"], "missing_keys": ["s1.x"]}}, r"missing keys: ['s1.x']"),
        ({"reloaded": {**RIGHT["reloaded"], "weights_read": 0}}, "read 0 times"),
    ],
)
def test_training_that_went_wrong(broken: dict[str, Any], words: str) -> None:
    """One iteration, a loss that is no number, no evaluation, no checkpoint, an empty one, and one that does not fit are red."""
    assert judge(RIGHT) == []
    assert any(words in text for text in judge({**copy.deepcopy(RIGHT), **broken})), judge({**RIGHT, **broken})


def test_which_run_is_judged() -> None:
    """The plain run where it ended well; else the one without synchronize; else what stopped the plain one."""
    stopped = Observation(id="train", how="raised", type="RuntimeError", message="Found no NVIDIA driver on your system")
    plain = Observation(id="train", how="answered", facts={"which": "plain"})
    second = Observation(id="second", how="answered", facts={"which": "second"})
    not_needed = Observation(id="second", how="answered", facts={"needed": False})
    assert FITTED({"train": plain}.__getitem__) == {"which": "plain"}
    assert FITTED({"train": stopped, "train_without_synchronize": second}.__getitem__) == {"which": "second"}
    with pytest.raises(Unanswered, match="NVIDIA"):
        FITTED({"train": stopped, "train_without_synchronize": not_needed}.__getitem__)
    with pytest.raises(Unanswered, match="RuntimeError: Found no NVIDIA driver on your system"):
        TRAIN.test_training_command_needs_no_gpu(lambda _: answered(stopped))
    with pytest.raises(AssertionError):
        TRAIN.test_training_command_needs_no_gpu(answers(train={"iterations": []}))


@pytest.mark.heavy
def test_real_training_of_no_epoch() -> None:
    """The real training command with SOLVER.MAX_EPOCH 0 ends without an error, and every check is red."""
    cell = standing("*-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67")
    seen = observe(of_cell(cell), [question_of(cell, "train_without_synchronize", id="it", opts={"SOLVER.MAX_EPOCH": 0})])["it"]
    assert seen.facts, seen.text
    said = judge(seen.facts)
    assert len(said) == 4, said
