"""matrices/torch-releases.toml: read, drawn upon, and compared with what an index lists."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.version import Version
from typer.testing import CliRunner

from slowfast_verify import package_index, release_check, resolution, torch_pairs
from slowfast_verify.cell import parse
from slowfast_verify.cli import app
from slowfast_verify.errors import Infrastructure
from slowfast_verify.release_check import compare, wheels
from slowfast_verify.space import place_of as place_of_cell
from slowfast_verify.torch_releases import PLACES, releases
from slowfast_verify.wheel_tags import highest, lowest, place_of, system_of


def listing(*files: str, yanked: str = "") -> dict[str, Any]:
    return {"files": [{"filename": name, "yanked": name == yanked} for name in files]}


def told() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Listings made from the table itself: what an index would say if nothing had changed."""
    names: dict[str, list[str]] = {"torch": [], "torchvision": [], "torchaudio": []}
    tags = {
        "linux-x86_64": "x86_64",
        "linux-aarch64": "aarch64",
        "windows-x86_64": "win_amd64",
        "macos-arm64": "arm64",
        "macos-x86_64": "x86_64",
    }
    for row in releases().release:
        for place, there in row.index.items():
            number = there.system.rpartition(" ")[2].replace(".", "_")
            platform = (
                tags[place] if place == "windows-x86_64" else f"{'macosx' if 'macos' in place else 'manylinux'}_{number}_{tags[place]}"
            )
            for python in there.python:
                tag = "cp" + python.replace(".", "")
                names["torch"].append(f"torch-{row.torch}-{tag}-none-{platform}.whl")
                if python not in there.without_torchvision:
                    names["torchvision"].append(f"torchvision-{row.torchvision}-{tag}-none-{platform}.whl")
                if row.torchaudio and python not in there.without_torchaudio:
                    names["torchaudio"].append(f"torchaudio-{row.torchaudio}-{tag}-none-{platform}.whl")
    return tuple(listing(*names[name]) for name in ("torch", "torchvision", "torchaudio"))  # type: ignore[return-value]


def without(there: dict[str, Any], part: str) -> dict[str, Any]:
    kept = [row for row in there["files"] if part not in row["filename"]]
    assert len(kept) < len(there["files"]), part
    return {"files": kept}


def test_every_release_since_1_8_tells_its_source() -> None:
    """The table begins with 1.8 and every row says who says so."""
    rows = releases().release
    assert rows[0].torch == "1.8.0"
    assert Version(rows[-1].torch) >= Version("2.15.0")
    assert all(row.source for row in rows)
    assert len(rows) >= 40


def test_pairs_are_drawn_from_the_same_table() -> None:
    """There is one list: what torch_pairs knows is what the releases say."""
    for row in releases().release:
        if torch_pairs.mates(row.torch):
            assert torch_pairs.mates(row.torch)[0] == row.torchvision


def test_nothing_changed_is_no_difference() -> None:
    """The table agrees with listings made from it."""
    assert compare(releases(), *told()) == []


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("torch-2.4.1-cp312-none-manylinux_2_5_x86_64", "linux-x86_64, Pythons: the table says 3.8, 3.9, 3.10, 3.11, 3.12, the index 3.8"),
        ("torch-2.4.1-", "torch 2.4.1 is in the table and no longer on the index"),
        ("win_amd64", "windows-x86_64: in the table, no wheel on the index"),
    ],
)  # fmt: skip
def test_what_is_gone_is_told(part: str, sentence: str) -> None:
    """A Python, a release or a place that the index no longer has is one sentence with both sides."""
    torch, vision, audio = told()
    part = (
        part
        if "x86_64" not in part
        else next(r["filename"] for r in torch["files"] if r["filename"].startswith("torch-2.4.1-cp312") and "x86_64" in r["filename"])
    )
    assert any(sentence in line for line in compare(releases(), without(torch, part), vision, audio))


def test_what_is_new_is_told() -> None:
    """A torch, a Python and a partner that the table does not know are told."""
    torch, vision, audio = told()
    torch["files"] += listing("torch-9.0.0-cp315-none-win_amd64.whl", "torch-2.13.0-cp315-none-win_amd64.whl")["files"]
    changed = compare(releases(), torch, without(vision, "torchvision-0.28.0-"), audio)
    assert "torch 9.0.0 is on the index and not in the table" in changed
    assert "torchvision 0.28.0, told for torch 2.13.0, is not on the index" in changed
    assert any(line.startswith("torch 2.13.0, windows-x86_64, Pythons: ") for line in changed)


