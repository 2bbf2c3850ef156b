"""An outage is told from a failure by what git, uv and pip really say, and one commit is checked out without the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import installer, sources
from slowfast_verify.errors import Infrastructure, NotVerifiable

from .commits import begin, commit, git
from .tiny_wheel import wheel

CLOSED = "127.0.0.1:1"  # nothing listens on port 1


def said(*argv: str, **more: str) -> str:
    """What a command that must fail prints."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "127.0.0.1,localhost", "UV_HTTP_RETRIES": "0", **more}
    env = {key: value for key, value in env.items() if not key.startswith("PIP_")}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=env, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


PIP_ASKS = (sys.executable, "-m", "pip", "--isolated", "download")


def uv_asks(*words: str) -> list[str]:
    """uv as it would install, without installing."""
    return [installer.uv(), "pip", "install", "--no-config", "--python", sys.executable, "--dry-run", *words]


@pytest.mark.parametrize(
    "address", [f"https://{CLOSED}/x.git", "https://nonesuch.invalid/x.git", f"git://{CLOSED}/x", "file:///nonesuch/x.git"]
)
def test_a_repository_that_does_not_answer_is_a_source(address: str) -> None:
    """git's own words for a refused connection, an unknown host and a missing repository: not verified, never red."""
    found = sources.outage_in(said("git", "ls-remote", address))
    assert isinstance(found, NotVerifiable)
    assert found.what == "source unreachable"


def test_a_repository_that_an_installer_cannot_reach_is_a_source() -> None:
    """The same when uv is to install from it."""
    text = said(*uv_asks("--no-index", f"svtx @ git+https://{CLOSED}/x.git"))
    found = sources.outage_in(text)
    assert isinstance(found, NotVerifiable), text
    assert found.what == "source unreachable"


@pytest.mark.parametrize("host", [CLOSED, "nonesuch.invalid"])
def test_an_index_that_does_not_answer_is_infrastructure(host: str) -> None:
    """What uv and pip say of an index that refuses the connection or has no address: neither red nor green."""
    uv = uv_asks("--default-index", f"https://{host}/simple", "svtx")
    for argv in (uv, [*PIP_ASKS, "--retries", "1", "--index-url", f"https://{host}/simple", "--no-deps", "svtx"]):
        text = said(*argv, UV_INDEX="", UV_FIND_LINKS="")
        found = sources.outage_in(text)
        assert isinstance(found, Infrastructure), text
        assert "index" in found.what
        assert found.where
        assert found.next


@pytest.mark.parametrize(
    "text",
    [
        "error: Failed to write: No space left on device (os error 28)",
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "OSError: [WinError 112] There is not enough space on the disk",
    ],
)
def test_a_full_disk_is_infrastructure(text: str) -> None:
    """A full disk is not the cell's fault."""
    found = sources.outage_in(f"Collecting torch\n{text}\n")
    assert isinstance(found, Infrastructure)
    assert found.what == "the disk is full"
    assert found.where == text


def test_a_full_disk_for_real() -> None:
    """What a write to a full device says is recognised."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    assert isinstance(sources.outage_in(said(sys.executable, "-c", "open('/dev/full', 'wb', buffering=0).write(b'x')")), Infrastructure)


def test_a_conflict_is_no_outage(tmp_path: Path) -> None:
    """A resolution that fails is the cell's own failure, with either installer."""
    folder = str(tmp_path)
    wheel(tmp_path, "svta", "1.0", "svtb<2")
    wheel(tmp_path, "svtb", "2.0")
    words = ["--no-index", "--find-links", folder, "svta"]
    for argv in (uv_asks(*words), [*PIP_ASKS, *words]):
        text = said(*argv)
        assert "svtb" in text
        assert sources.outage_in(text) is None, text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error: command 'gcc' failed with exit status 1",
        "ModuleNotFoundError: No module named 'torch'",
        "error: No solution found when resolving dependencies",
        "fatal error: cuda_runtime.h: No such file or directory",
        "Building wheel for detectron2 (setup.py): finished with status 'error'",
        "note: This error originates from a subprocess, and is likely not a problem with pip.",
    ],
)
def test_a_failed_build_is_no_outage(text: str) -> None:
    """A build that fails stays a failure."""
    assert sources.outage_in(text) is None


