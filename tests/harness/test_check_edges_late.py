"""Checks at their edges, the later rungs: the least that passes, the most that fails, and the words that a person reads then."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.question import Observation
from slowfast_verify.verdict import Unanswered

from .judging import answers, checks

CHECKPOINT, COMPUTE, CONFIG = checks("checkpoint"), checks("compute"), checks("config")
DECODE, DEMO, DISTRIBUTED, TRAIN = checks("decode"), checks("demo"), checks("distributed"), checks("train")
EXPECTED = json.loads((layout.fixtures() / "expected.json").read_text(encoding="utf-8"))

# -- decode, demo -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "words"), [([], "nothing is printed"), (["a", "b"], "a; b")])
def test_a_data_set_without_frames_says_what_was_printed(said: list[str], words: str) -> None:
    """Or that nothing was."""
    with pytest.raises(AssertionError, match=f"and raises nothing: {words}$"):
        DECODE.test_kinetics_data_set_gives_frames(
            "default", answers(kinetics_reader_default={"backend": "x", "shapes": None, "said": said})
        )


@pytest.mark.parametrize(
    ("labels", "right"), [(['"archery"', "archery", "golf"], True), (["archery", "golf"], False), (["archeryX"] * 3, False)]
)
def test_the_published_network_is_right_in_most_windows(labels: list[str], right: bool) -> None:
    """With or without the quotation marks of upstream's list; half of them is not most, and a label that begins alike is another."""
    facts = answers(published={"clips": [{"name": "archery", "windows": [[label, 0.9] for label in labels]}]})
    if right:
        DEMO.test_published_network_knows_its_clip("R50", {"zoo": {}}, facts)
        return
    with pytest.raises(AssertionError, match="of the clip that shows archery"):
        DEMO.test_published_network_knows_its_clip("R50", {"zoo": {}}, facts)


def demo(name: str, *windows: tuple[str, float], **more: Any) -> Any:
    """The facts of a demo of one clip."""
    return answers(demo={"clips": [{"name": name, "windows": [list(window) for window in windows], **more}]})


def test_a_label_is_as_sure_as_the_subject_must_be() -> None:
    """By the subject's own number where it has one, by pyslowfast's otherwise; exactly that is enough."""
    expected = {"clips": {"up": {"label": "up", "lowest_accepted": {"pyslowfast": 0.9, "pytorchvideo": 0.5}}}}
    judge = DEMO.test_every_window_has_the_expected_label
    for subject, least in (("pyslowfast", 0.9), ("pytorchvideo", 0.5), ("slowfast-release", 0.9)):
        judge("up", demo("up", ("up", least)), expected, SimpleNamespace(name=subject))
        with pytest.raises(AssertionError, match=f"accepted from {least}"):
            judge("up", demo("up", ("up", least - 0.01)), expected, SimpleNamespace(name=subject))


def test_a_still_picture_may_have_exactly_a_half() -> None:
    """More is a majority."""
    expected = {"clips": {"still": {"highest_accepted": 0.5}}}
    DEMO.test_still_picture_has_no_majority("still", demo("still", ("up", 0.5)), expected)
    with pytest.raises(AssertionError, match="although nothing moves"):
        DEMO.test_still_picture_has_no_majority("still", demo("still", ("up", 0.501)), expected)


def test_both_directions_have_the_same_windows() -> None:
    """One window fewer is no opposite; none at all is told in words."""

    def clips(forward: int, backward: int) -> Any:
        rows = {"right": [["right", 0.9]] * forward, "right_reversed": [["left", 0.9]] * backward}
        return answers(demo={"clips": [{"name": name, "windows": windows} for name, windows in rows.items()]})

    DEMO.test_reversed_frames_give_the_opposite(clips(2, 2))
    with pytest.raises(ValueError, match="shorter"):
        DEMO.test_reversed_frames_give_the_opposite(clips(2, 1))
    with pytest.raises(AssertionError, match=r"^the demo said nothing about one of the two clips"):
        DEMO.test_reversed_frames_give_the_opposite(clips(2, 0))


