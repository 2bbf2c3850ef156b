"""What the doctor tells people to type for an environment that is not in this shell: into a container, in a Dockerfile, over ssh."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify import engine, installer
from slowfast_verify import target as targets
from slowfast_verify.action import Action, Edit, File
from slowfast_verify.prescription import Prescriber
from slowfast_verify.reach import HERE, Reach, reach_of
from slowfast_verify.subject import subject

from .engines import base_or_skip

PYTHON = "/opt/env/bin/python3"
SITE = "/opt/env/lib/site-packages"
IMAGE = Reach("image", "mine:1", root=True, user="somebody")
CONTAINER = Reach("container", "box", root=True)


def prescriber(reach: Reach, **more: Any) -> Prescriber:
    pip = {"name": "pip", "version": "1", "installer": "pip", "path": f"{SITE}/pip.dist-info"}
    inventory = {"system": "Linux", "executable": PYTHON, "prefix": "/opt/env", "path": [SITE], "checkout": "/opt/SlowFast"}
    inventory |= {"distributions": {"pip": pip}, **more}
    return Prescriber(inventory, {}, subject("pyslowfast"), reach)


def test_a_container_is_entered_for_every_command() -> None:
    """Each line is one that can be typed here and works there: as root where only root may write."""
    write = prescriber(CONTAINER)
    assert write.lines(Action(install=["numpy<2"])) == [f"docker exec -i -u 0 box {PYTHON} -m pip install 'numpy<2'"]
    assert write.lines(Action(uninstall=["av"])) == [f"docker exec -i -u 0 box {PYTHON} -m pip uninstall -y av"]
    assert write.lines(Action(remove=["{site}/~umpy"])) == ["docker exec -i -u 0 box rm -rf '/opt/env/lib/site-packages/~umpy'"]
    assert prescriber(Reach("container", "box")).lines(Action(run=["python", "-V"])) == [f"docker exec -i box {PYTHON} -V"]


def test_a_running_container_keeps_its_variables() -> None:
    """A variable cannot be given to a container that runs: the person is told where it can."""
    (line,) = prescriber(CONTAINER).lines(Action(env={"PYTHONPATH": "{checkout}"}))
    assert "docker run -e PYTHONPATH=/opt/SlowFast IMAGE" in line
    assert os.environ.get("PYTHONPATH", "nothing of this shell") not in line


def test_an_image_gets_a_dockerfile() -> None:
    """The lines of a cause are a whole Dockerfile: root only where it is needed, variables as ENV, what is no instruction as a comment."""
    write = prescriber(IMAGE)
    lines = [*write.lines(Action(install=["av"], env={"A": "b c"})), *write.lines(Action(advice="ask somebody"))]
    assert IMAGE.framed(lines) == [
        "FROM mine:1",
        "USER root",
        f"RUN {PYTHON} -m pip install av",
        "ENV A='b c'",
        "# ask somebody",
        "USER somebody",
    ]
    assert IMAGE.framed(["ask somebody"]) == ["ask somebody"]


def test_files_are_written_where_they_are_meant(tmp_path: Path) -> None:
    """What is written and edited in an image or a container is a command whose effect is the text, line ends and quotes included."""
    text = "say = 'it''s'\\n\n%d \\\\ done\n"
    (line,) = prescriber(IMAGE).lines(Action(file=[File(path=f"{tmp_path}/a b/x.py", text=text)]))
    subprocess.run(["sh", "-ec", line.removeprefix("RUN ")], check=True)
    assert (tmp_path / "a b" / "x.py").read_text(encoding="utf-8") == text
    (line,) = prescriber(IMAGE, executable=sys.executable, checkout=f"{tmp_path}/a b").lines(
        Action(edit=[Edit(file="x.py", find=r"s(a)y = ", replace=r"s\1id = ")])
    )
    subprocess.run(["sh", "-ec", line.removeprefix("RUN ")], check=True)
    assert (tmp_path / "a b" / "x.py").read_text(encoding="utf-8") == text.replace("say", "said")


def test_without_uv_and_pip_pythons_own_pip_comes_first() -> None:
    """An environment of uv in a container without uv is told how to get a pip, not to call what is not there."""
    lines = Reach("container", "box", uv=False).installing("uv", PYTHON, "install", ["av"])
    assert lines == [f"docker exec -i box {PYTHON} -m ensurepip", f"docker exec -i box {PYTHON} -m pip install av"]
    assert HERE.installing("uv", PYTHON, "install", ["av"]) == [f"uv pip install --python {PYTHON} av"]


def test_other_machines_are_reached_by_their_own_command() -> None:
    """ssh gets one quoted word, WSL an argv."""
    assert (
        Reach("ssh", "gpu").written([PYTHON, "-m", "pip", "install", "a<2"])
        == f"ssh gpu {shlex.quote(PYTHON + ' -m pip install ' + shlex.quote('a<2'))}"
    )
    assert Reach("wsl", "Debian").written(["rm", "x"]) == "wsl -d Debian -- rm x"
    assert reach_of(targets.parse("ssh:gpu"), "/x").name == "gpu"
    assert reach_of(targets.parse("wsl:Debian"), "/x").name == "Debian"
    assert reach_of(targets.parse(sys.executable), "/x").kind == "here"


def test_nothing_is_installed_into_a_python_of_the_system() -> None:
    """PEP 668: whatever would install becomes the way to an environment beside it; what installs nothing stays, and a free Python's too."""
    wanted = [Action(install=["av"]), Action(remove=["{site}/~umpy"]), Action(uninstall=["numpy"])]
    assert prescriber(HERE).possible(wanted) == wanted
    kept = prescriber(HERE, managed="/usr/lib/python3.11/EXTERNALLY-MANAGED").possible(wanted)
    assert kept[-1] == wanted[1] and not any(action.install or action.uninstall for action in kept)
    assert kept[1].advice == "slowfast-verify recipe > slowfast-env.sh"
    image = prescriber(IMAGE, managed="/usr/lib/python3.11/EXTERNALLY-MANAGED").possible(wanted)
    assert image[1].advice == "slowfast-verify recipe --os linux --shell dockerfile"


