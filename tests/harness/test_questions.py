"""Questions as data: what a person hands in decides which are put, and a probe's text comes with what its first line asks for."""

from __future__ import annotations

from typing import Any

import pytest

from slowfast_verify import ladder, layout, zoo
from slowfast_verify.download import Limits
from slowfast_verify.observe import PROBES, probe_text
from slowfast_verify.subject import subject

INVENTORY: dict[str, Any] = {"distributions": {}, "modules": [], "checkout": "/checkout", "configs": []}


def put(**asked: Any) -> dict[str, Any]:
    """{id: question} of everything that is put to a pyslowfast when this was handed in."""
    batches = ladder.batches(subject("pyslowfast"), INVENTORY, None, {}, asked)
    return {question.id: question for questions in batches.values() for question in questions}


MINE = str(layout.fixtures() / "weights" / "tiny_kinetics.pyth")


def test_given() -> None:
    """A question about a file of the user's is put only with that file, one about two files only with both."""
    assert not {"your_checkpoint", "your_checkpoint_in_its_model", "published"} & set(put(config=None, checkpoint=None, zoo=False))
    assert put(checkpoint=MINE)["your_checkpoint"].args["weights"] == MINE
    assert "your_checkpoint_in_its_model" not in put(checkpoint=MINE)
    both = put(checkpoint=MINE, config="/c.yaml")["your_checkpoint_in_its_model"].args
    assert (both["config"], both["options"]) == ("/c.yaml", {"TEST.CHECKPOINT_FILE_PATH": MINE})


def test_zoo_files() -> None:
    """The published files travel into the question; where they are not to be had it is not put at all."""
    asked = put(zoo={"weights": "/w.pkl", "clip": "/a.mp4", "labels": "/l.json"})["published"].args
    assert (asked["weights"], asked["labels"], asked["clips"]) == ("/w.pkl", "/l.json", [{"name": "archery", "path": "/a.mp4"}])
    assert "published" not in put(zoo={"reason": "no network"})


def test_zoo_without_network(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not answer is a reason, not an error."""
    entry = zoo.find("kinetics400/SLOWFAST_8x8_R50").model_copy(update={"address": "http://127.0.0.1:9/w.pkl"})
    monkeypatch.setattr(zoo, "find", lambda name: entry)
    said = zoo.example(tmp_path, show=False, limits=Limits(connect=1, tries=1, pause=0))
    assert list(said) == ["reason"] and said["reason"].startswith("kinetics400/SLOWFAST_8x8_R50: ")


@pytest.mark.parametrize("name", ["slowfast_demo", "slowfast_ava_demo", "slowfast_train", "slowfast_checkpoint"])
def test_shared_text(name: str) -> None:
    """A probe that opens with `# with: run_net` travels behind the text of probes/_run_net.py; another travels alone."""
    shared = (PROBES / "_run_net.py").read_text(encoding="utf-8")
    assert probe_text(name) == shared + (PROBES / f"{name}.py").read_text(encoding="utf-8")
    compile(probe_text(name), name, "exec")
    assert probe_text("decode") == (PROBES / "decode.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["pyslowfast", "pytorchvideo", "slowfast-release"])
def test_distributed_is_climbed_without_the_demo(name: str) -> None:
    """Two processes meet in the batch of the imports: the doctor climbs that rung without a demo."""
    inventory = {"distributions": {}, "modules": [], "configs": [], "checkout": "/co"}
    asked = ladder.batches(subject(name), inventory, None, {}, {})
    assert "gloo" in {question.id for question in asked["imports"]}