def test_a_clip_without_an_answer_has_no_video() -> None:
    """It is told as a video that is not there, under the clip's name; one that is there has the frames of all windows."""
    expected = {"clips": {"up": {"windows": 2, "width": 96, "height": 64}}}
    with pytest.raises(AssertionError, match=r"^up: the demo ended, and there is no output video"):
        DEMO.test_output_video_is_playable("up", demo("down"), expected)
    right = {"exists": True, "frames": 32, "width": 96, "height": 64}
    DEMO.test_output_video_is_playable("up", demo("up", output=right), expected)
    with pytest.raises(AssertionError, match=r"^up: 31 frames of the output video can be read instead of 32"):
        DEMO.test_output_video_is_playable("up", demo("up", output={**right, "frames": 31}), expected)


@pytest.mark.parametrize(("present", "absent", "right"), [(0.86, 0.12, True), (0.859, 0.12, False), (0.86, 0.121, False)])
def test_the_scores_of_a_box_may_be_exactly_at_the_limits(present: float, absent: float, right: bool) -> None:
    """Of what is there and of what is not."""
    wanted = {"seconds": [1], "labels": [["a"]], "names": ["a", "b"], "lowest_present_accepted": 0.86, "highest_absent_accepted": 0.12}
    facts = answers(ava_demo={"keyframes": [{"frame": 8, "scores": [{"a": present, "b": absent}]}]})
    if right:
        DEMO.test_ava_demo_gives_every_box_its_labels(facts, {"ava": wanted})
        return
    with pytest.raises(AssertionError, match=r"^frame 8, box 0: "):
        DEMO.test_ava_demo_gives_every_box_its_labels(facts, {"ava": wanted})


def test_the_person_detector_in_words() -> None:
    """Its own question; what is lacking, a failure without a message, and a video without a frame."""

    def ask(**row: Any) -> Any:
        return {"ava_demo_detector": Observation(id="ava_demo_detector", **row)}.__getitem__

    judge = DEMO.test_ava_demo_with_the_person_detector
    with pytest.raises(NotVerifiable) as caught:
        judge(ask(how="raised", message="no detector.pkl"))
    assert caught.value.what == "the person detector's weights are not at hand (160 MB; give their path as DEMO.DETECTRON2_WEIGHTS)"
    with pytest.raises(Unanswered):
        judge(ask(how="died"))
    with pytest.raises(AssertionError, match=r"^the demo ended, and its video has no frame"):
        judge(ask(how="answered", facts={"output": {"frames": 0}}))
    judge(ask(how="answered", facts={"output": {"frames": 3}}))


def colours(*rows: list[int]) -> None:
    """The check, put to one reader's colours of as many frames, each of which was drawn in the same blue."""
    found = {"mean_rgb": [list(row) for row in rows], "version": "1"}
    drawn = {"clips": {"count": {"mean_rgb": [[0, 0, 90]] * len(rows), "tolerance": 12}}}
    DECODE.test_reader_keeps_the_colours("pyav", answers(decode={"pyav": found}), drawn)


def test_a_colour_may_be_off_by_what_is_tolerated() -> None:
    """In each channel, and no more; only where red and blue change places is that said, and a frame has three channels."""
    colours([12, 0, 78])
    with pytest.raises(AssertionError, match=r"^pyav 1: frame 1 is \[13, 0, 90\], drawn as \[0, 0, 90\], 13\.0 levels apart$"):
        colours([0, 0, 90], [13, 0, 90])
    for swapped in ([90, 0, 0], [90, 0, 12]):
        with pytest.raises(AssertionError, match=r"90\.0 levels apart; red and blue are exchanged$"):
            colours(swapped)
    with pytest.raises(AssertionError, match=r"90\.0 levels apart$"):
        colours([90, 0, 13])
    with pytest.raises(ValueError, match="longer"):
        colours([0, 0])


def test_a_reader_that_was_taken_away_is_not_verified_in_words() -> None:
    """Whose readers they are that remain."""
    gone = {"torchvision": {"error": {"type": "ImportError", "message": "cannot import name 'read_video' from 'torchvision.io'"}}}
    with pytest.raises(NotVerifiable) as caught:
        DECODE.read(gone, "torchvision")
    assert caught.value.what == "this torchvision has no read_video any more; SlowFast and pytorchvideo do not call it"
    with pytest.raises(AssertionError, match=r"^pyav cannot read the clip: ImportError: cannot import name 'read_video'"):
        DECODE.read({"pyav": gone["torchvision"]}, "pyav")
    assert DECODE.read({"pyav": {"frames": 1}}, "pyav") == {"frames": 1}


