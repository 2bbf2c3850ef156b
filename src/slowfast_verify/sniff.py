"""Tells what a checkpoint file is, and whether all of it is there, without unpickling anything.

Called by the checkpoint suite, by zoo.py after each download and by the command line; runs on the host; may import the
standard library, pydantic and pickled.py. `sniff` never raises, never executes what a file says, reads a file at most twice
and keeps little of it in memory, whatever the file is.

What can be known: a torch zip and a TorchScript file carry a CRC for every member, so any flipped byte in a tensor shows.
A torch legacy file and a caffe2 pickle carry none: their structure and their length are checked to the byte, the numbers
inside their tensors cannot be.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import tarfile
from pathlib import Path
from typing import BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict

from .archive import Members, read_members
from .pickled import Broken, Row, Storage, Table, Torn, Walk

Kind = Literal[
    "torch zip",
    "torch legacy",
    "caffe2 pickle",
    "pickle",
    "torchscript",
    "zip archive",
    "web page",
    "git lfs pointer",
    "empty",
    "missing",
    "other",
]
Verdict = Literal["intact", "truncated", "damaged", "empty", "not a checkpoint"]

FOLDER: Final = "a folder"
SPECIAL: Final = "not a regular file"
MAGIC: Final = 0x1950A86A20F9469CFC6C  # torch's number for its stream of pickles
PROTOCOL: Final = 1001
LEGACY_START: Final = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."
OLD_PICKLES: Final = (b"(dp", b"}q")  # a dict in protocol 0 and 1, which name no protocol
ZIP_START: Final = b"PK\x03\x04"
LFS_START: Final = b"version https://git-lfs.github.com/spec/"
WEB_STARTS: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<?xml", b"<!--", b"<error")
OTHER_STARTS: Final = {
    b"\x1f\x8b": "gzip data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x89HDF": "an HDF5 file (Keras, TensorFlow)",
    b"{": "JSON text",
}
ELEMENT_BYTES: Final = {
    **dict.fromkeys(("Byte", "Char", "Bool", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4", "Untyped"), 1),
    **dict.fromkeys(("Half", "BFloat16", "Short"), 2),
    **dict.fromkeys(("Float", "Int", "QInt32"), 4),
    **dict.fromkeys(("Double", "Long", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}
PLAIN_IMPORTS: Final = re.compile(
    r"torch\._utils\._rebuild_\w+|torch(\.cuda)?\.\w*Storage|torch\.(Size|Tensor|device|bool|(b?float|u?int|complex|q)\w+)|torch\.storage\.(_?TypedStorage|UntypedStorage)"
    r"|torch\.nn\.parameter\.Parameter|collections\.(OrderedDict|defaultdict|Counter)|_codecs\.encode"
    r"|numpy\.(ndarray|dtype)|numpy\.(_)?core\.(multiarray|numeric)\.(_reconstruct|scalar|_frombuffer)"
    r"|(__builtin__|builtins)\.(set|frozenset|bytearray|complex|int|float|bool|dict|list|tuple)"
)


class Sniffed(BaseModel):
    """What a file is. `checkpoint_type` is the value that TRAIN/TEST.CHECKPOINT_TYPE needs for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    verdict: Verdict
    detail: str
    size: int
    advice: str
    checkpoint_type: Literal["pytorch", "caffe2"] | None = None
    keys: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()

    @property
    def loads(self) -> bool:
        """SlowFast's own loader will find what it looks for."""
        wanted = {"pytorch": "model_state", "caffe2": "blobs"}.get(self.checkpoint_type or "")
        return self.verdict == "intact" and wanted in self.keys

    @property
    def unsafe(self) -> str:
        """Why nobody should open it, with torch or with pickle; empty where loading it builds nothing but weights."""
        if self.imports:
            return f"loading it would import and may run {', '.join(self.imports[:6])}, which no weights need"
        if self.verdict != "intact" or self.checkpoint_type is None:
            return f"what a {self.kind} that is {self.verdict} would run when it is loaded is not known"
        return ""


def sniff(path: str | os.PathLike[str]) -> Sniffed:
    """Say what the file at `path` is; every failure to read it is an answer too."""
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = FOLDER if stat.S_ISDIR(status.st_mode) else SPECIAL
            return _answer(path, "other", "not a checkpoint", what, 0)
        with path.open("rb") as stream:
            return _sniff(path, stream, status.st_size)
    except FileNotFoundError:
        return _answer(path, "missing", "not a checkpoint", "there is no such file", 0)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        return _answer(path, "missing", "not a checkpoint", f"the file cannot be read: {error}", 0)
    except Exception as error:  # contract: whatever a hostile file does to a parser, the caller gets an answer
        return _answer(path, "other", "damaged", f"reading it ended in {type(error).__name__}", 0)


