"""A cell as an image: what the engine is sent, and what of this machine must never come out of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from slowfast_verify import container, context, engine, image, installer, layout
from slowfast_verify.errors import Infrastructure, NotVerifiable, Problem
from slowfast_verify.matrix import default
from slowfast_verify.provision import InstallFailed
from slowfast_verify.record import Provisioned

from .engines import base_or_skip, listing, run_python
from .image_reading import everything_in

CELL = "linux-py3.11-torch2.1.2-cpu-pip-pytorchvideo@0.1.5"
SECRET = "canary-7c21e5"


def laid(folder: Path, cell_id: str = CELL) -> dict[str, str]:
    """The context of a cell in an empty folder; its build arguments."""
    matrix = default()
    cell = matrix.cell(cell_id)
    folder.mkdir(exist_ok=True)
    return context.lay(folder, cell, matrix.stack_of(cell), matrix.subjects[cell.subject]).arguments


def test_the_engine_is_sent_the_pins_and_the_steps(tmp_path: Path) -> None:
    """The context holds the Dockerfile, the stack's pins as constraints, and a file for each step; torch travels as build arguments."""
    arguments = laid(tmp_path)
    assert {"Dockerfile", "steps.sh", "trust/pip.conf", "install/constraints.txt", "install/steps/01-pytorchvideo.txt"} <= listing(tmp_path)
    pins = (tmp_path / "install" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert pins[:2] == ["torch==2.1.2", "torchvision==0.16.2"]
    assert "numpy<2" in pins
    assert (tmp_path / "install" / "steps" / "01-pytorchvideo.txt").read_text(encoding="utf-8").split()[-1] == "pytorchvideo==0.1.5"
    assert arguments["TORCH"] == "2.1.2"
    assert arguments["PYTHON"] == "python3.11"


def test_every_build_argument_is_one_of_the_dockerfile(tmp_path: Path) -> None:
    """What is passed is declared: the engine would ignore a misspelt argument with a warning that nobody reads."""
    text = (layout.docker() / "Dockerfile").read_text(encoding="utf-8")
    declared = set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
    assert {*laid(tmp_path), "BASE", "PACKAGES"} <= declared
    assert declared - {*laid(tmp_path / "again"), "BASE", "PACKAGES"} == {"CUDA"}  # for people: a cell says where its torch is


def test_pips_configuration_travels_as_far_as_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses go along; folders of this machine do not; the certificates are copied and named anew."""
    bundle = tmp_path / "corporate.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    settings = {
        "index-url": "https://me:word@index.example/simple", "extra-index-url": "file:///srv/simple https://more.example/simple",
        "find-links": "/srv/wheels ./wheels https://links.example/", "default-timeout": "90", "cert": str(bundle),
        "cache-dir": "/srv/cache",
    }  # fmt: skip
    monkeypatch.setattr(installer, "pip_settings", lambda: settings)
    context.lay_trust(tmp_path / "trust")
    text = (tmp_path / "trust" / "pip.conf").read_text(encoding="utf-8")
    assert text.splitlines() == [
        "[global]", "index-url = https://me:word@index.example/simple", "extra-index-url = https://more.example/simple",
        "find-links = https://links.example/", "timeout = 90", "cert = /trust/ca.pem",
    ]  # fmt: skip
    assert (tmp_path / "trust" / "ca.pem").read_bytes() == bundle.read_bytes()


def test_an_image_is_stale_when_its_inputs_change_and_not_when_the_way_to_the_index_does(tmp_path: Path) -> None:
    """A pin, an argument and the Dockerfile decide what comes out; the way to the index does not."""
    arguments = laid(tmp_path)
    first = context.digest_of(tmp_path, arguments)
    (tmp_path / "trust" / "pip.conf").write_text("[global]\nindex-url = https://other.example/\n", encoding="utf-8")
    assert context.digest_of(tmp_path, arguments) == first
    assert context.digest_of(tmp_path, {**arguments, "TORCH": "2.1.1"}) != first
    with (tmp_path / "install" / "constraints.txt").open("a", encoding="utf-8") as file:
        file.write("pillow<10\n")
    assert context.digest_of(tmp_path, arguments) != first


@pytest.mark.parametrize(
    "cell", ["linux-aarch64-py3.11-torch2.1.2-cpu-pip-pytorchvideo@0.1.5", "windows-py3.8-torch1.8.0-cpu-pip-pytorchvideo@0.1.5"]
)
def test_a_cell_that_no_image_can_be_is_not_verified(cell: str) -> None:
    """What the Dockerfile does not do is told before an engine is even asked."""
    with pytest.raises(NotVerifiable, match="no image is made for") as caught:
        image.build(default().cell(cell), default())
    assert caught.value.next.startswith("slowfast-verify cells")


# ---- against a real engine -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A small image: the environment, nothing in it; pip's configuration carries a secret."""
    base = base_or_skip()
    folder = tmp_path_factory.mktemp("context") / "small"
    laid(folder)
    for path in (folder / "install" / "steps").iterdir():
        path.write_text("--no-index --find-links /install setuptools\n", encoding="utf-8")  # it is there already: nothing is fetched
    (folder / "trust" / "pip.conf").write_text(f"[global]\nindex-url = https://me:{SECRET}@index.example/simple\n", encoding="utf-8")
    (folder / "trust" / "ca.pem").write_text(f"{SECRET}\n", encoding="utf-8")
    return folder, {"BASE": base, "PYTHON": "python3"}


@pytest.fixture(scope="module")
def built(small: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the small image."""
    folder, arguments = small
    return image.run_build(engine.client(), folder, arguments, tmp_path_factory.mktemp("logs") / "build.log", lambda _: None)


def test_no_secret_comes_out(built: str, small: tuple[Path, dict[str, str]]) -> None:
    """Neither a layer nor the history of the image holds pip's configuration or the certificates; the first stage did have them."""
    assert SECRET.encode() not in everything_in(built)
    folder, arguments = small
    events = engine.client().api.build(path=str(folder), buildargs=arguments, rm=True, decode=True, target="build")
    said = "".join(str(event.get("stream", "")) for event in events)
    found = re.findall(r"Successfully built ([0-9a-f]+)", said)
    assert found, said
    assert SECRET.encode() in everything_in(found[0])  # the search finds it where it is


def test_the_image_runs_without_root(built: str) -> None:
    """Its Python is the environment's, its user is not root and may write at home."""
    target = container.of_cell(built, image.PYTHON)
    code = "import os, sys; open(os.path.expanduser('~/x'), 'w').close(); print(os.getuid(), sys.prefix)"
    done = run_python(f"import subprocess, sys; sys.exit(subprocess.call({[*target.argv, '-c', code]!r}))")
    user, prefix = done.stdout.split()
    assert int(user) != 0
    assert prefix == "/opt/slowfast"


def test_a_second_build_is_the_engines_cache(built: str, small: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """With the same inputs nothing is executed again; with another step the layers before it stay."""
    folder, arguments = small
    assert image.run_build(engine.client(), folder, arguments, tmp_path / "again.log", lambda _: None) == built
    text = (tmp_path / "again.log").read_text(encoding="utf-8")
    assert "Running in" not in text
    for path in (folder / "install" / "steps").iterdir():
        path.write_text("--no-index --find-links /install pip\n", encoding="utf-8")
    image.run_build(engine.client(), folder, arguments, tmp_path / "third.log", lambda _: None)
    text = (tmp_path / "third.log").read_text(encoding="utf-8")
    assert text.count("Running in") < 7, text
    assert "venv" not in text.partition("Running in")[2]  # the environment was not made again


def test_an_image_that_nobody_needs_is_taken_away(built: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`clean` removes the images of cells that are not kept, and no other."""
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    made = engine.client().api.commit(container=container.start(built, gpus=False), repository="slowfast-verify-test")["Id"]
    for cell, name in (("kept", built), ("left", made)):
        (tmp_path / "containers" / cell).mkdir(parents=True)
        state = Provisioned(cell=cell, inputs="", runner="docker", python=image.PYTHON, env=name, checkout=None, variables={}, opts={},
                            workarounds=[], lock=[], created="", seconds=0, step_seconds={})  # fmt: skip
        (tmp_path / "containers" / cell / "cell.json").write_text(state.model_dump_json(), encoding="utf-8")
    assert image.clean({"kept"}) == ["left (image)"]
    assert container.image_id(built) == built
    with pytest.raises(Problem, match="the engine has no image"):
        container.image_id(made)


def test_a_step_that_fails_says_which_and_why(small: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    """A requirement that there is not ends as a failed installation with pip's own last error, an index that is away as infrastructure."""
    folder, arguments = small
    step = next((folder / "install" / "steps").iterdir())
    step.write_text("--no-index no-such-thing-anywhere\n", encoding="utf-8")
    with pytest.raises(InstallFailed) as caught:
        image.run_build(engine.client(), folder, arguments, tmp_path / "bad.log", lambda _: None)
    assert caught.value.rung == "resolve"
    assert "no-such-thing-anywhere" in caught.value.message
    step.write_text("--retries 1 --index-url http://127.0.0.1:9/simple six-of-nobody\n", encoding="utf-8")
    with pytest.raises(Infrastructure):
        image.run_build(engine.client(), folder, arguments, tmp_path / "away.log", lambda _: None)


def test_a_base_without_the_cells_python_is_not_verified() -> None:
    """A base image whose Python is another one is told before anything is installed."""
    base = base_or_skip()
    cell = default().cell("linux-py3.10-torch2.1.2-cpu-pip-pytorchvideo@0.1.5")
    with pytest.raises(NotVerifiable, match=r"no Python 3\.10"):
        image.build(cell, default(), base)
    assert not os.path.exists(layout.home() / "containers" / cell.id / "cell.json")  # noqa: PTH110


def test_without_an_engine_the_cell_is_not_verified_and_the_native_record_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine: not verified with its reason, in a record of its own name beside the native cell's, which is not touched."""
    from slowfast_verify import climb

    def nobody() -> None:
        raise NotVerifiable("no container engine answers", where="nowhere")

    monkeypatch.setattr(engine, "client", nobody)
    native = tmp_path / f"{CELL}.json"
    native.write_text("as it was", encoding="utf-8")
    record, code = climb.climb(default().cell(CELL), default(), tmp_path, container=True)
    assert code == climb.NOTHING_VERIFIED
    assert [check.outcome for check in record.checks] == ["not verified"]
    assert "no container engine answers" in (record.checks[0].reason or "")
    assert record.cell == f"{CELL}+docker"
    assert (tmp_path / f"{CELL}+docker.json").exists()
    assert native.read_text(encoding="utf-8") == "as it was"
