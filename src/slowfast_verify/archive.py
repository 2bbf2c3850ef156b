"""The members of a zip file that may be a checkpoint: is the directory whole, and does each member match its CRC.

Called by sniff.py only; runs on the host; may import the standard library. Before zipfile sees a file, its directory is
measured here: zipfile would load a directory of any size, and its members may claim to expand to anything.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

MAX_DIRECTORY: Final = 4 << 20  # about 40,000 tensors
MAX_EXPANDED: Final = 256 << 20  # torch stores tensors as they are; only TorchScript compresses, and only its code
MAX_DESCRIPTION: Final = 64 << 20
CHUNK: Final = 1 << 20
END: Final = b"PK\x05\x06"
END64: Final = b"PK\x06\x06"
LOCATOR64: Final = b"PK\x06\x07"

Verdict = Literal["intact", "truncated", "damaged", "not a checkpoint"]


@dataclass(frozen=True)
class Members:
    """`names` and `sizes` leave out the folder that torch puts everything into; `description` is data.pkl."""

    verdict: Verdict
    detail: str
    names: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    description: io.BytesIO = field(default_factory=io.BytesIO)


class _Refused(Exception):
    """What is wrong with the archive, and its verdict."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(detail)
        self.verdict: Verdict = verdict


def read_members(stream: BinaryIO, size: int) -> Members:
    """Check all of a zip file, reading each stored byte at most once."""
    names: tuple[str, ...] = (_first_name(stream),)
    try:
        _measure_directory(stream, size)
        with zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            names = tuple(_inner(info.filename) for info in infos)
            shown = tuple(info.filename for info in infos[:4])
            if "data.pkl" not in names:
                return Members("intact", "", names, shown)
            _refuse_ambiguity(infos)
            _refuse_bombs(infos, size)
            # Only a whole archive of zeros was written without: one zero among others is a damaged entry.
            checked = any(info.CRC for info in infos)  # torch.serialization.set_crc32_options(False)
            for info in infos:
                _read(archive, info, checked)
            description = _description(archive, stream, infos, checked)
    except _Refused as refused:
        return Members(refused.verdict, str(refused), names)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError) as error:
        return Members("damaged", f"the archive is inconsistent: {str(error)[:160]}", names)
    detail = "every checksum is right" if checked else "written without checksums: only its structure was checked"
    return Members("intact", detail, names, shown, {_inner(i.filename): i.file_size for i in infos}, description)


def _inner(name: str) -> str:
    return name.partition("/")[2]


def _first_name(stream: BinaryIO) -> str:
    """The name in the first local header: all that a cut-off archive tells about itself."""
    stream.seek(0)
    header = stream.read(30)
    length = int.from_bytes(header[26:28], "little")
    name = stream.read(min(length, 512))
    return _inner(name.decode("utf-8", "replace")) if len(name) == length else ""


def _measure_directory(stream: BinaryIO, size: int) -> None:
    """The directory ends where the file ends, and is of a size that a checkpoint needs."""
    start = max(0, size - 22 - 0xFFFF)
    stream.seek(start)
    tail = stream.read(22 + 0xFFFF)
    at = tail.rfind(END)
    while at >= 0 and start + at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") != size:
        at = tail.rfind(END, 0, at)
    if at < 0 or len(tail) < at + 22:
        raise _Refused("truncated", "the directory at its end is missing")
    ends_at = start + at
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    offset = int.from_bytes(tail[at + 16 : at + 20], "little")
    if at >= 20 and tail[at - 20 : at - 16] == LOCATOR64:
        ends_at = int.from_bytes(tail[at - 12 : at - 4], "little")
        stream.seek(min(ends_at, size))
        record = stream.read(56)
        if record[:4] != END64 or len(record) < 56:
            raise _Refused("damaged", "the directory is not where the end of the file says")
        length = int.from_bytes(record[40:48], "little")
        offset = int.from_bytes(record[48:56], "little")
    if offset + length != ends_at:
        raise _Refused("damaged", "the directory is not where the end of the file says")
    if length > MAX_DIRECTORY:
        raise _Refused("not a checkpoint", f"its directory alone has {length:,} bytes")
    stream.seek(0)


def _refuse_ambiguity(infos: list[zipfile.ZipInfo]) -> None:
    """torch's reader looks names up without regard to case, below the folder of the first member: what it finds must be what we see."""
    seen = [info.filename.lower() for info in infos]
    if len(set(seen)) < len(seen):
        raise _Refused("damaged", "two members have one name")
    if len({name.partition("/")[0] for name in seen}) > 1:
        raise _Refused("damaged", "its members lie in more than one folder")


def _refuse_bombs(infos: list[zipfile.ZipInfo], size: int) -> None:
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise _Refused("not a checkpoint", "compressed in a way that torch does not know")
    expanded = sum(info.file_size for info in infos if info.compress_type == zipfile.ZIP_DEFLATED)
    if expanded > MAX_EXPANDED or sum(info.compress_size for info in infos) > size:
        raise _Refused("not a checkpoint", f"its members claim to expand to {sum(i.file_size for i in infos):,} bytes")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, checked: bool) -> None:
    """zipfile compares the CRC when the end of a member is reached."""
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise _Refused("damaged", f"{info.filename[:80]!r} has two lengths")
    try:
        with archive.open(info) as member:
            while checked and member.read(CHUNK):
                pass
    except zipfile.BadZipFile as error:
        reason = "does not match its checksum" if "CRC" in str(error) else f"is damaged ({str(error)[:80]})"
        raise _Refused("damaged", f"{info.filename[:80]!r} {reason}") from None


def _description(archive: zipfile.ZipFile, stream: BinaryIO, infos: list[zipfile.ZipInfo], checked: bool) -> io.BytesIO:
    info = next(info for info in infos if _inner(info.filename) == "data.pkl")
    if info.file_size > MAX_DESCRIPTION:
        raise _Refused("damaged", f"data.pkl has {info.file_size:,} bytes: far more than a description of weights needs")
    if checked:
        return io.BytesIO(archive.read(info))
    stream.seek(info.header_offset + 26)  # zipfile would insist on the CRC that was never written
    lengths = stream.read(4)
    skipped = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    stream.seek(skipped, io.SEEK_CUR)
    return io.BytesIO(stream.read(info.file_size))
