"""Containers as targets: started for a run and gone after it, or somebody else's that is only entered. Against a real engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from slowfast_verify import container, engine
from slowfast_verify import target as targets
from slowfast_verify.errors import NotVerifiable, Problem
from slowfast_verify.observe import observe
from slowfast_verify.target import Target

from .engines import base_or_skip, ours, run_python
from .fakes import questions

STARTS = """
import sys
from slowfast_verify import container, target
found = container.stand(target.parse("docker:" + sys.argv[1]))
print(found.argv[-2], flush=True)
{after}
"""


@pytest.fixture
def base() -> str:
    return base_or_skip()


@pytest.fixture
def running(base: str) -> Iterator[str]:
    """The name of a container that somebody else runs."""
    made = engine.client().containers.run(base, ["sleep", "600"], detach=True, name=f"somebodys-{os.getpid()}")
    yield str(made.name)
    made.remove(force=True)


@pytest.fixture(scope="module")
def stood() -> Target:
    """A container of an image, for the tests that only look into it; the engine takes it away when this process ends."""
    return container.stand(targets.parse(f"docker:{base_or_skip()}"))


def test_an_image_becomes_a_target_that_answers(stood: Target) -> None:
    """docker:IMAGE starts a container, and probes are put to its Python as to any other; files travel there."""
    seen = observe(stood, questions(("fake_answer",)))["0"]
    assert seen.how == "answered", seen
    assert stood.argv[:3] == ("docker", "exec", "-i")
    assert stood.runner == "container"
    assert stood.made_of.startswith("sha256:")
    assert stood.name.startswith("docker run --rm -i --entrypoint= slowfast-verify-base")  # what a person can type again
    assert targets.label(stood) == "docker-slowfast-verify-base-bookworm"


def test_shared_memory_is_large_enough_for_workers(stood: Target) -> None:
    """The engine's own 64 MB of /dev/shm are replaced by what the data says."""
    said = subprocess.run([*stood.command("-c", "import os; s = os.statvfs('/dev/shm'); print(s.f_frsize * s.f_blocks >> 20)")],
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert container.rules().shm == "1g"
    assert int(said.stdout) == 1024


def test_variables_reach_the_container(stood: Target) -> None:
    """A variable of a target arrives in the container's process."""
    target = stood.with_env({"SAID": "a b"})
    argv = target.command("-c", "import os; print(os.environ['SAID'])")
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "a b\n"


def test_the_container_goes_with_the_run(base: str) -> None:
    """When the process that started it ends, in whatever mood, its container is removed."""
    for after in ("", "raise SystemExit(7)", "raise ValueError('no')"):
        done = run_python(STARTS.format(after=after), base)
        started = done.stdout.strip()
        assert started, done.stderr
        assert not [found for found in ours() if found.short_id == started]


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_what_a_killed_run_leaves_is_swept(base: str) -> None:
    """A run that is killed leaves its container; the next run takes that away and no other."""
    argv = [sys.executable, "-c", STARTS.format(after="import time; time.sleep(600)"), base]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    started = process.stdout.readline().strip()
    assert started in [found.short_id for found in ours()]
    assert started not in container.sweep(engine.client())  # its process lives
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    process.stdout.close()
    until = time.monotonic() + 20
    assert started in container.sweep(engine.client())
    while started in [found.short_id for found in ours()] and time.monotonic() < until:
        time.sleep(0.1)
    assert started not in [found.short_id for found in ours()]


def test_a_running_container_is_entered_and_left_alone(running: str) -> None:
    """container:ID puts probes to a container that somebody runs; it is there afterwards, and its image is named."""
    target = container.stand(targets.parse(f"container:{running}"))
    assert target.made_of == container.image_id(base_or_skip())
    assert observe(target, questions(("fake_answer",)))["0"].how == "answered"
    assert engine.client().containers.get(running).status == "running"


def test_the_old_spelling_leads_to_the_new_one(running: str) -> None:
    """docker:ID, which meant a container once, ends in one message with the spelling of today."""
    with pytest.raises(Problem, match="is a container, not an image") as caught:
        container.stand(targets.parse(f"docker:{running}"))
    assert caught.value.next == f"--target container:{running}"


@pytest.mark.parametrize("name", ["no-such-image:of-anybody", "No Name"])
def test_an_image_that_is_not_there_is_told(base: str, name: str) -> None:
    """An image that the engine has not is one message with the next command, and nothing is pulled unasked."""
    with pytest.raises(Problem) as caught:
        container.stand(targets.parse(f"docker:{name}"))
    assert name in caught.value.what
    assert caught.value.next.startswith("docker ")


def test_gpus_that_the_engine_cannot_give_are_told(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has GPUs they are asked for; an engine without NVIDIA's toolkit ends as not verified, with what to install."""
    if "nvidia" in engine.client().info().get("Runtimes", {}):
        pytest.skip("not verified: this engine can give GPUs")
    monkeypatch.setattr(container, "host_has_gpus", lambda: True)
    with pytest.raises(NotVerifiable, match="GPUs") as caught:
        container.start(base, gpus=True)
    assert "nvidia-ctk" in caught.value.next
    assert container.start(base, gpus=False)  # a cpu cell asks for none


def test_other_targets_stay_what_they_are() -> None:
    """Only containers are touched: a venv and a host are handed back as they came, and no engine is asked."""
    for text in (sys.executable, "ssh:gpu-box", "conda:slowfast"):
        target = targets.parse(text)
        assert container.stand(target) is target
    assert replace(targets.parse("container:x")).shares_files is False
    assert targets.parse("docker:x").shares_files is False
