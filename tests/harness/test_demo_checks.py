"""Every check of the demo rung can fail: on doctored answers, and on the real demo with wrong labels, clips, weights and boxes."""

from __future__ import annotations

import copy
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.knowledge import known
from slowfast_verify.observe import Observation, Question, observe
from slowfast_verify.subject import subject
from slowfast_verify.target import of_python
from slowfast_verify.verdict import Unanswered

from .judging import answers, checks, of_cell, question_of, standing

DEMO = checks("demo")
EXPECTED = json.loads((layout.fixtures() / "expected.json").read_text(encoding="utf-8"))
CLIPS = {name: row for name, row in EXPECTED["clips"].items() if "windows" in row}
LOG = {
    "missing_keys": [],
    "unexpected_keys": [],
    "not_loaded": [],
    "not_used": [],
    "random_initialization": False,
    "weights_read": len(CLIPS),
}
CLASSIC = "*-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67"


def right_answers() -> dict[str, Any]:
    """What a demo that is right answers, with the probabilities that were measured."""
    video = {"exists": True, "bytes": 9000, "frames": 32, "height": 96, "width": 96}
    clips = [{"name": name, "windows": copy.deepcopy(row["measured"]["pyslowfast"]), "output": dict(video)} for name, row in CLIPS.items()]
    return {"clips": clips, "log": dict(LOG)}


def ava_answers() -> dict[str, Any]:
    """What an AVA demo that is right answers."""
    wanted = EXPECTED["ava"]
    frames = [
        {"frame": 8, "boxes": [[0, 0, 72, 72], [72, 0, 144, 72]], "scores": [dict(zip(wanted["names"], row, strict=True)) for row in rows]}
        for rows in wanted["measured"].values()
    ]
    output = {"exists": True, "bytes": 9000, "frames": wanted["pictures"], "height": 72, "width": 144}
    return {"keyframes": frames, "output": output, "log": {**LOG, "weights_read": 1}}


def judge(facts: dict[str, Any], ava: dict[str, Any] | None = None, name: str = "pyslowfast") -> list[str]:
    """Put all checks of demo and AVA demo to these answers; what they complain of."""
    asked = answers(demo=facts, ava_demo=ava or ava_answers())
    which = SimpleNamespace(name=name)
    moving = [clip for clip, row in CLIPS.items() if row["label"]]
    calls = [lambda clip=clip: DEMO.test_every_window_has_the_expected_label(clip, asked, EXPECTED, which) for clip in moving]
    calls += [lambda clip=clip: DEMO.test_every_window_is_classified(clip, asked, EXPECTED) for clip in CLIPS]
    calls += [lambda clip=clip: DEMO.test_output_video_is_playable(clip, asked, EXPECTED) for clip in CLIPS]
    calls += [
        lambda: DEMO.test_still_picture_has_no_majority("still", asked, EXPECTED),
        lambda: DEMO.test_reversed_frames_give_the_opposite(asked),
        lambda: DEMO.test_no_weight_was_left_random(asked),
        lambda: DEMO.test_ava_demo_gives_every_box_its_labels(asked, EXPECTED),
        lambda: DEMO.test_ava_demo_drops_unsure_boxes(asked, EXPECTED),
        lambda: DEMO.test_ava_demo_writes_a_video(asked, EXPECTED),
        lambda: DEMO.test_ava_demo_left_no_weight_random(asked),
    ]
    found = []
    for call in calls:
        try:
            call()
        except AssertionError as error:
            found.append(str(error).partition("\n")[0])
    return found


def of(facts: dict[str, Any], name: str) -> dict[str, Any]:
    """The row of one clip."""
    return next(row for row in facts["clips"] if row["name"] == name)


def test_what_was_measured_is_right() -> None:
    """The measured answers satisfy every check, so what follows fails for its own reason."""
    assert judge(right_answers()) == []


