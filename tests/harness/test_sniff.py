"""The sniffer tells checkpoints apart and notices damage, and no file makes it raise, hang or execute anything."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast_verify import archive, pickled
from slowfast_verify import sniff as sniff_module
from slowfast_verify.sniff import Sniffed, sniff

from . import checkpoint_bytes as make

SHAPES = {"conv.weight": 24, "conv.bias": 5}
MAKERS: dict[str, Callable[[make.Shapes], make.Made]] = {
    "torch zip": make.torch_zip,
    "torch legacy": make.torch_legacy,
    "caffe2 pickle": make.caffe2,
}
shapes = st.dictionaries(st.text("abc.", min_size=1, max_size=4), st.integers(1, 40), min_size=1, max_size=4)
often = settings(max_examples=150, deadline=None)


@pytest.fixture(scope="session")
def look(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Sniffed]:
    """Sniff these bytes as a file."""
    path = tmp_path_factory.mktemp("sniff") / "some file.pyth"

    def put(data: bytes) -> Sniffed:
        path.write_bytes(data)
        return sniff(path)

    return put


Look = Callable[[bytes], Sniffed]


# -- what it is --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "value"), [("torch zip", "pytorch"), ("torch legacy", "pytorch"), ("caffe2 pickle", "caffe2")])
def test_a_whole_checkpoint_is_named_with_the_type_slowfast_needs(look: Look, kind: str, value: str) -> None:
    """Each of the three formats is intact, loads, and its advice sets CHECKPOINT_TYPE to the right value."""
    found = look(MAKERS[kind](SHAPES).data)
    assert (found.kind, found.verdict, found.checkpoint_type, found.loads) == (kind, "intact", value, True)
    assert f"TEST.CHECKPOINT_TYPE {value} TRAIN.CHECKPOINT_TYPE {value}" in found.advice


def test_torchscript_is_no_checkpoint_type(look: Look) -> None:
    """A compiled model is told apart from a torch zip although both are zip files with a data.pkl."""
    found = look(make.torchscript().data)
    assert (found.kind, found.verdict, found.checkpoint_type) == ("torchscript", "intact", None)


@pytest.mark.parametrize(
    ("data", "kind", "word"),
    [
        (b"\n <!DOCTYPE html><html><head><title>Sign in</title>", "web page", "Sign in"),
        (b"\xef\xbb\xbf<html>", "web page", "web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "web page", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3300000\n", "git lfs pointer", "3,300,000"),
        (b"", "empty", "no content"),
        (bytes(5000), "other", "zero bytes"),
        (gzip.compress(b"x" * 500, mtime=0), "other", "gzip"),
        (make.pickled(make.table({"model": b"N", "__author__": b"N"})), "pickle", "__author__"),
        (make.zipped({"a.txt": b"x"}), "zip archive", "a.txt"),
        (b"(dp0\nS'model'\np1\nS'" + b"x" * 70_000 + b"'\np2\ns.", "pickle", "model"),
        (b"\x00\x00\x00\x20ftypisom", "other", "ftyp"),
    ],
)
def test_what_is_no_checkpoint_is_named(look: Look, data: bytes, kind: str, word: str) -> None:
    """A file that is something else is called by its name, never intact, and says what shows it."""
    found = look(data)
    assert (found.kind, found.verdict in ("empty", "not a checkpoint"), found.loads) == (kind, True, False)
    assert word in found.detail


def test_a_path_without_a_file_is_an_answer(tmp_path: Path) -> None:
    """A missing file, a folder and a path that no system accepts are answers, not exceptions."""
    assert sniff(tmp_path / "nothing.pyth").kind == "missing"
    assert sniff(tmp_path).detail == "a folder" and "ls -l" in sniff(tmp_path).advice
    assert sniff("a\0b").verdict == "not a checkpoint"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening a named pipe would block for ever: it is refused unopened."""
    os.mkfifo(tmp_path / "pipe")
    assert sniff(tmp_path / "pipe").detail == "not a regular file"


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
@often
@given(shapes=shapes, where=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_truncated(look: Look, kind: str, shapes: make.Shapes, where: float) -> None:
    """Whatever byte a download stops at, the verdict is truncated (or empty), in all three formats."""
    data = MAKERS[kind](shapes).data
    cut = data[: int(where * len(data))]
    assert look(cut).verdict == ("truncated" if cut else "empty")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_cut_file_still_tells_its_kind(look: Look, kind: str) -> None:
    """Half of a file is enough to say what it is half of."""
    data = MAKERS[kind](SHAPES).data
    assert look(data[: len(data) // 2]).kind == kind


@often
@given(shapes=shapes, where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_flip_in_a_tensor_of_a_zip_is_damage(look: Look, shapes: make.Shapes, where: float, mask: int) -> None:
    """torch loads such a file without an error; the checksum of the zip member does not match."""
    made = make.torch_zip(shapes)
    inside = [i for places in made.tensors for i in places]
    assert look(_flipped(made.data, inside[int(where * len(inside))], mask)).verdict == "damaged"


@often
@given(shapes=shapes, where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_flip_in_a_legacy_file_is_seen_or_changes_no_length(look: Look, shapes: make.Shapes, where: float, mask: int) -> None:
    """After a flip that is not seen, the file still names the same tensors' lengths: only their numbers can be wrong."""
    made = make.torch_legacy(shapes)
    at = int(where * len(made.data))
    found = look(_flipped(made.data, at, mask))
    lengths = [i for places in made.tensors for i in range(places.start - 8, places.start)]
    assert not (at in lengths and found.verdict == "intact")


@pytest.mark.parametrize("kind", MAKERS)
@often
@given(where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.integers(0, 40))
def test_no_damage_makes_it_raise(look: Look, kind: str, where: float, mask: int, cut: int) -> None:
    """A flip anywhere together with a cut gives an answer; the contract's last resort is not what gives it."""
    data = MAKERS[kind](SHAPES).data
    found = look(_flipped(data, int(where * len(data)), mask)[: len(data) - cut])
    assert "reading it ended in" not in found.detail


@often
@given(
    start=st.sampled_from([b"", b"\x80", b"\x80\x02", b"PK", b"PK\x03\x04", b"\x80\x02" + make.MAGIC + b".", b"<", b"}q\x01"]),
    rest=st.binary(max_size=400),
    end=st.sampled_from([b"", b"PK\x05\x06" + bytes(18), b"."]),
)
def test_random_bytes_are_never_intact(look: Look, start: bytes, rest: bytes, end: bytes) -> None:
    """Noise behind a true beginning, before a true end or alone is answered, and never taken for a checkpoint."""
    found = look(start + rest + end)
    assert found.verdict != "intact" and "reading it ended in" not in found.detail


def test_bytes_after_the_end_are_damage(look: Look) -> None:
    """A legacy or caffe2 file that is longer than its own description was tampered with, or two downloads were joined."""
    for kind in ("torch legacy", "caffe2 pickle"):
        assert look(MAKERS[kind](SHAPES).data + b"\0" * 7).detail.startswith("7 bytes follow")


def test_two_downloads_joined_are_damage(look: Look) -> None:
    """A zip file is read from its end, so the second of two would hide the first: the directory must account for all of it."""
    assert look(make.torch_zip(SHAPES).data * 2).verdict == "damaged"


@pytest.mark.parametrize("body", [b"t", b"h\x05", b"", b"K\x01Q", b"}NN\x93", b"L5x\n"])
def test_a_pickle_that_no_writer_makes_is_damage(look: Look, body: bytes) -> None:
    """A missing mark, a reference to nothing, an empty stack, an id that is not torch's, an import or a number that is none."""
    assert look(make.pickled(body)).verdict == "damaged"


def test_a_length_told_in_two_ways_is_damage(look: Look) -> None:
    """In a legacy file the pickle and the data must name the same number of elements."""
    assert look(make.torch_legacy(SHAPES, described={**SHAPES, "conv.bias": 6}).data).verdict == "damaged"


def test_a_tensor_that_the_list_leaves_out_is_damage(look: Look) -> None:
    """A legacy file lists the tensors whose numbers follow: its weights may refer to no other."""
    assert look(make.torch_legacy(SHAPES, described={**SHAPES, "more": 3}).data).verdict == "damaged"


def test_another_protocol_is_damage(look: Look) -> None:
    """torch has written 1001 and nothing else since the legacy format exists."""
    assert "protocol" in look(make.torch_legacy(SHAPES).data.replace(make.number(1001), make.number(1002), 1)).detail


@pytest.mark.parametrize("legacy", [True, False])
def test_an_element_type_that_does_not_exist_is_damage(look: Look, legacy: bool) -> None:
    """A flip inside the name of a storage type leaves a name of no known size."""
    body = make.pickled(make.state(SHAPES, legacy=False, kind="FlobtStorage"))
    zipped = make.zipped(make.torch_members(SHAPES, body))
    found = look(make.torch_legacy(SHAPES, kind="FlobtStorage").data if legacy else zipped)
    assert found.verdict == "damaged" and "FlobtStorage" in found.detail


@pytest.mark.parametrize("content", [None, b"\0" * 8])
def test_a_zip_that_lacks_tensor_data_is_damage(look: Look, content: bytes | None) -> None:
    """Every checksum may be right and a tensor still be missing or too short: data.pkl says how long it must be."""
    members = make.torch_members(SHAPES)
    del members["archive/data/0"]
    if content is not None:
        members["archive/data/0"] = content
    found = look(make.zipped(members))
    assert found.verdict == "damaged" and "'0'" in found.detail


def test_a_zip_whose_description_ends_too_early_is_damage(look: Look) -> None:
    """Its checksum is right, and still no pickle is in it: the detail says which member and what is wrong with it."""
    found = look(make.zipped(make.torch_members(SHAPES, b"\x80\x02}")))
    assert (found.verdict, found.detail) == ("damaged", "data.pkl: it ends too early")


def test_a_zip_written_without_checksums_is_not_called_damaged(look: Look) -> None:
    """torch can leave the checksums out; the answer then says that only the structure was checked."""
    found = look(make.without_checksums(make.torch_zip(SHAPES).data))
    assert found.verdict == "intact" and "without checksums" in found.detail


# -- what SlowFast would make of it ------------------------------------------------------------------------------------


def test_a_bare_state_dict_does_not_load(look: Look) -> None:
    """Whole, but without model_state, which SlowFast's loader asks for: the advice wraps it."""
    bare = make.table({key: make.tensor(str(i), n, False) for i, (key, n) in enumerate(SHAPES.items())})
    found = look(make.zipped(make.torch_members(SHAPES, make.pickled(bare))))
    assert (found.verdict, found.loads, found.keys) == ("intact", False, tuple(SHAPES))
    assert "model_state" in found.advice


def test_a_config_stored_as_an_object_is_named(look: Look) -> None:
    """torch >= 2.6 refuses a checkpoint whose cfg is a CfgNode: the import is in the answer before anyone loads it."""
    node = make.name("fvcore.common.config", "CfgNode") + b")R"
    assert look(make.torch_legacy(SHAPES, extra={"cfg2": node}).data).imports == ("fvcore.common.config.CfgNode",)


# -- hostile files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["torch zip", "torch legacy", "caffe2 pickle"])
def test_nothing_in_a_file_is_executed(look: Look, kind: str, tmp_path: Path) -> None:
    """A pickle that would create a file when loaded is read to its end, and the file does not exist."""
    marker = tmp_path / "executed"
    bomb = make.name("builtins", "open") + make.items(make.text(str(marker)), make.text("w")) + b"R"
    data = {
        "torch zip": make.zipped(make.torch_members(SHAPES, make.pickled(make.state(SHAPES, False, {"x": bomb})))),
        "torch legacy": make.torch_legacy(SHAPES, extra={"x": bomb}).data,
        "caffe2 pickle": make.pickled(make.table({"blobs": make.table({}), "x": bomb})),
    }[kind]
    found = look(data)
    assert found.imports == ("builtins.open",)
    assert not marker.exists()


def test_an_error_that_nobody_foresaw_is_an_answer(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a parser does on a hostile file, the caller gets a verdict."""

    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(sniff_module, "read_members", fails)
    found = look(make.torch_zip(SHAPES).data)
    assert (found.verdict, found.detail) == ("damaged", "reading it ended in MemoryError")


@pytest.mark.skipif(os.name == "nt", reason="NTFS would write out the gigabytes of a file with a hole")
def test_huge_files_take_little_memory(tmp_path: Path) -> None:
    """Arguments and tensors of gigabytes are stepped over: legacy and caffe2 files of 3 GB need less than 8 MB."""
    legacy = make.torch_legacy({"w": 3}, described={"w": 750_000_000}).data[:-20] + (750_000_000).to_bytes(8, "little")
    blob = b"\x80\x02}X\x05\0\0\0blobs\x8e" + (3_000_000_000).to_bytes(8, "little")
    tracemalloc.start()
    for start, end, kind in ((legacy, b"", "torch legacy"), (blob, b"s.", "caffe2 pickle")):
        with (tmp_path / "huge").open("wb") as file:
            file.write(start)
            file.seek(3_000_000_000, os.SEEK_CUR)
            file.truncate()
            file.write(end)
        found = sniff(tmp_path / "huge")
        assert (found.kind, found.verdict) == (kind, "intact")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_zip_bomb_is_refused_unread(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that claims to expand beyond the limit is not expanded: torch stores tensors as they are."""
    monkeypatch.setattr(archive, "MAX_EXPANDED", 1 << 20)
    members = {**make.torch_members(SHAPES), "archive/data/9": bytes(2 << 20)}
    found = look(make.zipped(members, zipfile.ZIP_DEFLATED))
    assert found.verdict == "not a checkpoint" and "claim to expand to 2," in found.detail


def test_a_pickle_without_an_end_is_given_up(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle of more operations than any checkpoint has ends the walk."""
    monkeypatch.setattr(pickled, "MAX_OPERATIONS", 10_000)
    assert "more than 10,000" in look(b"\x80\x02" + b"N0" * 10_000 + b"N.").detail


def test_a_tower_of_tuples_is_walked(look: Look) -> None:
    """Nesting a hundred thousand deep does not end in a RecursionError."""
    found = look(b"\x80\x02)" + b"\x85" * 100_000 + b".")
    assert (found.kind, found.verdict) == ("pickle", "not a checkpoint")


def test_lengths_beyond_the_file_are_not_believed(look: Look) -> None:
    """An argument that claims 2^62 bytes is a cut-off file, not an allocation."""
    assert look(b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"x").verdict == "truncated"


def _flipped(data: bytes, at: int, mask: int) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]
