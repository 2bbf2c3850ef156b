"""Rung checkpoint: a file is whole, the subject's own loader finds every weight in it, and what it keeps quiet about is caught."""

from functools import cache
from pathlib import Path

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.sniff import Sniffed, sniff

pytestmark = pytest.mark.batch("imports")
SHIPPED = ["tiny_kinetics.pyth", "tiny_ava.pyth", "tiny_pytorchvideo.pth"]
HEAD = ["head.projection.bias", "head.projection.weight"]


@cache
def shipped(folder: Path, weights: str) -> Sniffed:
    """What one of our files is; walking its pickle takes a tenth of a second, and two checks read it."""
    return sniff(folder / "weights" / weights)


@pytest.mark.question("torch_load")
@pytest.mark.parametrize("weights", SHIPPED)
def test_shipped_file_is_intact(weights):
    """A checkpoint that we ship arrived whole: a torch zip with every checksum right and the key that SlowFast's loader asks for."""
    sniffed = shipped(layout.fixtures(), weights)
    assert sniffed.kind == "torch zip" and sniffed.loads, f"{weights} is a {sniffed.kind}, {sniffed.verdict}: {sniffed.detail}"


@pytest.mark.question("torch_load")
@pytest.mark.parametrize("weights", SHIPPED)
def test_checkpoint_type_is_told(weights):
    """The value for TEST.CHECKPOINT_TYPE is known from the file's bytes: a wrong one ends in an error about something else."""
    told = shipped(layout.fixtures(), weights).checkpoint_type
    assert told == "pytorch", f"{weights} was written by PyTorch, and the sniffer says {told}"


@pytest.mark.question("torch_load")
def test_torch_load_works_with_its_defaults(facts):
    """torch.load, whatever weights_only is by default in this version, reads our checkpoint."""
    found = facts("torch_load")
    error = found["loaded"]["error"]
    assert error is None, f"torch {found['torch']} refuses our checkpoint: {error['type']}: {error['message']}"
    assert "model_state" in found["loaded"]["keys"], f"torch.load found the keys {found['loaded']['keys']}, and no model_state"


@pytest.mark.question("checkpoint")
def test_no_key_is_missing_or_left_over(facts):
    """Every weight of the subject's model is in our checkpoint, and every weight of the checkpoint has a place in the model."""
    judge_keys(facts("checkpoint"))


@pytest.mark.question("checkpoint_ava")
def test_no_key_is_missing_or_left_over_with_detection(facts):
    """The same for the model of the AVA form, with its detection head and a non-local block."""
    judge_keys(facts("checkpoint_ava"))


@pytest.mark.question("checkpoint_of_other_classes")
def test_loader_changes_every_weight(facts):
    """After load_test_checkpoint no weight of the model is still the random one that it began with."""
    found = facts("checkpoint")
    assert found["weights_read"] == 1, f"the loader reported {found['weights_read']} checkpoints read, not one"
    assert not found["untouched"], f"{found['untouched']} of {found['tensors']} tensors are as random as before the loading"


@pytest.mark.question("checkpoint_of_other_classes")
def test_wrong_class_count_is_caught(facts):
    """With another MODEL.NUM_CLASSES SlowFast loads, says nothing but a log line and ends with 0: the head that it left random is named."""
    found = facts("checkpoint_of_other_classes")
    assert found["not_loaded"] == HEAD, (
        f"with {found['classes']} classes instead of 4 the loader reports as not loaded: {found['not_loaded'] or 'nothing'}; wanted {HEAD}"
    )
    assert found["untouched"] == len(HEAD), f"{found['untouched']} tensors kept their random values, and {len(HEAD)} were reported"


@pytest.mark.question("checkpoint_left_empty")
def test_random_initialisation_is_caught(facts):
    """With an empty TEST.CHECKPOINT_FILE_PATH SlowFast answers at random and ends with 0: its log line about that is recognised."""
    found = facts("checkpoint_left_empty")
    assert found["untouched"] == found["tensors"], (
        f"{found['tensors'] - found['untouched']} tensors changed, although no checkpoint was named"
    )
    assert found["random_initialization"], "all weights are random, and nothing in what the loader says tells of it"


@pytest.mark.question("torch_load")
@pytest.mark.parametrize("damage", ["cut in half", "last byte missing", "one bit flipped"])
def test_damage_is_caught(damage, facts, tmp_path):
    """A copy with this damage is recognised before it is loaded: torch reads one with a flipped bit without a word."""
    found = facts("torch_load")
    row = found["damaged"][damage]
    copy = tmp_path / "damaged.pyth"
    copy.write_bytes(damaged((layout.fixtures() / "weights" / found["file"]).read_bytes(), row))
    sniffed = sniff(copy)
    torch_says = f"{row['error']['type']}: {row['error']['message']}" if row["error"] else "nothing: it loads"
    assert sniffed.verdict in ("truncated", "damaged"), (
        f"{damage}: the sniffer calls it {sniffed.verdict} ({sniffed.detail}); torch.load says {torch_says}"
    )


@pytest.mark.question("build_model")
def test_build_model_needs_no_gpu(facts):
    """The subject's build_model makes the network of our config on this machine, with NUM_GPUS 0."""
    assert facts("build_model")["tensors"]


@pytest.mark.question("your_checkpoint")
def test_your_checkpoint_is_intact(asked):
    """The checkpoint that you gave is whole, and of a kind that SlowFast loads."""
    sniffed = sniff(asked["checkpoint"])
    assert not sniffed.imports, f"{asked['checkpoint']} was not opened: {sniffed.unsafe}\n  next: ask whoever made it for weights alone"
    assert sniffed.loads, f"{asked['checkpoint']} is a {sniffed.kind}, {sniffed.verdict}: {sniffed.detail}\nmend: {sniffed.advice}"


@pytest.mark.question("your_checkpoint")
def test_your_checkpoint_loads(asked, facts):
    """torch.load of this environment reads the checkpoint that you gave."""
    found = opened(facts("your_checkpoint"))
    if sniff(asked["checkpoint"]).checkpoint_type == "caffe2":
        raise NotVerifiable("a caffe2 checkpoint is no file for torch.load; give its config with --config to have SlowFast load it")
    error = found["loaded"]["error"]
    assert error is None, f"torch.load refuses {asked['checkpoint']}: {error['type']}: {error['message']}"


@pytest.mark.question("your_checkpoint_in_its_model")
def test_your_checkpoint_fits_your_config(facts):
    """The checkpoint that you gave fills the model of the config that you gave, by SlowFast's own loader."""
    found = opened(facts("your_checkpoint_in_its_model"))
    judge_keys(found)
    assert not found["untouched"], f"{found['untouched']} of {found['tensors']} tensors are as random as before the loading"


def opened(found):
    """The facts of a checkpoint that was opened; of one that may run something nothing is known."""
    if "unopened" in found:
        raise NotVerifiable(f"the checkpoint was not opened: {found['unopened']}")
    return found


def judge_keys(found):
    """No missing and no unexpected key, in the words that people search for."""
    assert not found["missing_keys"], f"the checkpoint lacks weights that the model has; missing keys: {found['missing_keys']}"
    assert not found["unexpected_keys"], f"the checkpoint has weights that the model lacks; unexpected keys: {found['unexpected_keys']}"


def damaged(data, row):
    """The same damage as in the target: cut after `keep` bytes, or one bit flipped at `flip`."""
    copy = bytearray(data[: row.get("keep", len(data))])
    if "flip" in row:
        copy[row["flip"]] ^= 0x40
    return bytes(copy)
