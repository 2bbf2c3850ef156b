"""The config rung can fail: broken YAML files, judged line by line without torch or SlowFast, and by the real ones where a cell stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast_verify.target import Target
from slowfast_verify.verdict import Verdicts

from .judging import answers, checks, of_cell, probe, standing, verify

pytest.importorskip("yaml")
CONFIG = checks("config")
SCAN = probe("config_files")


class Defaults(dict[str, Any]):
    """As much of yacs as `judge` uses, with its rule that types must be the same."""

    def merge_from_list(self, pair: list[Any]) -> None:
        key, value = pair
        node: dict[str, Any] = self
        *sections, name = key.split(".")
        for section in sections:
            node = node[section]
        if type(node[name]) is not type(value):
            raise ValueError("Type mismatch")


def defaults() -> Defaults:
    return Defaults({"NUM_GPUS": 1, "SOLVER": {"BASE_LR": 0.1, "WARMUP_EPOCHS": 0.0, "STEPS": []}, "VIS": {"TOPK_PREDS": 1, "LOG_DIR": ""}})


def findings(folder: Path, text: str | bytes, name: str = "my.yaml") -> list[tuple[str, int | None, int | None, str]]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found, odd = SCAN.scan(str(path))
    return [(row["kind"], row["line"], row["column"], row["text"]) for row in odd + SCAN.judge(found, defaults())]


def test_right_file_has_no_finding(tmp_path: Path) -> None:
    """A file in which nothing is wrong gives no finding at all."""
    assert findings(tmp_path, "NUM_GPUS: 0\nSOLVER:\n  BASE_LR: 0.5\n  STEPS: [0, 1.0e-3]\n") == []


def test_tab(tmp_path: Path) -> None:
    """A tab is named as such, with its line and column."""
    kind, line, column, text = findings(tmp_path, "NUM_GPUS: 0\nSOLVER:\n \tBASE_LR: 0.5\n")[0]
    assert (kind, line, column) == ("tab", 3, 2)
    assert "a tab stands where YAML allows blanks only" in text


def test_syntax(tmp_path: Path) -> None:
    """A file that is no YAML is refused where it stops being YAML, once."""
    [(kind, line, _, text)] = findings(tmp_path, "NUM_GPUS: 0\n  SOLVER:\n")
    assert (kind, line) == ("syntax", 2)
    assert text.startswith("not YAML: ")


def test_unknown_keys_are_all_named(tmp_path: Path) -> None:
    """Every unknown key is named with its own line, and with the key that was probably meant."""
    found = findings(tmp_path, "NUM_GPU: 1\nVIS:\n  TOPK: 2\nPREFETCH:\n  ENABLE: True\n  SIZE: 2\n")
    assert [(kind, line) for kind, line, _, _ in found] == [("unknown", 1), ("unknown", 3), ("unknown", 4)]
    assert "no key NUM_GPU; the nearest is NUM_GPUS" in found[0][3]
    assert "no key VIS.TOPK; the nearest is VIS.TOPK_PREDS" in found[1][3]
    assert found[2][3] == "the config has no key PREFETCH"


def test_wrong_types(tmp_path: Path) -> None:
    """A value of another type is named with both types, an empty section as what it is."""
    found = findings(tmp_path, "SOLVER:\n  WARMUP_EPOCHS: 34\nVIS:\n")
    assert [(kind, line) for kind, line, _, _ in found] == [("type", 2), ("type", 3)]
    assert found[0][3] == "SOLVER.WARMUP_EPOCHS is 34 (int), and must be of the type of its default, 0.0 (float): write 34.0"
    assert "VIS is a section and is given nothing" in found[1][3]


def test_key_twice(tmp_path: Path) -> None:
    """A key that stands twice in one section is told with both lines; the same name in two sections is not."""
    [(kind, line, _, text)] = findings(tmp_path, "SOLVER:\n  BASE_LR: 0.1\n  BASE_LR: 0.2\nNUM_GPUS: 1\n")
    assert (kind, line) == ("duplicate", 3)
    assert "SOLVER.BASE_LR stands here and in line 2" in text


def test_number_that_is_text(tmp_path: Path) -> None:
    """1e-3 inside a list is told with the spelling that YAML takes; outside of one the config heals it, so it is not."""
    rows = findings(tmp_path, "SOLVER:\n  STEPS: [0, 1e-3]\n")
    assert [(kind, line) for kind, line, _, _ in rows] == [("number", 2)]
    assert "1.0e-3" in rows[0][3]
    assert SCAN.scan(str(tmp_path / "my.yaml"))[0][0].value == [0, "1e-3"]


@given(st.floats(min_value=1e-30, max_value=1e30), st.booleans())
@settings(deadline=None)
def test_every_spelling_offered_is_a_number(value: float, upper: bool) -> None:
    """What is offered in place of a text is a number to YAML, and the same one."""
    import yaml

    text = f"{value:.3e}".replace("e+", "e").replace(".000", "")
    text = text.upper() if upper else text
    assert SCAN.texts_like_numbers([text]) == [text]
    assert yaml.safe_load(SCAN.dotted_number(text)) == float(text)


@given(st.text(alphabet=" \t\n\r:-[]{}#&*!|>'\"%@`,?AB1.e\ufeff\x00é", max_size=40))
@settings(deadline=None, max_examples=300)
def test_no_text_breaks_the_scan(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a file holds, the scan ends with findings in it or none, never with an exception."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode())
    found, odd = SCAN.scan(str(path))
    assert all(row["kind"] and row["text"] for row in odd)
    SCAN.judge(found, defaults())


def test_bytes_that_editors_leave(tmp_path: Path) -> None:
    """A byte order mark and CRLF are noted and break nothing; a file in another encoding is refused at its first odd byte."""
    assert {kind for kind, *_ in findings(tmp_path, b"\xef\xbb\xbfNUM_GPUS: 1\r\n")} == {"bom", "crlf"}
    [(kind, line, column, _)] = findings(tmp_path, "NUM_GPUS: 1 #\nVIS: # 类别\n".encode("gbk"))[:1]
    assert (kind, line, column) == ("encoding", 2, 8)


def test_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that reads the file in another encoding than it was written in is told so."""
    import builtins
    import locale

    real = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda file, mode="r": real(file, mode, **({} if "b" in mode else {"encoding": "gbk", "errors": "replace"}))
    )
    monkeypatch.setattr(locale, "getpreferredencoding", lambda _=True: "cp936")
    kinds = [row for row in findings(tmp_path, "VIS:\n  LOG_DIR: 运行\n") if row[0] == "locale"]
    assert len(kinds) == 1
    assert "cp936" in kinds[0][3]


