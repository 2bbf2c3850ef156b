"""Rung environment: what surrounds SlowFast is right, judged without importing anything: it works where torch itself is broken.

The facts are probes/environment.py, probes/machine.py and the inventory. Each failure names the culprit and the one thing that mends it.
"""

import pytest
from packaging.version import Version

from slowfast_verify import distributions, search_path, torch_pairs
from slowfast_verify.errors import NotVerifiable, listed

pytestmark = pytest.mark.batch("environment")


# ---- the interpreter and its search path -------------------------------------------------------------------------------


def test_python_is_in_range(subject, inventory):
    """The subject's code runs on this version of Python."""
    version = inventory["python"]
    assert distributions.allows(subject.python, version), (
        f"Python {version} is outside of what {subject.name} supports ({subject.python})\nmend: make the environment with another Python"
    )


def test_python_is_64_bit(inventory):
    """The interpreter is a 64-bit one: torch has no other wheels."""
    assert inventory["bits"] == 64, (
        f"this Python is a {inventory['bits']}-bit program ({inventory['executable']}), and torch exists for 64 bits only\n"
        "mend: install the 64-bit Python and make the environment again"
    )


def test_pth_files_lead_somewhere(here):
    """Every .pth file, which Python reads at each start, names what exists: an editable installation of a folder that moved does not."""
    wrong = [f"{row['file']}: {text}" for row in here["pth"] for text in row["wrong"]]
    assert not wrong, listed(wrong, "install again what the file is named after, or delete the file")


def test_subject_is_found(subject, inventory):
    """The subject's packages are found on the search path."""
    lost = [name for name in subject.modules.packages if not inventory["origins"].get(name)]
    assert not lost, listed(
        [f"{name} is on no entry of sys.path" for name in lost],
        f"{distributions.install_command(inventory, '-e', 'CHECKOUT')} (the folder with setup.py)"
        if subject.source.git
        else distributions.install_command(inventory, subject.source.distribution or subject.name),
    )


def test_dependencies_are_installed(subject, inventory, here, mend):
    """Everything that the subject needs is installed, or lies on the search path."""
    lost = distributions.absent(subject, inventory, here)
    assert not lost, listed([sentence for sentence, _ in lost], mend(*(name for _, name in lost)))


def test_pythonhome_is_not_set(here):
    """PYTHONHOME is not set: it gives every Python the standard library of one."""
    assert not here["home"], f"PYTHONHOME is {here['home']}, for every Python that is started\nmend: unset PYTHONHOME"


def test_pythonpath_entries_exist(here):
    """Every entry of PYTHONPATH is there."""
    lost = [row["entry"] for row in here["pythonpath"]["entries"] if row["known"] and not row["exists"]]
    assert not lost, listed(
        [f"PYTHONPATH names {entry}, which does not exist" for entry in lost], "take it out of PYTHONPATH, or mend its spelling"
    )


def test_pythonpath_is_not_inside_a_package(here):
    """No entry of PYTHONPATH is a package itself: that makes its parts (datasets, models, utils) top-level names, and not the package."""
    inner = [row for row in here["pythonpath"]["entries"] if row["package"]]
    parents = [row["path"].replace("\\", "/").rstrip("/").rpartition("/")[0] for row in inner]
    assert not inner, listed(
        [f"PYTHONPATH names {row['entry']}, which is a package: it makes {', '.join(row['offers'][:6])} top-level names" for row in inner],
        f"name the folder above it: PYTHONPATH={' '.join(parents)}",
    )


def test_pythonpath_is_spelt_right(here):
    """No variable looks like PYTHONPATH and is read by nobody (PTYTHONPATH, PYTHON_PATH)."""
    wrong = search_path.misspelt(here["variables"])
    assert not wrong, listed(
        [f"{name} is set, and no Python reads it" for name in wrong],
        f'rename it: export PYTHONPATH="${wrong[0]}"; unset {wrong[0]}' if wrong else "",
    )


def test_nothing_is_shadowed(here, inventory, cell):
    """No file stands before a package or a standard module of the same name (a torch.py, a datasets/, a second slowfast/).

    In an environment of your own the folder you stand in counts, as it does for `python -m` and `python -c`; for a cell it does not.
    """
    hidden = search_path.shadowed(here, inventory, distributions.allowances().junk_names, here=cell is None)
    assert not hidden, listed(hidden, "rename the first one, or take its folder out of PYTHONPATH")


