"""Rung environment, the machine: compilers, commands, GPU, disk and memory fit what is installed, judged without importing anything.

The facts are probes/environment.py, probes/machine.py and the inventory. Each failure names the culprit and the one thing that mends it.
"""

import pytest
from packaging.version import Version

from slowfast_verify import torch_pairs
from slowfast_verify.errors import NotVerifiable, listed

pytestmark = pytest.mark.batch("environment")

DISK_MB = 2048  # a published checkpoint has up to 500 MB, the demo writes videos, pip builds in the temporary folder
SHM_MB = 1024  # Docker's default of 64 MB holds not one batch: a clip of 32 frames is 19 MB, and eight workers prefetch two each
PATH_LIMIT = {"Windows": 259, "Darwin": 1023}  # Linux: 4095


def _gpus(machine):
    smi, gpu = machine["tools"]["nvidia-smi"], machine["gpu"]
    named = [line.strip() for line in smi["text"].splitlines() if line.strip()] if smi["exit"] == 0 else []
    return [*named, *gpu["devices"], *gpu["libraries"]]


def _command(tools, name, needed_for):
    """The version of a command; not verifiable where there is none, a failure where it does not run."""
    if name not in tools:
        raise NotVerifiable(f"matrices/questions.toml does not ask for {name}")
    tool = tools[name]
    if not tool["path"]:
        raise NotVerifiable(f"there is no {name} on PATH: {needed_for}")
    assert tool["exit"] == 0, (
        f"{tool['path']} does not run (exit status {tool['exit']}): {tool['text'].strip()[:300]}\nmend: install {name} again"
    )
    version = torch_pairs.version_in(tool["text"])
    if version is None:
        raise NotVerifiable(f"{tool['path']} does not tell its version: {tool['text'].strip()[:80]}")
    return version


def test_compiler_is_new_enough(subject, inventory, tools, here):
    """The C++ compiler can compile an extension for this torch (GCC; Visual C++ on Windows, clang on macOS)."""
    declared = next((row.minimum for row in subject.dependency if row.kind == "compiler"), "")
    needed_for = "only compiling detectron2's extension needs one, and recognition works without"
    if inventory["system"] == "Windows":
        version = _command(tools, "msvc", needed_for)
        assert Version(version) >= Version("16"), (
            f"Visual Studio {version} is too old: torch needs 2019 (16) or later\nmend: install the Build Tools for Visual Studio"
        )
    elif inventory["system"] == "Darwin":
        _command(tools, "clang", needed_for)
    else:
        version = _command(tools, "gcc", needed_for)
        minimum, source = torch_pairs.gcc_minimum(here["torch"].get("version"), declared)
        if not minimum:
            raise NotVerifiable("neither the subject nor torch asks for a compiler")
        assert Version(version) >= Version(minimum), (
            f"GCC {version} is too old, {minimum} or later is needed ({source})\nmend: install a newer g++ and set CC and CXX to it"
        )


def test_nvcc_is_of_torchs_cuda(machine, tools, here):
    """An nvcc compiles for the CUDA that torch was built for: extensions are refused by torch otherwise."""
    cuda = here["torch"].get("cuda")
    if not cuda:
        raise NotVerifiable("torch is a CPU build or not installed: nothing is compiled for CUDA")
    if not _gpus(machine):
        raise NotVerifiable("no NVIDIA GPU here: nothing is compiled for CUDA")
    text = tools["nvcc"]["text"].partition("release ")[2]  # the number after `release`: years of the copyright stand before it
    version = _command({"nvcc": {**tools["nvcc"], "text": text}}, "nvcc", "only compiling CUDA extensions needs it")
    mine, torchs = Version(version).release[:2], Version(cuda).release[:2]
    fits = mine == torchs if torchs < (11, 0) else mine[0] == torchs[0]  # since 11.0 minor versions are compatible
    assert fits, (
        f"nvcc is of CUDA {version} ({tools['nvcc']['path']}), torch is built for CUDA {cuda}\n"
        f"mend: install the CUDA toolkit {cuda} and set CUDA_HOME to it, or install torch for CUDA {version}"
    )
    bound, gcc = torch_pairs.toolchains().nvcc_refuses_gcc.get(f"{mine[0]}.{mine[1]}"), torch_pairs.version_in(tools["gcc"]["text"])
    if bound and gcc and tools["gcc"]["exit"] == 0:
        assert Version(gcc) < Version(bound), (
            f"nvcc {version} refuses GCC {gcc}: it takes those before {bound}\nmend: install an older g++ and set CC and CXX to it"
        )


