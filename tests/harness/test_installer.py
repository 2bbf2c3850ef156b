"""What pip is configured with is what uv uses too; shown by real uv runs against tiny local indexes, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slowfast_verify import installer

from .tiny_wheel import index, wheel

Configure = Callable[..., dict[str, str]]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """`configure("[global]...", PIP_X="y")` sets pip up that way and returns what installer makes of it for uv."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))

    def work(text: str = "", **variables: str) -> dict[str, str]:
        (tmp_path / "pip.conf").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        installer.pip_settings.cache_clear()
        return installer.uv_environment()

    yield work
    installer.pip_settings.cache_clear()


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an empty environment."""
    subprocess.run([installer.uv(), "venv", "--quiet", "--python", sys.executable, str(tmp_path / "env")], check=True, timeout=60)
    return tmp_path / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run_uv(python: Path, *arguments: str) -> list[str]:
    """What a real uv installs when the installer starts it: `name==version`, sorted."""
    command = installer.install("uv", python, list(arguments))
    done = subprocess.run(command, env=installer.environment("uv"), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    listing = subprocess.run(installer.freeze("uv", python), env=installer.environment("uv"), capture_output=True, text=True, check=True)
    return sorted(line for line in listing.stdout.split() if line.startswith("svt"))


@pytest.mark.parametrize(
    ("setting", "value", "variable", "wanted"),
    [
        ("index-url", "https://mirror.example/simple", "UV_DEFAULT_INDEX", "https://mirror.example/simple"),
        ("extra-index-url", "https://a.example/s\n  https://b.example/s", "UV_INDEX", "https://a.example/s https://b.example/s"),
        ("find-links", "/wheels/one\n  /wheels/two", "UV_FIND_LINKS", "/wheels/one,/wheels/two"),
        ("trusted-host", "a.example b.example", "UV_INSECURE_HOST", "a.example b.example"),
        ("timeout", "99", "UV_HTTP_TIMEOUT", "99"),
    ],
)
def test_a_setting_of_pip_conf_becomes_uvs_variable(configure: Configure, setting: str, value: str, variable: str, wanted: str) -> None:
    """Index, extra indexes, find-links, trusted hosts and the time limit of a pip.conf are given to uv in its own spelling."""
    assert configure(f"[global]\n{setting} = {value}\n")[variable] == wanted


def test_a_certificate_and_a_proxy_are_handed_on(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a company's proxy both have to reach uv."""
    for name in ("SSL_CERT_FILE", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = configure("[global]\ncert = /ca bundle.pem\nproxy = http://proxy.example:8080\n")
    assert (found["SSL_CERT_FILE"], found["ALL_PROXY"]) == ("/ca bundle.pem", "http://proxy.example:8080")


def test_variables_of_pip_go_over_its_files(configure: Configure) -> None:
    """PIP_INDEX_URL wins over pip.conf, and [install] over [global], as for pip itself."""
    text = "[global]\nindex-url = https://file.example/simple\ntimeout = 5\n\n[install]\ntimeout = 7\n"
    found = configure(text, PIP_INDEX_URL="https://variable.example/simple")
    assert found["UV_DEFAULT_INDEX"] == "https://variable.example/simple"
    assert found["UV_HTTP_TIMEOUT"] == "7"


def test_what_a_person_set_for_uv_stays(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A UV_* variable of the person's own is not replaced."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example/simple")
    monkeypatch.setenv("UV_INDEX_STRATEGY", "first-index")
    configure("[global]\nindex-url = https://pip.example/simple\nextra-index-url = https://extra.example/simple\n")
    found = installer.environment("uv")
    assert found["UV_DEFAULT_INDEX"] == "https://mine.example/simple"
    assert found["UV_INDEX_STRATEGY"] == "first-index"
    assert found["UV_INDEX"] == "https://extra.example/simple"


def test_nothing_is_downloaded_unasked(configure: Configure) -> None:
    """uv fetches no interpreter, and pip is left as it is configured."""
    configure()
    assert installer.environment("uv")["UV_PYTHON_DOWNLOADS"] == "never"
    assert "UV_PYTHON_DOWNLOADS" not in installer.environment("pip")


def test_variables_that_steer_python_do_not_reach_an_installer(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PYTHONPATH of the calling shell has no part in building an environment."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    configure()
    assert "PYTHONPATH" not in installer.environment("uv")
    assert "PYTHONPATH" not in installer.environment("pip")


def test_a_host_environment_without_pip_still_finds_its_settings(
    configure: Configure, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment that uv made there is no pip, and the settings are read with another one."""
    monkeypatch.setattr(installer.sys, "executable", str(python))
    assert subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0
    found = configure("[global]\nindex-url = https://mirror.example/simple\n")
    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"


# -- a real uv -----------------------------------------------------------------------------------------------------------


def test_uv_reads_two_find_links_and_no_index(configure: Configure, python: Path, tmp_path: Path) -> None:
    """A machine without any index: two folders of wheels in pip.conf, and uv installs from both."""
    wheel(tmp_path / "one", "svta", "1.0", "svtb>=2")
    wheel(tmp_path / "two", "svtb", "2.0")
    configure(f"[global]\nno-index = true\nfind-links = {tmp_path / 'one'}\n  {tmp_path / 'two'}\n")
    assert run_uv(python, "svta") == ["svta==1.0", "svtb==2.0"]


def test_uv_reads_an_index_and_two_extra_ones_and_takes_the_best_of_all(configure: Configure, python: Path, tmp_path: Path) -> None:
    """As pip does: a newer version on the last extra index is taken, not the first that is found."""
    first = index(tmp_path / "first", ("svta", "1.0"), ("svtb", "1.0"))
    second = index(tmp_path / "second", ("svtc", "1.0"))
    third = index(tmp_path / "third", ("svta", "3.0"))
    configure(f"[global]\nindex-url = {first}\nextra-index-url = {second}\n  {third}\n")
    assert run_uv(python, "svta", "svtb", "svtc") == ["svta==3.0", "svtb==1.0", "svtc==1.0"]


def test_uv_without_the_settings_would_not_find_them(configure: Configure, python: Path, tmp_path: Path) -> None:
    """The counter-example: uv reads none of pip's configuration by itself."""
    first = index(tmp_path / "first", ("svta", "1.0"))
    configure(f"[global]\nindex-url = {first}\n")
    bare = {key: value for key, value in os.environ.items() if key != "UV_DEFAULT_INDEX"}
    argv = [*installer.install("uv", python, ["svta==1.0"]), "--offline"]
    done = subprocess.run(argv, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "svta" in done.stderr
    assert run_uv(python, "svta==1.0") == ["svta==1.0"]


@pytest.mark.heavy
def test_pip_and_uv_install_list_and_remove_alike(configure: Configure, tmp_path: Path) -> None:
    """The same words make, fill, list and empty an environment with either installer; a constraint holds for both."""
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "wheels", "svta", version)
    limits = tmp_path / "constraints.txt"
    limits.write_text("svta<2\n", encoding="utf-8")
    configure(f"[global]\nno-index = true\nfind-links = {tmp_path / 'wheels'}\n")
    for name in installer.INSTALLERS:
        env = installer.environment(name)
        folder = tmp_path / f"env-{name}"
        inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        commands = [*installer.make(name, Path(sys.executable), folder), installer.install(name, inside, ["svta"], limits)]
        for argv in commands:
            subprocess.run(argv, env=env, check=True, capture_output=True, timeout=120)
        listed = subprocess.run(installer.freeze(name, inside), env=env, check=True, capture_output=True, text=True).stdout
        assert "svta==1.0" in listed
        subprocess.run(installer.uninstall(name, inside, ["svta"]), env=env, check=True, capture_output=True, timeout=60)
        assert not list(folder.rglob("svta.py"))
        shutil.rmtree(folder)
