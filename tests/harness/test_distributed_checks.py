"""The distributed rung can fail: doctored facts, and real pairs of processes whose second one dies, is silent or computes otherwise."""

from __future__ import annotations

import copy
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.errors import NotVerifiable
from slowfast_verify.observe import Observation, Question, observe
from slowfast_verify.subject import subject

from .fakes import gone
from .judging import answers, checks, of_cell, standing

DISTRIBUTED = checks("distributed")
RANK: dict[str, Any] = {
    "all_reduce": [3.0] * 3, "all_gather": [[0.0, 1.0], [10.0, 11.0]], "broadcast": [7.0],
    "ddp": {"output": [2.5, 2.5], "weight": [0.2] * 6, "bias": [0.8, 0.8]},
}  # fmt: skip
RANKS: list[dict[str, Any]] = [RANK, {**RANK, "ddp": {**RANK["ddp"], "output": [4.0, 4.0]}}]
WORK = ("gloo_meets", "all_reduce", "all_gather", "broadcast", "ddp_step")
STARTED = {"started": True, "sum": [1.0, 1.0]}
NO_GPU = {"started": False, "error": "RuntimeError: ProcessGroupNCCL is only supported with GPUs, no GPUs found!"}


def pair(ranks: list[dict[str, Any]]) -> Any:
    return answers(gloo={"meetings": {"tcp": {"ranks": ranks}}})


def backends(**changes: Any) -> Any:
    facts = {"wanted": "nccl", "override": None, "gpus": 0, "compiled": {"gloo": True}, "started": {"gloo": STARTED, "nccl": NO_GPU}}
    return answers(backends={**facts, **changes})


@pytest.mark.parametrize("name", WORK)
def test_right_numbers_pass(name: str) -> None:
    """Two ranks with the numbers that must come out pass."""
    getattr(DISTRIBUTED, f"test_{name}")("tcp", pair(RANKS))


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("all_reduce", "all_reduce", [1.0] * 3),
        ("all_gather", "all_gather", [[0.0, 1.0], [0.0, 1.0]]),
        ("broadcast", "broadcast", [0.0]),
        ("ddp_step", "weight", [0.3] * 6),
        ("ddp_step", "output", [28.0, 28.0]),
        ("ddp_step", "bias", [9.0, 9.0]),
    ],
)
def test_wrong_numbers_on_either_rank_fail(rank: int, name: str, key: str, value: Any) -> None:
    """A wrong number on one rank alone is enough to fail."""
    ranks = copy.deepcopy(RANKS)
    (ranks[rank] if key in RANK else ranks[rank]["ddp"])[key] = value
    with pytest.raises(AssertionError, match=f"rank {rank}"):
        getattr(DISTRIBUTED, f"test_{name}")("tcp", pair(ranks))


@pytest.mark.parametrize("name", WORK)
def test_pair_that_does_not_meet(name: str) -> None:
    """An error of a rank fails every check of that way to meet, with its words."""
    with pytest.raises(AssertionError, match="rank 1 over gloo by tcp: RuntimeError: timeout"):
        getattr(DISTRIBUTED, f"test_{name}")("tcp", pair([RANK, {"error": "RuntimeError: timeout"}]))


def test_one_process_alone_has_met_nobody() -> None:
    """The answer of one rank only is no meeting."""
    with pytest.raises(AssertionError):
        DISTRIBUTED.test_gloo_meets("tcp", pair([RANK]))


def test_default_backend_without_a_gpu_names_the_override() -> None:
    """Without a GPU the default backend is not verified, and the reason names the exact override."""
    with pytest.raises(NotVerifiable, match="no GPUs found!; without one: --opts DIST_BACKEND gloo"):
        DISTRIBUTED.test_default_backend_starts(backends(), subject("pyslowfast"))


def test_default_backend_that_fails_beside_a_gpu_is_red() -> None:
    """Beside a GPU a default backend that does not start is red, and the override is named too."""
    told = {"gloo": STARTED, "nccl": {"started": False, "error": "RuntimeError: Distributed package doesn't have NCCL built in"}}
    with pytest.raises(AssertionError, match="NCCL built in; use another: --opts DIST_BACKEND gloo"):
        DISTRIBUTED.test_default_backend_starts(backends(gpus=1, started=told), subject("pyslowfast"))


def test_subject_without_a_config_is_not_told_of_opts() -> None:
    """A subject without SlowFast's config is told of the call, not of --opts."""
    with pytest.raises(NotVerifiable, match="without one: init_process_group"):
        DISTRIBUTED.test_default_backend_starts(backends(), subject("pytorchvideo"))


def test_nccl_that_sums_wrongly_is_red() -> None:
    """A backend that starts and computes nonsense does not pass."""
    with pytest.raises(AssertionError, match="sums two ones"):
        DISTRIBUTED.test_default_backend_starts(backends(gpus=1, started={"nccl": {"started": True, "sum": [0, 0]}}), subject("pyslowfast"))


def test_override_that_fails_is_red() -> None:
    """An override that does not start is red, whichever it is."""
    with pytest.raises(AssertionError, match="--opts DIST_BACKEND mpi asks for, does not start: RuntimeError: no MPI"):
        DISTRIBUTED.test_override_starts(backends(override="mpi", started={"mpi": {"started": False, "error": "RuntimeError: no MPI"}}))
    with pytest.raises(AssertionError, match=r"torch\.distributed is not available"):
        DISTRIBUTED.test_override_starts(backends(started={}))


