"""A target that does not see this machine's files gets those that its questions name, and only those."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import ladder, layout, parcel
from slowfast_verify import target as targets
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.observe import Observation, Question, observe
from slowfast_verify.subject import subject
from slowfast_verify.target import Target
from slowfast_verify.verdict import Verdicts, answered

from .fakes import interpreter, questions

posix = pytest.mark.skipif(os.name != "posix", reason="the targets are wrappers of sh")
EXPECTED = {"file": "{fixtures}/expected.json", "folder": "{fixtures}", "nested": [{"clip": "{fixtures}/clips/up.mp4"}]}


def far(python: Path | str = sys.executable, kind: str = "docker") -> Target:
    """A target that is called a container and is this machine behind a wrapper."""
    return Target(argv=("sh", "-c", 'exec "$@"', "sh", str(python)), kind=kind)


@pytest.fixture
def blind(tmp_path: Path) -> Any:
    """`blind(path)` -> a target of kind argv for which nothing exists below the path."""

    def make(path: Path) -> Target:
        (tmp_path / "sitecustomize.py").write_text(
            f"import os\nreal = os.path.exists\nos.path.exists = lambda path: not str(path).startswith({str(path)!r}) and real(path)\n",
            encoding="utf-8",
        )
        return targets.parse(f"argv:{shlex.join(['env', f'PYTHONPATH={tmp_path}', sys.executable])}")

    return make


def read(target: Target, args: dict[str, Any], places: dict[str, str]) -> Observation:
    return observe(target, questions(("fake_reading", args)), places=places)["0"]


def fixtures() -> dict[str, str]:
    return {"fixtures": str(layout.fixtures())}


@posix
@pytest.mark.parametrize("version", ["3.6", "3.8", "3.13"])
def test_a_container_gets_the_fixtures(version: str) -> None:
    """The files travel whole to a target of another file system, lie below the probe's folder there, and go with it."""
    facts = answered(read(far(interpreter(version)), EXPECTED, fixtures()))
    assert facts["file"] != str(layout.fixtures() / "expected.json")
    assert facts["file"].startswith(facts["cwd"])
    assert facts["sha256"] == hashlib.sha256((layout.fixtures() / "expected.json").read_bytes()).hexdigest()
    assert facts["nested"] == [{"clip": facts["file"].replace("expected.json", "clips/up.mp4")}]
    assert ".".join(map(str, facts["python"])) == version
    assert not Path(facts["cwd"]).exists()


@posix
def test_what_only_people_read_does_not_travel() -> None:
    """Every fixture is there but for the script that makes them and the README."""
    beside = answered(read(far(), EXPECTED, fixtures()))["beside"]
    here = {path.relative_to(layout.fixtures()).as_posix() for path in layout.fixtures().rglob("*") if path.is_file()}
    assert set(beside) == {name for name in here if not name.startswith("make/") and name != "README.md"}
    assert "weights/tiny_kinetics.pyth" in beside


@posix
def test_what_no_question_names_does_not_travel() -> None:
    """A place that no argument names stays here, however large it is."""
    assert parcel.parcel_for(questions(("fake_answer",)), fixtures(), travels=True).packed is None


@posix
def test_a_file_of_a_person_travels_under_its_own_name(tmp_path: Path) -> None:
    """A config that somebody hands in arrives with its bytes and its name, Chinese and blanks included."""
    mine = tmp_path / "my 配置.yaml"
    mine.write_bytes("名: 1\n".encode())
    facts = answered(read(far(), {"file": "{config}"}, {"config": str(mine), **fixtures()}))
    assert (Path(facts["file"]).name, facts["beside"]) == (mine.name, [mine.name])
    assert facts["sha256"] == hashlib.sha256(mine.read_bytes()).hexdigest()


