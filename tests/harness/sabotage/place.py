"""Where a sabotage happens: an environment of its own, and the deeds that break it. A file is replaced, never written in place."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sysconfig
from pathlib import Path

from slowfast_verify import layout

from . import standin
from .sabotage import Deed, python_of_version

MACHINES = {"aarch64": 183, "i386": 3}  # e_machine of ELF


class Place:
    """Where a sabotage happens: an environment of its own, an empty folder to stand in, a folder for what else is needed."""

    def __init__(self, folder: Path, env: Path, checkout: Path | None = None) -> None:
        self.env, self.here, self.tmp = env, folder / "here", folder / "tmp"
        for path in (self.here, self.tmp):
            path.mkdir(parents=True, exist_ok=True)
        self.python = standin.python_of(env)
        self.site = next(iter(env.glob("lib/python*/site-packages")), env / "Lib" / "site-packages")
        version = self.site.parent.name.removeprefix("python")
        self.words = {
            "env": env, "site": self.site, "bin": self.python.parent, "here": self.here, "tmp": self.tmp, "python": self.python,
            "checkout": checkout or "", "version": version, "base": sysconfig.get_config_var("base"), "fixtures": layout.fixtures(),
        }  # fmt: skip

    def fill(self, text: str) -> str:
        """Put this place's paths into a text."""
        for word, value in self.words.items():
            text = text.replace(f"{{{word}}}", str(value))
        if "{python3" in text or "{python2" in text:
            version = text.partition("{python")[2].partition("}")[0]
            text = text.replace(f"{{python{version}}}", str(python_of_version(version)))
        return text

    def neutral(self, text: str) -> str:
        """A text with this place's paths taken out again."""
        for word in ("site", "python", "bin", "env", "here", "tmp", "checkout", "fixtures", "base"):
            text = text.replace(str(self.words[word]), f"{{{word}}}") if str(self.words[word]) else text
        return re.sub(r"/[^\s:,()]*pytest-of[^\s,()]*", "...", text)  # cut off where a title was too long

    def path(self, text: str) -> Path:
        """A path of this place."""
        return Path(self.fill(text))

    def carry_out(self, deed: Deed) -> None:
        """Do it. A file is replaced, never written in place: it may be a hard link."""
        if deed.write:
            self._write(self.path(deed.write), deed)
        if deed.append:
            self._replace(self.path(deed.append), self.path(deed.append).read_bytes() + self.fill(deed.text or "").encode())
        if deed.cut:
            self._replace(self.path(deed.cut), self.path(deed.cut).read_bytes()[: deed.keep])
        for pattern in deed.remove:
            self._remove(pattern)
        if deed.move:
            shutil.move(*map(self.path, deed.move))
        if deed.link:
            path, target = (self.fill(text) for text in deed.link)
            Path(path).unlink(missing_ok=True)
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).symlink_to(target)
        if deed.mode:
            self.path(deed.path).chmod(int(deed.mode, 8))
        if deed.elf:
            self._replace(self.path(deed.path), foreign_library(deed.elf))
        if deed.compiled:
            self._compile(self.path(deed.path), deed.compiled)
        if deed.distribution:
            standin.install(self.site, deed.distribution, deed.version, deed.files, [self.fill(row) for row in deed.requires])
        if deed.halve:
            content = self.path(deed.halve).read_bytes()
            self._replace(self.path(deed.halve), content[: len(content) // 2])
        for pattern in deed.names:
            self._borrow(deed.borrow, pattern)
        for number in range(deed.many):
            self.path(f"{deed.path}/{number:06d}.txt").touch()

    def _write(self, path: Path, deed: Deed) -> None:
        content = bytes.fromhex(deed.hex) if deed.hex is not None else bytes(deed.size or 0)
        if deed.text is not None:
            content = self.fill(deed.text).encode()
        self._replace(path, self.path(deed.like).read_bytes() if deed.like else content)
        if content.startswith(b"#!"):
            path.chmod(0o755)

    def _replace(self, path: Path, content: bytes) -> None:
        mode = path.stat().st_mode if path.is_file() else 0o644
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode & 0o777)

    def _remove(self, pattern: str) -> None:
        path = self.path(pattern)
        parts = path.relative_to("/").parts
        plain = next((number for number, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
        found = list(Path("/", *parts[:plain]).glob("/".join(parts[plain:]))) if plain < len(parts) else [path]
        assert found, f"nothing to remove: {pattern}"
        for one in found:
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()

    def _borrow(self, cell: str, pattern: str) -> None:
        (source,) = (layout.home() / "cells" / cell / "env").glob("lib/python*/site-packages")
        found = list(source.glob(pattern))
        assert found, f"{cell} has no {pattern}"
        for path in found:
            goal = self.site / path.relative_to(source)
            if path.is_dir():
                shutil.rmtree(goal, ignore_errors=True)
                shutil.copytree(path, goal, copy_function=os.link)
            else:
                self._replace(goal, path.read_bytes())

    def _compile(self, path: Path, source: str) -> None:
        include = subprocess.run([str(self.python), "-c", "import sysconfig; print(sysconfig.get_paths()['include'])"],
                                 capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", f"-I{include}", "-o", str(path), "-"], input=source.encode(), check=True)


def foreign_library(machine: str) -> bytes:
    """The head of a shared library for another processor: as much as the loader looks at before it refuses."""
    bits = 1 if machine == "i386" else 2
    ident = b"\x7fELF" + bytes([bits, 1, 1, 0]) + bytes(8)
    return ident + struct.pack("<HHIQQQIHHHHHH", 3, MACHINES[machine], 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0) + bytes(4096)