def test_uv_is_typed_by_its_path_where_only_the_suite_has_it() -> None:
    """Of what is printed the first word is one that this shell finds."""
    assert Reach(command="/opt/suite/bin/uv").installing("uv", PYTHON, "install", ["av"])[0].startswith("/opt/suite/bin/uv pip install")
    assert reach_of(targets.parse(sys.executable), "/x").command in ("uv", installer.uv())


# ---- against a real engine -------------------------------------------------------------------------------------------------

DOCKERFILE = """FROM {base}
RUN useradd --create-home somebody && python3 -m venv --system-site-packages /opt/env
RUN mkdir -p "$(/opt/env/bin/python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/~lpha-1.0.dist-info"
ENV PATH=/opt/env/bin:$PATH
USER somebody
"""


@pytest.fixture(scope="module")
def broken() -> Iterator[str]:
    """An image whose environment belongs to root, with what an interrupted pip leaves, run by somebody else."""
    tag = f"slowfast-verify-test:broken-{os.getpid()}"
    base = base_or_skip()
    engine.client().images.build(fileobj=io.BytesIO(DOCKERFILE.format(base=base).encode()), tag=tag, rm=True)
    yield tag
    engine.client().images.remove(tag, force=True)


def leftovers(target: str) -> list[list[str]]:
    """The fixes of the causes and notes that speak of the leftover."""
    done = subprocess.run([sys.executable, "-m", "slowfast_verify", "doctor", target, "--rung", "environment", "--json"],
                          capture_output=True, text=True, timeout=200, check=False)  # fmt: skip
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    return [row["fix"] for row in [*found["causes"], *found["notes"]] if "~lpha" in row["evidence"]]


def test_what_is_told_for_a_container_mends_it(broken: str) -> None:
    """The line that the doctor prints is typed into this machine's shell, and the doctor finds the container mended."""
    made = engine.client().containers.run(broken, ["sleep", "600"], detach=True, name=f"mended-{os.getpid()}")
    try:
        (fix,) = leftovers(f"container:{made.name}")
        assert fix[0].startswith(f"docker exec -i -u 0 mended-{os.getpid()} rm -rf ")
        subprocess.run(["sh", "-ec", "\n".join(fix)], check=True, timeout=60)
        assert not leftovers(f"container:{made.name}")
    finally:
        made.remove(force=True)


def test_what_is_told_for_an_image_builds_a_mended_one(broken: str) -> None:
    """The lines that the doctor prints are a Dockerfile; what it makes is run by the same user as before and is mended."""
    (fix,) = leftovers(f"docker:{broken}")
    assert fix[0] == f"FROM {broken}"
    tag = f"{broken}-mended"
    image, _ = engine.client().images.build(fileobj=io.BytesIO("\n".join(fix).encode()), tag=tag, rm=True)
    try:
        assert not leftovers(f"docker:{tag}")
        assert image.attrs["Config"]["User"] == "somebody"
    finally:
        engine.client().images.remove(tag, force=True)


def test_a_python_of_debian_is_left_alone() -> None:
    """A Debian as it is: the doctor tells no installation that pip and uv would refuse there, but the way to an environment."""
    argv = [sys.executable, "-m", "slowfast_verify", "doctor", f"docker:{base_or_skip()}", "--rung", "environment", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False)
    (missing,) = [row for row in json.loads(done.stdout)["causes"] if row["id"].startswith("missing:")]
    assert any("slowfast-verify recipe" in line for line in missing["fix"]) and not any("pip install" in line for line in missing["fix"])
