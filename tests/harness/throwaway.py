"""A throw-away environment for the rung environment: real (venv, sys.path, dist-info folders), with packages of a few lines."""

from __future__ import annotations

import venv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from slowfast_verify import distributions, ladder
from slowfast_verify.matrix import default
from slowfast_verify.observe import Question, observe
from slowfast_verify.subject import subject
from slowfast_verify.target import of_prefix, of_python

from .judging import checks

CELL = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
CUDA_CELL = "linux-py3.8-torch1.8.0-cu111-uv-pyslowfast@bac7b67"
CUDA = b"....libcudart.so.10.2...."


def load_suite() -> SimpleNamespace:
    """Both files of the rung, their checks under their names."""
    return SimpleNamespace(**{**vars(checks("environment")), **vars(checks("environment_machine"))})


SUITE = load_suite()


class Place:
    """A throw-away environment: put packages into it, look at it, judge it."""

    def __init__(self, folder: Path) -> None:
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        self.folder, self.env = folder, {"PWD": str(folder)}
        found = of_prefix(folder)
        assert found
        self.python = found
        self.site = next(folder.glob("lib/python*/site-packages"))
        self.seen: dict[str, Any] | None = None

    def put(self, name: str, version: str, files: dict[str, str | bytes] | None = None, *,
            lines: tuple[str, ...] = (), installer: str = "uv", site: Path | None = None) -> Path:  # fmt: skip
        """Install a distribution of these files, as an installer does it; returns its dist-info."""
        site = site or self.site
        record = ""
        for path, content in (files if files is not None else {f"{name}/__init__.py": ""}).items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_bytes(content if isinstance(content, bytes) else content.encode())
            record += f"{path},sha256={hash(content)},{len(content)}\n"
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines]) + "\n\n")
        (info / "RECORD").write_text(record)
        (info / "WHEEL").write_text("Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        (info / "INSTALLER").write_text(installer + "\n")
        return info

    def put_torch(self, torch: str = "1.8.0", vision: str = "0.9.0", cuda: str | None = "10.2", operators: bytes = CUDA) -> None:
        """torch and torchvision, as far as this rung looks."""
        text = f"__version__ = '{torch}'\ncuda: Optional[str] = {cuda!r}\nhip: Optional[str] = None\n"
        self.put("torch", torch, {"torch/__init__.py": "raise SystemExit('broken')\n", "torch/version.py": text})
        files = {"torchvision/__init__.py": "", "torchvision/version.py": f"__version__ = '{vision}'\n", "torchvision/_C.so": operators}
        self.put("torchvision", vision, files, lines=(f"Requires-Dist: torch (=={torch.partition('+')[0]})",))

    def look(self) -> dict[str, Any]:
        """{inventory, here, machine, tools}: what the probes say."""
        commands = {"git": ["git", "--version"], "nvidia-smi": ["nvidia-smi-of-nobody"]}
        questions = [
            ladder.inventory_question(subject("pyslowfast")),
            Question(id="environment", probe="environment"),
            Question(id="machine", probe="machine", args={"commands": commands}),
        ]
        found = observe(of_python(self.python).with_env(self.env), questions)
        assert all(row.facts is not None for row in found.values()), [row.text for row in found.values()]
        facts = {name: row.facts or {} for name, row in found.items()}
        return {
            "inventory": facts["inventory"],
            "here": facts["environment"],
            "machine": facts["machine"],
            "tools": facts["machine"]["tools"],
        }

    def judge(self, check: str, *, cell: str | None = None, **given: Any) -> None:
        """Run one check of the suite on what was seen."""
        seen = self.seen = self.seen or self.look()
        chosen = default().cell(cell) if cell else None
        values = {**seen, "subject": subject("pyslowfast"), "cell": chosen, "stack": default().stack_of(chosen) if chosen else None,
                  "mend": lambda *names, **how: distributions.install_command(seen["inventory"], *names, **how), **given}  # fmt: skip
        function: Callable[..., None] = getattr(SUITE, f"test_{check}")
        function(**{name: values[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]})
