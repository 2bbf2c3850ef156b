"""The built wheel: all data inside, and every command that only reads works in an empty folder, from a virtual environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast_verify import interpreter, layout
from slowfast_verify.errors import NotVerifiable

OLDEST, NEWEST = "3.11", ("3.14", "3.13", "3.12")
DATA = ("docker", "matrices", "knowledge", "fixtures", "tests/verify", "reports/evidence", "reports/schema")
FILES = ("reports/resolve.json", "reports/loops.json")
CELL = "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"
LOG = "Traceback (most recent call last):\n  File 'x.py', line 1, in <module>\nModuleNotFoundError: No module named 'scipy'\n"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout; what the build leaves goes elsewhere."""
    pytest.importorskip("hatchling")
    if not (layout.root() / "pyproject.toml").is_file():
        pytest.skip("not verified: no checkout to build from")
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(argv, cwd=layout.root(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def tracked(folder: str) -> set[str]:
    """What git keeps below a folder, or is new there and not ignored."""
    argv = ["git", "-C", str(layout.root()), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder]
    names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name for name in names if name and (layout.root() / name).is_file()}


def test_the_wheel_holds_what_layout_asks_for(wheel: Path) -> None:
    """Every file of every data folder is in the wheel under _data, and nothing that is no file of the project."""
    held = {name.removeprefix("slowfast_verify/_data/") for name in zipfile.ZipFile(wheel).namelist() if "/_data/" in name}
    wanted = set(FILES).union(*map(tracked, DATA))
    assert not wanted - held, f"missing: {sorted(wanted - held)[:10]}"
    assert not held - wanted, f"too much: {sorted(held - wanted)[:10]}"


def test_every_data_folder_of_layout_is_known_here() -> None:
    """A function of layout.py that names a data folder names one that the test above looks for."""
    for place in (layout.matrices, layout.docker, layout.knowledge, layout.fixtures, layout.suites):
        assert place().relative_to(layout.root()).as_posix() in DATA
    assert (layout.kept() / "evidence").relative_to(layout.root()).as_posix() in DATA


def environment(version: str, folder: Path) -> Path:
    """A new virtual environment of that Python; its interpreter."""
    try:
        base = interpreter.find(version)
    except NotVerifiable as missing:
        pytest.skip(f"not verified: {missing}")
    subprocess.run([_uv(), "venv", "--quiet", "--python", str(base), str(folder)], check=True, timeout=120)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def runner(python: Path, here: Path) -> Run:
    """Run the installed command in a folder where nothing is, with no variable of ours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLOWFAST_VERIFY", "PYTHON", "VIRTUAL_ENV"))}

    def run(*words: str, text: str = "", module: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
        argv = [str(python), "-m", "slowfast_verify"] if module else [str(python.with_name("slowfast-verify"))]
        return subprocess.run([*argv, *words], cwd=here, env={**kept, **variables}, input=text, capture_output=True, text=True,
                              encoding="utf-8", timeout=240, check=False)  # fmt: skip

    return run


def works_installed(run: Run, here: Path, victim: Path) -> None:
    """The commands of a person who has the wheel and nothing else."""
    assert run("--version").stdout.startswith("slowfast-verify 0")
    assert run("--version").stdout == run("version", module=True).stdout
    cells = run("cells")
    assert cells.returncode == 0 and CELL in cells.stdout, cells.stderr
    recipe = run("recipe", "--cell", CELL)
    assert recipe.returncode == 0 and "reports/evidence/" in recipe.stdout and "install" in recipe.stdout, recipe.stderr
    diagnosed = run("diagnose", "-", text=LOG)
    assert diagnosed.returncode == 1 and "missing-scipy" in diagnosed.stdout, diagnosed.stderr
    explained = run("explain", "missing-scipy")
    assert explained.returncode == 0 and "our tests broke" in " ".join(explained.stdout.split())  # by reports/loops.json
    examined = run("doctor", str(victim), "--rung", "environment")
    assert examined.returncode == 1 and "torch" in examined.stdout, examined.stdout + examined.stderr
    page = run("report", "render", "--output", str(here / "page"))
    assert page.returncode == 0 and (here / "page" / "index.html").stat().st_size > 100_000, page.stderr


@pytest.mark.heavy
@pytest.mark.parametrize("which", ["oldest", "newest"])
def test_an_installed_wheel_works_outside_the_checkout(which: str, wheel: Path, tmp_path: Path) -> None:
    """Installed with its dependencies into a new environment of the oldest and the newest Python, all that only reads works anywhere."""
    version = OLDEST if which == "oldest" else next((one for one in NEWEST if _there(one)), NEWEST[-1])
    python = environment(version, tmp_path / "env")
    victim = environment(version, tmp_path / "victim")
    install = [_uv(), "pip", "install", "--quiet", "--python", str(python), str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, timeout=500, check=False)
    if done.returncode and "Failed to fetch" in done.stderr:
        pytest.skip(f"not verified: no package index here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    here = tmp_path / "empty 空"
    here.mkdir()
    works_installed(runner(python, here), here, victim)


def _there(version: str) -> bool:
    try:
        return bool(interpreter.find(version))
    except NotVerifiable:
        return False


def test_completion_is_printed_and_installed(tmp_path: Path) -> None:
    """--show-completion prints a script that completes, --install-completion writes it below the person's home, for each shell."""
    env = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    for shell, place in (("bash", ".bash_completions/slowfast-verify.sh"), ("zsh", ".zfunc/_slowfast-verify"),
                         ("fish", ".config/fish/completions/slowfast-verify.fish")):  # fmt: skip
        for option in ("--show-completion", "--install-completion"):
            argv = [sys.executable, "-c", "import sys; sys.argv[0] = 'slowfast-verify'; from slowfast_verify.cli import main; main()"]
            done = subprocess.run([*argv, option, shell], env=env, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            if option == "--show-completion":
                assert "_SLOWFAST_VERIFY_COMPLETE" in done.stdout
        assert "_SLOWFAST_VERIFY_COMPLETE" in (tmp_path / place).read_text(encoding="utf-8")


def test_help_is_quick() -> None:
    """--help loads none of what makes a start slow: models, HTTP, containers, tables."""
    code = "import sys; sys.argv = ['slowfast-verify', '--help']\nfrom slowfast_verify.cli import main\ntry:\n    main()\n" \
           "except SystemExit:\n    print(*sys.modules, file=sys.stderr)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "doctor" in done.stdout and "typer" in loaded
    assert not loaded & {"pydantic", "requests", "docker", "rich", "jinja2", "packaging", "filelock", "pytest", "findpython"}


def _uv() -> str:
    """uv of this environment, which is one of its packages."""
    return str(Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv"))
