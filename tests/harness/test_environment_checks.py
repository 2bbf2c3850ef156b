"""Every check of the rung environment can fail: throw-away environments with one thing wrong each.

The environments are real (venv, sys.path, .dist-info folders, environment variables); only the packages in them are made of a few
lines, so that nothing is downloaded and each case takes half a second.
"""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import distributions, search_path
from slowfast_verify.errors import NotVerifiable

from .throwaway import CELL, CUDA, CUDA_CELL, SUITE, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "env")


def fails(place: Place, check: str, *words: str, **given: Any) -> None:
    """The check fails, and its message has all these words and says what mends it."""
    with pytest.raises(AssertionError) as caught:
        place.judge(check, **given)
    message = str(caught.value)
    assert all(word in message for word in (*words, "mend: ")), message


#: Those that need neither a machine's tools nor a cell; every one passes in a healthy environment.
OF_PLACE = [
    name.removeprefix("test_")
    for name in vars(SUITE)
    if name.startswith("test_") and name not in ("test_compiler_is_new_enough", "test_ffmpeg_is_new_enough", "test_nvcc_is_of_torchs_cuda")
    and name not in ("test_pins_hold", "test_installer_is_the_cells", "test_dependencies_are_installed")
]  # fmt: skip


def test_a_healthy_environment_passes_every_check(place: Place, tmp_path: Path) -> None:
    """Nothing is found where nothing is wrong, with a torch that cannot even be imported; and all facts are there within a second."""
    place.put_torch()
    checkout = tmp_path / "checkout"
    (checkout / "slowfast").mkdir(parents=True)
    (checkout / "slowfast" / "__init__.py").touch()
    place.env["PYTHONPATH"] = str(checkout)
    for check in OF_PLACE:
        place.judge(check)


def test_python_of_another_range_or_size_is_found(place: Place) -> None:
    """An old interpreter and a 32-bit one are named."""
    old = {**place.look()["inventory"], "python": "3.6.15", "bits": 32}
    fails(place, "python_is_in_range", "Python 3.6.15", ">=3.8", inventory=old)
    fails(place, "python_is_64_bit", "32-bit", inventory=old)


def test_absent_subject_is_found(place: Place) -> None:
    """Where slowfast is nowhere, that is said: there is no module whose import could fail."""
    fails(place, "subject_is_found", "slowfast is on no entry of sys.path", "pip install")


def test_pythonpath_that_leads_nowhere_is_found(place: Place) -> None:
    """An entry that does not exist."""
    place.env["PYTHONPATH"] = "/nowhere/SlowFast"
    fails(place, "pythonpath_entries_exist", "/nowhere/SlowFast, which does not exist")


def test_pythonpath_of_the_install_document_is_found(place: Place, tmp_path: Path) -> None:
    """INSTALL.md's PYTHONPATH=.../SlowFast/slowfast: inside the package. The message names the folder above."""
    for name in ("", "datasets/", "models/"):
        (tmp_path / "SlowFast/slowfast" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "SlowFast/slowfast" / name / "__init__.py").touch()
    place.env["PYTHONPATH"] = f"{tmp_path}/SlowFast/slowfast:"
    fails(place, "pythonpath_is_not_inside_a_package", "datasets, models", f"PYTHONPATH={tmp_path}/SlowFast\n"[:-1])


@pytest.mark.parametrize("name", ["PTYTHONPATH", "PYTHON_PATH", "PYHTONPATH", "PythonPath"])
def test_misspelt_variable_is_found(place: Place, name: str) -> None:
    """A variable that nobody reads."""
    place.env[name] = "/somewhere"
    fails(place, "pythonpath_is_spelt_right", f"{name} is set, and no Python reads it")


