"""Rung decode: each video reader gives the frames that are in a clip, all of them, in their order and in their colours."""

import pytest

from slowfast_verify.errors import NotVerifiable

pytestmark = pytest.mark.batch("imports")
READERS = ["pyav", "opencv", "torchvision"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.question("decode")
def test_reader_gives_every_frame(reader, facts, expected):
    """The reader gives as many frames as the clip has, in the clip's size."""
    found, clip = read(facts("decode"), reader), expected["clips"]["count"]
    assert found["frames"] == clip["frames"], (
        f"{reader} {found['version']} gives {found['frames']} frames of a clip that has {clip['frames']}"
    )
    wanted = [clip["height"], clip["width"], 3]
    assert found["shape"] == wanted, f"{reader} {found['version']} gives frames of shape {found['shape']}, not {wanted}"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.question("decode")
def test_reader_keeps_the_order(reader, facts, expected):
    """The number that is drawn into each frame counts up: none is repeated, left out or exchanged."""
    found = read(facts("decode"), reader)
    wanted = list(range(expected["clips"]["count"]["frames"]))
    assert found["numbers"] == wanted, f"{reader} {found['version']} gives the frames {found['numbers']}, in this order"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.question("decode")
def test_reader_keeps_the_colours(reader, facts, expected):
    """The mean red, green and blue of each frame are those that were drawn, within the tolerance of expected.json."""
    found, clip = read(facts("decode"), reader), expected["clips"]["count"]
    assert len(found["mean_rgb"]) == len(clip["mean_rgb"]), f"{reader} gives colours of {len(found['mean_rgb'])} frames"
    for number, (seen, drawn) in enumerate(zip(found["mean_rgb"], clip["mean_rgb"], strict=True)):
        off = max(abs(a - b) for a, b in zip(seen, drawn, strict=True))
        swapped = (
            "; red and blue are exchanged" if max(abs(a - b) for a, b in zip(seen[::-1], drawn, strict=True)) <= clip["tolerance"] else ""
        )
        assert off <= clip["tolerance"], (
            f"{reader} {found['version']}: frame {number} is {seen}, drawn as {drawn}, {off:.1f} levels apart{swapped}"
        )


@pytest.mark.question("kinetics_reader_default")
@pytest.mark.parametrize("backend", ["default", "pyav"])
def test_kinetics_data_set_gives_frames(backend, facts):
    """SlowFast's Kinetics data set, with this DATA.DECODING_BACKEND, gives the two pathways of a training example."""
    found = facts(f"kinetics_reader_{backend}")
    said = "; ".join(found["said"]) or "nothing is printed"
    assert found["shapes"], (
        f"the Kinetics data set gives no frames with DATA.DECODING_BACKEND {found['backend']}, and raises nothing: {said}"
    )
    assert found["shapes"] == [[3, 2, 64, 64], [3, 8, 64, 64]], f"slow and fast pathway have the shapes {found['shapes']}"


def read(found, reader):
    """What one reader gave; a reader that this torchvision no longer has cannot be verified, and the subjects do not call it."""
    error = found[reader].get("error")
    if error and reader == "torchvision" and "cannot import name 'read_video'" in error["message"]:
        raise NotVerifiable("this torchvision has no read_video any more; SlowFast and pytorchvideo do not call it")
    assert not error, f"{reader} cannot read the clip: {error['type']}: {error['message']}"
    return found[reader]
