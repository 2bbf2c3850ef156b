"""Cloning an environment: the clone works, names nothing of the original, and can be broken without the original noticing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slowfast_verify import clone
from slowfast_verify.record import Provisioned

INSIDE = "Scripts/python.exe" if os.name == "nt" else "bin/python"


def said(python: Path, code: str) -> str:
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Provisioned:
    """A cell as provisioning leaves it: a venv, a checkout that is installed editable, and a folder of links into it."""
    folder = tmp_path_factory.mktemp("cell@x")
    env, checkout = folder / "env", folder / "src" / "thing"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True, timeout=120)
    python = env / INSIDE
    site = Path(said(python, "import sysconfig; print(sysconfig.get_paths()['purelib'])"))
    (checkout / "thing").mkdir(parents=True)
    (checkout / "thing" / "__init__.py").write_text("NAME = 'thing'\n", encoding="utf-8")
    (checkout / ".git").mkdir()
    (site / "__editable__.thing.pth").write_text(f"{checkout}\n", encoding="utf-8")
    (site / "__editable___thing_finder.py").write_text(f"MAPPING = {{'thing': {str(checkout)!r}}}\n", encoding="utf-8")
    (site / "thing-1.dist-info").mkdir()
    (site / "thing-1.dist-info" / "direct_url.json").write_text(json.dumps({"url": checkout.as_uri()}), encoding="utf-8")
    (site / "big").mkdir()
    (site / "big" / "__init__.py").write_text("SIZE = 1\n", encoding="utf-8")
    (site / "big" / "native.so").write_bytes(b"\x7fELF" + bytes(range(256)))
    (env / ("Scripts" if os.name == "nt" else "bin") / "tool").write_text(f"#!{python}\nprint('tool runs')\n", encoding="utf-8")
    (python.parent / "tool").chmod(0o755)
    (folder / "links").mkdir()
    (folder / "links" / "alias").symlink_to(checkout / "thing", target_is_directory=True)
    variables = {"PYTHONPATH": os.pathsep.join([str(folder / "links"), str(checkout)])}
    return Provisioned(cell="x", inputs="", python=str(python), env=str(env), checkout=str(checkout), variables=variables, opts={},
                       workarounds=[], lock=[], created="", seconds=0, step_seconds={})  # fmt: skip


@pytest.fixture
def made(cell: Provisioned, tmp_path: Path) -> Provisioned:
    return clone.clone_cell(cell, tmp_path / "with a blank 视频")


def site_of(cell: Provisioned) -> Path:
    (site,) = [*Path(cell.env).glob("lib/python*/site-packages"), *Path(cell.env).glob("Lib/site-packages")]
    return site


def test_the_clone_imports_its_own_files(made: Provisioned) -> None:
    """Packages and the editable checkout are found in the clone, under a path with a blank and Chinese characters too."""
    found = said(Path(made.python), "import big, thing, sys; print(big.__file__, thing.__file__, sys.prefix, sep='\\n')").splitlines()
    assert [Path(path).is_relative_to(Path(made.env).parent) for path in found] == [True, True, True]


def test_nothing_names_the_original(cell: Provisioned, made: Provisioned) -> None:
    """No text file, link or variable of the clone leads back to the original."""
    old, new = Path(cell.env).parent, Path(made.env).parent
    texts = [path for path in new.rglob("*") if path.is_file() and not path.is_symlink() and path.suffix not in (".so", ".pyc", ".exe")]
    spelt = (str(old), old.as_uri().removeprefix("file://"))
    assert [path for path in texts if any(spell in path.read_text(encoding="utf-8", errors="replace") for spell in spelt)] == []
    assert [path for path in new.rglob("*") if path.is_symlink() and str(old) in str(path.readlink())] == []
    assert str(old) not in json.dumps(made.model_dump(), ensure_ascii=False)
    assert str(new) in made.variables["PYTHONPATH"] and (new / "links" / "alias" / "__init__.py").exists()


@pytest.mark.skipif(os.name == "nt", reason="launchers of Windows are programs, not scripts")
def test_scripts_start_the_clones_interpreter(made: Provisioned) -> None:
    """A script of the environment runs, although no kernel takes a blank in its first line."""
    done = subprocess.run([str(Path(made.python).parent / "tool")], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "tool runs", done.stderr


def test_package_files_are_shared_and_tools_files_are_not(cell: Provisioned, made: Provisioned) -> None:
    """A package's files cost nothing; what installers rewrite in place (.pth, metadata, scripts, the checkout) belongs to the clone."""
    site, original = site_of(made), site_of(cell)
    assert (site / "big" / "native.so").samefile(original / "big" / "native.so")
    own = ["__editable__.thing.pth", "__editable___thing_finder.py", "thing-1.dist-info/direct_url.json"]
    assert [name for name in own if (site / name).samefile(original / name)] == []
    assert not (Path(made.env) / "pyvenv.cfg").samefile(Path(cell.env) / "pyvenv.cfg")
    assert made.checkout and cell.checkout
    assert not (Path(made.checkout) / "thing" / "__init__.py").samefile(Path(cell.checkout) / "thing" / "__init__.py")


def test_breaking_the_clone_leaves_the_original(cell: Provisioned, made: Provisioned) -> None:
    """Files that are removed, replaced, or written after `own` change in the clone alone; fingerprint sees it when somebody forgets."""
    before = clone.fingerprint(Path(cell.env))
    site = site_of(made)
    clone.own(site / "big" / "native.so").write_bytes(b"")
    (site / "thing-1.dist-info" / "direct_url.json").write_text("{}", encoding="utf-8")
    (Path(made.env) / "pyvenv.cfg").unlink()
    assert clone.fingerprint(Path(cell.env)) == before
    time.sleep(0.02)
    (site / "big" / "__init__.py").write_text("SIZE = 22\n", encoding="utf-8")  # in place, through the link: what must never be done
    now = clone.fingerprint(Path(cell.env))
    changed = [name for name in before if before[name] != now[name]]
    assert [Path(name).parts[-2:] for name in changed] == [("big", "__init__.py")]


def test_a_folder_that_is_there_is_not_filled(cell: Provisioned, tmp_path: Path) -> None:
    """A clone never mixes with what is there."""
    with pytest.raises(FileExistsError):
        clone.clone_environment(Path(cell.env), tmp_path)
