"""A conda channel of small packages in a folder: real archives with a real repodata.json, for real solvers and installers.

The python package is a link to an interpreter of this machine with a pyvenv.cfg beside it, so that it takes the environment that it was
installed into for its own, as a conda python does; with pip from the interpreter's own ensurepip.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

SUBDIR = "linux-64"


def package(channel: Path, name: str, version: str, files: dict[str, bytes | str], depends: list[str] | None = None, subdir: str = "noarch",
            links: dict[str, str] | None = None) -> None:  # fmt: skip
    """Write one package. files: {path: bytes, or text}; links: {path: where it leads}."""
    stem = f"{name}-{version}-0"
    contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends or [], "subdir": subdir, "arch": None,
             "platform": None, **({"noarch": "generic"} if subdir == "noarch" else {}), "license": "none", "timestamp": 1}  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
        for path, data in contents.items()
    ]
    rows += [
        {"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0} for path in links or {}
    ]
    contents |= {
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": rows, "paths_version": 1}).encode(),
        "info/files": "".join(f"{row['_path']}\n" for row in rows).encode(),
    }
    folder = channel / subdir
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{stem}.tar.bz2"
    with tarfile.open(archive, "w:bz2", compresslevel=1) as tar:
        for path, data in contents.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if "/bin/" in f"/{path}" else 0o644
            tar.addfile(member, io.BytesIO(data))
        for path, to in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, to
            tar.addfile(member)
    for other in ("noarch", SUBDIR):
        _index(channel / other, other)


def _index(folder: Path, subdir: str) -> None:
    """The folder's repodata.json, from the archives that lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for archive in sorted(folder.glob("*.tar.bz2")):
        data = archive.read_bytes()
        with tarfile.open(archive) as tar:
            member = tar.extractfile("info/index.json")
            assert member
            row = json.load(member)
        digests = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        rows[archive.name] = {**row, **digests}
    text = {"info": {"subdir": subdir}, "packages": rows, "packages.conda": {}, "removed": [], "repodata_version": 1}
    (folder / "repodata.json").write_text(json.dumps(text), encoding="utf-8")


def python(channel: Path, interpreter: Path) -> str:
    """A python package from an interpreter of this machine, with pip; returns its version."""
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    version = subprocess.run([str(interpreter), "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    minor = version.rpartition(".")[0]
    site = f"lib/python{minor}/site-packages"
    wheel = _pip_wheel(channel, interpreter)
    with zipfile.ZipFile(wheel) as archive:
        pip = {f"{site}/{name}": archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    real = interpreter.resolve()
    cfg = f"home = {real.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    links = {f"bin/{name}": str(real) for name in ("python", "python3", f"python{minor}")}
    package(channel, "python", version, {"pyvenv.cfg": cfg, f"{site}/README.txt": "here\n"}, subdir=SUBDIR, links=links)
    package(channel, "pip", wheel.name.split("-")[1], pip, depends=[f"python {minor}.*"], subdir=SUBDIR)
    return version


def _pip_wheel(channel: Path, interpreter: Path) -> Path:
    """pip as a wheel: the one that Python brings along, the one that Debian keeps elsewhere, else fetched from the index."""
    code = "import ensurepip, sysconfig; print(ensurepip.__path__[0] + '/_bundled'); print(sysconfig.get_config_var('WHEEL_PKG_DIR') or '')"
    said = subprocess.run([str(interpreter), "-c", code], capture_output=True, text=True, check=False).stdout.splitlines()
    found = [wheel for folder in filter(None, said) for wheel in sorted(Path(folder).glob("pip-*.whl"))]
    if not found:
        fetched = channel.parent / f"{channel.name}-wheels"
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(fetched), "pip"]
        subprocess.run(argv, check=True, timeout=120)
        found = sorted(fetched.glob("pip-*.whl"))
    return found[-1]


def module(channel: Path, name: str, version: str, minor: str, depends: list[str] | None = None, code: str = "", dist: str = "",
           extra: dict[str, bytes | str] | None = None) -> None:  # fmt: skip
    """A package that holds one Python distribution (`dist`, default the package's name) of one module."""
    called = dist or name
    site = f"lib/python{minor}/site-packages"
    info = f"{site}/{called}-{version}.dist-info"
    files: dict[str, bytes | str] = {
        f"{site}/{called}/__init__.py": f"__version__ = {version!r}\n{code}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {called}\nVersion: {version}\n",
        f"{info}/INSTALLER": "conda\n",
        f"{info}/RECORD": "",
        **(extra or {}),
    }
    package(channel, name, version, files, depends=[f"python {minor}.*", *(depends or [])], subdir=SUBDIR)