def test_a_connection_that_broke_and_came_back_is_no_outage() -> None:
    """pip tells of a broken connection and tries again: what ends the run afterwards is not the network."""
    broken = "WARNING: Retrying (Retry(total={}, connect=None)) after connection broken by 'NewConnectionError: refused'\n"
    assert sources.outage_in(broken.format(4) + "ERROR: ResolutionImpossible\n") is None
    assert sources.outage_in(broken.format(4) + broken.format(0) + "ERROR: No matching distribution\n") is not None


def test_an_address_is_asked_for_its_answer(tmp_path: Path) -> None:
    """A repository answers or the reason is given; the first that does not is named with what to try."""
    repository = tmp_path / "there"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    address = repository.as_uri()
    assert sources.reachable(address) is None
    sources.require_reachable([address])
    gone = (tmp_path / "gone").as_uri()
    assert sources.reachable(gone)
    with pytest.raises(NotVerifiable, match="source unreachable") as caught:
        sources.require_reachable([address, gone])
    assert gone in caught.value.where
    assert f"git ls-remote {gone}" in caught.value.next


def test_a_local_copy_serves_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git's insteadOf is honoured: a machine that cannot reach the host uses its copy."""
    begin(tmp_path / "copy")
    commit(tmp_path / "copy", {}, "one")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{(tmp_path / 'copy').as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://nonesuch.invalid/copied")
    assert sources.reachable("https://nonesuch.invalid/copied") is None


# -- checkout ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def upstream(tmp_path: Path) -> tuple[Path, list[str]]:
    """A repository with three commits, which serves any of them as the big hosts do."""
    folder = tmp_path / "upstream"
    begin(folder)
    names = ("setup.py", "demo/video.gif", "demo/run.py")
    return folder, [commit(folder, {name: f"# state {number}\n{name}\n" for name in names}, str(number)) for number in range(3)]


def check_out(address: str, commit: str, folder: Path, sparse: list[str]) -> list[str]:
    """Run the commands; the files that are there afterwards."""
    for argv in sources.checkout_commands(address, commit, folder, sparse):
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_commit_is_checked_out_alone(upstream: tuple[Path, list[str]], tmp_path: Path, number: int) -> None:
    """The commit that is asked for is there, whole, without the history before it."""
    folder, commits = upstream
    files = check_out(folder.as_uri(), commits[number], tmp_path / "checkout", [])
    assert files == ["demo/run.py", "demo/video.gif", "setup.py"]
    assert (tmp_path / "checkout" / "setup.py").read_text(encoding="utf-8") == f"# state {number}\nsetup.py\n"
    assert git(tmp_path / "checkout", "rev-parse", "HEAD") == commits[number]
    assert git(tmp_path / "checkout", "rev-list", "--count", "HEAD") == "1"


def test_a_sparse_checkout_needs_no_file_that_it_leaves_out(upstream: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Files that are left out need not even exist at the source, as in a copy that lacks its largest ones."""
    folder, commits = upstream
    blob = git(folder, "rev-parse", f"{commits[2]}:demo/video.gif")
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert check_out(folder.as_uri(), commits[2], tmp_path / "checkout", ["/*", "!*.gif"]) == ["demo/run.py", "setup.py"]
    with pytest.raises(subprocess.CalledProcessError):
        check_out(folder.as_uri(), commits[2], tmp_path / "whole", [])


def test_a_commit_that_does_not_exist_fails(upstream: tuple[Path, list[str]], tmp_path: Path) -> None:
    """A commit that the source does not have ends in git's error, not in some other commit."""
    with pytest.raises(subprocess.CalledProcessError):
        check_out(upstream[0].as_uri(), "0" * 39 + "1", tmp_path / "checkout", [])