def test_yanked_and_free_threaded_wheels_do_not_count() -> None:
    """What nobody is given by default is not offered to a cell."""
    names = ("torch-2.9.0-cp313-cp313t-win_amd64.whl", "torch-2.9.0-cp313-cp313-win_amd64.whl", "torch-2.9.0-cp312-cp312-win_amd64.whl")
    found = wheels(listing(*names, yanked=names[2]))["2.9.0"]["windows-x86_64"]
    assert found.python == ["3.13"]


def test_a_wheel_for_every_python_lacks_none() -> None:
    """torchvision since 0.29 is one wheel a system."""
    assert wheels(listing("torchvision-0.29.2-py3-none-win_amd64.whl"))["0.29.2"]["windows-x86_64"].all_pythons


@pytest.mark.parametrize(
    ("tag", "place", "system"),
    [
        ("manylinux1_x86_64", "linux-x86_64", "glibc 2.5"), ("manylinux_2_28_aarch64", "linux-aarch64", "glibc 2.28"),
        ("macosx_14_0_arm64", "macos-arm64", "macOS 14.0"), ("macosx_10_9_x86_64", "macos-x86_64", "macOS 10.9"),
        ("win_amd64", "windows-x86_64", ""), ("musllinux_1_2_x86_64", None, ""),
        ("manylinux_2_17_i686", None, "glibc 2.17"), ("any", None, ""),
    ],
)  # fmt: skip
def test_tags(tag: str, place: str | None, system: str) -> None:
    """A platform tag tells the place and the oldest system, in the old names of glibc too."""
    assert place_of(tag) == place
    assert system_of(tag) == system


def test_systems_are_compared_by_number() -> None:
    """glibc 2.5 is older than 2.28, and running on any is older than both."""
    assert lowest(["glibc 2.28", "glibc 2.5"]) == "glibc 2.5"
    assert highest(["glibc 2.28", "glibc 2.5", ""]) == "glibc 2.28"


def test_an_index_that_is_silent_is_not_verified_and_not_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package index agrees, the others do not answer: exit 0, and the answer says what was not verified."""
    tables = dict(zip(("torch", "torchvision", "torchaudio"), told(), strict=True))
    monkeypatch.setattr(package_index, "listing", lambda name: tables[name])
    monkeypatch.setattr(package_index, "answers", lambda place: "ConnectionError")
    done = CliRunner().invoke(app, ["releases", "--check"])
    assert done.exit_code == 0
    assert "as told" in done.output
    assert "not verified: 325 builds" in done.output
    tables["torch"] = without(tables["torch"], "torch-2.4.1-")
    assert CliRunner().invoke(app, ["releases", "--check"]).exit_code == 1


def test_a_dead_package_index_is_an_outage() -> None:
    """Nothing can be compared: infrastructure, which is not a difference."""
    with pytest.raises(Infrastructure):
        package_index.listing("torch", "http://127.0.0.1:9/simple", seconds=2)


def test_another_index_that_answers_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that is told for an index and not listed there is a difference."""
    monkeypatch.setattr(package_index, "names", lambda place: ["torch-2.4.1+cu118-cp310-cp310-linux_x86_64.whl"])
    found = release_check._elsewhere(releases(), "https://download.pytorch.org/whl/cu118/torch/")
    assert "torch 2.3.1 is told for https://download.pytorch.org/whl/cu118/torch/ and not listed there" in found
    assert not any("torch 2.4.1 " in line for line in found)


def test_places_are_all_used() -> None:
    """No place of the data is without a release."""
    assert {place for row in releases().release for place in row.index} == set(PLACES)


def test_the_builds_of_the_index_are_what_its_wheels_require() -> None:
    """The table says for which CUDA the package index's wheel is built; what resolved beside that torch says so too."""
    kept = resolution.load()
    seen = {}
    for identifier in kept.ids():
        cell = parse(identifier)
        found = kept.of(identifier)
        if found and found.verdict == "resolves" and cell.os == "linux" and cell.accelerator == "cpu":
            runtime = next((version for name, version in found.versions.items() if name.startswith("nvidia-cuda-runtime")), "")
            told = releases().of(cell.torch)
            assert told
            seen[cell.torch, cell.arch] = ("cu" + "".join(runtime.split(".")[:2]) if runtime else "", told.index[place_of_cell(cell)].build)  # type: ignore[index]
    with_runtime = {key: pair for key, pair in seen.items() if pair[0]}
    assert len(with_runtime) > 15
    assert not {key: pair for key, pair in with_runtime.items() if pair[0] != pair[1]}
    without = {pair[1] for key, pair in seen.items() if not pair[0]}
    assert without <= {"cpu", "cu102"}  # CUDA lies in the wheel, or there is none
