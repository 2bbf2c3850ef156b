"""The aarch64 system is Debian's own, checked by apt before it is unpacked; its Python runs under qemu-user as a target like any other."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from slowfast_verify import aarch64, emulator, foreign, ground, layout
from slowfast_verify import record as records
from slowfast_verify import target as targets
from slowfast_verify.agreement import differences
from slowfast_verify.errors import Infrastructure, NotVerifiable
from slowfast_verify.matrix import default
from slowfast_verify.observe import observe
from slowfast_verify.record import Provisioned
from slowfast_verify.target import Target

from .fakes import questions

CELL = "linux-aarch64-py3.11-torch2.1.2-cpu-uv-pytorchvideo@0.1.5"
HAS_TOOLS = shutil.which("apt-get") and shutil.which("dpkg-deb")
TOOLS = pytest.mark.skipif(not HAS_TOOLS, reason="not verified: no apt and dpkg on this machine")


def package(folder: Path, name: str, *files: str) -> Path:
    """A Debian package that is made by hand and holds these files."""
    tree = folder / f"tree-{name}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1.2.3-4\nArchitecture: arm64\nMaintainer: nobody <nobody@example>\nDescription: none\n"
    (tree / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    for file in files:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text(name, encoding="utf-8")
    path = folder / f"{name}_1.2.3-4_arm64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(path)], check=True, capture_output=True, timeout=60)
    return path


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Debian mirror in a folder, with no signature; the data names it."""
    folder = tmp_path / "mirror"
    for part in ("debian/dists/bookworm", "security/dists/bookworm-security"):
        (folder / part / "main" / "binary-arm64").mkdir(parents=True)
        (folder / part / "main" / "binary-arm64" / "Packages").write_text("", encoding="utf-8")
        release = "Suite: bookworm\nCodename: bookworm\nArchitectures: arm64\nComponents: main\n"
        (folder / part / "Release").write_text(release, encoding="utf-8")
    whole = aarch64.system()
    row = whole.debian.model_copy(update={"mirror": f"file:{folder}/debian", "security": f"file:{folder}/security"})
    monkeypatch.setattr(aarch64, "system", lambda: whole.model_copy(update={"debian": row}))
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path / "home"))
    return folder


@TOOLS
def test_what_debian_has_not_signed_is_not_unpacked(mirror: Path, tmp_path: Path) -> None:
    """A mirror without Debian's signature ends as infrastructure, and nothing of it is kept."""
    if not Path(aarch64.system().debian.keyring).exists():
        pytest.skip("not verified: Debian's keys are not installed")
    with pytest.raises(Infrastructure, match="cannot be fetched") as caught:
        aarch64.stand("3.11")
    assert "not signed" in caught.value.cause or "does not have a Release file" in caught.value.cause, caught.value.cause
    assert not aarch64.kept("3.11")
    assert not [path for path in (tmp_path / "home" / "aarch64").iterdir() if path.is_dir()]


@TOOLS
def test_a_mirror_that_is_away_is_infrastructure(monkeypatch: pytest.MonkeyPatch, mirror: Path) -> None:
    """No mirror: an outage of the network, told with the mirror's address; never a red cell."""
    shutil.rmtree(mirror)
    with pytest.raises(Infrastructure) as caught:
        aarch64.stand("3.11")
    assert caught.value.where.startswith("file:")
    assert caught.value.next


@TOOLS
def test_the_hosts_packages_are_neither_read_nor_changed(tmp_path: Path) -> None:
    """apt is given lists, a cache, sources and a record of installed packages of its own, and another processor."""
    conf = aarch64.configuration(tmp_path)
    said = subprocess.run(["apt-config", "dump"], env={**os.environ, "APT_CONFIG": str(conf)}, capture_output=True, text=True, check=True)
    settings = dict(line.rstrip(";").split(" ", 1) for line in said.stdout.splitlines() if " " in line)
    assert settings["APT::Architecture"] == '"arm64"'
    for key in ("Dir::State", "Dir::State::status", "Dir::Cache", "Dir::Etc::sourcelist"):
        assert settings[key].strip('"').startswith(str(tmp_path)), key
    assert settings["Dir::Etc::sourceparts"] == '"-"'
    listed = (tmp_path / "etc" / "sources.list").read_text(encoding="utf-8").splitlines()
    assert listed
    assert all("arch=arm64" in line and f"signed-by={aarch64.system().debian.keyring}" in line for line in listed)