@pytest.mark.parametrize(
    ("clip", "windows", "words"),
    [
        ("up", [["down", 0.99], ["up", 0.99]], "up, window 0: down (0.990) instead of up"),
        ("up", [["up", 0.99], ["up", 0.62]], "up, window 1: up with only 0.620, accepted from 0.89"),
        ("up", [["up", 0.99]], "up: 1 windows were classified, the clip has 2"),
        ("up", [], "up: the demo said nothing about any window"),
        ("right_reversed", [["right", 0.99]] * 2, "forward right, backward right"),
        ("right_reversed", [], "the demo said nothing about one of the two clips"),
        ("still", [], "still: the demo said nothing about any window"),
        ("still", [["left", 0.3], ["left", 0.51]], "still, window 1: left with 0.510, although nothing moves"),
    ],
)
def test_wrong_windows(clip: str, windows: list[Any], words: str) -> None:
    """A wrong label, one that is unsure, a window too few, none at all, blindness to time, and certainty about nothing: each is red."""
    facts = right_answers()
    of(facts, clip)["windows"] = windows
    assert any(words in said for said in judge(facts)), judge(facts)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"exists": False, "frames": 0}, "there is no output video"),
        ({"frames": 0}, "0 frames of the output video can be read instead of 32"),
        ({"frames": 31}, "31 frames of the output video"),
        ({"width": 48}, "the output video is 48 x 96"),
    ],
)
def test_wrong_output_video(broken: dict[str, Any], words: str) -> None:
    """No video, one without frames, one that is cut and one of another size are red, for the demo and for the AVA demo."""
    facts, ava = right_answers(), ava_answers()
    of(facts, "up")["output"].update(broken)
    ava["output"].update(broken)
    said = [text for text in judge(facts, ava) if "output video" in text]
    assert len(said) == 2 and words in said[0], said


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"random_initialization": True}, "random initialization"),
        ({"weights_read": 0}, "a checkpoint was read 0 times"),
        ({"not_loaded": ["head.projection.weight"]}, "(not loaded): head.projection.weight"),
        ({"missing_keys": ["['s1.pathway0_stem.conv.weight']"]}, "(missing keys): ['s1.pathway0_stem.conv.weight']"),
    ],
)
def test_log_that_warns(broken: dict[str, Any], words: str) -> None:
    """What SlowFast says only in its log is red in both demos."""
    facts, ava = right_answers(), ava_answers()
    facts["log"].update(broken)
    ava["log"].update(broken)
    said = [text for text in judge(facts, ava) if words in text]
    assert len(said) == 2, judge(facts, ava)


def test_wrong_boxes() -> None:
    """A label that is missing, one that is not there, a box without scores, one too many and a key frame too few are red."""
    for place, score, words in (("move left", 0.5, "move left has only 0.500"), ("move up", 0.5, "move up has 0.500, and is not there")):
        ava = ava_answers()
        ava["keyframes"][1]["scores"][0][place] = score
        assert [text for text in judge(right_answers(), ava) if words in text]
    ava = ava_answers()
    ava["keyframes"][0]["scores"].pop()
    assert any("1 boxes instead of 2" in text for text in judge(right_answers(), ava))
    ava = ava_answers()
    ava["keyframes"][0]["boxes"].append([0, 0, 9, 9])
    assert any("has 3 boxes, 2 are above the threshold" in text for text in judge(right_answers(), ava))
    ava["keyframes"].pop()
    assert any("1 key frames were classified" in text for text in judge(right_answers(), ava))
    with pytest.raises(AssertionError, match="1 key frames were classified instead of 2"):
        DEMO.test_ava_demo_reads_a_video_file(answers(ava_demo_video_file=ava), EXPECTED)


def test_person_detector() -> None:
    """Upstream's error is a failure; weights of the detector that are not there are none, and a video without frames is one."""
    known = Observation(id="it", how="raised", type="AttributeError", message="'Predictor' object has no attribute 'gpu_id'")
    with pytest.raises(Unanswered, match="gpu_id"):
        DEMO.test_ava_demo_with_the_person_detector(lambda _: known)
    lacking = Observation(id="it", how="raised", type="AssertionError", message="Checkpoint /x/detector.pkl not found!")
    with pytest.raises(NotVerifiable, match="not at hand"):
        DEMO.test_ava_demo_with_the_person_detector(lambda _: lacking)
    with pytest.raises(AssertionError, match="no frame"):
        DEMO.test_ava_demo_with_the_person_detector(lambda _: Observation(id="it", how="answered", facts={"output": {"frames": 0}}))


