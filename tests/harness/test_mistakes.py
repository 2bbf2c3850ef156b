"""A person's mistakes: missing files, folders for files, binary logs, wrong words. Each ends in what to do, never in a stack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CELL = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
#: (command line, exit status, what must be said)
MISTAKES: tuple[tuple[str, int, str], ...] = (
    ("diagnose nowhere.log", 2, "No such file"),
    ("diagnose folder", 2, "it is a folder"),
    ("diagnose unreadable.log", 2, "cannot be read"),
    ("diagnose empty.log", 0, "the log is empty"),
    ("diagnose", 0, "the log is empty"),  # an empty standard input
    ("diagnose binary.log", 0, "nothing known"),
    ("diagnose gbk.log", 1, "[missing-scipy]"),
    ("diagnose utf16.log", 1, "[missing-scipy]"),
    ("diagnose nowhere.log gbk.log", 2, "[missing-scipy]"),  # the other one is answered all the same
    ("explain Missing-Scipy", 2, "did you mean 'missing-scipy'?"),
    ("doctor nowhere/env", 2, "there is no such target"),
    ("doctor folder", 2, "the folder is no Python environment"),
    ("doctor file", 1, "is no program"),
    ("doctor argv:", 2, "argv: needs a command line"),
    ("doctor argv:nosuchprogram", 1, "is not on this machine"),
    ("doctor wine:nothing.exe", 2, "there is no such target"),
    ("doctor PYTHON --rung import", 2, "did you mean 'imports'?"),
    ("doctor PYTHON --subject nothing", 2, "there is no subject 'nothing'"),
    ("doctor PYTHON --config nowhere.yaml", 2, "there is no such file: nowhere.yaml"),
    ("doctor PYTHON --checkpoint folder", 2, "there is no such file: folder"),
    ("doctor PYTHON --share folder", 2, "the report cannot be written"),
    ("doctor PYTHON --sarif nowhere/x.sarif", 2, "the report cannot be written"),
    ("doctor --from-report broken.json", 2, "this is no report that can be read again"),
    ("doctor --from-report folder", 2, "the report cannot be read"),
    ("sniff nowhere.pyth", 1, "there is no such file"),
    ("sniff folder", 1, "a folder"),
    ("sniff empty.log", 1, "the file has no content"),
    ("cells nothing*", 2, "no cell fits nothing*"),
    ("cells --why nonsense", 2, "is not the id of a cell"),
    ("cells --round nightly", 2, "--github is missing"),
    ("cells --github --round nightli", 2, "did you mean 'nightly'?"),
    ("plan nothing", 2, "is not the id of a cell"),
    ("climb nonsense", 2, "is not the id of a cell"),
    (f"climb {CELL}0", 2, f"did you mean '{CELL}'?"),
    ("recipe a toaster", 2, "not understood: 'toaster'"),
    ("recipe --python abc", 2, "'abc' is no python"),
    ("recipe --torch x", 2, "'x' is no torch"),
    ("recipe --accelerator gpu", 2, "'gpu' is no accelerator"),
    ("recipe --subject pyslowfas", 2, "did you mean 'pyslowfast'?"),
    ("recipe --gpu Nothing", 2, "no GPU 'Nothing' is known here"),
    ("report query colour=red", 2, "there is no key 'colour' to filter by"),
    ("report merge nowhere --output o.jsonl", 2, "there are no records there"),
    ("report export nothing broken.json --output o.xml", 2, "there is no format 'nothing'"),
    ("report render nowhere --output page", 2, "there are no records there"),
    ("new failure folder", 2, "it is a folder"),
    ("new failure empty.log", 1, "the log shows no error"),
    ("resolve nothing* --offline", 2, "no cell fits nothing*"),
    ("bisect nonsense a b", 2, "is not the id of a cell"),
    ("--lang klingon cells", 2, "there is no language 'klingon' here"),
    ("diagnos file", 2, "diagnose"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what people give by mistake."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "folder").mkdir()
    log = "ModuleNotFoundError: No module named 'scipy'\n"
    for name, data in (
        ("empty.log", b""), ("binary.log", b"\x89PNG\r\n\x1a\n\0\0\0\x01\xff" * 50), ("gbk.log", f"你好 {log}".encode("gbk")),
        ("utf16.log", log.encode("utf-16")), ("broken.json", b"{not json"), ("file", b"x\n"), ("unreadable.log", log.encode()),
    ):  # fmt: skip
        (folder / name).write_bytes(data)
    (folder / "file").chmod(0o755)
    (folder / "unreadable.log").chmod(0)
    return folder


@pytest.mark.parametrize(("line", "status", "said"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_is_told_and_shows_no_stack(line: str, status: int, said: str, place: Path, tmp_path: Path) -> None:
    """Its exit status, the words that say what is wrong, and no frame of ours."""
    if "unreadable" in line and hasattr(os, "geteuid") and os.geteuid() == 0:
        pytest.skip("not verified: root may read everything")
    words = [sys.executable if word == "PYTHON" else word for word in line.split()]
    env = {**os.environ, "SLOWFAST_VERIFY_HOME": str(tmp_path / "home"), "SLOWFAST_VERIFY_LANG": "en", "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-m", "slowfast_verify", *words], cwd=place, env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False)  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == status, told
    assert said in told, told
    assert "Traceback" not in told and 'File "' not in told, told