def test_torch_without_gloo_is_red() -> None:
    """A torch without gloo, or without torch.distributed, is red."""
    with pytest.raises(AssertionError, match="without gloo"):
        DISTRIBUTED.test_gloo_is_compiled_in(backends(compiled={}))


def test_nccl_pair() -> None:
    """Two processes over NCCL are not verified without two GPUs, and red when they do not meet or compute otherwise."""
    with pytest.raises(NotVerifiable, match="needs two GPUs"):
        DISTRIBUTED.test_nccl_over_two_gpus(answers(nccl={"skipped": "needs two GPUs, here is none"}))
    DISTRIBUTED.test_nccl_over_two_gpus(answers(nccl={"skipped": None, "meetings": {"tcp": {"ranks": RANKS}}}))
    for told, words in (
        ({**RANK, "all_reduce": [2.0]}, "over nccl gave rank 1"),
        ({"error": "RuntimeError: no"}, "rank 1 over nccl: Runtime"),
    ):
        with pytest.raises(AssertionError, match=words):
            DISTRIBUTED.test_nccl_over_two_gpus(answers(nccl={"skipped": None, "meetings": {"tcp": {"ranks": [RANK, told]}}}))


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", DISTRIBUTED.HELPERS)
def test_helper_with_another_answer(name: str, rank: int) -> None:
    """A helper that gives one rank something else, or raises there, is red with its name and the rank."""
    right = DISTRIBUTED.HELPERS[name]
    DISTRIBUTED.test_helper_over_gloo(name, answers(gloo={"helpers": {"ranks": [{name: right}, {name: right}]}}))
    for told, words in (
        ({name: ["another"]}, rf"{name} gave rank {rank} \['another'\], not"),
        ({name: {"error": "ValueError: no"}}, f"{name} on rank {rank}: ValueError: no"),
        ({"error": "ImportError: no such module"}, rf"slowfast\.utils\.distributed on rank {rank}: ImportError: no such module"),
    ):
        ranks: list[dict[str, Any]] = [{name: right}, {name: right}]
        ranks[rank] = told
        with pytest.raises(AssertionError, match=words):
            DISTRIBUTED.test_helper_over_gloo(name, answers(gloo={"helpers": {"ranks": ranks}}))


# ---- with a real torch -------------------------------------------------------------------------------------------------


def put(path: Path | None = None, seconds: float = 60, **args: Any) -> Observation:
    target = of_cell(standing("*-torch1.8*-pyslowfast@*"), path)
    return observe(target, [Question(id="gloo", probe="two_processes", args=args, seconds=seconds)])["gloo"]


@pytest.mark.heavy
def test_second_process_that_dies(tmp_path: Path) -> None:
    """A second process that leaves at once is found at once, with its exit status: nobody waits for a time limit."""
    found = put(methods=["tcp"], child=[sys.executable, "-c", "raise SystemExit(7)"])
    assert found.how == "raised"
    assert "the second process left with exit status 7" in (found.message or "")
    assert found.seconds < 20


@pytest.mark.heavy
def test_second_process_that_is_silent_does_not_outlive_the_question(token: str) -> None:
    """A second process that never speaks runs into the question's limit, and is gone afterwards."""
    begun = time.monotonic()
    found = put(seconds=4, methods=["tcp"], child=[sys.executable, "-c", f"import time; time.sleep({token})"])
    assert found.how == "hung"
    assert found.step == "wait for the second process to import torch"
    assert gone(token)
    assert time.monotonic() - begun < 30


@pytest.mark.heavy
def test_helpers_that_compute_otherwise_are_red(tmp_path: Path) -> None:
    """With a real pair: a helper that forgets to average, one that is missing and one that raises are red, the good one is green."""
    (tmp_path / "helpers_of_mine.py").write_text(
        "import torch.distributed as dist\n"
        "def all_reduce(tensors):\n    for tensor in tensors:\n        dist.all_reduce(tensor)\n    return tensors\n"
        "def synchronize():\n    dist.barrier()\n"
        "def all_gather(tensors):\n    raise ValueError('no gathering here')\n",
        encoding="utf-8",
    )
    functions = ["all_reduce", "synchronize", "cat_all_gather", "all_gather"]
    found = put(tmp_path, methods=["file"], module="helpers_of_mine", functions=functions)
    facts = answers(gloo=found.facts)
    DISTRIBUTED.test_helper_over_gloo("synchronize", facts)
    for name, words in (
        ("all_reduce", r"all_reduce gave rank 0 \[\[\[3.0, 30.0\]\]\], not"),
        ("cat_all_gather", "has no attribute 'cat_all_gather'"),
        ("all_gather", "ValueError: no gathering here"),
    ):
        with pytest.raises(AssertionError, match=words):
            DISTRIBUTED.test_helper_over_gloo(name, facts)


@pytest.mark.heavy
def test_helpers_that_do_not_import_leave_the_collectives_alone(tmp_path: Path) -> None:
    """Helpers that cannot be imported are red with the cause, and the collectives before them stay green."""
    (tmp_path / "helpers_of_mine.py").write_text("from pytorchvideo.layers.distributed import nothing_like_it\n", encoding="utf-8")
    found = put(tmp_path, methods=["tcp"], module="helpers_of_mine", functions=["all_reduce"])
    facts = answers(gloo=found.facts)
    DISTRIBUTED.test_ddp_step("tcp", facts)
    with pytest.raises(AssertionError, match="ImportError: cannot import name 'nothing_like_it'"):
        DISTRIBUTED.test_helper_over_gloo("all_reduce", facts)
