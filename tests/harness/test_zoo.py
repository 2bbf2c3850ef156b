"""The table of published files is sound, and what is fetched is what its row says: weights, a clip, labels."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from slowfast_verify.data import load
from slowfast_verify.errors import Problem
from slowfast_verify.zoo import Clip, Labels, Zoo, find, place, zoo

from .fetching import get
from .scripted_site import Site, cut


def test_every_row_has_a_place_of_its_own() -> None:
    """Two published files share a basename more than once: none of them takes the other's place in the cache."""
    places = [place(entry) for entry in zoo().entries]
    assert len(set(places)) == len(places) > 70


def test_the_type_follows_from_the_ending_except_where_upstream_says_otherwise() -> None:
    """A .pyth file is a torch file; a .pkl file is one only in the two rows whose issues upstream say so."""
    rows = [row for row in zoo().weights if not row.by_hand]
    assert all(row.checkpoint_type == "pytorch" for row in rows if row.address.endswith(".pyth"))
    torch_in_pkl = {row.name for row in rows if row.address.endswith(".pkl") and row.checkpoint_type == "pytorch"}
    assert torch_in_pkl == {"ava/SLOWFAST_32x2_R101_50_50", "ava/SLOWFAST_64x2_R101_50_50"}


def test_the_documented_clip_is_there_with_its_label() -> None:
    """The demo suite finds the archery clip and what a Kinetics model says about it."""
    clip = find("clips/archery")
    assert isinstance(clip, Clip) and clip.top_label == "archery"


def test_a_misspelt_name_is_answered_with_the_right_one() -> None:
    """The nearest name is suggested."""
    with pytest.raises(Problem, match="did you mean 'kinetics400/SLOWFAST_8x8_R50'"):
        find("kinetics400/SLOWFAST_8x8_R5")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("acuracy = { top1 = 77.0 }", "acuracy"),
        ("accuracy = { top1 = 770.0 }", "top1"),
        ("accuracy = {}", "accuracy"),
        ('sha256 = "abc"', "sha256"),
        ('checkpoint_type = "torch"', "checkpoint_type"),
        ('name = "../x"', "name"),
        ('name = "a/../../x"', "name"),
    ],
)
def test_a_broken_row_names_its_key(tmp_path: Path, line: str, word: str) -> None:
    """An unknown key, a value out of range, or a name that leads out of the cache is an error that says where."""
    row = {"name": "a/b", "address": "https://example.org/b.pkl", "config": "c", "dataset": "d", "source": "s"}
    lines = [f'{key} = "{value}"' for key, value in row.items() if not line.startswith(key)]
    path = tmp_path / "zoo.toml"
    path.write_text("\n".join(['revision = "x"', "clips = []", "labels = []", "[[weights]]", *lines, line]))
    with pytest.raises(Problem) as caught:
        load(path, Zoo)
    assert word in caught.value.where and "zoo.toml" in caught.value.where


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


VIDEO = box(b"ftyp", b"isom") + box(b"mdat", bytes(500)) + box(b"moov", bytes(40))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (VIDEO, ""),
        (VIDEO[:-1], "cut off"),
        (VIDEO[:-48], "no index"),
        (b"\0\0\0\0" * 9, "no MP4"),
        (b"<html>", "web page"),
    ],
)
def test_a_clip_is_whole_or_refused(web: Site, tmp_path: Path, data: bytes, word: str) -> None:
    """The boxes of an MP4 file must fill it to the byte and hold an index."""
    clip = Clip(name="clips/x", address=web.url("x.mp4"), source="a test", top_label="archery")
    web.says(cut(data, len(data), told=False))
    if not word:
        assert get(clip, tmp_path).path.read_bytes() == data
    else:
        with pytest.raises(Problem, match=word):
            get(clip, tmp_path)


@pytest.mark.parametrize(
    ("data", "good"),
    [(json.dumps({"archery": 5}).encode(), True), (b'{"archery": 5', False), (b"[1]", False), (b"[" * 100_000, False)],
    ids=["a table", "cut off", "a list", "a tower"],
)
def test_labels_are_a_table_or_refused(web: Site, tmp_path: Path, data: bytes, good: bool) -> None:
    """Labels are JSON from name to index; half of it, or something else, is refused."""
    labels = Labels(name="labels/x", address=web.url("x.json"), source="a test", dataset="k400")
    web.says(cut(data, len(data), told=False))
    if good:
        assert get(labels, tmp_path).sniffed is None
    else:
        with pytest.raises(Problem):
            get(labels, tmp_path)