def test_git_runs(subject, tools):
    """git is there and runs: the subject is installed from its repository."""
    _command(tools, "git", "only installing from a repository needs it")


def test_ffmpeg_is_new_enough(subject, tools):
    """An ffmpeg on PATH is at least of the version that the subject's documents ask for."""
    minimum = next((row.minimum for row in subject.dependency if row.name == "ffmpeg"), "")
    version = _command(tools, "ffmpeg", "PyAV brings the libraries, only preparing data sets needs the command")
    assert not minimum or Version(version) >= Version(minimum), (
        f"ffmpeg {version} is too old, {minimum} or later is needed\nmend: install a newer ffmpeg"
    )


def test_disk_has_room(machine):
    """The folders for temporary files and for weights can be written and have room."""
    found = []
    for row in machine["disk"]:
        if not row["writable"]:
            found.append(f"{row['path']} ({row['what']}) cannot be written {row.get('error', '')}".rstrip())
        elif row["free_mb"] < DISK_MB:
            found.append(f"{row['path']} ({row['what']}) has {row['free_mb']} MB left, {DISK_MB} are needed")
    assert not found, listed(found, "make room, or name another folder in TMPDIR (HOME for weights)")


def test_workers_can_share_memory(machine, inventory):
    """The data loader's workers can hand over their batches: /dev/shm is large enough, where the system has it."""
    shm = machine["shm"]
    if inventory["system"] != "Linux":
        raise NotVerifiable(f"{inventory['system']} shares memory through files that no mount bounds")
    assert shm is not None and shm["writable"], (
        "there is no /dev/shm that can be written: data loaders with workers fail\n"
        "mend: mount a tmpfs there, or --opts DATA_LOADER.NUM_WORKERS 0"
    )
    assert shm["total_mb"] >= SHM_MB, (
        f"/dev/shm has {shm['total_mb']} MB, workers need about {SHM_MB}: training ends in a bus error\n"
        "mend: docker run --shm-size=8g (or --ipc=host), or --opts DATA_LOADER.NUM_WORKERS 0"
    )


def test_paths_are_short_enough(here, machine, inventory):
    """No installed file has a longer path than the system opens (on Windows 259 characters unless long paths are switched on)."""
    limit = 4095 if machine["long_paths"] else PATH_LIMIT.get(inventory["system"], 4095)
    longest = here["longest"]
    assert longest["length"] <= limit, (
        f"{longest['path']} has {longest['length']} characters, and this system opens {limit}\n"
        "mend: make the environment in a shorter folder, or switch long paths on (as administrator): "
        "reg add HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem /v LongPathsEnabled /t REG_DWORD /d 1 /f"
    )


def test_torch_build_fits_the_machine(here, machine, cell):
    """Where there is an NVIDIA GPU, torch is a CUDA build; in a cell it is the build that the cell names.

    Without a GPU every build fits: a CUDA build runs on the CPU, it is only larger. So this passes on a machine without one.
    """
    torch = here["torch"]
    if not torch.get("version"):
        raise NotVerifiable("torch is not installed")
    if cell is not None and cell.accelerator.startswith("cu"):
        built = "cu" + torch["cuda"].replace(".", "") if torch["cuda"] else "CPU"
        assert built == cell.accelerator, (
            f"torch {torch['version']} is a {built} build, and the cell is {cell.accelerator}\nmend: slowfast-verify climb {cell.id}"
        )
    elif cell is None:
        signs = _gpus(machine)
        version = torch_pairs.public(torch["version"])
        assert not signs or torch["cuda"] or torch.get("hip"), (
            f"this machine has an NVIDIA GPU ({signs[0]}), and torch {torch['version']} is a CPU build: it will not use it\n"
            f"mend: install the CUDA build of torch {version} and its torchvision, by the command that pytorch.org gives for your CUDA"
        )
