"""What the engine is sent for a cell whose code comes from repositories, or whose installer is uv; and what of it stays in the image."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from slowfast_verify import container, context, engine, image, installer, layout, sources
from slowfast_verify import subject as subjects
from slowfast_verify.errors import NotVerifiable
from slowfast_verify.matrix import Matrix, default

from . import data_folder
from .commits import begin, commit
from .data_folder import append, cell_id, edit
from .engines import base_or_skip, listing
from .image_reading import everything_in

MIRROR = "mirror-canary-51d0"
ADDRESS = "https://repositories.example"


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """{name: commit} of two repositories that this machine's git reads from a mirror: `tiny` is a distribution, `more` a pure one."""
    commits = {}
    for name in ("tiny", "more"):
        folder = tmp_path / MIRROR / name
        begin(folder)
        setup = f'from setuptools import setup\n# "PIL" "sklearn"\nsetup(name={name!r}, version=\'1\', py_modules=[{name!r}])\n'
        commits[name] = commit(folder, {f"{name}.py": 'state = "as it was"\n', "setup.py": setup}, "x")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{(tmp_path / MIRROR).as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{ADDRESS}/")
    sources.reachable.cache_clear()
    return commits


def matrix_of(root: Path, commits: dict[str, str], phases: str, installer_name: str = "pip") -> Matrix:
    """A matrix of one cell whose subject is the repository `tiny`."""
    data = data_folder.make(root / "data")
    stack, subject = data / "matrices" / "stacks" / "torch-tiny.toml", data / "matrices" / "subjects" / "tiny.toml"
    edit(stack, 'installer = ["uv"]', f'installer = ["{installer_name}"]')
    edit(subject, 'distribution = "tiny"', f'git = "{ADDRESS}/tiny"')
    edit(subject, 'version = "1.0"', f'commit = "{commits["tiny"]}"\nworkarounds = ["setup-requires-pil"]')
    append(subject, phases)
    subjects.all_subjects.cache_clear()
    return Matrix(data / "matrices")


PHASES = """
[[phase]]
name = "more"
build = "git+{address}/more@{more}"
install = ["--no-index", "--find-links", "/install", "setuptools"]
without_known = "detectron2-compiler-missing"

[[phase.without_compiler]]
file = "more.py"
find = "as it was"
replace = "without its compiled part"

[[phase]]
name = "tiny"
checkout = true
"""


def laid(folder: Path, matrix: Matrix, installer_name: str = "pip") -> context.Context:
    cell = matrix.cell(cell_id().replace("-uv-", f"-{installer_name}-"))
    folder.mkdir()
    return context.lay(folder, cell, matrix.stack_of(cell), matrix.subjects["tiny"])


@pytest.fixture
def tiny(tmp_path: Path, repositories: dict[str, str]) -> tuple[Path, context.Context]:
    """The folder of a laid context, and what it says."""
    matrix = matrix_of(tmp_path, repositories, PHASES.format(address=ADDRESS, more=repositories["more"]))
    return tmp_path / "sent", laid(tmp_path / "sent", matrix)


def test_repositories_travel_as_trees(tiny: tuple[Path, context.Context], repositories: dict[str, str]) -> None:
    """What git reads through a mirror is sent as files at its commit, edited, without git's own folder; the lock names the real address."""
    folder, made = tiny
    assert '# "Pillow" "scikit-learn"' in (folder / "sources" / "place" / "tiny" / "setup.py").read_text(encoding="utf-8")
    assert (folder / "sources" / "trees" / "more" / "more.py").read_text(encoding="utf-8") == 'state = "without its compiled part"\n'
    assert not [name for name in listing(folder) if ".git/" in name]
    assert made.checkout == "/opt/slowfast/src/tiny"
    assert made.workarounds == ["setup-requires-pil", "detectron2-compiler-missing"]
    assert made.addresses == {
        "/sources/trees/more": f"git+{ADDRESS}/more@{repositories['more']}",
        "/opt/slowfast/src/tiny": f"git+{ADDRESS}/tiny@{repositories['tiny']}",
    }
    assert MIRROR not in "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())


def test_what_an_index_has_is_installed_before_the_sources(tiny: tuple[Path, context.Context]) -> None:
    """Steps without a source lie in the layer that stays when a source changes."""
    folder, _ = tiny
    assert {name for name in listing(folder) if "/steps/" in name} == {"install/steps/01-more.txt", "sources/steps/02-more.txt"}
    assert (folder / "sources" / "steps" / "02-more.txt").read_text(encoding="utf-8").split()[-1] == "/sources/trees/more"


def test_a_repository_that_does_not_answer_is_not_verified(tmp_path: Path, repositories: dict[str, str]) -> None:
    """Without a way to the repository the cell is neither red nor green, and the address is named."""
    matrix = matrix_of(tmp_path, repositories, PHASES.format(address="https://127.0.0.1:1", more=repositories["more"]))
    with pytest.raises(NotVerifiable, match="source unreachable") as caught:
        laid(tmp_path / "sent", matrix)
    assert "https://127.0.0.1:1/more" in caught.value.where


def test_a_workaround_that_makes_a_link_makes_it_in_the_image(tmp_path: Path) -> None:
    """main's workaround is a folder that links to the checkout: the link is sent, and the search path names where it will lie."""
    matrix = default()
    cell = matrix.cell("linux-py3.8-torch1.8.0-cpu-pip-pyslowfast@main")
    if said := sources.reachable("https://github.com/facebookresearch/SlowFast"):
        pytest.skip(f"not verified: source unreachable: {said}")
    made = context.lay(tmp_path, cell, matrix.stack_of(cell), matrix.subjects["pyslowfast"])
    assert (tmp_path / "sources" / "place" / "links" / "vision" / "fair" / "slowfast").readlink() == Path("/opt/slowfast/src/pyslowfast")
    assert made.variables["PYTHONPATH"] == "/opt/slowfast/src/links:/opt/slowfast/src/pyslowfast"
    assert '"Pillow"' in (tmp_path / "sources" / "place" / "pyslowfast" / "setup.py").read_text(encoding="utf-8")
    first = context.digest_of(tmp_path, {})
    link = tmp_path / "sources" / "place" / "links" / "vision" / "fair" / "slowfast"
    link.unlink()
    link.symlink_to("/elsewhere")
    assert context.digest_of(tmp_path, {}) != first


def test_uv_is_told_the_way_that_pip_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's configuration becomes uv's variables; what the person has set for uv goes before, unless it is a folder of this machine."""
    for name in list(os.environ):
        if name.startswith("UV_"):
            monkeypatch.delenv(name)
    settings = {"index-url": "https://me:word@index.example/simple", "extra-index-url": "file:///srv/simple https://more.example/simple"}
    monkeypatch.setattr(installer, "pip_settings", lambda: settings)
    monkeypatch.setenv("UV_INDEX_URL", "file:///srv/other")
    context.lay_trust(tmp_path / "trust")
    said = subprocess.run(
        ["sh", "-c", f". {tmp_path}/trust/uv.sh; env"], capture_output=True, text=True, check=True, env={}
    ).stdout.splitlines()
    assert {"UV_DEFAULT_INDEX=https://me:word@index.example/simple", "UV_INDEX=https://more.example/simple"} <= set(said)
    assert "srv" not in "\n".join(said)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    context.lay_trust(tmp_path / "again")
    assert "https://own.example/simple" in (tmp_path / "again" / "uv.sh").read_text(encoding="utf-8")


def test_the_lock_names_repositories() -> None:
    """Paths of the first stage are no address: trees and the checkout are named by repository and commit, and nothing else is touched."""
    addresses = {"/sources/trees/more": "git+https://a.example/more@1", "/opt/slowfast/src/tiny": "git+https://a.example/tiny@2"}
    listing = """
av==12.3.0
more @ file:///sources/trees/more
moreover @ file:///sources/trees/more-over
# Editable install with no version control (tiny==1)
-e /opt/slowfast/src/tiny
"""
    assert image.named(listing, "tiny", addresses) == [
        "av==12.3.0", "more @ git+https://a.example/more@1", "moreover @ file:///sources/trees/more-over", "tiny @ git+https://a.example/tiny@2",
    ]  # fmt: skip


# ---- against a real engine -------------------------------------------------------------------------------------------------


def build(folder: Path, log: Path, **arguments: str) -> str:
    return image.run_build(engine.client(), folder, {"BASE": base_or_skip(), "PYTHON": "python3", **arguments}, log, lambda _: None)


def test_sources_are_in_the_image_and_the_way_to_them_is_not(tiny: tuple[Path, context.Context], tmp_path: Path) -> None:
    """The checkout lies in the image, edited; what was built is installed; neither the mirror nor the first stage's trees came along."""
    folder, made = tiny
    base_or_skip()
    (folder / "trust" / "pip.conf").write_text(f"[global]\nindex-url = https://{MIRROR}.example/simple\n", encoding="utf-8")
    name = build(folder, tmp_path / "build.log")
    assert MIRROR.encode() not in everything_in(name)
    target = container.of_cell(name, image.PYTHON)
    code = "import more, os, sys; print(more.state, os.path.exists('/sources'), os.getuid() != 0, 'Pillow' in open(sys.argv[1]).read())"
    done = subprocess.run([*target.argv, "-c", code, f"{made.checkout}/setup.py"], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split("\n")[0] == "without its compiled part False True True", done.stderr
    assert {line.partition("==")[0] for line in image._lock(name).splitlines()} == {"more", "pip", "setuptools"}


def test_a_changed_source_builds_the_last_layers_only(tiny: tuple[Path, context.Context], tmp_path: Path) -> None:
    """With another line in the checkout nothing before the sources is executed again."""
    folder, _ = tiny
    base_or_skip()
    build(folder, tmp_path / "first.log")
    (folder / "sources" / "place" / "tiny" / "tiny.py").write_text(f"state = {os.urandom(8)!r}\n", encoding="utf-8")
    build(folder, tmp_path / "second.log")
    text = (tmp_path / "second.log").read_text(encoding="utf-8")
    steps = re.split(r"(?m)^Step \d+/\d+ : ", text)
    executed = [step.split("\n")[0] for step in steps if "Running in" in step]
    cached = [step.split("\n")[0] for step in steps if "Using cache" in step]
    assert executed[0].startswith("RUN mkdir -p /opt/slowfast/src"), executed
    assert {"RUN sh /steps.sh /install/steps/*.txt", "COPY install/ /install/"} <= set(cached)


def test_the_dockerfile_alone_takes_a_cuda_build_from_where_it_lies(tmp_path: Path) -> None:
    """`docker build docker` with TORCH, TORCHVISION and CUDA asks for that pair in PyTorch's own list of that build."""
    base = base_or_skip()
    folder = tmp_path / "docker"
    subprocess.run(["cp", "-R", str(layout.docker()), str(folder)], check=True)
    (folder / "trust" / "pip.conf").write_text(
        "[global]\nno-index = true\n", encoding="utf-8"
    )  # nothing is fetched: the line is what counts
    log = tmp_path / "build.log"
    with pytest.raises(Exception, match="torch"):
        image.run_build(
            engine.client(), folder, {"BASE": base, "TORCH": "2.4.1", "TORCHVISION": "0.19.1", "CUDA": "cu121"}, log, lambda _: None
        )
    line = next(line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("+ "))
    assert line.split()[1:] == [
        "/opt/slowfast/bin/pip",
        "install",
        "--index-url",
        "https://download.pytorch.org/whl/cu121",
        "torch==2.4.1",
        "torchvision==0.19.1",
    ]
