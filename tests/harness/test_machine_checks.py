"""Every check of the machine can fail: real machines cannot be broken, their facts can."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.errors import NotVerifiable
from slowfast_verify.observe import Question, observe
from slowfast_verify.subject import subject
from slowfast_verify.target import of_python

from .judging import checks

SUITE = checks("environment_machine")


def tool(text: str, exit_status: int | None = 0, path: str | None = "/usr/bin/tool") -> dict[str, Any]:
    return {"path": path, "exit": exit_status, "text": text}


NVCC = "nvcc: NVIDIA (R) Cuda compiler driver\nCopyright (c) 2005-2025\nBuilt on Wed_Aug_20\nCuda compilation tools, release {}, V1\n"
LINUX, WINDOWS, MAC = ({"system": name} for name in ("Linux", "Windows", "Darwin"))
GPU = {"devices": ["/dev/nvidia0"], "driver": None, "libraries": []}


def judge(check: str, **facts: Any) -> None:
    absent = {name: tool("", None, None) for name in ("gcc", "clang", "msvc", "nvcc", "git", "ffmpeg", "nvidia-smi")}
    tools = {**absent, **facts.pop("tools", {})}
    machine = {"tools": tools, "gpu": GPU, "long_paths": None, "shm": None, "disk": [], **facts.pop("machine", {})}
    torch = {"version": "1.8.0", "cuda": "10.2"}
    values = {"subject": subject("pyslowfast"), "inventory": LINUX, "here": {"torch": torch}, "machine": machine, "tools": tools, **facts}
    function: Callable[..., None] = getattr(SUITE, f"test_{check}")
    function(**{name: values[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]})


RED: list[tuple[str, dict[str, Any], str]] = [
    ("compiler_is_new_enough", {"tools": {"gcc": tool("4.8.5\n")}}, "GCC 4.8.5 is too old, 5 or later"),
    ("compiler_is_new_enough", {"tools": {"gcc": tool("8\n")}, "here": {"torch": {"version": "2.4.1+cu121"}}}, "9 or later is needed"),
    ("compiler_is_new_enough", {"tools": {"gcc": tool("4.8.5\n")}, "here": {"torch": {}}}, r"4.9 or later is needed \(the subject\)"),
    ("compiler_is_new_enough", {"tools": {"msvc": tool("15.9.28307\n")}, "inventory": WINDOWS}, "Visual Studio 15.9"),
    ("compiler_is_new_enough", {"tools": {"clang": tool("xcrun: error", 1)}, "inventory": MAC}, "does not run"),
    ("nvcc_is_of_torchs_cuda", {"tools": {"nvcc": tool(NVCC.format("13.0"))}}, "nvcc is of CUDA 13.0 .* torch is built for CUDA 10.2"),
    ("nvcc_is_of_torchs_cuda", {"tools": {"nvcc": tool(NVCC.format("10.2")), "gcc": tool("9.4.0")}}, "refuses GCC 9.4.0"),
    ("git_runs", {"tools": {"git": tool("error: cannot open shared object", 127)}}, "does not run"),
    ("ffmpeg_is_new_enough", {"tools": {"ffmpeg": tool("ffmpeg version 3.4.2 Copyright")}}, "ffmpeg 3.4.2 is too old"),
    ("disk_has_room", {"machine": {"disk": [{"what": "temporary files", "path": "/t", "free_mb": 12, "writable": True}]}}, "12 MB left"),
    ("disk_has_room", {"machine": {"disk": [{"what": "weights", "path": "/r", "free_mb": 9999, "writable": False}]}}, "cannot be written"),
    ("workers_can_share_memory", {"machine": {"shm": {"total_mb": 64, "writable": True}}}, "64 MB, workers need(?s:.*)--shm-size"),
    ("workers_can_share_memory", {}, "no /dev/shm"),
    ("paths_are_short_enough", {"here": {"longest": {"length": 300, "path": "C:\\x"}}, "inventory": WINDOWS}, "300 characters.*opens 259"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "facts", "message"), RED)
def test_unfit_machine_is_found(check: str, facts: dict[str, Any], message: str) -> None:
    """A tool that is too old or does not run, a full disk, Docker's 64 MB of shared memory, a path too long for Windows."""
    with pytest.raises(AssertionError, match=message) as caught:
        judge(check, **facts)
    assert "mend: " in str(caught.value)


GREEN: list[tuple[str, dict[str, Any]]] = [
    ("compiler_is_new_enough", {"tools": {"gcc": tool("12.2.0\n")}}),
    ("compiler_is_new_enough", {"tools": {"msvc": tool("17.9.34728.123\n")}, "inventory": WINDOWS}),
    ("nvcc_is_of_torchs_cuda", {"tools": {"nvcc": tool(NVCC.format("12.8"))}, "here": {"torch": {"cuda": "12.1"}}}),
    ("ffmpeg_is_new_enough", {"tools": {"ffmpeg": tool("ffmpeg version 5.1.6-0+deb12u1 Copyright")}}),
    ("paths_are_short_enough", {"here": {"longest": {"length": 300, "path": "x"}}, "inventory": WINDOWS, "machine": {"long_paths": True}}),
]


@pytest.mark.parametrize(("check", "facts"), GREEN)
def test_fit_machine_passes(check: str, facts: dict[str, Any]) -> None:
    """The same checks on a machine that has what they look for."""
    judge(check, **facts)


@pytest.mark.parametrize("check", ["compiler_is_new_enough", "nvcc_is_of_torchs_cuda", "git_runs", "ffmpeg_is_new_enough"])
def test_absent_tool_is_not_verified(check: str) -> None:
    """What only some need and nobody has here is neither green nor red, and the reason is told."""
    with pytest.raises(NotVerifiable, match=r"there is no .* on PATH: .*only"):
        judge(check)


def test_tools_that_hang_or_do_not_exist_are_told(tmp_path: Path) -> None:
    """The probe runs what is there, and says of the others that they are not."""
    odd = tmp_path / "odd"
    odd.write_text("#!/bin/sh\necho version 1.2.3 >&2\nexit 3\n")
    odd.chmod(0o755)
    question = Question(id="machine", probe="machine", args={"commands": {"odd": [str(odd)], "none": ["no-such-command"]}})
    facts = observe(of_python(sys.executable), [question])["machine"].facts
    assert facts and facts["tools"]["odd"]["exit"] == 3 and "1.2.3" in facts["tools"]["odd"]["text"]
    assert facts["tools"]["none"]["path"] is None