def test_editable_installation_is_used(here, inventory):
    """What is installed in editable form is imported from there, not from a second copy."""
    elsewhere = search_path.misplaced(here, inventory)
    assert not elsewhere, listed(
        elsewhere, "take the other copy away (PYTHONPATH, or pip uninstall), or install the one that you mean: pip install -e CHECKOUT"
    )


# ---- who installed what ------------------------------------------------------------------------------------------------


def test_installer_is_the_cells(cell, inventory):
    """Everything in a cell was put there by the cell's installer; in a conda cell also by pip, for what no channel has."""
    if cell is None:
        raise NotVerifiable("nobody says which installer an environment of your own is meant to have")
    recorded = [row for row in inventory["distributions"].values() if row["path"].endswith(".dist-info")]
    others = [
        f"{row['name']} {row['version']} was installed by {row['installer'] or 'nobody who says so'}"
        for row in recorded
        if row["installer"] not in ({"conda", "pip"} if cell.installer == "conda" else {cell.installer})
    ]
    assert not others, listed([*others, f"the cell's installer is {cell.installer}"], f"slowfast-verify climb {cell.id}")


def test_conda_and_pip_own_nothing_together(here, inventory, mend):
    """No distribution is on conda's records and installed over by pip or uv: the next conda update mixes their files."""
    mixed = distributions.mixed_ownership(inventory, here["conda"])
    assert not mixed, listed(
        mixed, "pip uninstall the distribution, then conda install --force-reinstall it (or keep it out of conda's environment file)"
    )


def test_no_distribution_is_there_twice(here, inventory, mend):
    """No distribution has two records, and none from outside (~/.local, an old copy) hides the environment's own."""
    twice = distributions.twice(inventory, here)
    assert not twice, listed(twice, "pip uninstall it until it is gone and install it once; for ~/.local: export PYTHONNOUSERSITE=1")


def test_no_two_distributions_own_one_import(here, inventory, mend):
    """No two distributions have put different files of one name there (opencv-python and opencv-python-headless)."""
    junk = distributions.allowances().junk_names
    names = {row["path"]: f"{row['name']} {row['version']}" for row in inventory["distributions"].values()}
    torn = [row for row in here["shared"] if set(row["names"]) - junk and all(path in names for path in row["owners"])]
    found = [
        f"{' and '.join(names[p] for p in row['owners'])} both own {', '.join(sorted(set(row['names']) - junk))} (e.g. {row['file']})"
        for row in torn
    ]
    extra = [names[row["owners"][-1]].partition(" ")[0] for row in torn]
    keep = [names[row["owners"][0]].partition(" ")[0] for row in torn]
    mending = f"{mend(*extra, verb='uninstall')}, then {mend('--force-reinstall', '--no-deps', *keep)}"
    assert not torn, listed(found, mending)


def test_no_distribution_has_lost_its_files(here, inventory, mend):
    """What a distribution's record names as its modules is still there: uninstalling its double takes shared files along."""
    names = {row["path"]: row["name"] for row in inventory["distributions"].values()}
    lost = {names[path]: row["lost"] for path, row in here["owned"].items() if row["lost"] and path in names}
    assert not lost, listed(
        [f"{name} has lost {', '.join(files)}" for name, files in lost.items()], mend("--force-reinstall", "--no-deps", *lost)
    )


def test_what_is_there_is_on_record(subject, inventory, here, cell):
    """What the subject needs has its installation record: pip installs over what has none, and checks nothing of it."""
    found = distributions.unrecorded(subject, inventory, here) if cell is None else []  # a cell gets its stand-ins on purpose
    assert not found, listed(found, "install it again, or leave it: it works until the next installation")


def test_no_compiled_file_is_cut(here, inventory, mend):
    """Every compiled file has the size that its distribution's record says: a full disk or a lost connection leaves shorter ones."""
    by = {row["path"]: row for row in inventory["distributions"].values() if row["installer"] in ("pip", "uv")}  # conda rewrites them
    cut = {by[path]["name"]: row["short"] for path, row in here["owned"].items() if row["short"] and path in by}
    found = [f"{name} has {file} of {size} bytes, and {full} are on record" for name, rows in cut.items() for file, size, full in rows]
    assert not cut, listed(found, mend("--force-reinstall", "--no-deps", *cut))


def test_no_installation_was_interrupted(here, inventory):
    """No half-removed folder (~orch) and no unreadable metadata is left of an installation that stopped in the middle."""
    left = [f"{path} is left of an interrupted installation" for path in here["leftovers"]]
    left += [
        f"the metadata of {row['name']} cannot be read: {row['broken']}" for row in inventory["distributions"].values() if "broken" in row
    ]
    assert not left, listed(left, "delete these folders and install the distribution again, with no Python of this environment running")


