"""Rung demo: the subject says what moves where, in every window of every clip, with the margin that expected.json states."""

import pytest

from slowfast_verify.errors import NotVerifiable
from slowfast_verify.verdict import answered

pytestmark = pytest.mark.batch("demo")
WINDOW = 16  # frames: DATA.NUM_FRAMES * DATA.SAMPLING_RATE of tiny_kinetics_demo.yaml


def test_every_window_has_the_expected_label(moving_clip, facts, expected, subject):
    """Each window of the clip gets its label, with at least the lowest probability that is accepted."""
    clip = expected["clips"][moving_clip]
    lowest = clip["lowest_accepted"].get(subject.name, clip["lowest_accepted"]["pyslowfast"])
    windows = windows_of(facts("demo"), moving_clip)
    assert windows, f"{moving_clip}: the demo said nothing about any window"
    for number, (label, probability) in enumerate(windows):
        assert label == clip["label"], f"{moving_clip}, window {number}: {label} ({probability:.3f}) instead of {clip['label']}"
        assert probability >= lowest, f"{moving_clip}, window {number}: {label} with only {probability:.3f}, accepted from {lowest}"


def test_still_picture_has_no_majority(still_clip, facts, expected):
    """A clip in which nothing moves gets no label with a majority: the network looks at motion, not at a frame."""
    highest = expected["clips"][still_clip]["highest_accepted"]
    windows = windows_of(facts("demo"), still_clip)
    assert windows, f"{still_clip}: the demo said nothing about any window"
    for number, (label, probability) in enumerate(windows):
        assert probability <= highest, f"{still_clip}, window {number}: {label} with {probability:.3f}, although nothing moves"


def test_every_window_is_classified(clip, facts, expected):
    """A clip has as many windows as fit into it: none is skipped, and the frames that are left over make none."""
    found, wanted = len(windows_of(facts("demo"), clip)), expected["clips"][clip]["windows"]
    assert found == wanted, f"{clip}: {found} windows were classified, the clip has {wanted}"


@pytest.mark.question("demo")
def test_reversed_frames_give_the_opposite(facts):
    """The same frames from last to first get the opposite direction: frames reach the network in their order."""
    forward, backward = (windows_of(facts("demo"), name) for name in ("right", "right_reversed"))
    assert forward and backward, "the demo said nothing about one of the two clips"
    for (ahead, _), (back, _) in zip(forward, backward, strict=True):
        assert (ahead, back) == ("right", "left"), f"forward {ahead}, backward {back}"


@pytest.mark.question("documented_command")
def test_documented_command_runs(facts):
    """A command that the subject's documents name comes to its end, and says what they show."""
    found = facts("documented_command")
    assert found["status"] == 0, f"{found['command']} ended with status {found['status']}: {found['tail']}"
    assert found["said"], f"{found['command']} does not say what it should; it says: {found['tail']}"


@pytest.mark.question("ava_demo")
def test_output_video_is_playable(clip, facts, expected):
    """The demo writes a video that can be read, in the clip's size, with every frame of every window."""
    row = expected["clips"][clip]
    output = next((row["output"] for row in facts("demo")["clips"] if row["name"] == clip), {"exists": False})
    judge_video(output, clip, WINDOW * row["windows"], row)


@pytest.mark.question("ava_demo")
def test_no_weight_was_left_random(facts):
    """The log of the demo tells of one checkpoint read per clip and of no weight that was left out: SlowFast ends with 0 either way."""
    found = facts("demo")
    judge_log(found["log"], len(found["clips"]))


@pytest.mark.question("ava_demo")
def test_ava_demo_gives_every_box_its_labels(facts, expected):
    """With boxes from a file, on a folder of pictures: each box has its labels above the accepted score, and all others below."""
    wanted = expected["ava"]
    frames = facts("ava_demo")["keyframes"]
    assert len(frames) == len(wanted["seconds"]), f"{len(frames)} key frames were classified, the boxes are of {len(wanted['seconds'])}"
    for frame in frames:
        assert len(frame["scores"]) == len(wanted["labels"]), (
            f"frame {frame['frame']}: {len(frame['scores'])} boxes instead of {len(wanted['labels'])}"
        )
        for number, (scores, labels) in enumerate(zip(frame["scores"], wanted["labels"], strict=True)):
            where = f"frame {frame['frame']}, box {number}"
            for name in wanted["names"]:
                score = scores[name]
                if name in labels:
                    assert score >= wanted["lowest_present_accepted"], f"{where}: {name} has only {score:.3f}"
                else:
                    assert score <= wanted["highest_absent_accepted"], f"{where}: {name} has {score:.3f}, and is not there"


