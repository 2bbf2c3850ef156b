"""The imports rung can fail: on modules that do not import, and on failures that an import hides, caught, printed or warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.observe import Observation, Question, observe
from slowfast_verify.subject import subject
from slowfast_verify.swallowed import hidden, signs
from slowfast_verify.target import Target
from slowfast_verify.verdict import Unanswered, answered

from .judging import blocking, checks, of_cell, standing, verify

IMPORTS = checks("imports")


def imported(here: Target, folder: Path, source: str, **others: str) -> Observation:
    """What becomes of importing a package with this code, and what was printed meanwhile."""
    package = folder / "swallowing"
    package.mkdir()
    for name, text in {"__init__": source, **others}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    target = here.with_env({"PYTHONPATH": str(folder)})
    return observe(target, [Question(id="it", probe="import_module", args={"module": "swallowing"})])["it"]


CAUGHT = "try:\n    from .inner import thing\nexcept Exception:\n    {}\n"


@pytest.mark.parametrize(
    "telling",
    ["print('please update')", "import warnings; warnings.warn('old')", "import logging; logging.getLogger('x').info('no inner')"],
)
def test_caught_with_a_word(here: Target, tmp_path: Path, telling: str) -> None:
    """An import that fails and is caught with a print, a warning or a log line is told with its line and its true cause."""
    found = imported(here, tmp_path, CAUGHT.format(telling), inner="import surely_not_there\n")
    assert found.how == "answered"
    [told] = hidden(found)
    assert told == "line 2 (from .inner import thing) fails and is caught there: ModuleNotFoundError: No module named 'surely_not_there'"


@pytest.mark.parametrize(
    "source",
    [
        CAUGHT.format("thing = None"),  # an optional dependency
        CAUGHT.format("print('no'); raise"),
        "try:\n    import json\nexcept ImportError:\n    print('no json')\n",
        "def later():\n    try:\n        import surely_not_there\n    except ImportError:\n        print('no')\n",
        "try:\n    1 / 0\nexcept Exception:\n    print('no division')\n",
    ],
)
def test_what_hides_nothing(here: Target, tmp_path: Path, source: str) -> None:
    """An optional import, one that succeeds, one inside a function, other failures and a failure that is raised again hide nothing."""
    assert hidden(imported(here, tmp_path, source, inner="import surely_not_there\n")) == []


@pytest.mark.parametrize(
    "line",
    [
        "UserWarning: Failed to load image Python extension: libpng16.so.16: cannot open shared object file: No such file or directory",
        "UserWarning: Failed to initialize NumPy: _ARRAY_API not found (Triggered internally at tensor_numpy.cpp:77.)",
        "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.1 as it may crash.",
        "Please update your PyTorchVideo to latest master",
        "WARNING:root:No module named 'torch._six'",
        "cannot import name 'cat_all_gather' from 'pytorchvideo.layers.distributed' (distributed.py)",
        '[WinError 126] The specified module could not be found. Error loading "fbgemm.dll"',
        "_C.so: undefined symbol: _ZN3c106ivalue14ConstantString6createE",
    ],
)
def test_signs(line: str) -> None:
    """Each sign is found in what was printed and in what was warned of, and the line is quoted."""
    quiet: dict[str, Any] = {"warnings": [], "hidden": []}
    printed = Observation(id="it", how="answered", facts=quiet, stderr_tail=f"noise\n{line}\nmore noise\n")
    warned = Observation(id="it", how="answered", facts={"warnings": [line], "hidden": []})
    for found in (printed, warned):
        [told] = hidden(found)
        assert line[:60].replace("'", "") in told.replace("\\'", "'").replace("'", "")


@pytest.mark.parametrize(
    "line",
    [
        "WARNING:root:Torch AMP is not available on this platform",
        "FutureWarning: `torch.jit.script` is deprecated. Please switch to `torch.compile` or `torch.export`.",
        "UserWarning: pkg_resources is deprecated as an API.",
        "DeprecationWarning: distutils Version classes are deprecated. Use packaging.version instead.",
        "TensorFlow installation not found - running with reduced feature set.",
        "OpenCV: FFMPEG: tag 0x44495658/'XVID' is not supported",
    ],
)
def test_what_healthy_environments_say(line: str) -> None:
    """What was seen in environments that are in order is no sign."""
    assert hidden(Observation(id="it", how="answered", facts={"warnings": [line], "hidden": []}, stderr_tail=line)) == []


def test_open_failure_hides_nothing() -> None:
    """An import that fails openly is not told of a second time."""
    assert hidden(Observation(id="it", how="raised", type="ImportError", message="x", stderr_tail="No module named 'x'")) == []


@pytest.mark.parametrize("check", ["dependency_imports", "module_imports"])
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import surely_not_there\n", "ModuleNotFoundError: No module named 'surely_not_there'"),
        ("import os\nos.abort()\n", "died: .*SIGABRT"),
    ],
)
def test_module_that_does_not_import(here: Target, tmp_path: Path, check: str, source: str, words: str) -> None:
    """A real import that raises, and one that takes its process with it, are red with the cause and with what was being imported."""
    found = imported(here, tmp_path, source)
    with pytest.raises(Unanswered, match=rf"{words}[\s\S]*while: import swallowing"):
        getattr(IMPORTS, f"test_{check}")("swallowing", lambda _: answered(found))


def test_name_that_is_missing(here: Target, tmp_path: Path) -> None:
    """A module that imports and lacks a name is red with both; the name that it has is green."""
    (tmp_path / "lacking.py").write_text("here = 1\n", encoding="utf-8")
    target = here.with_env({"PYTHONPATH": str(tmp_path)})
    names = ("here", "cat_all_gather")
    found = observe(
        target, [Question(id=f"name:lacking.{name}", probe="has_name", args={"module": "lacking", "name": name}) for name in names]
    )
    IMPORTS.test_name_exists("lacking.here", lambda question: answered(found[question]))
    with pytest.raises(AssertionError, match="lacking has no name cat_all_gather"):
        IMPORTS.test_name_exists("lacking.cat_all_gather", lambda question: answered(found[question]))


def test_swallowed_failure_is_red(here: Target, tmp_path: Path) -> None:
    """One module among all that hides a failure turns the check red, which names that module and the cause, and no other."""
    quiet = Observation(id="it", how="answered", facts={"warnings": [], "hidden": []})
    hiding = imported(here, tmp_path, CAUGHT.format("print('please update')"), inner="import surely_not_there\n")
    inventory = {"distributions": {}, "modules": ["slowfast.models", "slowfast.datasets"]}
    with pytest.raises(AssertionError, match=r"\Aslowfast\.datasets imports, but hides a failure: line 2 .*'surely_not_there'\Z"):
        IMPORTS.test_nothing_is_swallowed(
            lambda question: hiding if question == "import:slowfast.datasets" else quiet, inventory, subject("pyslowfast")
        )
    IMPORTS.test_nothing_is_swallowed(lambda _: quiet, inventory, subject("pyslowfast"))


def test_every_sign_says_why() -> None:
    """Every sign has its reason."""
    assert all(sign.reason for sign in signs())


@pytest.mark.heavy
def test_slowfast_datasets_without_pytorchvideo_data(tmp_path: Path) -> None:
    """The real slowfast.datasets with pytorchvideo.data missing imports without an error, and the check names the true cause."""
    cell = of_cell(standing("*-torch1.8*-pyslowfast@*"), blocking(tmp_path / "block", "pytorchvideo.data"))
    said = verify(cell, "tests/verify/test_imports.py", "-k", "swallowed or slowfast.datasets", records=tmp_path / "records")
    assert "FAILED tests/verify/test_imports.py::test_nothing_is_swallowed" in said, said
    assert (
        "slowfast.datasets imports, but hides a failure: line 12 (from .ptv_datasets import Ptvcharades, Ptvkinetics, Ptvssv2)" in said
    ), said
    assert "No module named 'pytorchvideo.data'" in said, said
    assert "FAILED tests/verify/test_imports.py::test_module_imports[slowfast.datasets]" not in said, said
