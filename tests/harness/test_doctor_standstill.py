"""A Python that does not start: the cause is found from outside, with the line that proves it, and never with a traceback."""

from __future__ import annotations

import os
import platform
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast_verify import target as targets
from slowfast_verify.examination import Order, examine
from slowfast_verify.executable import made_for, own_format, own_processor
from slowfast_verify.findings import Cause

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, permissions and #! lines")


def script(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def cause_of(python: Path) -> Cause:
    """The one cause of an examination that ends where it began."""
    found = examine(Order(targets.of_python(python)))
    assert found.verdict == "problems"
    assert found.reached is None
    assert len(found.causes) == 1
    assert found.causes[0].id == "environment::python_starts"
    assert found.causes[0].fix
    assert re.search(r"[\u4e00-\u9fff]{2}", found.causes[0].title_zh), "told in Chinese too"
    return found.causes[0]


def broken_link(folder: Path) -> Path:
    (folder / "python").symlink_to(folder / "gone" / "python3.8")
    return folder / "python"


def program_of(head: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "python").write_bytes(head)
        (folder / "python").chmod(0o755)
        return folder / "python"

    return make


def not_executable(folder: Path) -> Path:
    (folder / "python").write_bytes(Path(sys.executable).resolve().read_bytes()[:4096])
    return folder / "python"


def says(text: str, status: int = 1) -> Callable[[Path], Path]:
    return lambda folder: script(folder / "python", f"#!/bin/sh\necho '{text}' >&2\nexit {status}\n")


OTHER = 0xB7 if platform.machine() == "x86_64" else 0x3E
ELF = b"\x7fELF\x02\x01\x01" + bytes(11) + OTHER.to_bytes(2, "little") + bytes(60)
PE = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + (0x8664).to_bytes(2, "little") + bytes(60)
CASES: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "broken link": (broken_link, "is a link that leads nowhere", "gone/python3.8, which does not exist"),
    "gone": (lambda folder: folder / "python", "there is no", "does not exist"),
    "empty": (program_of(b""), "is empty", "0 bytes"),
    "text": (program_of(b"hello\n"), "is no program", "begins with 'hello'"),
    "no interpreter": (program_of(b"#!/nowhere/python\n"), "starts with an interpreter that is not there", "#!/nowhere/python"),
    "windows program": (program_of(PE), "is a program of another system", "PE"),
    "not executable": (not_executable, "is not executable", "lacks the permission"),
    "python 2": (
        lambda folder: script(folder / "python", "#!/bin/sh\necho Python 2.7.18\nexit 1\n"),
        "Python 2.7 is too old",
        "Python 2.7",
    ),
    "library": (
        says("python: error while loading shared libraries: libpython3.8.so.1.0: cannot open"),
        "is missing",
        "libpython3.8.so.1.0",
    ),
    "glibc": (says("python: version `GLIBC_2.99` not found".replace("`", '"')), "built for a newer system", "GLIBC_2.99"),
    "encodings": (says('ModuleNotFoundError: No module named "encodings"; init_fs_encoding'), "standard library", "encodings"),
    "anything": (says("something is wrong", 9), "does not start", "something is wrong"),
    "no python at all": (lambda folder: script(folder / "python", "#!/bin/sh\nexit 0\n"), "does not run our program", "exit status 0"),
}
if platform.system() == "Linux":
    CASES["other processor"] = (program_of(ELF), "is made for another processor", "Exec format error")


@pytest.mark.parametrize("case", CASES)
def test_cause_is_found_from_outside(case: str, tmp_path: Path) -> None:
    """Title and evidence name what is wrong with this file."""
    make, title, evidence = CASES[case]
    cause = cause_of(make(tmp_path))
    assert title in cause.title, cause
    assert evidence in cause.evidence, cause


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """A virtual environment of the Python of the tests, in a folder with a blank and Chinese characters."""
    folder = tmp_path / "my env 环境"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    return folder


def test_start_file_that_ends_python_is_named(env: Path) -> None:
    """Of several files that Python reads at its start, the one that ends it is named, and not its innocent neighbours."""
    site = next(env.glob("lib/python*/site-packages"))
    (site / "a.pth").write_text("import sys\n", encoding="utf-8")
    (site / "z.pth").write_text("import os; os._exit(3)\n", encoding="utf-8")
    cause = cause_of(env / "bin" / "python")
    assert cause.title.startswith(f"{site / 'z.pth'} breaks the start")
    assert "z.pth.off" in cause.fix[0]


def test_pythonhome_of_another_python_is_named(env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONHOME leads to a folder without a standard library: the variable is the culprit, not the environment."""
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    cause = cause_of(env / "bin" / "python")
    assert "the variable PYTHONHOME" in cause.title
    assert str(tmp_path) in cause.evidence
    assert cause.fix[0] == "unset PYTHONHOME"


def test_home_that_is_gone_is_named(env: Path) -> None:
    """pyvenv.cfg names an installation that was removed, and the interpreter's link with it."""
    (env / "bin" / "python").unlink()
    script(env / "bin" / "python", "#!/bin/sh\nexit 1\n")
    config = env / "pyvenv.cfg"
    config.write_text("home = /nowhere/bin\n", encoding="utf-8")
    cause = cause_of(env / "bin" / "python")
    assert "made from is gone" in cause.title
    assert "/nowhere/bin" in cause.evidence


def test_program_of_this_machine_is_told_as_one() -> None:
    """The counter-example: the Python of the tests is made for this processor and this system."""
    processor, kind = made_for(Path(sys.executable).resolve().read_bytes()[:4096])
    assert kind == own_format()
    assert processor in (None, own_processor())
