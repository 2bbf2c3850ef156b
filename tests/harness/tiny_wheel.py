"""Wheels and package indexes of a few hundred bytes, made by hand, so that installers can be tested without a network."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> Path:
    """A wheel with one module of the same name; `requires` are its requirements."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {row}" for row in requires)]
    files = {
        f"{name}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": "\n".join(lines) + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{inside},,\n" for inside in [*files, f"{info}/RECORD"]))
    return path


def source(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A source archive that says what it requires without being built."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {row}" for row in requires)]
    pyproject = '[build-system]\nrequires = []\nbuild-backend = "nothing"\n'
    with tarfile.open(path, "w:gz") as archive:
        for inside, text in {"PKG-INFO": "\n".join(lines) + "\n", "pyproject.toml": pyproject}.items():
            row = tarfile.TarInfo(f"{name}-{version}/{inside}")
            row.size = len(text.encode())
            archive.addfile(row, io.BytesIO(text.encode()))
    return path


def links(root: Path) -> str:
    """The address of a simple index of all files that lie under root/NAME/."""
    for folder in (path for path in root.iterdir() if path.is_dir()):
        files = "".join(f'<a href="{path.name}">{path.name}</a>\n' for path in sorted(folder.iterdir()) if path.suffix in (".whl", ".gz"))
        (folder / "index.html").write_text(f"<!DOCTYPE html>\n<html><body>\n{files}</body></html>\n", encoding="utf-8")
    return root.as_uri()


def index(root: Path, *wheels: tuple[str, str]) -> str:
    """The address of a simple index with these (name, version) wheels."""
    for name, version in wheels:
        wheel(root / name, name, version)
        rows = "".join(f'<a href="{path.name}">{path.name}</a>\n' for path in sorted((root / name).glob("*.whl")))
        (root / name / "index.html").write_text(f"<!DOCTYPE html>\n<html><body>\n{rows}</body></html>\n", encoding="utf-8")
    return root.as_uri()


def source_tree(folder: Path, backend: str) -> Path:
    """A source tree of the folder's name, built by this text of a backend."""
    folder.mkdir()
    (folder / "backend.py").write_text(backend, encoding="utf-8")
    lines = ["[build-system]", "requires = []", 'build-backend = "backend"', 'backend-path = ["."]']
    lines += ["[project]", f'name = "{folder.name}"', 'version = "1.0"']
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