@pytest.mark.question("ava_demo")
def test_ava_demo_drops_unsure_boxes(facts, expected):
    """A predicted box below AVA.DETECTION_SCORE_THRESH is not classified."""
    wanted = expected["ava"]["boxes_per_second"]
    for frame in facts("ava_demo")["keyframes"]:
        assert len(frame["boxes"]) == wanted, f"frame {frame['frame']} has {len(frame['boxes'])} boxes, {wanted} are above the threshold"


@pytest.mark.question("ava_demo")
def test_ava_demo_writes_a_video(facts, expected):
    """The AVA demo writes a video that can be read, with every picture of the folder."""
    judge_video(facts("ava_demo")["output"], "ava", expected["ava"]["pictures"], expected["ava"])


@pytest.mark.question("ava_demo")
def test_ava_demo_left_no_weight_random(facts):
    """The log of the AVA demo tells of one checkpoint read, and of no weight that was left out."""
    judge_log(facts("ava_demo")["log"], 1)


@pytest.mark.question("ava_demo_video_file")
def test_ava_demo_reads_a_video_file(facts, expected):
    """With boxes from a file, the AVA demo takes a video file as it takes a folder of pictures."""
    found = len(facts("ava_demo_video_file")["keyframes"])
    assert found == len(expected["ava"]["seconds"]), f"{found} key frames were classified instead of {len(expected['ava']['seconds'])}"


@pytest.mark.question("ava_demo_detector")
def test_ava_demo_with_the_person_detector(ask):
    """Without a file of boxes the AVA demo finds people itself and writes a video."""
    seen = ask("ava_demo_detector")
    if seen.facts is None and "detector.pkl" in (seen.message or ""):
        raise NotVerifiable("the person detector's weights are not at hand (160 MB; give their path as DEMO.DETECTRON2_WEIGHTS)")
    assert answered(seen)["output"]["frames"], "the demo ended, and its video has no frame"


def test_published_network_knows_its_clip(published, asked, facts):
    """The published network gives the documented clip the label that upstream's tutorial shows, in most of its windows."""
    if "reason" in asked["zoo"]:
        raise NotVerifiable(asked["zoo"]["reason"])
    labels = [label.strip('"') for label, _ in windows_of(facts("published"), "archery")]
    assert labels, f"{published}: the demo said nothing about any window"
    assert labels.count("archery") > len(labels) / 2, f"{published} says {', '.join(labels)} of the clip that shows archery"


def windows_of(found, name):
    """[label, probability] of each window of one clip."""
    return next((row["windows"] for row in found["clips"] if row["name"] == name), [])


def judge_log(log, times):
    """Nothing in a log of SlowFast says that weights are random, and it says how often a checkpoint was read."""
    assert not log["random_initialization"], "the model was used with random initialization: no checkpoint was read"
    assert log["weights_read"] == times, f"a checkpoint was read {log['weights_read']} times instead of {times}"
    for key in ("missing_keys", "unexpected_keys", "not_loaded", "not_used"):
        assert not log[key], f"the log tells of weights that do not fit ({key.replace('_', ' ')}): {', '.join(log[key])}"


def judge_video(output, name, frames, size):
    """A video that exists, decodes to its end and has the size of its source."""
    assert output["exists"], f"{name}: the demo ended, and there is no output video"
    assert output["frames"] == frames, f"{name}: {output['frames']} frames of the output video can be read instead of {frames}"
    assert (output["width"], output["height"]) == (size["width"], size["height"]), (
        f"{name}: the output video is {output['width']} x {output['height']}"
    )