def test_another_python_is_not_verified() -> None:
    """Debian has one Python a release; for another one nothing is fetched."""
    with pytest.raises(NotVerifiable, match=r"no aarch64 Python 3\.8") as caught:
        aarch64.stand("3.8")
    assert "3.11" in caught.value.next


@pytest.mark.parametrize("lack", ["apt-get", "the keys"])
def test_what_is_missing_here_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lack: str) -> None:
    """Without apt, and without Debian's keys, the cell is not verified, and the message says what would help."""
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None if name == lack else name)
    if lack == "the keys":
        whole = aarch64.system()
        row = whole.debian.model_copy(update={"keyring": str(tmp_path / "none.gpg")})
        monkeypatch.setattr(aarch64, "system", lambda: whole.model_copy(update={"debian": row}))
    with pytest.raises(NotVerifiable) as caught:
        aarch64.stand("3.11")
    assert ("debian-archive-keyring" if lack == "the keys" else "apt-get") in f"{caught.value.what} {caught.value.next}"


@TOOLS
def test_packages_are_laid_into_one_folder(tmp_path: Path) -> None:
    """The files of all packages come together, and a system without a loader is refused."""
    python = package(tmp_path, "python3.11-minimal", "usr/bin/python3.11")
    libc = package(tmp_path, "libc6", "lib/ld-linux-aarch64.so.1", "lib/aarch64-linux-gnu/libc.so.6")
    aarch64.unpack([python, libc], tmp_path / "root")
    assert (tmp_path / "root" / "usr" / "bin" / "python3.11").read_text(encoding="utf-8") == "python3.11-minimal"
    assert aarch64._exact([libc, python], "3.11") == "1.2.3"
    with pytest.raises(Infrastructure, match="damaged") as caught:
        aarch64.unpack([python], tmp_path / "half")
    assert "ld-linux" in caught.value.where
    (tmp_path / "cut.deb").write_bytes(libc.read_bytes()[:200])
    with pytest.raises(Infrastructure, match="cannot be unpacked"):
        aarch64.unpack([tmp_path / "cut.deb"], tmp_path / "third")


def test_every_aarch64_cell_here_goes_through_the_emulator() -> None:
    """On an x86_64 Linux an aarch64 cell is runnable under qemu-user with uv, and with pip nowhere but on such a machine."""
    if (emulator.cells.this_os(), emulator.cells.this_arch()) != ("linux", "x86_64"):
        pytest.skip("on another machine another emulator, or none, is meant")
    found = emulator.emulator_of(default().cell(CELL))
    assert found
    assert found.kind == "qemu"
    assert emulator.emulator_of(default().cell(CELL.replace("-uv-", "-pip-"))) is None


# ---- the real system -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real system, in a folder with a blank in its name; 16 s the first time, then links."""
    try:
        emulator.all_emulators()["qemu"].require()
        source = aarch64.stand("3.11")
    except (NotVerifiable, Infrastructure) as problem:
        pytest.skip(f"not verified: {problem.what}: {problem.where or problem.cause}")
    env = tmp_path_factory.mktemp("an aarch64") / "env"
    aarch64.place(source, env)
    return env


@pytest.fixture(scope="module")
def under(system: Path) -> Target:
    """Its Python, as a person names it."""
    return targets.parse(f"qemu:{system}")


