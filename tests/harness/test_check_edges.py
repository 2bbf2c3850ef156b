"""Checks at their edges: the least that passes, the most that fails, and the words that a person reads then."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
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

# -- checkpoint -------------------------------------------------------------------------------------------------------


def test_a_checkpoint_with_model_state_passes() -> None:
    """By that key alone, among others."""
    right = {"torch": "2.6.0", "loaded": {"error": None, "keys": ["epoch", "model_state"]}}
    CHECKPOINT.test_torch_load_works_with_its_defaults(answers(torch_load=right))


def test_random_weights_are_counted() -> None:
    """Those that changed are the difference; silence about random ones is told in words."""
    with pytest.raises(AssertionError, match=r"^12 tensors changed, although no checkpoint was named"):
        CHECKPOINT.test_random_initialisation_is_caught(answers(checkpoint_left_empty={"tensors": 662, "untouched": 650}))
    silent = {"tensors": 662, "untouched": 662, "random_initialization": False}
    with pytest.raises(AssertionError, match=r"^all weights are random, and nothing in what the loader says tells of it"):
        CHECKPOINT.test_random_initialisation_is_caught(answers(checkpoint_left_empty=silent))
    CHECKPOINT.test_random_initialisation_is_caught(answers(checkpoint_left_empty={**silent, "random_initialization": True}))


class Runs:
    """What a pickle may do to whoever loads it."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def test_a_checkpoint_that_runs_something_is_named(tmp_path: Any) -> None:
    """Its file, and what it would have run."""
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(pickle.dumps({"blobs": {}, "x": Runs()}, protocol=2))
    with pytest.raises(AssertionError, match=rf"^{re.escape(str(evil))} was not opened: .*posix"):
        CHECKPOINT.test_your_checkpoint_is_intact({"checkpoint": str(evil)})


def test_a_caffe2_checkpoint_is_not_verified_in_words(tmp_path: Any) -> None:
    """With what to do."""
    caffe2 = tmp_path / "model.pkl"
    caffe2.write_bytes(b"\x80\x02}q\x00U\x05blobsq\x01}q\x02s.")
    with pytest.raises(NotVerifiable) as caught:
        CHECKPOINT.test_your_checkpoint_loads({"checkpoint": str(caffe2)}, answers(your_checkpoint={}))
    assert caught.value.what == "a caffe2 checkpoint is no file for torch.load; give its config with --config to have SlowFast load it"


# -- compute ----------------------------------------------------------------------------------------------------------


def test_each_number_of_the_bridge_counts() -> None:
    """The right ones pass; any other one is red."""
    right = [[0, 2, 4], [6, 8, 10]]
    COMPUTE.test_numpy_bridge(answers(torch_build={"version": "2", "bridge": {"numpy": "2", "back": right}}))
    for row in range(2):
        for column in range(3):
            wrong = copy.deepcopy(right)
            wrong[row][column] += 1
            with pytest.raises(AssertionError, match="the numbers came back changed"):
                COMPUTE.test_numpy_bridge(answers(torch_build={"version": "2", "bridge": {"numpy": "2", "back": wrong}}))


def test_a_deviation_may_be_as_large_as_is_allowed() -> None:
    """And no larger; what has no number has another shape."""
    COMPUTE.near("it", 0.5, 0.5)
    with pytest.raises(AssertionError, match=r"^it is off by 0\.501 of its mean magnitude; 0\.5 is allowed"):
        COMPUTE.near("it", 0.501, 0.5)
    with pytest.raises(AssertionError, match=r"^it has another shape than the stored one, or is not a number"):
        COMPUTE.near("it", None, 0.5)


def test_roi_align_on_the_gpu_is_named() -> None:
    """Which result is off."""
    build = {
        "driver": {"cuda": 12040, "status": 0, "devices": 1},
        "cuda_build": "12.1",
        "cuda_usable": True,
        "visible": None,
        "version": "2",
    }
    with pytest.raises(AssertionError, match=r"^RoIAlign on the GPU is off by 0\.9 "):
        COMPUTE.test_roi_align_on_the_gpu(answers(torch_build=build, gpu__roi_align={"deviation": 0.9}))


# -- config -----------------------------------------------------------------------------------------------------------


