"""The compute rung can fail: doctored facts for what needs a GPU, other stored numbers and a false NumPy for what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.observe import Question, observe
from slowfast_verify.swallowed import hidden

from .judging import answers, checks, of_cell, standing

COMPUTE = checks("compute")
REFERENCE = layout.fixtures() / "compute.json"
H200: dict[str, Any] = {
    "version": "2.4.1+cu121", "cuda_build": "12.1", "cuda_usable": True, "cuda_error": None, "visible": None,
    "arch_list": ["sm_50", "sm_80", "sm_86", "sm_90"],
    "driver": {"cuda": 12040, "status": 0, "devices": 1},
    "devices": [{"name": "H200", "capability": [9, 0]}],
}  # fmt: skip
ON_GPU = {"cudnn": 90100, "deviations": {"output": 1e-6, "input_grad": 1e-6, "weight_grad": 1e-6}}
GPU_CHECKS = ("gpu_is_usable", "driver_is_new_enough", "arch_list_covers_the_gpu", "conv3d_on_the_gpu", "roi_align_on_the_gpu")


def judge(name: str, build: dict[str, Any], conv: dict[str, Any] | None = None, align: float | None = 1e-6) -> None:
    facts = answers(torch_build=build, gpu__conv3d=conv or ON_GPU, gpu__roi_align={"deviation": align})
    getattr(COMPUTE, f"test_{name}")(facts)


@pytest.mark.parametrize("name", GPU_CHECKS)
def test_healthy_gpu_passes(name: str) -> None:
    """Every GPU check passes on facts of a machine that is in order."""
    judge(name, H200)


@pytest.mark.parametrize("name", GPU_CHECKS)
@pytest.mark.parametrize("driver", [None, {"cuda": 12040, "status": 100, "devices": 0}, {"cuda": 12040, "status": 0, "devices": 0}])
def test_without_a_gpu_nothing_is_said(name: str, driver: dict[str, int] | None) -> None:
    """Without a GPU the GPU checks are not verified, with the reason; they are neither red nor green."""
    with pytest.raises(NotVerifiable, match="needs a GPU"):
        judge(name, {**H200, "driver": driver, "cuda_usable": False})


def test_hidden_gpu_is_told() -> None:
    """A variable that hides the GPUs is named in the reason."""
    with pytest.raises(NotVerifiable, match="CUDA_VISIBLE_DEVICES is '-1'"):
        judge("gpu_is_usable", {**H200, "driver": {"cuda": 12040, "status": 100, "devices": 0}, "visible": "-1"})


def test_cpu_build_on_a_gpu_machine() -> None:
    """Of a CPU build nothing is claimed about the GPU: that the build does not fit the machine is a finding of its own."""
    with pytest.raises(NotVerifiable, match="needs a CUDA build of torch"):
        judge("gpu_is_usable", {**H200, "cuda_build": None, "cuda_usable": False})


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        ("gpu_is_usable", {"driver": {"cuda": 12040, "status": 803, "devices": 0}}, "cuInit says 803"),
        ("gpu_is_usable", {"cuda_usable": False, "cuda_error": "RuntimeError: too old"}, r"serves CUDA up to 12\.4: RuntimeError: too old"),
        ("driver_is_new_enough", {"driver": {"cuda": 11040, "status": 0, "devices": 1}}, r"up to 11\.4 and torch was built for 12\.1"),
        ("driver_is_new_enough", {"driver": {"cuda": 10010, "status": 0, "devices": 1}, "cuda_build": "10.2"}, r"up to 10\.1"),
        ("arch_list_covers_the_gpu", {"arch_list": ["sm_37", "sm_50", "sm_60", "sm_70"]}, r"H200 has capability 9\.0"),
        ("arch_list_covers_the_gpu", {"devices": [{"name": "RTX", "capability": [12, 0]}]}, "no kernel image"),
    ],
)
def test_gpu_that_does_not_fit(name: str, broken: dict[str, Any], words: str) -> None:
    """A driver that refuses, one that is too old, and a GPU without kernels each fail the check that is about it, in words."""
    with pytest.raises(AssertionError, match=words):
        judge(name, {**H200, **broken})


@pytest.mark.parametrize("arches", [["sm_86", "sm_90a"], ["sm_50", "compute_50"], ["sm_100", "compute_80"]])
def test_arch_list_that_fits(arches: list[str]) -> None:
    """A GPU is covered by its own architecture or by PTX of an earlier one."""
    judge("arch_list_covers_the_gpu", {**H200, "arch_list": arches})


def test_wrong_numbers_on_the_gpu() -> None:
    """Wrong numbers, another shape and a missing cuDNN fail on the GPU."""
    with pytest.raises(AssertionError, match=r"conv3d's weight_grad on the GPU is off by 0\.1"):
        judge("conv3d_on_the_gpu", H200, {"cudnn": 90100, "deviations": {"output": 0.0, "weight_grad": 0.1}})
    with pytest.raises(AssertionError, match="without cuDNN"):
        judge("conv3d_on_the_gpu", H200, {"cudnn": None, "deviations": {}})
    with pytest.raises(AssertionError, match="another shape"):
        judge("roi_align_on_the_gpu", H200, align=None)


@pytest.mark.parametrize("wrong", [0.1, None])
@pytest.mark.parametrize(
    ("name", "question", "key"),
    [
        ("conv3d_forward", "conv3d", "output"),
        ("conv3d_backward", "conv3d", "input_grad"),
        ("conv3d_backward", "conv3d", "weight_grad"),
        ("roi_align", "roi_align:detectron2", ""),
    ],
)
def test_wrong_numbers_on_the_cpu(name: str, question: str, key: str, wrong: float | None) -> None:
    """One result that is off, or of another shape, fails the check that is about it and names it; right ones pass."""
    check = getattr(COMPUTE, f"test_{name}")
    given = ("detectron2",) if name == "roi_align" else ()
    right: dict[str, Any] = {"output": 1e-6, "input_grad": 1e-6, "weight_grad": 1e-6}
    check(*given, lambda asked: {question: {"deviations": right, "deviation": 1e-6}}[asked])
    told = {"output": "the output of conv3d", "input_grad": "of conv3d's input", "weight_grad": "of conv3d's weights", "": "of detectron2"}
    with pytest.raises(AssertionError, match=told[key] + (" is off by 0.1 " if wrong else " has another shape")):
        check(*given, lambda asked: {question: {"deviations": {**right, key: wrong}, "deviation": wrong}}[asked])


def test_bridge_to_numpy_that_is_broken() -> None:
    """A torch that NumPy does not go with, and numbers that come back changed, are red with both versions or with the numbers."""
    refused = {"version": "2.1.2", "bridge": {"numpy": "2.0.1", "error": "RuntimeError: Numpy is not available"}}
    with pytest.raises(AssertionError, match=r"torch 2\.1\.2 and numpy 2\.0\.1 do not go together: RuntimeError: Numpy is not"):
        COMPUTE.test_numpy_bridge(answers(torch_build=refused))
    changed = {"version": "2.1.2", "bridge": {"numpy": "1.26.4", "back": [[0, 1, 2], [3, 4, 5]]}}
    with pytest.raises(AssertionError, match=r"came back changed: \[\[0, 1, 2\]"):
        COMPUTE.test_numpy_bridge(answers(torch_build=changed))


@pytest.mark.heavy
def test_other_stored_numbers_are_red(tmp_path: Path) -> None:
    """A real torch is judged wrong when one stored value of each result is another: the comparison really looks."""
    cell = of_cell(standing("*-pyslowfast@*"))
    stored = json.loads(REFERENCE.read_text(encoding="utf-8"))
    for result in (stored["conv3d"]["output"], stored["conv3d"]["weight_grad"], stored["roi_align"]["output"]):
        result["values"][2] += 0.01
    doctored = tmp_path / "compute.json"
    doctored.write_text(json.dumps(stored), encoding="utf-8")
    questions = [
        Question(
            id=f"{probe}{package}{path.parent.name}",
            probe=probe,
            args={"reference": str(path), **({"package": package} if package else {})},
        )
        for path in (REFERENCE, doctored)
        for probe, package in (("conv3d", ""), ("roi_align", "torchvision"), ("roi_align", "detectron2"))
    ]
    right, wrong = {}, {}
    for question, found in observe(cell, questions).items():
        (right if question.endswith("fixtures") else wrong)[question.removesuffix("fixtures").removesuffix(tmp_path.name)] = found.facts
    for facts in (right, wrong):
        asked = answers(
            conv3d=facts["conv3d"], roi_align__torchvision=facts["roi_aligntorchvision"], roi_align__detectron2=facts["roi_aligndetectron2"]
        )
        for check in (
            lambda asked=asked: COMPUTE.test_conv3d_forward(asked),
            lambda asked=asked: COMPUTE.test_conv3d_backward(asked),
            lambda asked=asked: COMPUTE.test_roi_align("torchvision", asked),
            lambda asked=asked: COMPUTE.test_roi_align("detectron2", asked),
        ):
            if facts is right:
                check()
            else:
                with pytest.raises(AssertionError, match="of its mean magnitude"):
                    check()


@pytest.mark.heavy
def test_numpy_2_beside_a_torch_built_for_numpy_1(tmp_path: Path) -> None:
    """The classical break, for real: torch 2.1 imports beside NumPy 2, the import is told of what it hides, and the bridge is red."""
    newer = next((standing("*-py3.10-torch2.4*") / "env" / "lib" / "python3.10" / "site-packages").glob("numpy"))
    for folder in (newer, newer.parent / "numpy.libs"):
        (tmp_path / folder.name).symlink_to(folder)
    cell = of_cell(standing("*-py3.10-torch2.1*"), tmp_path)
    found = observe(
        cell,
        [Question(id="torch", probe="import_module", args={"module": "torch"}), Question(id="torch_build", probe="torch_build")],
    )
    assert any("was built for NumPy 1 and found NumPy 2" in text for text in hidden(found["torch"]))
    with pytest.raises(AssertionError, match=r"torch 2\.1.* and numpy 2.* do not go together: RuntimeError: Numpy is not available"):
        COMPUTE.test_numpy_bridge(answers(torch_build=found["torch_build"].facts))
