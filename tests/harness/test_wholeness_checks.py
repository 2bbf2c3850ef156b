"""The checks of tests/verify/test_environment_whole.py pass in a whole environment and fail in one that is in pieces."""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import climb, distributions, intruder, ladder, own_path
from slowfast_verify.observe import Question, observe
from slowfast_verify.subject import subject
from slowfast_verify.target import of_python

from .judging import checks
from .sabotage.place import foreign_library
from .throwaway import Place

SUITE = checks("environment_whole")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="made with links and first lines of scripts")


def judge(place: Place, check: str) -> None:
    """Run one check on what the probes say of the place."""
    questions = [ladder.inventory_question(subject("pyslowfast")), Question(id="wholeness", probe="wholeness")]
    found = observe(of_python(place.python).with_env(place.env), questions)
    assert all(row.facts is not None for row in found.values()), [row.text for row in found.values()]
    inventory, whole = found["inventory"].facts or {}, found["wholeness"].facts or {}
    values = {
        "whole": whole, "inventory": inventory, "mend": lambda *names, **how: distributions.install_command(inventory, *names, **how),
    }  # fmt: skip
    function: Callable[..., None] = getattr(SUITE, f"test_{check}")
    function(**{name: values[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "env")
    made.put("numpy", "1.26.4", {"numpy/__init__.py": ""}, installer="pip")
    record = made.site / "numpy-1.26.4.dist-info" / "RECORD"
    record.write_text(record.read_text() + "numpy-1.26.4.dist-info/METADATA,,\n")
    return made


def no_config(place: Place) -> None:
    (place.folder / "pyvenv.cfg").unlink()


def empty_config(place: Place) -> None:
    (place.folder / "pyvenv.cfg").write_bytes(b"")


def home_is_gone(place: Place) -> None:
    (place.folder / "pyvenv.cfg").write_text("home = /nowhere/bin\n")


def moved_command(place: Place) -> None:
    (place.python.parent / "pip").write_text("#!/nowhere/env/bin/python\nimport pip\n")


def moved_command_with_a_long_path(place: Place) -> None:
    (place.python.parent / "torchrun").write_text("#!/bin/sh\n'''exec' \"/nowhere/a b/env/bin/python3\" \"$0\" \"$@\"\n' '''\n")


def bad_sitecustomize(place: Place) -> None:
    (place.site / "sitecustomize.py").write_text("raise RuntimeError('x')\n")


def no_temporary_folder(place: Place) -> None:
    place.env["TMPDIR"] = str(place.folder / "none")


def temporary_folder_is_a_file(place: Place) -> None:
    place.env["TMPDIR"] = str(place.folder / "pyvenv.cfg")


def warnings_are_errors(place: Place) -> None:
    place.env["PYTHONWARNINGS"] = "error"


def no_asserts(place: Place) -> None:
    place.env["PYTHONOPTIMIZE"] = "2"


def foreign_processor(place: Place) -> None:
    place.put("opencv-python", "4.11.0.86", {"cv2/__init__.py": "", "cv2/cv2.abi3.so": foreign_library("aarch64")})


def foreign_python(place: Place) -> None:
    place.put("pandas", "2.2.0", {"pandas/__init__.py": "", "pandas/_libs.cpython-27-x86_64-linux-gnu.so": b"x"})


def no_record(place: Place) -> None:
    (place.site / "numpy-1.26.4.dist-info" / "RECORD").unlink()


def record_is_no_text(place: Place) -> None:
    (place.site / "numpy-1.26.4.dist-info" / "RECORD").write_bytes(b'"numpy\xff\xfe\x00,,\n\n')


BROKEN: list[tuple[str, Callable[[Place], None], str]] = [
    ("virtual_environment_is_used", no_config, "pyvenv.cfg is missing"),
    ("virtual_environment_knows_its_python", empty_config, "does not say where its home is"),
    ("virtual_environment_knows_its_python", home_is_gone, "/nowhere/bin"),
    ("commands_start_this_python", moved_command, "pip starts /nowhere/env/bin/python, which does not exist"),
    ("commands_start_this_python", moved_command_with_a_long_path, "torchrun starts /nowhere/a b/env/bin/python3"),
    ("start_of_python_is_clean", bad_sitecustomize, "sitecustomize.py"),
    ("temporary_folders_take_files", no_temporary_folder, "TMPDIR names"),
    ("temporary_folders_take_files", temporary_folder_is_a_file, "TMPDIR names"),
    ("no_switch_changes_what_code_does", warnings_are_errors, "PYTHONWARNINGS"),
    ("no_switch_changes_what_code_does", no_asserts, "asserts and docstrings"),
    ("compiled_files_fit", foreign_processor, "opencv-python: cv2/cv2.abi3.so is for aarch64"),
    ("compiled_files_fit", foreign_python, "is for Python 2.7"),
    ("records_are_whole", no_record, "RECORD of numpy is missing"),
    ("records_are_whole", record_is_no_text, "does not list its own METADATA"),
]


@POSIX
@pytest.mark.parametrize(("check", "break_it", "says"), BROKEN, ids=[row[1].__name__ for row in BROKEN])
def test_environment_in_pieces_is_found(place: Place, check: str, break_it: Callable[[Place], None], says: str) -> None:
    """What is not of one piece is named, and passed before it was broken."""
    if break_it is foreign_processor and (platform.machine() == "aarch64" or sys.platform != "linux"):
        pytest.skip("there is no foreign processor here")
    if break_it is bad_sitecustomize and (Path(sysconfig.get_path("stdlib")) / "sitecustomize.py").exists():
        pytest.skip("this Python brings a sitecustomize.py of its own, which comes before the environment's")
    judge(place, check)
    break_it(place)
    with pytest.raises(AssertionError) as failed:
        judge(place, check)
    assert says in str(failed.value)


def test_a_distribution_for_several_machines_is_fine(place: Place) -> None:
    """debugpy brings the same library for two processors: one of them fits."""
    own = Path(sys.executable).resolve().read_bytes()[:4096]
    place.put("debugpy", "1.8.0", {"debugpy/attach_arm.so": foreign_library("aarch64"), "debugpy/attach.so": own})
    judge(place, "compiled_files_fit")


def test_damaged_metadata_is_broken_and_keeps_its_name(place: Place) -> None:
    """A METADATA of no bytes, cut in its name, or of another name is told as broken, under the name of its folder."""
    for text in (b"", b"Metadata-Version: 2.1\nName: nu", b"\xff\xfe\x00", b"Name: other\nVersion: 1.26.4\n"):
        (place.site / "numpy-1.26.4.dist-info" / "METADATA").write_bytes(text)
        question = ladder.inventory_question(subject("pyslowfast"))
        facts: dict[str, Any] = observe(of_python(place.python).with_env(place.env), [question])["inventory"].facts or {}
        row = facts["distributions"]["numpy"]
        assert "METADATA" in row["broken"], text
        assert row["version"] == "1.26.4"


def test_metadata_of_another_spelling_is_not_broken(place: Place) -> None:
    """Folders spell names with underscores, METADATA with dots and capitals."""
    place.put("Ruamel.yaml-clib", "0.2", {"ruamel.py": ""})
    question = ladder.inventory_question(subject("pyslowfast"))
    facts: dict[str, Any] = observe(of_python(place.python).with_env(place.env), [question])["inventory"].facts or {}
    assert "broken" not in facts["distributions"]["ruamel.yaml-clib"]


# ---- what the tool does for itself -------------------------------------------------------------------------------------


def test_what_pythonpath_names_comes_last() -> None:
    """The tool's own modules and the standard library come before what PYTHONPATH and the current folder offer."""
    assert own_path.behind(["/mine", "", "/lib", "/site"], ["/mine"]) == ["/lib", "/site", "/mine", ""]
    assert own_path.entries_of("") == []
    assert "/a" in own_path.entries_of("/a:b" if sys.platform != "win32" else "/a;b")


def test_the_suites_keep_their_asserts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With PYTHONOPTIMIZE in the person's shell the suites would be green whatever they see: they are started without it."""
    seen: dict[str, str] = {}

    class Command:
        def __init__(self, argv: list[str], stream: Any, env: dict[str, str]) -> None:
            seen.update(env)

        def wait(self, seconds: float) -> int:
            return 0

        def end(self) -> None:
            pass

    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setattr(climb, "Running", Command)
    assert climb.run_suites([], 1, tmp_path / "log") == 0
    assert seen
    assert "PYTHONOPTIMIZE" not in seen


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('  File "/x/mine/random.py", line 1, in <module>\nRuntimeError: my random', ("/x/mine/random.py", "random")),
        ('  File "D:\\mine\\json\\__init__.py", line 1\nSyntaxError', ("D:\\mine\\json\\__init__.py", "json")),
        ('  File "/usr/lib/python3.11/random.py", line 1\nImportError', None),
        ('  File "/x/python3.8/Lib/tempfile.py", line 9\n  File "/x/mine/train.py", line 2\nValueError', None),
        ('  File "/env/lib/python3.11/site-packages/torch/random.py", line 9\nValueError', None),
        ("no traceback at all", None),
    ],
)
def test_who_stands_for_a_module_of_python(said: str, found: tuple[str, str] | None) -> None:
    """The innermost file outside of Python that bears the name of one of its modules."""
    assert intruder.intruder(said) == found