def finding(kind: str, text: str = "wrong", file: str = "/c/a.yaml", line: int | None = 3, column: int | None = 7) -> dict[str, Any]:
    return {"kind": kind, "text": text, "file": file, "line": line, "column": column}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (finding("tab", file="/c/a.yaml"), "a.yaml:3:7: wrong"),
        (finding("tab", file="C:\\c\\a.yaml"), "a.yaml:3:7: wrong"),
        (finding("tab", file="/c/other.yaml"), "/c/other.yaml:3:7: wrong"),
        (finding("tab", file="C:\\c\\other.yaml"), "C:/c/other.yaml:3:7: wrong"),
        (finding("tab", file="/c/xa.yaml"), "/c/xa.yaml:3:7: wrong"),
        (finding("tab", column=None), "a.yaml:3: wrong"),
        (finding("tab", line=None, column=None), "a.yaml: wrong"),
    ],
)
def test_a_finding_is_told_with_its_place(row: dict[str, Any], said: str) -> None:
    """As an editor reads it; the name alone for the file that is meant, the path for one that it inherits from."""
    assert CONFIG.told("a.yaml", [row]) == [said]


@pytest.mark.parametrize(("stage", "words"), [("merge", "does not merge"), ("assert", "is refused by assert_and_infer_cfg")])
def test_a_refused_config_says_at_which_stage(stage: str, words: str) -> None:
    """The name and the stage first, then what was found, then the subject's own words."""
    result = {"error": {"stage": stage, "type": "KeyError", "message": "X"}, "findings": [finding("unknown", "no such key")]}
    with pytest.raises(AssertionError) as caught:
        CONFIG.accepted("a.yaml", result)
    assert str(caught.value) == f"a.yaml {words}\na.yaml:3:7: no such key\nKeyError: X"
    CONFIG.accepted("a.yaml", {"error": None, "findings": [finding("unknown")]})


@pytest.mark.parametrize("kind", ["tab", "syntax", "unknown", "type", "encoding", "missing", "base"])
def test_what_may_be_the_cause_is_told(kind: str) -> None:
    """Each kind of finding that refuses a file stands beside the error; others (a number that is a text) do not."""
    result = {
        "error": {"stage": "merge", "type": "E", "message": "m"},
        "findings": [finding("number", "not this"), finding(kind, "but this")],
    }
    with pytest.raises(AssertionError) as caught:
        CONFIG.accepted("a.yaml", result)
    assert "a.yaml:3:7: but this" in str(caught.value) and "not this" not in str(caught.value)


def test_tabs_are_mended_by_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the first file that has some, in the shell of whoever reads it."""
    monkeypatch.setattr(CONFIG, "own_shell", lambda: "a shell")
    monkeypatch.setattr(CONFIG, "untabbing", lambda file, shell: f"untab {file} in {shell}")
    rows = [finding("tab", file="/c/b.yaml"), finding("tab", file="/c/a.yaml"), finding("syntax", file="/c/0.yaml")]
    with pytest.raises(AssertionError) as caught:
        CONFIG.accepted("a.yaml", {"error": {"stage": "merge", "type": "E", "message": "m"}, "findings": rows})
    assert [line for line in str(caught.value).splitlines() if line.startswith("mend")] == ["mend: untab /c/a.yaml in a shell"]


@pytest.mark.parametrize(
    ("check", "kinds"),
    [("has_no_key_twice", ["duplicate"]), ("has_numbers", ["number"]), ("points_to_what_exists", ["path"]),
     ("is_read_as_written", ["locale", "encoding"])],
)  # fmt: skip
def test_a_config_that_was_handed_in_is_judged_by_kind(check: str, kinds: list[str]) -> None:
    """A finding of its kind is red, one line for each; the other kinds are another check's."""
    judge = getattr(CONFIG, f"test_given_config_{check}")
    others = [finding(kind) for kind in ("duplicate", "number", "path", "locale", "encoding", "tab") if kind not in kinds]
    judge("a.yaml", answers(configs={"given": {"findings": others}}))
    for kind in kinds:
        with pytest.raises(AssertionError) as caught:
            judge("a.yaml", answers(configs={"given": {"findings": [*others, finding(kind, "one"), finding(kind, "two")]}}))
        assert str(caught.value).startswith("a.yaml:3:7: one\na.yaml:3:7: two")


def test_a_config_of_ours_that_is_not_there() -> None:
    """Those that are there are named."""
    with pytest.raises(AssertionError, match=r"^x\.yaml is not among the fixtures that the target sees: a\.yaml, b\.yaml"):
        CONFIG.test_our_config_is_accepted("x.yaml", answers(configs={"ours": {"a.yaml": {}, "b.yaml": {}}}))
    with pytest.raises(AssertionError, match=r"^x\.yaml is not among the fixtures that the target sees: none"):
        CONFIG.test_our_config_is_accepted("x.yaml", answers(configs={"ours": {}}))


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