def test_its_python_answers_and_says_what_it_is(under: Target) -> None:
    """The same probes run unchanged, the machine is aarch64, and a report says that an emulator ran it."""
    seen = observe(under, questions(("fake_answer",)))["0"]
    assert seen.how == "answered", seen
    said = subprocess.run(under.command("-c", "import platform, ssl, ctypes, sqlite3; print(platform.machine())"),
                          capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    assert said.stdout == "aarch64\n"
    assert under.runner.startswith("aarch64 binaries under qemu-user ")
    assert under.slowness > 1


def test_its_children_start_the_same_way(under: Target) -> None:
    """A probe that starts `sys.executable`, which the kernel would refuse, reaches the same Python: multiprocessing's spawn too."""
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', '1']))"
    before = subprocess.run(under.command("-c", code), capture_output=True, text=True, timeout=120, check=False)
    assert before.returncode  # without the runner's help it does not
    seen = observe(under, questions(("fake_child",)))["0"]
    assert seen.facts == {"machine": "aarch64", "spawned": "aarch64"}, seen


def test_packages_are_installed_beside_it(system: Path) -> None:
    """What uv is told for this interpreter: its platform, its version, and a folder that its Python looks into."""
    found = foreign.foreign(system / "python") or foreign.foreign(emulator.qemu_python(system))
    assert found
    assert (found.kind, found.version) == ("qemu", "3.11")
    found.site.mkdir(parents=True, exist_ok=True)
    argv = targets.under_qemu(system).command("-c", "import sys; print(sys.path)")
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert str(found.site) in said.stdout


def test_a_damaged_system_is_mended_or_infrastructure(system: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What an environment lost of its system is put back from the kept one; where that is gone too it is no fault of the cell."""
    loader = system / "lib" / "ld-linux-aarch64.so.1"
    loader.unlink()
    (system / "usr" / "bin" / "python3.11").unlink()
    stands = Provisioned(cell=CELL, inputs="", runner="qemu", python=str(system / "python"), env=str(system), checkout=None,
                         variables={}, opts={}, workarounds=[], lock=[], created="", seconds=0, step_seconds={})  # fmt: skip
    target = ground.target_of(stands)
    assert subprocess.run(target.command("-c", "1"), timeout=120, check=False).returncode == 0
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    loader.unlink()
    with pytest.raises(Infrastructure, match="damaged") as caught:
        ground.target_of(stands)
    assert "ld-linux" in caught.value.where


def test_the_kept_records_agree_with_native_ones() -> None:
    """What ran under qemu-user, and in a container, says what the native cell says: the limits are data, each with its reason."""
    evidence = layout.root() / "reports" / "evidence"
    native = records.read(evidence / "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5.json")
    for name in (f"{CELL}+qemu", "linux-py3.11-torch2.1.2-cpu-pip-pytorchvideo@0.1.5+docker"):
        assert differences(native, records.read(evidence / f"{name}.json")) == []


def test_another_label_or_a_larger_difference_is_told() -> None:
    """Beyond the limit of its clip a probability is a difference, and so is another label; where a clip has no label it is not."""
    native = records.read(layout.root() / "reports" / "evidence" / "linux-py3.8-torch1.8.0-cpu-uv-pytorchvideo@0.1.5.json")
    assert native.predictions
    wrong = {clip: list(windows) for clip, windows in native.predictions.items()}
    wrong["up"][0] = ("down", wrong["up"][0][1])
    wrong["left"][1] = ("left", wrong["left"][1][1] - 6e-4)
    wrong["right"][0] = ("right", wrong["right"][0][1] - 4e-4)  # within the limit
    wrong["still"][0] = ("nothing", wrong["still"][0][1])
    found = differences(native, native.model_copy(update={"cell": f"{CELL}+qemu", "predictions": wrong}))
    assert sorted(line.partition(":")[0] for line in found) == ["left, window 1", "up, window 0"]


@pytest.mark.parametrize(
    ("name", "text", "address"),
    [
        (
            "debian.sources",
            "Types: deb\n# https://old.example/debian\nURIs: https://mirror.example/debian\nSuites: bookworm\n",
            "https://mirror.example/debian",
        ),
        ("sources.list", "deb [arch=amd64] http://mirror.example/debian/ bookworm main\n", "http://mirror.example/debian"),
        ("other.list", "deb https://mirror.example/debian-security bookworm-security main\n", ""),
        ("other.list", "# deb https://mirror.example/debian bookworm main\n", ""),
    ],
)
def test_the_machines_own_mirror_is_used(tmp_path: Path, name: str, text: str, address: str) -> None:
    """The archive is the one that apt fetches from, in the old form and in the new; a comment and another archive are none."""
    folder = tmp_path if name == "sources.list" else tmp_path / "sources.list.d"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    assert aarch64.archive("debian", tmp_path) == address