def test_base_files_are_scanned_too(tmp_path: Path) -> None:
    """A finding in a file that _BASE_ names carries that file; a circle of such files ends."""
    (tmp_path / "base.yaml").write_text("_BASE_: my.yaml\nNUM_GPU: 1\n", encoding="utf-8")
    (tmp_path / "my.yaml").write_text("_BASE_: base.yaml\nNUM_GPUS: 1\n", encoding="utf-8")
    found, odd = SCAN.scan(str(tmp_path / "my.yaml"))
    assert [row["kind"] for row in odd] == ["base"]
    [unknown] = SCAN.judge(found, defaults())
    assert unknown["file"] == str(tmp_path / "base.yaml")
    assert unknown["line"] == 2


def test_missing_base(tmp_path: Path) -> None:
    """A _BASE_ that is not there is named."""
    [(kind, *_, text)] = findings(tmp_path, "_BASE_: nowhere.yaml\nNUM_GPUS: 1\n")
    assert kind == "missing"
    assert "cannot be read" in text


def test_paths(tmp_path: Path) -> None:
    """A file that a key names and that is in none of the folders is told; an address, an empty value and a file that is there are not."""
    (tmp_path / "there.json").write_text("{}", encoding="utf-8")
    path = tmp_path / "my.yaml"
    path.write_text("A: there.json\nB: gone.json\nC: https://x/y.mp4\nD: ''\nE: gone.json\n", encoding="utf-8")
    found, _ = SCAN.scan(str(path))
    [row] = SCAN.pointed(found, {"A": "a", "B": "the names", "C": "c", "D": "d"}, [str(tmp_path)])
    assert (row["kind"], row["line"]) == ("path", 2)
    assert "B (the names) names gone.json" in row["text"]


def test_bare_assert_is_explained(tmp_path: Path) -> None:
    """An assertion without a message is told with its text and the values that it met."""
    module = tmp_path / "asserting.py"
    module.write_text("def check(cfg):\n    assert cfg.TRAIN.SIZE % cfg.GPUS == 0\n", encoding="utf-8")
    import importlib.util

    class Node(dict[str, Any]):
        __getattr__ = dict.__getitem__

    spec = importlib.util.spec_from_file_location("asserting", module)
    assert spec and spec.loader
    asserting = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(asserting)
    with pytest.raises(AssertionError) as caught:
        asserting.check(Node(TRAIN=Node(SIZE=1), GPUS=8))
    assert "TRAIN.SIZE is 1" in SCAN.assertion(caught.value)
    assert "GPUS is 8" in SCAN.assertion(caught.value)