def _sniff(path: Path, stream: BinaryIO, size: int) -> Sniffed:
    head = stream.read(4096)
    stream.seek(0)
    if not head:
        return _answer(path, "empty", "empty", "the file has no content", 0)
    if head.startswith(ZIP_START[: max(1, min(4, len(head)))]):
        return _zip(path, stream, size)
    if head.startswith(LEGACY_START) or (len(head) > 2 and LEGACY_START.startswith(head)):
        return _legacy(path, stream, size)
    if head.startswith(OLD_PICKLES) or (head[0] == 0x80 and (len(head) == 1 or 1 <= head[1] <= 5)):
        return _pickle(path, stream, size)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(WEB_STARTS):
        title = re.search(rb"<title[^>]*>\s*([^<]{1,80})", head, re.IGNORECASE)
        named = f' titled "{title[1].decode("utf-8", "replace").strip()}"' if title else ""
        return _answer(path, "web page", "not a checkpoint", f"a web page{named} was saved instead of the file", size)
    if head.startswith(LFS_START):
        promised = re.search(rb"\nsize (\d{1,18})\n", head)
        of = f" of the {int(promised[1]):,} bytes" if promised else ""
        return _answer(path, "git lfs pointer", "not a checkpoint", f"the pointer{of}, not the file itself", size)
    what = next((name for start, name in OTHER_STARTS.items() if head.startswith(start)), "")
    if not what:
        what = "nothing but zero bytes at its start" if not head.strip(b"\0") else f"it starts with {head[:8]!r}"
    return _answer(path, "other", "not a checkpoint", what, size)


def _zip(path: Path, stream: BinaryIO, size: int) -> Sniffed:
    members = read_members(stream, size)
    kind: Kind = _zip_kind(members)
    if members.verdict != "intact":
        return _answer(path, kind, members.verdict, members.detail, size)
    if kind == "zip archive":
        return _answer(path, kind, "not a checkpoint", f"it holds {', '.join(members.shown)}", size)
    if kind == "torchscript":
        return _answer(path, kind, "intact", "a compiled model: SlowFast loads weights only", size)
    try:
        walk = _walked(members.description, len(members.description.getbuffer()))
    except (Torn, Broken) as error:
        return _answer(path, kind, "damaged", f"data.pkl: {str(error) or 'it ends too early'}", size)
    for storage in walk.storages.values():
        expected = _bytes_of(storage)
        if expected is None:
            return _answer(path, kind, "damaged", f"tensor data of unknown type {storage.type_name[:40]!r}", size)
        held = members.sizes.get(f"data/{storage.key}", -1)
        if held < expected:
            missing = "is missing" if held < 0 else f"has {held:,} bytes instead of {expected:,}"
            return _answer(path, kind, "damaged", f"the tensor data {storage.key!r} {missing}", size)
    return _whole(path, "torch zip", walk, size, members.detail)


def _zip_kind(members: Members) -> Kind:
    names = set(members.names)
    if any(name.startswith("code/") for name in names) or "constants.pkl" in names:
        return "torchscript"
    if members.verdict == "intact":
        return "torch zip" if "data.pkl" in names else "zip archive"
    # Cut off: only the first name is known. torch.save begins with data.pkl, torch.jit.save with the tensors.
    if not names or names & {"", "data.pkl", "version", "byteorder"}:
        return "torch zip"
    return "torchscript" if any(name.startswith("data/") for name in names) else "zip archive"


def _legacy(path: Path, stream: BinaryIO, size: int) -> Sniffed:
    kind: Kind = "torch legacy"
    if _is_tar(stream):
        return _answer(path, kind, "damaged", "it is a tar archive as well, and torch would read that instead", size)
    try:
        _walked(stream, size)  # the magic number, which brought us here
        protocol, machine, walk, keys = (_walked(stream, size) for _ in range(4))
        if protocol.root != PROTOCOL:
            raise Broken("a protocol that torch never had")
        if not isinstance(machine.root, Table):
            raise Broken("no description of the machine that wrote it")
        for other in (protocol, machine, keys):  # torch unpickles all four
            walk.names.update(other.names)
        order = keys.root
        if not isinstance(order, Row) or len(order.texts) != order.length or set(order.texts) != set(walk.storages):
            raise Broken("its list of tensors is not the one that its weights refer to")
        for key in order.texts:
            expected = _bytes_of(walk.storages[key])
            if expected is None:
                raise Broken(f"tensor data of unknown type {walk.storages[key].type_name[:40]!r}")
            count = stream.read(8)
            if len(count) < 8:
                raise Torn
            if int.from_bytes(count, "little") != walk.storages[key].count:
                raise Broken("a tensor whose length is told in two ways")
            if expected > size - stream.tell():
                raise Torn(f"a tensor needs {expected - (size - stream.tell()):,} more bytes than there are")
            stream.seek(expected, os.SEEK_CUR)
    except Torn as error:
        return _answer(path, kind, "truncated", f"it ends too early; {error}" if str(error) else "it ends too early", size)
    except Broken as error:
        return _answer(path, kind, "damaged", str(error), size)
    if size > stream.tell():
        return _answer(path, kind, "damaged", f"{size - stream.tell():,} bytes follow its end", size)
    return _whole(path, kind, walk, size, "its structure and length are right; the format has no checksum")