# ---- versions that belong together -------------------------------------------------------------------------------------


def test_pins_hold(cell, stack, inventory):
    """What the cell pins is what is there: no later step replaced torch or a pinned dependency."""
    if cell is None:
        raise NotVerifiable("an environment of your own pins nothing")
    broken = distributions.broken_pins(inventory, cell, stack)
    assert not broken, listed(broken, f"slowfast-verify climb {cell.id}")


def test_torch_is_what_its_record_says(here, inventory, mend):
    """torch's own version file and its installation record agree: files of two installations are not mixed."""
    torch, recorded = here["torch"], distributions.version_of(inventory, ["torch"])
    if not torch.get("version") or recorded is None:
        raise NotVerifiable("torch is not installed, or has no installation record")
    same = torch_pairs.public(torch["version"]) == torch_pairs.public(recorded[1])
    local = Version(recorded[1]).local
    assert same and local in (None, Version(torch["version"]).local), (
        f"torch's files are of {torch['version']}, its record is of {recorded[1]}: two installations are mixed\n"
        f"mend: delete {torch['path']} and its dist-info folders, then {mend(f'torch=={recorded[1]}')}"
    )


def test_torch_and_torchvision_are_a_pair(inventory, mend):
    """torchvision was released for this torch: its compiled operators load with no other."""
    torch, vision = distributions.version_of(inventory, ["torch"]), distributions.version_of(inventory, ["torchvision"])
    if not torch or not vision:
        raise NotVerifiable("torch or torchvision is not installed, or has no installation record")
    verdict = torch_pairs.is_pair(torch[1], vision[1], distributions.installed(inventory)["torchvision"]["requires"])
    if verdict is None:
        raise NotVerifiable(f"neither torchvision {vision[1]} nor matrices/torch-releases.toml says which torch it belongs to")
    mate = torch_pairs.mate_of(torch[1])
    assert verdict, (
        f"torch {torch[1]} and torchvision {vision[1]} are not a pair: this torch goes with {mate}\nmend: {mend('--no-deps', mate)}"
    )


def test_torch_and_torchvision_are_of_one_build(here, mend):
    """Both are CPU builds, or both are built for the same CUDA."""
    torch, vision = here["torch"], here["torchvision"]
    if not torch.get("version") or not vision.get("version"):
        raise NotVerifiable("torch or torchvision is not installed")
    alike = torch_pairs.of_one_build(torch, vision)
    if alike is None:
        raise NotVerifiable("torchvision has no compiled operators to look into, and its version does not tell its build")
    shown = [f"torch {torch['version']} ({'CUDA ' + torch['cuda'] if torch['cuda'] else 'CPU'})",
             f"torchvision {vision['version']} ({'CUDA' if vision['cuda_code'] else 'CPU'} operators)"]  # fmt: skip
    pair = [f"torch=={torch_pairs.public(torch['version'])}", f"torchvision=={torch_pairs.public(vision['version'])}"]
    mending = f"both in one command from one index: {mend('--force-reinstall', '--no-deps', *pair)} --index-url INDEX"
    assert alike, f"{' and '.join(shown)} are not of one build\nmend: {mending}"


def test_requirements_are_met(here, inventory, mend):
    """Whatever an installed distribution requires is installed, in a version that it accepts (`pip check`, without pip)."""
    unmet = distributions.unmet(inventory, here)
    assert not unmet, listed([sentence for sentence, _ in unmet], mend(*dict.fromkeys(requirement for _, requirement in unmet)))


def test_distributions_support_this_python(inventory, mend):
    """Every distribution is made for this version of Python."""
    wrong = distributions.unsupported(inventory)
    assert not wrong, listed(wrong, "install a version that supports it, or make the environment with another Python")


def test_minimum_versions_hold(subject, inventory, mend):
    """Each dependency is at least of the version that the subject's documents ask for."""
    low, ask = [], []
    for row in subject.dependency:
        found = distributions.version_of(inventory, row.distributions) if row.minimum and row.kind == "distribution" else None
        if found and not distributions.allows(f">={row.minimum}", found[1]):
            low.append(f"{found[0]} {found[1]} is installed, {subject.name} needs {row.minimum} or later ({row.declared})")
            ask.append(f"{found[0]}>={row.minimum}")
    assert not low, listed(low, mend(*ask))