# -- distributed, train -----------------------------------------------------------------------------------------------


def test_gloo_is_asked_for_by_its_name() -> None:
    """Another backend does not stand for it."""
    DISTRIBUTED.test_gloo_is_compiled_in(answers(backends={"compiled": {"gloo": True, "nccl": False}}))
    with pytest.raises(AssertionError, match=r"^this torch was built without torch\.distributed, or without gloo"):
        DISTRIBUTED.test_gloo_is_compiled_in(answers(backends={"compiled": {"gloo": False, "nccl": True}}))


def test_a_helper_may_give_a_table() -> None:
    """What it gives is compared, also where it is a table; only an error of its own is one."""

    def judge(given: Any) -> None:
        DISTRIBUTED.test_helper_over_gloo("synchronize", answers(gloo={"helpers": {"ranks": [{"synchronize": given}] * 2}}))

    judge([None])
    with pytest.raises(AssertionError, match=r"^synchronize on rank 0: out of order"):
        judge({"error": "out of order"})
    for given in ({"rank": 0}, ["error"]):
        with pytest.raises(AssertionError, match=r"^synchronize gave rank 0 .*, not \[None\]"):
            judge(given)


def test_the_override_is_gloo_unless_said_otherwise() -> None:
    """The one that starts is the one that is meant."""
    started = {"gloo": {"started": True}, "mpi": {"started": False, "error": "no MPI"}}
    DISTRIBUTED.test_override_starts(answers(backends={"override": "", "started": started}))
    DISTRIBUTED.test_override_starts(answers(backends={"override": "gloo", "started": started}))
    with pytest.raises(AssertionError, match=r"^mpi, which --opts DIST_BACKEND mpi asks for, does not start: no MPI"):
        DISTRIBUTED.test_override_starts(answers(backends={"override": "mpi", "started": started}))
    with pytest.raises(AssertionError, match=r"does not start: torch\.distributed is not available$"):
        DISTRIBUTED.test_override_starts(answers(backends={"override": "", "started": {}}))


@pytest.mark.parametrize(
    ("loss", "right"), [(0.001, True), (0.9, True), (0.0, False), (-1.0, False), (float("inf"), False), (float("nan"), False)]
)
def test_a_loss_is_a_number_above_zero(loss: float, right: bool) -> None:
    """Of every iteration; infinity is none."""
    wanted = EXPECTED["train"]["iterations"]
    rows = [{"iter": f"{number + 1}/{wanted}", "loss": loss} for number in range(wanted)]
    if right:
        TRAIN.test_two_iterations_run({"iterations": rows}, EXPECTED)
        return
    with pytest.raises(AssertionError, match=r"^a loss is no number"):
        TRAIN.test_two_iterations_run({"iterations": rows}, EXPECTED)


def test_an_epoch_is_evaluated_by_three_lines() -> None:
    """No more are needed, and those that are there are named where one is missing."""
    TRAIN.test_epoch_is_evaluated({"logged": ["train_epoch", "val_iter", "val_epoch"]})
    with pytest.raises(AssertionError, match=r"^the log has only val_iter, val_epoch"):
        TRAIN.test_epoch_is_evaluated({"logged": ["val_iter", "val_epoch"]})


@pytest.mark.parametrize(("size", "right"), [((1 << 20) + 1, True), (1 << 20, False)])
def test_a_checkpoint_has_more_than_a_megabyte(size: int, right: bool) -> None:
    """A smaller one holds no weights of this network."""
    if right:
        TRAIN.test_checkpoint_is_written({"checkpoint": "c.pyth", "bytes": size})
        return
    with pytest.raises(AssertionError, match=r"^c\.pyth has only 1048576 bytes"):
        TRAIN.test_checkpoint_is_written({"checkpoint": "c.pyth", "bytes": size})


def test_a_checkpoint_that_is_missing_is_told() -> None:
    """Where it was looked for."""
    with pytest.raises(AssertionError, match=r"^training ended, and there is no checkpoint in OUTPUT_DIR/checkpoints"):
        TRAIN.test_checkpoint_is_written({"checkpoint": None, "bytes": 0})
    with pytest.raises(AssertionError, match=r"^there was no checkpoint to load"):
        TRAIN.test_checkpoint_loads_again({"reloaded": None})