def test_real_variables_are_not_taken_for_misspelt_ones() -> None:
    """Python's own variables, Jython's, and PATH."""
    assert search_path.misspelt(["PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "JYTHONPATH", "PATH", "MYPYPATH", "PYENV_ROOT"]) == []
    assert search_path.distance("PTYTHONPATH", "PYTHONPATH") == 1
    assert search_path.distance("PYHTONPATH", "PYTHONPATH") == 1


@pytest.mark.parametrize("file", ["torch.py", "torch/__init__.py", "colorsys.py"])
def test_shadowing_file_is_found(place: Place, tmp_path: Path, file: str) -> None:
    """A file of an installed or of a standard module's name on PYTHONPATH; a plain folder of that name hides nothing."""
    place.put_torch()
    target = tmp_path / "mine" / file
    target.parent.mkdir(parents=True)
    place.env["PYTHONPATH"] = str(tmp_path / "mine")
    place.judge("nothing_is_shadowed")
    target.touch()
    place.seen = None
    owner = "Python's own colorsys" if "colorsys" in file else "torch 1.8.0"
    fails(place, "nothing_is_shadowed", str(tmp_path / "mine" / file.partition("/")[0]), f"stands before {owner}")


def test_the_current_folder_counts_for_a_person_and_not_for_a_cell(place: Place) -> None:
    """A torch.py where the person stands is a finding in their environment; a cell is run from an empty folder."""
    place.put_torch()
    (place.folder / "torch.py").touch()
    fails(place, "nothing_is_shadowed", "torch.py (in the folder you stand in)")
    place.judge("nothing_is_shadowed", cell=CELL)


def test_second_copy_before_an_editable_one_is_found(place: Place, tmp_path: Path) -> None:
    """slowfast installed from one checkout and imported from another."""
    for name in ("one", "two"):
        (tmp_path / name / "slowfast").mkdir(parents=True)
        (tmp_path / name / "slowfast" / "__init__.py").touch()
    info = place.put("slowfast", "1.0", {})
    (info / "direct_url.json").write_text(json.dumps({"url": (tmp_path / "one").as_uri(), "dir_info": {"editable": True}}))
    (info / "top_level.txt").write_text("slowfast\n")
    (place.site / "slowfast.pth").write_text(str(tmp_path / "one"))
    place.judge("editable_installation_is_used")
    place.seen = None
    place.env["PYTHONPATH"] = str(tmp_path / "two")
    fails(place, "editable_installation_is_used", str(tmp_path / "two"), f"installed from {tmp_path / 'one'}")


def test_other_installer_in_a_cell_is_found(place: Place) -> None:
    """A distribution that pip put into a cell of uv; in a person's environment there is nothing to compare with."""
    place.put("six", "1.17.0", installer="pip")
    fails(place, "installer_is_the_cells", "six 1.17.0 was installed by pip", cell=CELL)
    with pytest.raises(NotVerifiable):
        place.judge("installer_is_the_cells")


def test_mixed_conda_and_pip_is_found(place: Place) -> None:
    """conda has pytorch on record and pip installed torch over it; numpy, which conda itself installed, is no finding."""
    place.put("torch", "2.4.1", installer="pip")
    place.put("numpy", "1.26.4", installer="conda")
    (place.folder / "conda-meta").mkdir()
    for name in ("pytorch-1.8.0-py3.8_cuda10.2", "numpy-1.26.4-py38h0"):
        (place.folder / "conda-meta" / f"{name}.json").touch()
    fails(place, "conda_and_pip_own_nothing_together", "torch: conda has pytorch 1.8.0 on record, pip installed 2.4.1 over it")


def test_two_records_of_one_distribution_are_found(place: Place, tmp_path: Path) -> None:
    """Two dist-info folders side by side, and a copy outside that hides the environment's own."""
    place.put("torch", "1.8.0")
    place.put("torch", "2.1.0")
    place.put("numpy", "1.26.4")
    place.put("numpy", "2.0.0", site=tmp_path / "user")
    place.env["PYTHONPATH"] = str(tmp_path / "user")
    fails(place, "no_distribution_is_there_twice", "torch is recorded twice", "1.8.0 and 2.1.0", "numpy 2.0.0 of", "PYTHONNOUSERSITE")


def test_index_release_that_hides_a_checkout_is_found(place: Place, tmp_path: Path) -> None:
    """`pip install slowfast` beside `setup.py develop`: site-packages comes before the checkout."""
    place.put("slowfast", "1.0")
    egg = tmp_path / "SlowFast" / "slowfast.egg-info"
    egg.mkdir(parents=True)
    (egg / "PKG-INFO").write_text("Name: slowfast\nVersion: 1.0\n\n")
    (place.site / "easy-install.pth").write_text(str(egg.parent))
    fails(place, "no_distribution_is_there_twice", f"hides the checkout {egg.parent}")


def test_two_opencvs_are_found(place: Place) -> None:
    """opencv-python and opencv-python-headless share cv2; equal files (nvidia/__init__.py) and junk folders (tests) are no finding."""
    place.put("nvidia-a", "1", {"nvidia/__init__.py": "", "tests/__init__.py": "a"})
    place.put("nvidia-b", "1", {"nvidia/__init__.py": "", "tests/__init__.py": "b"})
    place.put("opencv-python", "4.10.0", {"cv2/__init__.py": "", "cv2/cv2.abi3.so": b"with windows"})
    place.judge("no_two_distributions_own_one_import")
    place.seen = None
    place.put("opencv-python-headless", "4.9.0", {"cv2/__init__.py": "", "cv2/cv2.abi3.so": b"without"})
    words = ("opencv-python 4.10.0 and opencv-python-headless 4.9.0 both own cv2", "pip uninstall", " opencv-python-headless, then")
    fails(place, "no_two_distributions_own_one_import", *words)


def test_lost_files_are_found(place: Place) -> None:
    """After one of two opencvs is uninstalled: the record is there and cv2 is gone."""
    place.put("opencv-python", "4.10.0", {"cv2/__init__.py": ""})
    (place.site / "cv2" / "__init__.py").unlink()
    fails(
        place, "no_distribution_has_lost_its_files", "opencv-python has lost cv2/__init__.py", "--force-reinstall --no-deps opencv-python"
    )


def test_interrupted_installation_is_found(place: Place) -> None:
    """`~orch`, and a dist-info without METADATA."""
    (place.site / "~orch").mkdir()
    (place.put("numpy", "2.0.0") / "METADATA").unlink()
    fails(place, "no_installation_was_interrupted", "~orch is left of", "the metadata of numpy cannot be read")
    assert "~orch" not in (place.seen or {})["inventory"]["distributions"]


def test_replaced_torch_is_found(place: Place) -> None:
    """A later step that replaced torch, and a pin that does not hold."""
    place.put_torch("2.15.0+cu132", "0.29.2+cu132", "13.2")
    place.put("numpy", "1.24.4")
    words = ("torch 2.15.0+cu132 is installed, where torch-1.8 pins torch==1.8.0", "numpy 1.24.4", "numpy<1.24")
    fails(place, "pins_hold", *words, cell=CELL)
    with pytest.raises(NotVerifiable):
        place.judge("pins_hold")


def test_mixed_files_of_two_torches_are_found(place: Place) -> None:
    """The record says one torch, its files say another."""
    place.put_torch()
    (place.site / "torch/version.py").write_text("__version__ = '2.1.0+cu121'\ncuda = '12.1'\n")
    fails(place, "torch_is_what_its_record_says", "files are of 2.1.0+cu121, its record is of 1.8.0")


def test_torch_with_the_wrong_torchvision_is_found(place: Place) -> None:
    """Not released together: the known failure is recognised, and the message names the right mate."""
    from slowfast_verify.knowledge import Failure, diagnose

    place.put_torch("1.8.0", "0.9.0")
    place.put("torchvision", "0.10.0", {}, lines=("Requires-Dist: torch (==1.9.0)",))
    place.seen = place.look()
    place.seen["inventory"]["distributions"]["torchvision"].update(version="0.10.0", requires=["torch (==1.9.0)"])
    words = "torch 1.8.0 and torchvision 0.10.0 are not a pair: this torch goes with torchvision==0.9.0"
    fails(place, "torch_and_torchvision_are_a_pair", words)
    assert diagnose(Failure(type="AssertionError", message=words)) == "torch-torchvision-mismatch-ops"


@pytest.mark.parametrize(
    ("torch", "vision", "cuda", "operators"),
    [("2.4.1+cpu", "0.19.1+cu121", None, CUDA), ("1.8.0", "0.9.0", "10.2", b"no such code"), ("1.8.0+cu111", "0.9.0+cu102", "11.1", CUDA)],
)
def test_torch_and_torchvision_of_two_builds_are_found(place: Place, torch: str, vision: str, cuda: str | None, operators: bytes) -> None:
    """CPU beside CUDA, told by the versions or by the compiled code; and two CUDAs."""
    place.put_torch(torch, vision, cuda, operators)
    fails(place, "torch_and_torchvision_are_of_one_build", f"torch {torch}", f"torchvision {vision}", "are not of one build")


def test_cpu_build_on_a_gpu_machine_is_found(place: Place) -> None:
    """A GPU and a CPU build; in a cell that names CUDA, a build of another CUDA."""
    place.put_torch("1.8.0+cpu", "0.9.0+cpu", None, b"")
    machine = copy.deepcopy(place.look()["machine"])
    machine["tools"]["nvidia-smi"].update(exit=0, text="NVIDIA H200, 580.1\n")
    fails(place, "torch_build_fits_the_machine", "NVIDIA H200", "torch 1.8.0+cpu is a CPU build", machine=machine)
    place.judge("torch_build_fits_the_machine", cell=CELL, machine=machine)
    fails(place, "torch_build_fits_the_machine", "is a CPU build, and the cell is cu111", cell=CUDA_CELL)


def test_unmet_requirements_are_found(place: Place) -> None:
    """Absent, too old, asked for by an extra that somebody wants; a marker for another Python is none, nor is an extra nobody wants."""
    lines = ("Requires-Dist: absent-thing>=2", "Requires-Dist: old<2", 'Requires-Dist: never; python_version < "3.0"',
             "Requires-Dist: middle[more]", 'Requires-Dist: unwanted; extra == "tests"', "Requires-Dist: PIL")  # fmt: skip
    place.put("top", "1.0", lines=lines)
    place.put("old", "2.0")
    place.put("pillow", "10.0")
    place.put("middle", "1.0", lines=('Requires-Dist: deep; extra == "more"', 'Requires-Dist: dull; extra == "less"'))
    fails(
        place,
        "requirements_are_met",
        "top 1.0 requires absent-thing>=2, which is not installed",
        "but old 2.0 is installed",
        "middle 1.0 requires deep",
    )
    found = [sentence for sentence, _ in distributions.unmet((place.seen or {})["inventory"], (place.seen or {})["here"])]
    assert len(found) == 3, found


def test_requirements_of_an_old_develop_installation_are_read(place: Place, tmp_path: Path) -> None:
    """requires.txt of an egg-info, with its sections."""
    egg = tmp_path / "SlowFast" / "slowfast.egg-info"
    egg.mkdir(parents=True)
    (egg / "PKG-INFO").write_text("Name: slowfast\nVersion: 1.0\n\n")
    (egg / "requires.txt").write_text('simplejson\nsklearn\n\n[video]\nmoviepy\n\n[:python_version < "3"]\nfutures\n')
    (place.site / "easy-install.pth").write_text(str(egg.parent))
    fails(place, "requirements_are_met", "slowfast 1.0 requires simplejson", "slowfast 1.0 requires sklearn", "simplejson scikit-learn")


def test_agrees_with_uvs_own_check(place: Place) -> None:
    """`uv pip check` finds the same culprits in the same environment."""
    from slowfast_verify import installer

    place.put("top", "1.0", lines=("Requires-Dist: absent-thing>=2", "Requires-Dist: old<2"))
    place.put("old", "2.0")
    argv = [installer.uv(), "pip", "check", "--python", str(place.python)]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stderr
    assert "Found 2 incompatibilities" in said and "absent-thing" in said, said
    fails(place, "requirements_are_met", "absent-thing", "old 2.0")


def test_distribution_for_another_python_is_found(place: Place) -> None:
    """Requires-Python excludes the target's."""
    place.put("fresh", "9.0", lines=("Requires-Python: >=4",))
    fails(place, "distributions_support_this_python", "fresh 9.0 is for Python >=4")


def test_the_partner_of_torch_gives_way(place: Place) -> None:
    """A torchvision and a torchaudio of another torch: they are to be replaced, not torch."""
    place.put("torch", "1.8.0")
    for name in ("torchvision", "torchaudio"):
        place.put(name, "0.10.0", lines=("Requires-Dist: torch (==1.9.0)",))
    fails(place, "requirements_are_met", "but torch 1.8.0 is installed", "'torchvision==0.9.0'", "'torchaudio==0.8.0'")


def test_too_old_dependency_is_found(place: Place) -> None:
    """Below the version that the subject's documents ask for."""
    place.put("PyYAML", "3.13", {"yaml/__init__.py": ""})
    fails(place, "minimum_versions_hold", "pyyaml 3.13 is installed, pyslowfast needs 5.1 or later", "'pyyaml>=5.1'")
