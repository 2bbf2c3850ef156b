"""Installing for another system: the commands that uv gets, a real uv that resolves for Windows, and what an editable install says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from slowfast_verify import installer
from slowfast_verify.foreign import foreign, respell
from slowfast_verify.program import program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="another system's interpreter is told by its file, which Windows starts itself")


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    """What a Windows Python looks like from here: its file and its library."""
    env = tmp_path / "cell" / "env"
    (env / "Lib" / "site-packages").mkdir(parents=True)
    for name in ("python.exe", "python3.dll", "python38.dll"):
        (env / name).write_bytes(b"")
    return env / "python.exe"


def test_an_interpreter_of_another_system_is_told_by_its_files(windows: Path, tmp_path: Path) -> None:
    """python38.dll says 3.8; a builder of the cell's own is used where there is one; a native interpreter is none."""
    found = foreign(windows)
    assert found
    assert (found.kind, found.platform, found.version) == ("wine", "windows", "3.8")
    assert found.site == windows.parent / "Lib" / "site-packages"
    own = windows.parent.parent / "build" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"")
    again = foreign(windows)
    assert again
    assert again.builder == own
    (windows.parent / "python38.dll").unlink()
    assert foreign(windows) is None  # python3.dll alone names no version
    assert foreign(tmp_path / "bin" / "python") is None


def test_every_command_names_the_platform_or_the_folder(windows: Path) -> None:
    """uv never starts that interpreter: it is given a platform, a version and a folder instead."""
    site = str(windows.parent / "Lib" / "site-packages")
    install = installer.install("uv", windows, ["numpy", "--no-deps"])
    for words in (["--python-platform", "windows"], ["--python-version", "3.8"], ["--target", site]):
        at = install.index(words[0])
        assert install[at : at + 2] == words
    assert install[-2:] == ["numpy", "--no-deps"]
    unpack = installer.unpack(windows, "msvc-runtime", windows.parent / "beside")
    assert unpack[unpack.index("--target") + 1] == str(windows.parent / "beside")
    assert "--no-deps" in unpack
    assert installer.uninstall("uv", windows, ["numpy"])[-3:] == ["--target", site, "numpy"]
    assert installer.freeze("uv", windows)[-2:] == ["--path", site]
    for command in (install, unpack, installer.uninstall("uv", windows, ["x"]), installer.freeze("uv", windows)):
        assert str(windows) not in command
    built = installer.wheel("pip", windows, "src", windows.parent / "out")
    assert built[0] == installer.uv()
    assert str(windows) not in built


def test_a_real_uv_installs_for_windows_from_here(windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel for Windows goes in, the one for Linux does not, and freeze and uninstall see what is there."""
    from .tiny_wheel import wheel

    folder = tmp_path / "wheels"
    folder.mkdir()
    pure = wheel(folder, "tiny", "1.0")
    for tag in ("cp38-cp38-win_amd64", "cp38-cp38-manylinux2014_x86_64"):
        retagged(pure, tag, "2.0" if "win" in tag else "3.0")
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    env = installer.environment("uv")
    arguments = ["--no-index", "--find-links", str(folder), "tiny"]
    subprocess.run(installer.install("uv", windows, arguments), env=env, check=True, timeout=60, capture_output=True)
    listed = subprocess.run(installer.freeze("uv", windows), env=env, check=True, timeout=60, capture_output=True, text=True)
    assert listed.stdout.strip() == "tiny==2.0"
    subprocess.run(installer.uninstall("uv", windows, ["tiny"]), env=env, check=True, timeout=60, capture_output=True)
    assert not list((windows.parent / "Lib" / "site-packages").glob("tiny-*"))


def retagged(pure: Path, tag: str, version: str) -> None:
    """A wheel of another version and for one platform, made from a pure one."""
    import zipfile

    with (
        zipfile.ZipFile(pure) as old,
        zipfile.ZipFile(pure.with_name(f"tiny-{version}-{tag}.whl"), "w") as new,
    ):
        for name in old.namelist():
            text = (
                old.read(name)
                .replace(b"\nVersion: 1.0", f"\nVersion: {version}".encode())
                .replace(b"Tag: py3-none-any", f"Tag: {tag}".encode())
            )
            new.writestr(name.replace("-1.0.", f"-{version}."), text.replace(b"tiny-1.0.", f"tiny-{version}.".encode()))


def test_an_editable_install_names_the_checkout_as_windows_spells_it(tmp_path: Path) -> None:
    """In paths, in Python's text and in an address; a file that is linked into the installer's cache stays as it was there."""
    site, checkout = tmp_path / "site", tmp_path / "src" / "my subject"
    (site / "a-1.0.dist-info").mkdir(parents=True)
    spelled = "Z:" + str(checkout).replace("/", "\\")
    files = {
        site / "a.pth": (f"{checkout}\n", f"{spelled}\n"),
        site / "__editable___a_finder.py": (f"MAPPING = {{'a': '{checkout}/a'}}\n", None),
        site / "a-1.0.dist-info" / "direct_url.json": (
            json.dumps({"url": f"file://{checkout}", "dir_info": {"editable": True}}),
            json.dumps({"url": f"file:///Z:{checkout}", "dir_info": {"editable": True}}),
        ),
        site / "other.pth": ("import x\n", "import x\n"),
    }
    for path, (before, _) in files.items():
        path.write_text(before, encoding="utf-8")
    cached = tmp_path / "cached.pth"
    os.link(site / "a.pth", cached)
    respell(site, checkout)
    for path, (_, after) in files.items():
        if after is not None:
            assert path.read_text(encoding="utf-8") == after
    space: dict[str, dict[str, str]] = {}
    exec((site / "__editable___a_finder.py").read_text(encoding="utf-8"), space)
    assert space["MAPPING"]["a"] == f"{spelled}/a"
    assert cached.read_text(encoding="utf-8") == f"{checkout}\n"


def test_what_starts_the_python_again_travels_with_the_program() -> None:
    """Under qemu-user its own path does not start it; elsewhere nothing is said."""
    assert b'"executable\\": \\"/a/python\\"' in program("c", [], None, "/a/python").replace(b"\\\\", b"\\")
    assert b'"executable\\": \\"\\"' in program("c", []).replace(b"\\\\", b"\\")
