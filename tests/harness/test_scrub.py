"""What the scrubber takes out of a text, what it must leave there, and whose names it looks for."""

from __future__ import annotations

import time
from pathlib import PureWindowsPath
from urllib.parse import quote

import pytest

from slowfast_verify.identity import Identity, identity
from slowfast_verify.scrub import Scrubber, rules

from .planted import BLANK, NOBODY, WHO

STAYS = [
    "opencv-python 4.12.0.88 and opencv-python-headless 5.0.0.93 both own cv2",
    "nvidia-cudnn-cu12==9.10.2.21",
    "libtorch_cuda.so: undefined symbol: _ZN2at4_ops19empty_memory_format4callEN3c108ArrayRefIlEENS2_8optionalIN10ScalarTypeEEE",
    "/env/lib/python3.8/site-packages/torch/lib/libcaffe2_detectron_ops_gpu.so: cannot open shared object file",
    "pip install 'pytorchvideo @ git+https://github.com/facebookresearch/pytorchvideo.git@f3142bb05cdb56af0704ab6f0adc6af6f7a8c4d7'",
    "yaml.scanner.ScannerError: found character '\\t' that cannot start any token",
    "KeyError: 'Non-existent config key: TENSORBOARD.MODEL_VIS.TOPK'",
    "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67",
    "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    "numpy 1.24.4 requires Python >=3.8; 12:04:11 2026-11-22T10:04:11Z",
    "slowfast.git@bac7b67: imports::module_imports[slowfast.datasets.loader]",
    "git@github.com:facebookresearch/SlowFast.git",
    "at::native::conv3d c10::Error std::terminate torch::autograd",
    "lock_sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "MASTER at 127.0.0.1:29500 and http://localhost:6006/",
    "ModuleNotFoundError: No module named 'torch._six'",
    "this is a basic installation of a token-based reader",
    "CUDA_HOME=/usr/local/cuda-11.1",
]


@pytest.mark.parametrize("text", STAYS)
def test_what_a_report_needs_stays(text: str) -> None:
    """Versions, symbols, file names, revisions and cell ids are no secrets."""
    scrubber = Scrubber(WHO)
    scrubber.learn(BLANK)
    assert scrubber.text(text) == text


def test_a_common_name_goes_inside_paths_only() -> None:
    """A user called torch loses the name in the home folder; the package keeps it."""
    scrubber = Scrubber(Identity(users=("torch",), homes=("/" + "home/torch",)))
    assert scrubber.text("/" + "home/torch/env: import torch") == "~/env: import torch"
    assert scrubber.text("/nfs/home" + "/torch/env: import torch") == "/nfs/home/{user}/env: import torch"


def test_a_home_that_is_the_root_is_no_home() -> None:
    """In a container HOME may be `/`: every path would become a tilde."""
    assert Scrubber(Identity(homes=("/",))).text("/usr/lib") == "/usr/lib"


def test_every_expression_of_the_data_is_valid_and_reasoned() -> None:
    """The data compile, no variable is listed twice, and none is an address of an index."""
    names = [name for row in rules().variable for name in row.names]
    assert len(names) == len(set(names)) > 50
    assert all(row.reason for row in (*rules().variable, *rules().token))
    assert not {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "HTTPS_PROXY", "SSH_AUTH_SOCK", "USER", "HOME"} & set(names)
    assert Scrubber(NOBODY).text("x") == "x"


def test_the_identity_of_this_process() -> None:
    """Names, hosts and homes come from variables and from the system, secrets from variables that are named like one."""
    found = identity({"USER": "jdoe", "HOME": "/x/homes/jdoe", "HOSTNAME": "box.example.com", "HF_TOKEN": "s3cr3t", "TERM": "xterm"},
                     ("ssh", "-o", "BatchMode=yes", "ann@far.example.com", "python3"))  # fmt: skip
    assert {"jdoe", "ann"} <= set(found.users)
    assert {"box.example.com", "box", "far.example.com", "far"} <= set(found.hosts)
    assert "/x/homes/jdoe" in found.homes
    assert found.secrets == ("s3cr3t",)


def test_a_token_that_begins_like_a_known_secret_goes_whole() -> None:
    """What a variable holds may be the beginning of a longer token."""
    secret = "hf_" + "a" * 20
    assert Scrubber(Identity(secrets=(secret,))).text(f"x {secret}1234567 y") == "x *** y"


ODD = ["/", "\\", "-", ".", ":", "a-b_", "token", "--token", "KEY", "%2F", "1.2.3.", "a.b@", "home/", "//a", "sk-", "eyJ", '="', "https://"]


@pytest.mark.parametrize("line", ODD)
def test_a_scrubber_is_quick(line: str) -> None:
    """No line of 20,000 characters, however odd, takes longer than a blink: each expression is bounded."""
    scrubber = Scrubber(WHO)
    text = line * (20_000 // len(line))
    begun = time.process_time()
    scrubber.text(text)
    assert time.process_time() - begun < 2


def test_windows_homes_of_this_person() -> None:
    """A home in any spelling becomes a tilde."""
    scrubber = Scrubber(WHO)
    home = PureWindowsPath("C:/Users", "jdoe/env/x.dll")
    for spelt in (str(home), home.as_posix(), repr(str(home)), quote(home.as_posix()), str(home).upper()):
        assert "~" in scrubber.text(spelt), spelt
        assert "jdoe" not in scrubber.text(spelt).lower()
