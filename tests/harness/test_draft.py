"""`slowfast-verify new failure`: a log becomes a draft that, filled in, is a known failure; nothing of a machine stays in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from slowfast_verify import draft, knowledge, layout
from slowfast_verify.data import load
from slowfast_verify.errors import Problem
from slowfast_verify.log import from_text

from .test_cli import run, said

HOME = "/" + "home/carol"
NEW = f"""[11/20 08:58:46] INFO loading
Traceback (most recent call last):
  File "{HOME}/SlowFast/tools/run_net.py", line 24, in main
    launch_job(cfg=cfg, init_method=args.init_method, func=demo)
  File "{HOME}/env/lib/python3.8/site-packages/flumox/reader.py", line 33, in open
    self.handle = flumox.open(path)
flumox.errors.ContainerError: stream 3 of {HOME}/clip-1.mp4 at 0x7f3a2b has frobnicator 'quux' 2.3.1+cu118, wanted >= 2.4
"""
#: The same failure on another machine.
ELSEWHERE = r"""ContainerError: stream 11 of D:\films\b.mp4 at 0x5500 has frobnicator 'quux' 1.0, wanted >= 2.5.1"""
FILLED = {
    "title": "The film's frobnicator is too old",
    "title_zh": "影片里的组件太旧",
    "advice_zh": "更新组件",
    "why_zh": "旧的读不了",
    "cause_zh": "影片里的组件太旧了，读取时会失败",
}


def fill_in(text: str) -> str:
    """What a person writes into the marked places."""
    for key, words in FILLED.items():
        text = re.sub(rf'^{key} = "{draft.MARK}[^"]*"', f'{key} = "{words}"', text, flags=re.MULTILINE)
    return re.sub(rf'"{draft.MARK}[^"]*"', '"our runs"', text).replace(f"# Replace every `{draft.MARK}`, and this line", "#")


def test_a_log_becomes_a_known_failure(tmp_path: Path) -> None:
    """Draft, filled in, put into a copied data folder by the printed command: it loads, diagnose names it, its near miss is something
    else, and the project's own test of known failures takes it.
    """
    for name in ("knowledge", "matrices"):
        shutil.copytree(layout.root() / name, tmp_path / name)
    for name in ("fixtures", "reports", "tests"):
        (tmp_path / name).symlink_to(layout.root() / name)
    (tmp_path / "new.log").write_text(NEW, encoding="utf-8")
    env = {"SLOWFAST_VERIFY_DATA": str(tmp_path), "SLOWFAST_VERIFY_HOME": str(tmp_path / "home")}
    done = run("new", "failure", str(tmp_path / "new.log"), "--id", "frobnicator-old", "--folder", str(tmp_path), **env)
    assert done.returncode == 0, said(done)
    path = tmp_path / "frobnicator-old.toml"
    left = path.read_text(encoding="utf-8").replace("ContainerError", "LeftAloneError").replace("stream", "left alone")
    (tmp_path / "knowledge" / "left-as-it-was.toml").write_text(left, encoding="utf-8")
    path.write_text(fill_in(path.read_text(encoding="utf-8")), encoding="utf-8")
    move = next(line.strip() for line in done.stdout.splitlines() if line.strip().startswith("mv "))
    assert subprocess.run(move.split(), cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "elsewhere.log").write_text(ELSEWHERE, encoding="utf-8")
    found = load(tmp_path / "knowledge" / "frobnicator-old.toml", knowledge.KnownFailure)
    (tmp_path / "near.log").write_text(found.near_miss[0].text, encoding="utf-8")
    told = run("diagnose", *(str(tmp_path / f"{name}.log") for name in ("new", "elsewhere", "near")), **env)
    first, second, third = re.split(r"(?m)^== .*$", told.stdout)[1:]
    assert "[frobnicator-old]" in first and "[frobnicator-old]" in second, said(told)
    assert "[frobnicator-old]" not in third
    names = ("frobnicator-old", "left-as-it-was")
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "tests/harness/test_knowledge.py",
        "-k",
        " or ".join(names),
    ]
    asked = subprocess.run(
        tests, cwd=Path(__file__).parents[2], env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=120
    )
    assert re.findall(r"^FAILED \S+\[([\w-]+)\]", asked.stdout, re.MULTILINE) == ["left-as-it-was"], asked.stdout[-3000:]
    assert re.search(r"\d+ passed", asked.stdout) and "left-as-it-was: a draft" in asked.stdout


def test_a_draft_says_nothing_of_its_machine() -> None:
    """Example, near miss and signature: no home, no name; environment and checkout are recognised."""
    text = draft.draft(from_text(NEW)).text
    assert "carol" not in text
    assert "{env}/lib/python3.8/site-packages/flumox" in text and "{checkout}/tools/run_net.py" in text


def test_a_draft_is_toml_with_every_mark_counted() -> None:
    """It is read as it stands, and the number that is told is the number of places."""
    found = draft.draft(from_text(NEW))
    assert found.id == "stream-frobnicator-quux-wanted"
    assert tomllib.loads(found.text)["signature"][0]["type"] == "ContainerError"
    assert found.marks == found.text.count(draft.MARK) > 5


def test_a_known_log_is_refused(tmp_path: Path) -> None:
    """Exit 1, the id, and nothing is written."""
    example = knowledge.known("pytorchvideo-cat-all-gather").example
    assert example
    (tmp_path / "known.log").write_text(example.text, encoding="utf-8")
    done = run("new", "failure", str(tmp_path / "known.log"), "--folder", str(tmp_path))
    assert done.returncode == 1 and "known already: pytorchvideo-cat-all-gather" in done.stderr and "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known.log"]


def test_a_draft_never_replaces_a_file(tmp_path: Path) -> None:
    """The second draft of one name is refused, and the first stays as it was filled in."""
    (tmp_path / "new.log").write_text(NEW, encoding="utf-8")
    (tmp_path / "mine.toml").write_text("filled in\n", encoding="utf-8")
    done = run("new", "failure", str(tmp_path / "new.log"), "--id", "mine", "--folder", str(tmp_path))
    assert done.returncode == 2 and "--id ANOTHER-NAME" in done.stderr
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "filled in\n"


def test_a_log_without_an_error_is_refused() -> None:
    """Nothing to draft from: said with how to get the rest of the output."""
    with pytest.raises(Problem, match="shows no error"):
        draft.draft(from_text("epoch 1\nepoch 2\n"))


@pytest.mark.parametrize("message", [
    "cannot open '/" + "srv/a b/clip.mp4' (errno 2)", r"C:\x\y.dll is 0xDEADBEEF", "torch 2.13.0+cu126 != 1.8.0rc1, at 1.5e-3",
    "a (b) [c] {d} ^$|*?+.",
    "no file ./a/b, ../c/d: 3 of 4", "it's '''three''' quotes\\",
])  # fmt: skip
def test_a_generalised_message_matches_itself(message: str) -> None:
    """What stands for a message matches it."""
    assert re.fullmatch(draft.generalised(message), message)


def test_every_example_matches_what_would_be_drafted_of_it() -> None:
    """The same for the words that several hundred known failures printed."""
    lines = [line for row in knowledge.all_known().values() if row.example for line in row.example.text.splitlines() if line.strip()]
    assert len(lines) > 1000
    assert [line for line in lines if not re.fullmatch(draft.generalised(line), line)] == []


@pytest.mark.parametrize(("message", "elsewhere"), [
    ("cannot load /a/b/c.so: 3 symbols", "cannot load /x/y.so: 12 symbols"),
    ("object at 0x7f01", "object at 0xdeadbeef"),
    ("needs torch 1.8.0+cu111", "needs torch 2.13.0"),
])  # fmt: skip
def test_what_varies_is_no_part_of_the_signature(message: str, elsewhere: str) -> None:
    """Paths, numbers, addresses and versions of another machine match; other words do not."""
    assert re.fullmatch(draft.generalised(message), elsewhere)
    assert not re.fullmatch(draft.generalised(message), elsewhere.replace("o", "a"))


def test_a_number_alone_is_no_signature() -> None:
    """`StrangeError: 3`: a message of `\\d+` would fit every log, so the exception's name is part of the expression."""
    assert tomllib.loads(draft.draft(from_text("StrangeError: 3")).text)["signature"] == [{"text": r"StrangeError: \d+"}]


@pytest.mark.parametrize(("text", "rung"), [
    ("ERROR: ResolutionImpossible: flumox", "resolve"),
    ("Collecting flumox\nflumox.BuildError: quux", "install"),
    ("  File \"a.py\", line 1\nImportError: flumox wants quux", "imports"),
    ("[rank0] init_process_group\nFlumoxError: quux", "distributed"),
    ('  File "{env}/torch/serialization.py", line 9, in torch.load\nFlumoxError: quux', "checkpoint"),
    ('  File "{checkout}/tools/train_net.py", line 9, in train\nFlumoxError: quux', "train"),
    ('  File "{checkout}/tools/demo_net.py", line 9, in demo\nFlumoxError: quux', "demo"),
    ("FlumoxError: quux", "environment"),
])  # fmt: skip
def test_the_rung_is_guessed(text: str, rung: str) -> None:
    """From the installer's words, the exception or the frames."""
    assert tomllib.loads(draft.draft(from_text(text)).text)["rung"] == rung