def test_published_network() -> None:
    """Another label in most windows is red, and so is no window; files that were not to be had are not verified, with the reason."""
    clip = {"clips": [{"name": "archery", "windows": [["archery", 0.9], ["golf driving", 0.4]]}]}
    with pytest.raises(AssertionError, match="X says archery, golf driving of the clip"):
        DEMO.test_published_network_knows_its_clip("X", {"zoo": {"clip": "x"}}, answers(published=clip))
    with pytest.raises(NotVerifiable, match="cannot be reached"):
        DEMO.test_published_network_knows_its_clip("X", {"zoo": {"reason": "clips/archery: cannot be reached"}}, answers())
    with pytest.raises(AssertionError, match="X: the demo said nothing about any window"):
        DEMO.test_published_network_knows_its_clip("X", {"zoo": {"clip": "x"}}, answers(published={"clips": []}))
    clip["clips"][0]["windows"] = [['"archery"', 0.9], ["archery", 0.8], ["golf driving", 0.4]]
    DEMO.test_published_network_knows_its_clip("X", {"zoo": {"clip": "x"}}, answers(published=clip))


@pytest.mark.parametrize("name", ["pyslowfast", "pytorchvideo", "slowfast-release"])
def test_every_expected_clip_is_asked_for(name: str) -> None:
    """The demo question of each subject names exactly the clips that have an expected answer."""
    clips = subject(name).command["demo"].args["clips"]
    assert {row["name"] for row in clips} == set(CLIPS)
    assert all(row["path"] == f"{{fixtures}}/{CLIPS[row['name']]['file']}" for row in clips)


@pytest.mark.heavy
def test_real_demo_gone_wrong(tmp_path: Path) -> None:
    """The real run_net.py with other labels, other clips, no checkpoint or another class count ends without an error, and is red."""
    cell = standing(CLASSIC)
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"up": 0, "down": 1, "left": 3, "right": 2}), encoding="utf-8")
    few = [{"name": name, "path": str(layout.fixtures() / "clips" / f"{name}.mp4")} for name in ("up", "right")]
    clips = layout.fixtures() / "clips"
    swapped = [
        {"name": name, "path": str(clips / f"{other}.mp4")}
        for name, other in (("right", "still"), ("still", "up"), ("right_reversed", "right"))
    ]
    seven = tmp_path / "seven.json"
    seven.write_text(json.dumps({f"class {number}": number for number in range(7)}), encoding="utf-8")
    found = observe(
        of_cell(cell),
        [
            question_of(cell, "demo", id="labels", labels=str(labels), clips=few),
            question_of(cell, "demo", id="clips", clips=swapped),
            question_of(cell, "demo", id="empty", weights="", clips=few),
            question_of(cell, "demo", id="classes", labels=str(seven), clips=few, opts={"MODEL.NUM_CLASSES": 7}),
        ],
    )
    facts = {name: seen.facts for name, seen in found.items()}
    assert all(facts.values()), {name: seen.message for name, seen in found.items() if not seen.facts}
    complain = {name: judge(row) for name, row in facts.items() if row}
    assert any(text.startswith("right, window 0: left (") for text in complain["labels"])
    assert any(text.startswith("still, window 0: up with ") and "although nothing moves" in text for text in complain["clips"])
    assert any("backward right" in text for text in complain["clips"])
    assert any("no checkpoint was read" in text for text in complain["empty"])
    assert any("do not fit" in text and "head.projection.weight" in text for text in complain["classes"]), complain["classes"]


