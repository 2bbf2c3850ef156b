"""What this machine is, as far as a recipe asks: system, processor, GPU and driver, installer, shell. Starts nvidia-smi only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from . import cell as cells
from . import installer, shell
from .wanted import Wanted, capability_of

QUERY = ["--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
OLD_QUERY = ["--query-gpu=name,driver_version", "--format=csv,noheader"]  # drivers before 2021 do not know compute_cap
SECONDS = 10


def this_machine(environ: Mapping[str, str] | None = None) -> Wanted:
    """What a recipe for this machine is asked for; `detected` says what was seen, and where."""
    variables = os.environ if environ is None else environ
    system, arch = cells.this_os(), cells.this_arch()
    seen = [f"{system} on {arch} (this process)"]
    gpu, driver, capability = _gpu(variables.get("PATH"))
    if gpu:
        seen.append(f"{gpu}, driver {driver} (nvidia-smi)")
    conda = bool(variables.get("CONDA_PREFIX"))
    uv = installer.uv_command(variables)
    meant = "conda" if conda else "uv" if uv else "pip"
    named = "uv (PATH)" if uv == "uv" else f"uv, which is beside this suite and not on PATH: {shell.reaching(uv)}"
    seen.append({"conda": "conda (CONDA_PREFIX)", "uv": named, "pip": "pip, as there is no uv"}[meant])
    return Wanted(
        os=system, arch=arch, accelerator="cuda" if gpu else "cpu" if system != "macos" else "", installer=meant, gpu=gpu,
        driver=driver, capability=capability, shell={"sh": "bash"}.get(shell.own_shell(variables), shell.own_shell(variables)),
        detected=seen,
    )  # fmt: skip


def _gpu(path: str | None) -> tuple[str, str, str]:
    """(name, driver, compute capability) of the first NVIDIA GPU, as its driver tells; empty where there is none."""
    command = shutil.which("nvidia-smi", path=path)
    for query in (QUERY, OLD_QUERY) if command else ():
        try:
            done = subprocess.run([str(command), *query], capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return "", "", ""
        fields = [part.strip() for part in done.stdout.strip().splitlines()[0].split(",")] if done.stdout.strip() else []
        if done.returncode == 0 and len(fields) == query[0].count(",") + 1:
            return fields[0], fields[1], fields[2] if len(fields) > 2 else capability_of(fields[0])
    return "", "", ""
