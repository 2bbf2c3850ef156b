"""Rung distributed: two processes meet and compute together, and the backend that the config asks for starts or has an override."""

import pytest

from slowfast_verify.errors import NotVerifiable

pytestmark = pytest.mark.batch("imports")
OVERRIDE = "--opts DIST_BACKEND gloo"
METHODS = ("tcp", "file", "env")
#: What the helpers of slowfast.utils.distributed must give on both ranks; rank r brings the tensor [[r + 1, 10 * (r + 1)]].
HELPERS = {
    "all_gather": [[[1, 10], [2, 20]]],
    "all_reduce": [[[1.5, 15]]],
    "cat_all_gather": [[[1, 10], [2, 20]]],
    "all_gather_unaligned": [{"rank": 0, "text": ""}, {"rank": 1, "text": "xxxxxxx"}],
    "synchronize": [None],
}


def met(facts, method):
    """What both ranks computed over a way to meet; fails with what went wrong."""
    found = facts("gloo")["meetings"][method]["ranks"]
    for rank, told in enumerate(found):
        assert "error" not in told, f"rank {rank} over gloo by {method}: {told['error']}"
    return found


def test_gloo_is_compiled_in(facts):
    """Torch was built with gloo, the one backend that needs no GPU."""
    assert facts("backends")["compiled"].get("gloo"), "this torch was built without torch.distributed, or without gloo"


@pytest.mark.parametrize("method", METHODS)
def test_gloo_meets(method, facts):
    """Two processes find each other over gloo."""
    assert len(met(facts, method)) == 2


@pytest.mark.parametrize("method", METHODS)
def test_all_reduce(method, facts):
    """The sum over two processes is the sum: 1 + 2."""
    for rank, told in enumerate(met(facts, method)):
        assert told["all_reduce"] == [3, 3, 3], f"all_reduce gave rank {rank} {told['all_reduce']}, not 3"


@pytest.mark.parametrize("method", METHODS)
def test_all_gather(method, facts):
    """Each process gets what both gave, in the order of the ranks."""
    for rank, told in enumerate(met(facts, method)):
        assert told["all_gather"] == [[0, 1], [10, 11]], f"all_gather gave rank {rank} {told['all_gather']}"


@pytest.mark.parametrize("method", METHODS)
def test_broadcast(method, facts):
    """What rank 1 says, rank 0 hears."""
    for rank, told in enumerate(met(facts, method)):
        assert told["broadcast"] == [7], f"broadcast from rank 1 gave rank {rank} {told['broadcast']}, not 7"


@pytest.mark.parametrize("method", METHODS)
def test_ddp_step(method, facts):
    """One step of DistributedDataParallel leaves both processes with rank 0's weights less the mean of both gradients.

    Weights 0.5 and bias 1 on rank 0, inputs of 1 and of 2 in batches of two: gradients 2 and 4, mean 3, learning rate 0.1.
    """
    for rank, told in enumerate(met(facts, method)):
        ddp = told["ddp"]
        wanted = pytest.approx([2.5 if rank == 0 else 4.0] * 2)
        assert ddp["output"] == wanted, f"rank {rank} did not start from rank 0's weights: its output is {ddp['output']}"
        averaged = f"rank {rank} ends with the weights {ddp['weight']}, not 0.2: its gradients were not averaged"
        assert ddp["weight"] == pytest.approx([0.2] * 6), averaged
        assert ddp["bias"] == pytest.approx([0.8] * 2), f"rank {rank} ends with the bias {ddp['bias']}, not 0.8"


def test_helper_over_gloo(distributed_function, facts):
    """A helper of slowfast.utils.distributed works over gloo and gives both processes what it must."""
    for rank, told in enumerate(facts("gloo")["helpers"]["ranks"]):
        assert "error" not in told, f"slowfast.utils.distributed on rank {rank}: {told['error']}"
        found = told[distributed_function]
        assert not (isinstance(found, dict) and "error" in found), f"{distributed_function} on rank {rank}: {found['error']}"
        wanted = HELPERS[distributed_function]
        assert found == wanted, f"{distributed_function} gave rank {rank} {found}, not {wanted}"


def test_default_backend_starts(facts, subject):
    """The backend that is used unless the config says otherwise starts, and computes on the GPU if it is NCCL."""
    found = facts("backends")
    wanted = found["wanted"]
    how = OVERRIDE if any(command.probe == "config_files" for command in subject.command.values()) else "init_process_group('gloo')"
    told = found["started"].get(wanted) or {"started": False, "error": "torch.distributed is not available"}
    if wanted == "nccl" and not told["started"] and not found.get("gpus"):
        raise NotVerifiable(f"{wanted} needs a GPU, here it says {told['error']}; without one: {how}")
    assert told["started"], f"the default backend {wanted} does not start: {told['error']}; use another: {how}"
    assert told["sum"] == [1, 1], f"the default backend {wanted} sums two ones over one process to {told['sum']}"


def test_override_starts(facts):
    """The backend that takes the default's place starts: the one of the cell's overrides, gloo otherwise."""
    found = facts("backends")
    name = found["override"] or "gloo"
    told = found["started"].get(name) or {"started": False, "error": "torch.distributed is not available"}
    assert told["started"], f"{name}, which --opts DIST_BACKEND {name} asks for, does not start: {told['error']}"


def test_nccl_over_two_gpus(facts):
    """Two processes on two GPUs meet over NCCL and sum."""
    found = facts("nccl")
    if found["skipped"]:
        raise NotVerifiable(found["skipped"])
    for rank, told in enumerate(found["meetings"]["tcp"]["ranks"]):
        assert "error" not in told, f"rank {rank} over nccl: {told['error']}"
        assert told["all_reduce"] == [3, 3, 3], f"all_reduce over nccl gave rank {rank} {told['all_reduce']}, not 3"