@pytest.mark.heavy
def test_real_ava_demo_gone_wrong(tmp_path: Path) -> None:
    """The real AVA demo with its labels in another order, with a low score threshold and without a checkpoint: each is red."""
    cell = standing(CLASSIC)
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({name: number for number, name in enumerate(reversed(EXPECTED["ava"]["names"]))}), encoding="utf-8")
    found = observe(
        of_cell(cell),
        [
            question_of(cell, "ava_demo", id="labels", labels=str(labels)),
            question_of(cell, "ava_demo", id="threshold", opts={"AVA.DETECTION_SCORE_THRESH": 0.1}),
            question_of(cell, "ava_demo", id="empty", weights=""),
        ],
    )
    complain = {name: judge(right_answers(), seen.facts) for name, seen in found.items()}
    assert any("move down has 0.998, and is not there" in text for text in complain["labels"]), complain
    assert any("boxes, 2 are above the threshold" in text for text in complain["threshold"]), complain
    assert any("no checkpoint was read" in text for text in complain["empty"]), complain


@pytest.mark.heavy
def test_command_leaves_no_trace() -> None:
    """After the real demo, arguments, folder, search path, log handlers, threads and children of the process are as before."""
    cell = standing(CLASSIC)
    few = [{"name": "up", "path": str(layout.fixtures() / "clips" / "up.mp4")}]
    ask = [Question(id="before", probe="fake_traces"), question_of(cell, "demo", clips=few), Question(id="after", probe="fake_traces")]
    found = observe(of_cell(cell), ask)
    assert found["demo"].how == "answered", found["demo"].text
    assert found["before"].facts == found["after"].facts


@pytest.mark.heavy
def test_fixes_of_upstream(tmp_path: Path) -> None:
    """In a copy of the checkout, the edits of the four known failures make the same questions answer, and their checks green."""
    cell = standing(CLASSIC)
    checkout = tmp_path / "slowfast"
    shutil.copytree(
        json.loads((cell / "cell.json").read_text(encoding="utf-8"))["checkout"], checkout, ignore=shutil.ignore_patterns(".git")
    )
    for identifier in (
        "predictor-gpu-id-on-cpu", "ava-boxes-video-file-float-fps", "train-synchronize-without-gpu", "kinetics-reader-pyav-list-minus-int",
    ):  # fmt: skip
        for edit in (edit for action in known(identifier).fix for edit in action.edit):
            file = checkout / edit.file
            text, hits = re.subn(edit.find, edit.replace, file.read_text(encoding="utf-8"))
            assert hits == 1, f"{identifier} edits {hits} places of {edit.file}"
            file.write_text(text, encoding="utf-8")
    asked = [
        question_of(cell, name, checkout=str(checkout))
        for name in ("kinetics_reader_pyav", "ava_demo_video_file", "ava_demo_detector", "train")
    ]
    found = observe(of_cell(cell).with_env({"PYTHONPATH": str(checkout)}), asked)
    facts = answers(**{name: seen.facts for name, seen in found.items()})
    checks("decode").test_kinetics_data_set_gives_frames("pyav", facts)
    DEMO.test_ava_demo_reads_a_video_file(facts, EXPECTED)
    checks("train").test_training_command_needs_no_gpu(facts)
    with pytest.raises(NotVerifiable, match="weights are not at hand"):
        DEMO.test_ava_demo_with_the_person_detector(found.__getitem__)


def test_documented_command() -> None:
    """The probe itself, in this Python: a command that ends with 0 and says the word passes; another status or another word does not."""
    for words, says, complaint in (
        (["-c", "print('hello')"], "hello", ""),
        (["-c", "raise SystemExit(3)"], "", "ended with status 3"),
        (["-c", "print('hello')"], "PyTorch", "does not say what it should; it says: hello"),
    ):
        question = Question(id="documented_command", probe="documented_command", args={"words": words, "says": says}, seconds=30)
        asked = answers(documented_command=observe(of_python(Path(sys.executable)), [question])["documented_command"].facts)
        if complaint:
            with pytest.raises(AssertionError, match=complaint):
                DEMO.test_documented_command_runs(asked)
        else:
            DEMO.test_documented_command_runs(asked)
