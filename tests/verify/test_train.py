"""Rung train: the subject's real training command runs two iterations on a tiny set and writes a checkpoint that its own loader reads.

Upstream calls torch.cuda.synchronize() after every iteration whatever NUM_GPUS says. Where that ends the plain run (no GPU), how far
training gets is judged on a second run in which this one function does nothing; all other code of the subject is as upstream wrote it.
"""

import math

import pytest

from slowfast_verify.verdict import answered

pytestmark = [pytest.mark.batch("demo"), pytest.mark.question("train")]


@pytest.fixture
def training(ask):
    """The facts of the plain run, or where it stopped, of the run in which torch.cuda.synchronize does nothing."""
    plain = ask("train")
    if plain.facts is not None:
        return plain.facts
    found = answered(ask("train_without_synchronize"))
    return found if found.get("needed", True) else answered(plain)


def test_training_command_needs_no_gpu(facts):
    """tools/run_net.py with TRAIN.ENABLE True and NUM_GPUS 0 comes to its end, as upstream wrote it."""
    assert facts("train")["iterations"]


def test_two_iterations_run(training, expected):
    """The log has both iterations, each with a loss that is a number."""
    wanted, rows = expected["train"]["iterations"], training["iterations"]
    assert [row["iter"] for row in rows] == [f"{i + 1}/{wanted}" for i in range(wanted)], f"the log has {rows}, not {wanted} iterations"
    assert all(math.isfinite(row["loss"]) and row["loss"] > 0 for row in rows), f"a loss is no number: {rows}"


def test_epoch_is_evaluated(training):
    """After the epoch the model is evaluated on the validation list."""
    assert {"train_epoch", "val_iter", "val_epoch"} <= set(training["logged"]), f"the log has only {', '.join(training['logged'])}"


def test_checkpoint_is_written(training):
    """Training leaves a checkpoint where SlowFast itself looks for the last one."""
    assert training["checkpoint"], "training ended, and there is no checkpoint in OUTPUT_DIR/checkpoints"
    assert training["bytes"] > 1 << 20, f"{training['checkpoint']} has only {training['bytes']} bytes"


def test_checkpoint_loads_again(training):
    """SlowFast's own loader puts that checkpoint into a new model, with no missing and no unexpected key."""
    found = training["reloaded"]
    assert found, "there was no checkpoint to load"
    assert found["weights_read"] == 1 and found["epoch"] == 0, f"read {found['weights_read']} times, of epoch {found['epoch']}"
    assert not found["missing_keys"] and not found["unexpected_keys"], (
        f"missing keys: {found['missing_keys']}; unexpected: {found['unexpected_keys']}"
    )