@posix
@pytest.mark.parametrize("kind", ["docker", "argv"])
def test_a_file_that_is_too_large_is_not_verified(kind: str, tmp_path: Path, blind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that is too large to travel makes its own question unverifiable, with the reason, and no other."""
    monkeypatch.setattr(parcel, "LIMIT", 9_000_000)
    large = tmp_path / "large.pyth"
    large.write_bytes(b"x" * 10_000_000)
    asked = [
        Question(id="large", probe="fake_reading", args={"file": "{checkpoint}"}),
        Question(id="ours", probe="fake_reading", args={"file": "{fixtures}/expected.json"}),
    ]
    target = far() if kind == "docker" else blind(tmp_path)
    found = observe(target, asked, places={"checkpoint": str(large), **fixtures()})
    with pytest.raises(NotVerifiable, match=r"large\.pyth has 10 MB, and the target does not see the files of this machine"):
        answered(found["large"])
    assert found["ours"].how == "answered"


@posix
def test_a_command_that_sees_our_files_reads_them_where_they_are() -> None:
    """An argv that starts a Python of this machine is told the paths; nothing travels."""
    target = targets.parse(f"argv:env {shlex.quote(sys.executable)}")
    assert answered(read(target, EXPECTED, fixtures()))["file"] == str(layout.fixtures() / "expected.json")


@posix
def test_a_command_that_does_not_see_our_files_gets_them(blind: Any) -> None:
    """An argv that leads elsewhere says so at once, and the files go along the second time."""
    facts = answered(read(blind(layout.fixtures()), EXPECTED, fixtures()))
    assert facts["file"].startswith(facts["cwd"])


@posix
def test_questions_after_a_crash_find_their_files_too() -> None:
    """The files are there for every process that the questions need."""
    found = observe(far(), questions(("fake_dying", {"how": "SEGV"}), ("fake_reading", EXPECTED)), places=fixtures())
    assert [seen.how for seen in found.values()] == ["died", "answered"]


@pytest.mark.parametrize(
    ("text", "shares"), [("docker:box", False), ("ssh:host", False), ("wsl:Debian", False), ("conda:env", True), ("argv:python3", None)]
)
def test_a_target_knows_whether_it_shares_our_files(text: str, shares: bool | None) -> None:
    """A container, a host and WSL have files of their own, conda runs here, and a command is tried."""
    assert targets.parse(text).shares_files is shares


INVENTORY: dict[str, Any] = {"distributions": {}, "modules": [], "configs": ["a.yaml"], "checkout": "/there/SlowFast"}


def test_questions_for_a_container_keep_the_names_of_places() -> None:
    """No path of this machine is in a question that is put to another file system, and what nobody handed in is empty."""
    asked = ladder.batches(
        subject("pyslowfast"), INVENTORY, None, {}, {"checkpoint": str(layout.fixtures() / "weights" / "tiny_kinetics.pyth")}, shared=False
    )
    args = {question.id: question.args for batch in asked.values() for question in batch}
    assert str(layout.fixtures()) not in str(args)
    assert args["decode"]["path"] == "{fixtures}/clips/count.mp4"
    assert args["your_checkpoint"]["weights"] == "{checkpoint}"
    assert args["configs"]["given"] == ""
    assert args["demo"]["checkout"] == "/there/SlowFast"


def verdicts(target: Target, folder: Path) -> Verdicts:
    return Verdicts("pyslowfast", None, target, folder, INVENTORY, {}, None)


def test_a_worker_of_xdist_gets_the_whole_target(tmp_path: Path) -> None:
    """What the controller hands on is the same target in the worker: argv, kind, variables and slowness."""
    target = Target(("python",), kind="docker", env={"A": "b"}, clean=True, slowness=7.5)
    assert Verdicts.receive(verdicts(target, tmp_path).hand_on()).target == target


def test_our_configs_are_listed_for_a_container_too(tmp_path: Path) -> None:
    """The checks of our configs exist whichever file system the target has."""
    assert (
        verdicts(far(), tmp_path).parameters("our_config") == verdicts(targets.of_python("python"), tmp_path).parameters("our_config") != []
    )
