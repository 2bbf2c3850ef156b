"""Every check of the decode rung can fail: on doctored answers, and on real readers that are given another clip."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.observe import observe

from .judging import answers, checks, of_cell, question_of, standing

DECODE = checks("decode")
EXPECTED = json.loads((layout.fixtures() / "expected.json").read_text(encoding="utf-8"))
COUNT = EXPECTED["clips"]["count"]
RIGHT = {"frames": 24, "numbers": list(range(24)), "mean_rgb": COUNT["mean_rgb"], "shape": [64, 64, 3], "version": "1.0"}


def judge(found: dict[str, Any]) -> list[str]:
    """What the three checks complain of when PyAV answers this."""
    said = []
    for check in (DECODE.test_reader_gives_every_frame, DECODE.test_reader_keeps_the_order, DECODE.test_reader_keeps_the_colours):
        try:
            check("pyav", answers(decode={"pyav": found}), EXPECTED)
        except AssertionError as error:
            said.append(str(error).partition("\n")[0])
    return said


def changed(**rows: Any) -> dict[str, Any]:
    """What is right, but for this."""
    return {**copy.deepcopy(RIGHT), **rows}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (changed(frames=23), "gives 23 frames of a clip that has 24"),
        (changed(shape=[32, 64, 3]), "frames of shape [32, 64, 3]"),
        (changed(numbers=[0, 0, *range(2, 24)]), "gives the frames [0, 0, 2"),
        (changed(numbers=list(range(23, -1, -1))), "gives the frames [23, 22"),
        (changed(mean_rgb=[row[::-1] for row in COUNT["mean_rgb"]]), "red and blue are exchanged"),
        (changed(mean_rgb=COUNT["mean_rgb"][:23]), "gives colours of 23 frames"),
        (changed(mean_rgb=[[60, 40, 40], *COUNT["mean_rgb"][1:]]), "frame 0 is [60, 40, 40], drawn as [40, 40, 40], 20.0 levels apart"),
        ({"error": {"type": "ModuleNotFoundError", "message": "No module named 'av'"}}, "pyav cannot read the clip: ModuleNotFoundError"),
    ],
)
def test_wrong_frames(found: dict[str, Any], words: str) -> None:
    """Too few frames, another size, a repeated one, the wrong order, exchanged colours, a colour off, and no reader at all: red."""
    assert judge(RIGHT) == []
    assert any(words in text for text in judge(found)), judge(found)


def test_reader_that_was_taken_away() -> None:
    """A torchvision without read_video is not verified; one that fails in another way is red."""
    gone = {"torchvision": {"error": {"type": "ImportError", "message": "cannot import name 'read_video' from 'torchvision.io' (x)"}}}
    with pytest.raises(NotVerifiable, match="no read_video any more"):
        DECODE.test_reader_keeps_the_order("torchvision", answers(decode=gone), EXPECTED)
    broken = {"torchvision": {"error": {"type": "ImportError", "message": "PyAV is not installed"}}}
    with pytest.raises(AssertionError, match="PyAV is not installed"):
        DECODE.test_reader_keeps_the_order("torchvision", answers(decode=broken), EXPECTED)


def test_data_set_without_frames() -> None:
    """A data set that returns None is red with what it printed, and so is one whose frames have another shape."""
    silent = {"backend": "torchvision", "shapes": None, "said": ["Failed to decode by torchvision with exception: No such operator x"]}
    with pytest.raises(AssertionError, match="torchvision, and raises nothing: Failed to decode"):
        DECODE.test_kinetics_data_set_gives_frames("default", answers(kinetics_reader_default=silent))
    with pytest.raises(AssertionError, match="have the shapes"):
        DECODE.test_kinetics_data_set_gives_frames("pyav", answers(kinetics_reader_pyav={**silent, "shapes": [[3, 8, 64, 64]]}))
    DECODE.test_kinetics_data_set_gives_frames("pyav", answers(kinetics_reader_pyav={**silent, "shapes": [[3, 2, 64, 64], [3, 8, 64, 64]]}))


@pytest.mark.heavy
@pytest.mark.parametrize("reader", DECODE.READERS)
def test_real_reader_with_another_clip(reader: str) -> None:
    """The real readers, put to a clip with other frames than the counting one, make all three checks red."""
    cell = standing("*-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5")
    other = {"expected": str(layout.fixtures() / "expected.json"), "path": str(layout.fixtures() / "clips" / "still.mp4")}
    question = question_of(cell, "torch_load").model_copy(update={"id": "decode", "probe": "decode", "args": other})
    facts = observe(of_cell(cell), [question])["decode"].facts
    assert facts
    said = judge(facts[reader])
    assert all(words in text for text, words in zip(said, ("gives 40 frames", "gives the frames [", "gives colours of 40"), strict=True)), (
        said
    )
