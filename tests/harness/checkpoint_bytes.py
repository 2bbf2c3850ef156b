"""Tiny checkpoints assembled opcode by opcode, for tests that have no torch: nothing here pickles or unpickles an object.

Compared by hand with torch 1.8.0 (Python 3.8) and torch 2.13.0 (Python 3.11) and with numpy 1.23.5 and 2.4.6: both torch load
`torch_zip` and `torch_legacy` (the second one also with weights_only=True) and give the values back, `pickle.load(...,
encoding="latin1")` gives the arrays of `caffe2`, and what both torch.save write sniffs as the same kinds.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass

MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
Shapes = dict[str, int]  # tensor name to number of floats


@dataclass(frozen=True)
class Made:
    """The bytes of a file, and where in it the numbers of the tensors lie."""

    data: bytes
    tensors: tuple[range, ...]


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def items(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def table(pairs: dict[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in pairs.items()) + b"u"


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def floats(count: int, start: int) -> bytes:
    return struct.pack(f"<{count}f", *(0.5 + start + i for i in range(count)))


def tensor(key: str, count: int, legacy: bool, kind: str = "FloatStorage") -> bytes:
    identity = [text("storage"), name("torch", kind), text(key), text("cpu"), number(count), *([b"N"] if legacy else [])]
    hooks = name("collections", "OrderedDict") + b")R"
    rebuilt = items(items(*identity) + b"Q", number(0), items(number(count)), items(number(1)), b"\x89", hooks)
    return name("torch._utils", "_rebuild_tensor_v2") + rebuilt + b"R"


def state(shapes: Shapes, legacy: bool, extra: dict[str, bytes] | None = None, kind: str = "FloatStorage") -> bytes:
    """What SlowFast saves: epoch, model_state, cfg as text."""
    weights = {key: tensor(str(i), count, legacy, kind) for i, (key, count) in enumerate(shapes.items())}
    return table({"epoch": number(3), "model_state": table(weights), "cfg": text("A: 1\n"), **(extra or {})})


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, compress_type=compression)
    return buffer.getvalue()


def torch_members(shapes: Shapes, description: bytes | None = None) -> dict[str, bytes]:
    body = pickled(state(shapes, legacy=False)) if description is None else description
    data = {f"archive/data/{i}": floats(count, i) for i, count in enumerate(shapes.values())}
    return {"archive/data.pkl": body, **data, "archive/version": b"3\n"}


def torch_zip(shapes: Shapes) -> Made:
    data = zipped(torch_members(shapes))
    return Made(data, _places(data, shapes))


def torch_legacy(
    shapes: Shapes, described: Shapes | None = None, kind: str = "FloatStorage", extra: dict[str, bytes] | None = None
) -> Made:
    """`described`: what the pickle says, where it shall differ from the numbers that follow."""
    keys = b"](" + b"".join(text(str(i)) for i in range(len(shapes))) + b"e"
    about = table({"protocol_version": number(1001), "little_endian": b"\x88", "type_sizes": table({"int": number(4)})})
    parts = [MAGIC, number(1001), about, state(described or shapes, True, extra, kind), keys]
    data = b"".join(map(pickled, parts))
    tensors = []
    for i, count in enumerate(shapes.values()):
        data += struct.pack("<q", count)
        tensors.append(range(len(data), len(data) + 4 * count))
        data += floats(count, i)
    return Made(data, tuple(tensors))


def caffe2(shapes: Shapes) -> Made:
    """A dict with `blobs`, its arrays stored as Python 2 stored them: raw bytes in a string opcode."""
    blobs = {key: _array(floats(count, i), count) for i, (key, count) in enumerate(shapes.items())}
    data = pickled(table({"blobs": table(blobs), "cfg": text("A: 1\n")}))
    return Made(data, _places(data, shapes))


def torchscript() -> Made:
    code = {f"script/{part}": b"x" * 40 for part in ("data/0", "data.pkl", "code/__torch__.py", "constants.pkl", "version")}
    return Made(zipped(code), ())


def without_checksums(data: bytes) -> bytes:
    """What torch.serialization.set_crc32_options(False) leaves: every CRC is zero."""
    out = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        at = archive.start_dir
        for info in archive.infolist():
            out[info.header_offset + 14 : info.header_offset + 18] = bytes(4)
            out[at + 16 : at + 20] = bytes(4)
            at += 46 + sum(struct.unpack("<HHH", data[at + 28 : at + 34]))
    return bytes(out)


def _array(raw: bytes, count: int) -> bytes:
    byte_text = b"T" + struct.pack("<i", len(raw)) + raw
    empty = name("numpy.core.multiarray", "_reconstruct") + items(name("numpy", "ndarray"), items(number(0)), text("b")) + b"R"
    kind = name("numpy", "dtype") + items(text("f4"), number(0), number(1)) + b"R"
    kind += items(number(3), text("<"), b"N", b"N", b"N", number(-1), number(-1), number(0)) + b"b"
    return empty + items(number(1), items(number(count)), kind, b"\x89", byte_text) + b"b"


def _places(data: bytes, shapes: Shapes) -> tuple[range, ...]:
    raws = [floats(count, i) for i, count in enumerate(shapes.values())]
    return tuple(range(data.index(raw), data.index(raw) + len(raw)) for raw in raws)
