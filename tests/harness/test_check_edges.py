"""Checks at their edges: the least that passes, the most that fails, and the words that a person reads then."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
from typing import Any

import pytest

from slowfast_verify import layout
from slowfast_verify.errors import NotVerifiable

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
