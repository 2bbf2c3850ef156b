"""One question to the resolver, against indexes of a few hundred bytes: each verdict is seen, with its reason in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowfast_verify import package_index, resolver
from slowfast_verify.request import Asked
from slowfast_verify.resolver import sentence

from . import tiny_wheel

LINUX = "x86_64-manylinux_2_28"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that a test fills; nothing else is asked."""
    root = tmp_path / "index"
    for name, tag in (("alpha", "py3-none-any"), ("beta", "cp310-cp310-manylinux_2_17_x86_64"), ("beta", "cp310-cp310-macosx_14_0_arm64")):
        tiny_wheel.wheel(root / name, name, "1.0", *(["alpha>=1"] if name == "beta" else []), tag=tag)
    tiny_wheel.wheel(root / "alpha", "alpha", "2.0")
    tiny_wheel.source(root / "av", "av", "3.0", "alpha")
    tiny_wheel.source(root / "fvcore", "fvcore", "0.1", "alpha<2")
    monkeypatch.setenv("UV_DEFAULT_INDEX", tiny_wheel.links(root))
    package_index.address.cache_clear()
    yield root  # type: ignore[misc]
    package_index.address.cache_clear()


def ask(
    tmp_path: Path, *requirements: str, platform: str = LINUX, system: str = "glibc 2.28", limits: tuple[str, ...] = (), **more: object
) -> resolver.Answer:
    question = Asked(platform=platform, python="3.10", system=system, requirements=list(requirements), limits=list(limits), **more)  # type: ignore[arg-type]
    return resolver.resolve(question, tmp_path / "cache")


@pytest.mark.usefixtures("shelf")
def test_it_resolves_to_versions(tmp_path: Path) -> None:
    """What an installer would take, and the oldest system that its wheels run on."""
    found = ask(tmp_path, "beta")
    assert (found.verdict, found.reason) == ("resolves", "")
    assert found.versions == {"alpha": "2.0", "beta": "1.0"}
    assert found.needs == "glibc 2.17"
    assert found.sources_only == found.pure_sources == []


@pytest.mark.usefixtures("shelf")
def test_limits_hold(tmp_path: Path) -> None:
    """The stack's pins decide as they do when the cell is built."""
    assert ask(tmp_path, "beta", limits=("alpha<2",)).versions["alpha"] == "1.0"


@pytest.mark.usefixtures("shelf")
def test_what_is_there_as_source_only_needs_a_compiler(tmp_path: Path) -> None:
    """A source with compiled parts and one without are told apart."""
    found = ask(tmp_path, "av", "fvcore")
    assert found.verdict == "resolves"
    assert (found.sources_only, found.pure_sources) == (["av"], ["fvcore"])


@pytest.mark.usefixtures("shelf")
def test_a_conflict_names_its_two_sides(tmp_path: Path) -> None:
    """The reason is one sentence with what asks for what."""
    found = ask(tmp_path, "fvcore", "alpha>=2")
    assert found.verdict == "conflicts"
    assert "alpha<2" in found.reason
    assert "\n" not in found.reason
    assert "we can conclude" not in found.reason


@pytest.mark.usefixtures("shelf")
def test_no_wheel_says_from_which_version_on(tmp_path: Path) -> None:
    """macOS 13 is too old for the wheel, and the answer says what is not."""
    found = ask(tmp_path, "beta", platform="aarch64-apple-darwin", system="macOS 13.0")
    assert found.verdict == "no wheel"
    assert found.reason == "beta 1.0 has no wheel for macOS 13.0; from macOS 14.0 on there is one"
    assert found.needs == "macOS 14.0"
    assert ask(tmp_path, "beta", platform="aarch64-apple-darwin", system="macOS 14.0").verdict == "resolves"


@pytest.mark.usefixtures("shelf")
def test_no_wheel_for_the_place_at_all(tmp_path: Path) -> None:
    """No version of Windows would help."""
    found = ask(tmp_path, "beta", platform="x86_64-pc-windows-msvc", system="Windows 10")
    assert found.verdict == "no wheel"
    assert "at no version of it" in found.reason


@pytest.mark.usefixtures("shelf")
def test_declared_requirements_stand_for_a_source_that_cannot_be_asked(tmp_path: Path) -> None:
    """What is installed alone brings nothing along, and the answer says that it was declared."""
    found = ask(tmp_path, "fvcore", "alpha>=2", alone=["fvcore"])
    assert found.verdict == "resolves"
    assert found.versions == {"alpha": "2.0", "fvcore": "0.1"}
    assert found.declared == ["fvcore"]


@pytest.mark.usefixtures("shelf")
def test_what_comes_from_git_keeps_the_version_that_it_calls_itself(tmp_path: Path) -> None:
    """A repository is never asked: its version and whether it compiles stand in the data."""
    address = "git+https://github.com/facebookresearch/detectron2@0000"
    found = ask(tmp_path, "alpha", origins={"detectron2": address}, compiled_origins=["detectron2"])
    assert found.versions["detectron2"] == "0.6"
    assert found.sources_only == ["detectron2"]
    assert found.declared == ["detectron2"]


def test_an_index_that_does_not_answer_is_not_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is neither a conflict nor a missing wheel."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    package_index.address.cache_clear()
    try:
        found = ask(tmp_path, "alpha")
    finally:
        package_index.address.cache_clear()
    assert found.verdict == "not verified"
    assert "127.0.0.1:9 does not answer" in found.reason


def test_offline_without_metadata_is_not_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was never fetched cannot be told without the network, and is not told."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    package_index.address.cache_clear()
    question = Asked(platform=LINUX, python="3.10", system="glibc 2.28", requirements=["alpha"], limits=[])
    try:
        found = resolver.resolve(question, tmp_path / "cache", offline=True)
    finally:
        package_index.address.cache_clear()
    assert found.verdict == "not verified"
    assert "the network was not asked" in found.reason


@pytest.mark.usefixtures("shelf")
def test_settings_of_this_machine_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels that lie on this machine alone are not what another one gets."""
    own = tmp_path / "own"
    tiny_wheel.wheel(own, "alpha", "9.0")
    monkeypatch.setenv("UV_FIND_LINKS", str(own))
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "none.txt"))
    assert ask(tmp_path, "alpha").versions == {"alpha": "2.0"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "error: No solution found when resolving dependencies\n  cause: Because all versions of a depend on b<2 and you require b>=2, "
            "we can conclude that your requirements and a are incompatible.\n      And because you require a, we can conclude that your "
            "requirements are unsatisfiable.\n",
            "all versions of a depend on b<2 and you require b>=2; you require a",
        ),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of c==9 and you require c==9, we can "
            "conclude that your requirements are unsatisfiable.\n\nhint: look elsewhere",
            "there is no version of c==9 and you require c==9",
        ),
    ],
)  # fmt: skip
def test_the_reason_is_one_sentence(said: str, told: str) -> None:
    """The steps of the proof are left out; what asks for what stays."""
    assert sentence(said) == told