def _is_tar(stream: BinaryIO) -> bool:
    """Whether the first block is the header of a tar archive: torch.load looks for one before it looks for a legacy file."""
    block = stream.read(tarfile.BLOCKSIZE)
    stream.seek(0)
    try:
        tarfile.TarInfo.frombuf(block, "latin-1", "replace")
    except tarfile.HeaderError:
        return False
    return True


def _pickle(path: Path, stream: BinaryIO, size: int) -> Sniffed:
    walk = Walk(stream, size)
    try:
        walk.run()
    except (Torn, Broken) as error:
        kind: Kind = "caffe2 pickle" if "blobs" in walk.texts_seen else "pickle"
        if isinstance(error, Torn):
            return _answer(path, kind, "truncated", "the pickle has no end", size)
        return _answer(path, kind, "damaged", f"no writer makes such a pickle: {error}", size)
    if isinstance(walk.root, Table) and "blobs" in walk.root.keys:
        if walk.left:
            return _answer(path, "caffe2 pickle", "damaged", f"{walk.left:,} bytes follow its end", size)
        return _whole(path, "caffe2 pickle", walk, size, "its structure and length are right; the format has no checksum")
    keys = ", ".join(walk.root.keys[:6]) if isinstance(walk.root, Table) else ""
    has = f"a dict with the keys {keys}" if keys else "no dict"
    return _answer(path, "pickle", "not a checkpoint", f"a pickle that holds {has}, without 'blobs'", size)


def _walked(stream: BinaryIO, size: int) -> Walk:
    return Walk(stream, size - stream.tell()).run()


def _bytes_of(storage: Storage) -> int | None:
    element = ELEMENT_BYTES.get(storage.type_name.removesuffix("Storage"))
    return None if element is None or storage.count < 0 else element * storage.count


def _whole(path: Path, kind: Kind, walk: Walk, size: int, detail: str) -> Sniffed:
    keys = tuple(walk.root.keys[:32]) if isinstance(walk.root, Table) else ()
    names = (f"{name.module}.{name.name}" for name in walk.names)
    imports = tuple(name for name in names if not PLAIN_IMPORTS.fullmatch(name))[:16]
    if kind != "caffe2 pickle" and "model_state" not in keys:
        detail += "; it has no key 'model_state', which SlowFast's loader asks for"
    if imports:
        detail += f"; loading it imports {', '.join(imports[:3])}, which torch >= 2.6 refuses"
    return _answer(path, kind, "intact", detail, size, keys, imports)


def _answer(
    path: Path,
    kind: Kind,
    verdict: Verdict,
    detail: str,
    size: int,
    keys: tuple[str, ...] = (),
    imports: tuple[str, ...] = (),
) -> Sniffed:
    types: dict[Kind, Literal["pytorch", "caffe2"]] = {
        "torch zip": "pytorch",
        "torch legacy": "pytorch",
        "caffe2 pickle": "caffe2",
    }
    known = types.get(kind)
    name = shlex.quote(path.name)
    if verdict == "intact" and known == "pytorch" and "model_state" not in keys:
        advice = f"wrap it once, in the environment: torch.save({{'model_state': torch.load({path.name!r})}}, 'wrapped.pyth')"
    elif verdict == "intact" and known:
        # Both: the demo reads one of them and the other decides about the conversion (SlowFast #170, #354).
        advice = f"--opts TEST.CHECKPOINT_FILE_PATH {name} TEST.CHECKPOINT_TYPE {known} TRAIN.CHECKPOINT_TYPE {known}"
    elif verdict == "truncated":
        advice = f"curl -fL -C - -o {shlex.quote(str(path))} ADDRESS"  # goes on where it stopped
    elif kind == "web page":
        advice = f"open the address in a browser (login, proxy, confirmation?), then curl -fL -o {name} ADDRESS"
    elif kind == "git lfs pointer":
        advice = f"git lfs pull --include {name}"
    elif kind == "torchscript":
        advice = "ask for the state dict: torch.save({'model_state': model.state_dict()}, 'weights.pyth') where it was made"
    elif kind == "zip archive":
        advice = f"unzip {name}, and give the checkpoint inside"
    elif detail == "gzip data":
        advice = f"gunzip -c {name} > unpacked, then ask again about unpacked (it may be a tar archive; SlowFast #98)"
    elif kind == "pickle" and verdict == "not a checkpoint":
        advice = "a Detectron2 weight file belongs into DEMO.DETECTRON2_WEIGHTS, not into CHECKPOINT_FILE_PATH"
    elif kind == "other" and detail in (FOLDER, SPECIAL):
        advice = f"ls -l {shlex.quote(str(path))}, and name the file itself"
    elif kind == "missing":
        advice = f"ls -l {shlex.quote(str(path.parent))}, and mend the path"
    else:
        advice = f"download it again, from its beginning: curl -fL -o {name} ADDRESS"
    return Sniffed(
        kind=kind,
        verdict=verdict,
        detail=detail,
        size=size,
        advice=advice,
        checkpoint_type=known,
        keys=keys,
        imports=imports,
    )