REFUSED = {
    "error": {"stage": "merge", "type": "KeyError", "message": "'Non-existent config key: TOPK'"},
    "findings": [
        {"kind": "unknown", "file": "/somewhere/demo/x.yaml", "line": 3, "column": 5, "text": "the config has no key TOPK"},
        {"kind": "duplicate", "file": "/somewhere/demo/x.yaml", "line": 4, "column": 1, "text": "the key A stands here and in line 1"},
        {"kind": "number", "file": "/somewhere/demo/x.yaml", "line": 5, "column": 1, "text": "LRS holds the text '1e-3'"},
        {"kind": "path", "file": "/somewhere/base.yaml", "line": 6, "column": 1, "text": "LABELS names a.json"},
        {"kind": "locale", "file": "/somewhere/demo/x.yaml", "line": None, "column": None, "text": "the encoding cp936"},
    ],
}
FINE: dict[str, Any] = {"error": None, "findings": []}


def test_refused_config_fails_with_file_and_line() -> None:
    """A refused file fails its check with file:line:column, the sentence, and the subject's own words."""
    facts = answers(configs={"upstream": {"demo/x.yaml": REFUSED}, "ours": {"x.yaml": REFUSED}, "given": REFUSED})
    for check in (
        lambda: CONFIG.test_config_is_accepted("demo/x.yaml", facts),
        lambda: CONFIG.test_given_config_is_accepted("demo/x.yaml", facts),
        lambda: CONFIG.test_our_config_is_accepted("x.yaml", facts),
    ):
        with pytest.raises(AssertionError, match=r"x\.yaml:3:5: the config has no key TOPK") as caught:
            check()
        assert "KeyError: 'Non-existent config key: TOPK'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("given_config_has_no_key_twice", "demo/x.yaml:4:1: the key A stands here"),
        ("given_config_has_numbers", "demo/x.yaml:5:1: LRS holds"),
        ("given_config_points_to_what_exists", "base.yaml:6:1: LABELS names"),
        ("given_config_is_read_as_written", "demo/x.yaml: the encoding cp936"),
    ],
)
def test_each_property_of_a_given_config_has_its_check(name: str, words: str) -> None:
    """Each kind of finding fails the one check that is about it, and a fine file passes it."""
    check = getattr(CONFIG, f"test_{name}")
    check("demo/x.yaml", answers(configs={"given": FINE}))
    with pytest.raises(AssertionError, match=words):
        check("demo/x.yaml", answers(configs={"given": REFUSED}))


def test_config_of_ours_that_the_target_does_not_see() -> None:
    """A target that does not see our files fails: nothing was verified there."""
    with pytest.raises(AssertionError, match="not among the fixtures that the target sees: none"):
        CONFIG.test_our_config_is_accepted("x.yaml", answers(configs={"ours": {}}))


@pytest.mark.parametrize(
    ("name", "wanted"), [("pyslowfast", "tiny_kinetics_demo.yaml"), ("slowfast-release", "tiny_kinetics_release.yaml")]
)
def test_our_configs_are_put_to_their_subject(name: str, wanted: str, here: Target, tmp_path: Path) -> None:
    """Each subject is asked about the files that are made for it, and about no file of another."""
    inventory = {"configs": [], "checkout": None, "distributions": {}, "modules": []}
    ours = Verdicts(name, None, here, tmp_path, inventory, {}, None).parameters("our_config") or []
    assert wanted in ours
    assert ("tiny_kinetics_release.yaml" in ours) == (name == "slowfast-release")


@pytest.mark.heavy
def test_real_config_that_is_wrong_in_five_ways(tmp_path: Path) -> None:
    """With SlowFast's own config: each wrong line of a user's YAML is found by its check, through the whole suite."""
    cell = standing("*pyslowfast@*")
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "TRAIN:\n  BATCH_SIZE: 8\n  BATCH_SIZE: 4\n  CHECKPOINT_FILE_PATH: nowhere.pyth\n"
        "SOLVER:\n  LRS: [1e-3, 0.1]\n  WARMUP_EPOCHS: 34\nTENSORBOARD:\n  MODEL_VIS:\n    TOPK: 2\n",
        encoding="utf-8",
    )
    said = verify(of_cell(cell), "tests/verify/test_config.py", "-k", "given", "--config", str(mine), records=tmp_path / "records")
    for words in (
        "mine.yaml:3:3: the key TRAIN.BATCH_SIZE stands here and in line 2",
        "mine.yaml:4:3: TRAIN.CHECKPOINT_FILE_PATH (the weights to start training from) names nowhere.pyth",
        "mine.yaml:6:3: SOLVER.LRS holds the text '1e-3'",
        "mine.yaml:7:3: SOLVER.WARMUP_EPOCHS is 34 (int)",
        "mine.yaml:10:5: the config has no key TENSORBOARD.MODEL_VIS.TOPK; the nearest is TENSORBOARD.MODEL_VIS.TOPK_PREDS",
    ):
        assert words in said, said
    assert "4 failed, 1 passed" in said, said
