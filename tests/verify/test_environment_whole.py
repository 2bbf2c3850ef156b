"""Rung environment, one piece: pyvenv.cfg, commands, what Python reads first, compiled files and records belong to this environment.

The facts are probes/wholeness.py and the inventory. Nothing is imported there. Each failure names the file and what mends it.
"""

import pytest

from slowfast_verify.errors import NotVerifiable, listed

pytestmark = pytest.mark.batch("environment")

COMMANDS_SHOWN = 3


@pytest.fixture
def whole(facts):
    """The facts of this file."""
    return facts("wholeness")


def test_virtual_environment_is_used(whole):
    """The interpreter of a virtual environment takes the environment's packages: without pyvenv.cfg it is the one it was made from."""
    venv = whole["venv"]
    if venv is None:
        raise NotVerifiable("this interpreter is of no virtual environment")
    assert venv["used"], (
        f"{venv['config']} {'is not used' if venv['there'] else 'is missing'}: this Python looks for packages in {venv['prefix']}, "
        f"and not in {venv['folder']}\n"
        "mend: make the environment again (python -m venv keeps its packages): "
        f"python3 -m venv {venv['folder']}"
    )


def test_virtual_environment_knows_its_python(whole):
    """pyvenv.cfg names the installation that the environment was made from, and that is there."""
    venv = whole["venv"]
    if venv is None or not venv["there"]:
        raise NotVerifiable("this interpreter is of no virtual environment")
    said = f"names {venv['home']} as its home, which does not exist" if venv["home"] else "does not say where its home is"
    assert venv["home_exists"], (
        f"{venv['config']} {said}: it was copied, or is damaged\nmend: make the environment again: python3 -m venv {venv['folder']}"
    )


def test_commands_start_this_python(whole):
    """The commands beside the interpreter (pip, torchrun) start it, and not one of another place: environments cannot be moved."""
    wrong = whole["commands"]
    found = [f"{row['file']} starts {row['starts']}{'' if row['exists'] else ', which does not exist'}" for row in wrong[:COMMANDS_SHOWN]]
    if len(wrong) > COMMANDS_SHOWN:
        found.append(f"{wrong[0]['file']} and {len(wrong) - 1} more commands start another Python")
    assert not wrong, listed(found, "say `python -m pip` instead of `pip`, or make the environment again in this place")


def test_start_of_python_is_clean(whole):
    """sitecustomize and usercustomize, which Python imports at each start, come to their end."""
    found = [f"{row['file']} ({row['name']}) is read at each start of Python, and fails" for row in whole["start"]]
    assert not found, listed(found, "mend the file, or take it away")


def test_temporary_folders_take_files(whole):
    """The folders that TMPDIR, TEMP and TMP name take a file: Python silently uses another folder otherwise, other programs do not."""
    found = [
        f"{row['name']} names {row['path']}, which takes no file ({row['error']}): Python uses {row['used']}" for row in whole["temporary"]
    ]
    assert not found, listed(found, "make room there, or let the variable name a folder that can be written")


def test_no_switch_changes_what_code_does(whole):
    """Neither warnings as errors (PYTHONWARNINGS=error) nor asserts left out (PYTHONOPTIMIZE) are in force."""
    found = [f"PYTHONWARNINGS turns warnings into errors ({option}): imports fail that only warn" for option in whole["warnings"]]
    if whole["optimize"]:
        found.append(f"PYTHONOPTIMIZE={whole['optimize']} leaves out {'asserts and docstrings' if whole['optimize'] > 1 else 'asserts'}")
    assert not found, listed(found, "unset PYTHONWARNINGS PYTHONOPTIMIZE")


def test_compiled_files_fit(whole, inventory, mend):
    """Compiled files are for this machine and this version of Python: copied site-packages hold those of others."""
    names = {row["path"]: row["name"] for row in inventory["distributions"].values()}
    wrong = {names[path]: rows for path, rows in whole["unfit"].items() if path in names}
    found = [f"{name}: {file} {why}" for name, rows in wrong.items() for file, why in rows[:1]]
    assert not wrong, listed(found, mend("--force-reinstall", "--no-deps", *wrong))


def test_records_are_whole(whole, inventory, mend):
    """The RECORD of each distribution can be read: without it no installer can replace or remove the distribution."""
    names = {row["path"]: row["name"] for row in inventory["distributions"].values()}
    wrong = {names[path]: (path, why) for path, why in whole["records"] if path in names}
    found = [f"the RECORD of {name} {why} ({path}): pip can neither replace nor remove it" for name, (path, why) in wrong.items()]
    assert not wrong, listed(found, mend("--force-reinstall", "--no-deps", "--ignore-installed", *wrong))
