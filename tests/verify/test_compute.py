"""Rung compute: torch computes what it must, on the CPU and on the GPU if there is one, and hands numbers to NumPy and back."""

import json

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable

pytestmark = pytest.mark.batch("imports")
REFERENCE = json.loads((layout.fixtures() / "compute.json").read_text(encoding="utf-8"))
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE: there is a driver and nothing for it to drive


def near(what, deviation, tolerance):
    """Fail with a sentence unless a deviation, a share of the mean magnitude, is within the tolerance."""
    assert deviation is not None, f"{what} has another shape than the stored one, or is not a number"
    assert deviation <= tolerance, f"{what} is off by {deviation:.3g} of its mean magnitude; {tolerance:g} is allowed"


def gpu(build):
    """The facts of torch_build where there is a GPU that this torch might use; not verifiable anywhere else."""
    driver = build["driver"]
    if not driver or driver["status"] == NO_DEVICE or (driver["status"] == 0 and not driver["devices"]):
        hidden = f" (CUDA_VISIBLE_DEVICES is {build['visible']!r})" if build["visible"] is not None else ""
        raise NotVerifiable(f"needs a GPU{hidden}")
    if not build["cuda_build"]:
        raise NotVerifiable(f"needs a CUDA build of torch; {build['version']} has none")
    return build


def usable(build):
    """The same, and torch can use it: the question whether it can is a check of its own."""
    if not gpu(build)["cuda_usable"]:
        raise NotVerifiable("needs a GPU that torch can use")
    return build


def test_conv3d_forward(facts):
    """A 3D convolution on the CPU gives the stored numbers."""
    near("the output of conv3d", facts("conv3d")["deviations"]["output"], REFERENCE["conv3d"]["tolerance"])


def test_conv3d_backward(facts):
    """The gradients of a 3D convolution on the CPU are the stored ones, for its input and for its weights."""
    found = facts("conv3d")["deviations"]
    near("the gradient of conv3d's input", found["input_grad"], REFERENCE["conv3d"]["tolerance"])
    near("the gradient of conv3d's weights", found["weight_grad"], REFERENCE["conv3d"]["tolerance"])


def test_roi_align(aligner, facts):
    """RoIAlign, which the AVA models need, gives the stored numbers on the CPU."""
    near(f"RoIAlign of {aligner}", facts(f"roi_align:{aligner}")["deviation"], REFERENCE["roi_align"]["tolerance"])


def test_numpy_bridge(facts):
    """An array becomes a tensor and an array again: a torch built for NumPy 1 beside NumPy 2 imports and fails here."""
    build = facts("torch_build")
    bridge = build["bridge"]
    assert "error" not in bridge, f"torch {build['version']} and numpy {bridge['numpy']} do not go together: {bridge['error']}"
    assert bridge["back"] == [[0, 2, 4], [6, 8, 10]], f"the numbers came back changed: {bridge['back']}"


def test_gpu_is_usable(facts):
    """On a GPU machine a CUDA build of torch can use the GPU: driver, runtime and wheel agree."""
    build = gpu(facts("torch_build"))
    driver = build["driver"]
    assert driver["status"] == 0, (
        f"the NVIDIA driver refuses to start: cuInit says {driver['status']} (803: its parts are of two versions, restart the machine)"
    )
    assert build["cuda_usable"], (
        f"torch {build['version']} (CUDA {build['cuda_build']}) cannot use the GPU; the driver serves CUDA up to "
        f"{driver['cuda'] // 1000}.{driver['cuda'] % 1000 // 10}: {build['cuda_error']}"
    )


def test_driver_is_new_enough(facts):
    """The driver serves the CUDA that torch was built for: within a major version from 11 on, not older before."""
    build = gpu(facts("torch_build"))
    major, minor = (int(part) for part in build["cuda_build"].split(".")[:2])
    served = divmod(build["driver"]["cuda"] // 10, 100)
    enough = served[0] >= major if major >= 11 else served >= (major, minor)
    text = f"the driver serves CUDA up to {served[0]}.{served[1]} and torch was built for {build['cuda_build']}"
    assert enough, f"{text}: a newer driver, or an older torch"


def test_arch_list_covers_the_gpu(facts):
    """Torch has kernels for every GPU here: compiled for its capability or an earlier minor one, or as PTX of an earlier one."""
    build = usable(facts("torch_build"))
    binaries = {capability(arch) for arch in build["arch_list"] if arch.startswith("sm_")}
    portable = {capability(arch) for arch in build["arch_list"] if arch.startswith("compute_")}
    for device in build["devices"]:
        major, minor = device["capability"]
        covered = any(a == major and b <= minor for a, b in binaries) or any(pair <= (major, minor) for pair in portable)
        assert covered, (
            f"{device['name']} has capability {major}.{minor} and torch {build['version']} has kernels for "
            f"{', '.join(build['arch_list'])} only: no kernel image is available for it"
        )


def capability(arch):
    """(9, 0) of `sm_90`, `sm_90a`, `compute_90`."""
    digits = "".join(letter for letter in arch.partition("_")[2] if letter.isdigit())
    return int(digits[:-1]), int(digits[-1])


def test_conv3d_on_the_gpu(facts):
    """A 3D convolution with cuDNN on the GPU gives the stored numbers, forward and backward."""
    usable(facts("torch_build"))
    found = facts("gpu:conv3d")
    assert found["cudnn"], "torch runs on the GPU without cuDNN"
    for name, deviation in found["deviations"].items():
        near(f"conv3d's {name} on the GPU", deviation, REFERENCE["conv3d"]["tolerance_tf32"])


def test_roi_align_on_the_gpu(facts):
    """Torchvision's RoIAlign kernel runs on the GPU and gives the stored numbers: a CPU build of torchvision has none."""
    usable(facts("torch_build"))
    near("RoIAlign on the GPU", facts("gpu:roi_align")["deviation"], REFERENCE["conv3d"]["tolerance_tf32"])
