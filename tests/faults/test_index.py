"""An index or a host that answers badly: infrastructure or not verified, with where it was and what to do, never a red cell."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from slowfast_verify import sources
from slowfast_verify.errors import NotVerifiable

from ..harness.scripted_site import Site, says, slow
from .conftest import Tell
from .ground import Ground
from .indexes import certificate, serving_index

MODES = {
    "slow": "the index stops in the middle of a wheel",
    "dropped": "the index ends the connection without a word",
    "cut": "the index cuts a wheel off",
    "page": "the index answers with a login page",
    "wheel page": "a login page comes in the place of a wheel",
    "403": "the index answers 403",
    "429": "the index answers 429",
    "503": "the index answers 503",
    "wheel 403": "a wheel is refused with 403",
    "wheel 429": "a wheel is refused with 429",
    "certificate": "the certificate of the index is not trusted",
    "refused": "nobody listens where the index was",
}
QUICK = [("uv", "page"), ("uv", "cut"), ("uv", "403")]  # making an environment for pip takes as long as all the rest
ALL = [(installer, mode) for installer in ("uv", "pip") for mode in MODES]
CHOSEN = ALL if os.environ.get("FAULTS_WHOLE") else QUICK
HURRY = {"UV_HTTP_TIMEOUT": "2", "PIP_DEFAULT_TIMEOUT": "2"}


@pytest.mark.parametrize(("installer", "mode"), CHOSEN, ids=lambda value: value)
def test_an_index_that_fails(tmp_path: Path, tell: Tell, installer: str, mode: str) -> None:
    """The cell is told as infrastructure with what, where and next; nothing counts as standing; the next run, with the index, builds."""
    ground = Ground(tmp_path, installer=installer, seconds=0)
    pem = None
    if mode == "certificate":
        if not shutil.which("openssl"):
            pytest.skip("not verified: no openssl to make a certificate with")
        pem = certificate(tmp_path)
    with serving_index(tmp_path / "simple", mode, pem) as index:
        address = index.address if mode != "refused" else "http://127.0.0.1:9/simple"
        code, said = ground.climb(UV_DEFAULT_INDEX=address, PIP_INDEX_URL=address, **HURRY)
    assert code == 4, said
    assert "where: " in said, said
    assert "next: " in said, said
    assert ground.outcomes() == {"infrastructure"}, f"{said}\n{ground.record()}"
    assert ("certificate" in said) == (mode == "certificate"), said
    assert not (ground.folder / "cell.json").exists()
    code, said = ground.climb()
    assert (code, ground.outcomes()) == (0, {"passed"}), said
    tell(f"index-{mode.replace(' ', '-')}-{installer}", f"{MODES[mode]} ({installer})", ends="infrastructure; the next run passes")


def test_a_distribution_that_the_index_lacks_is_no_outage(tmp_path: Path) -> None:
    """The counter-example: an index that answers and does not have it is the cell's own failure, with either way of asking."""
    ground = Ground(tmp_path, seconds=0)
    shutil.rmtree(tmp_path / "simple" / "svta")
    with serving_index(tmp_path / "simple", "well") as index:
        code, said = ground.climb(UV_DEFAULT_INDEX=index.address)
    assert (code, ground.outcomes()) == (1, {"failed"}), said


@pytest.mark.parametrize("how", ["refused", "503", "page", "silent"])
def test_a_host_of_repositories_that_is_away(how: str, web: Site, monkeypatch: pytest.MonkeyPatch, tell: Tell) -> None:
    """A repository whose host refuses, is overloaded, shows a page or says nothing makes a cell not verified, never red."""
    address = web.url("") if how != "refused" else "http://127.0.0.1:9/"
    web.says({"503": says(503), "page": says(200, b"<html>log in</html>"), "silent": slow(b"x" * 100, 1, every=60)}.get(how, says(404)))
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")  # where a machine's own configuration names a copy
    for name, value in (("COUNT", "1"), ("KEY_0", f"url.{address}.insteadOf"), ("VALUE_0", "https://github.com/")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    sources.reachable.cache_clear()
    with pytest.raises(NotVerifiable, match="source unreachable") as caught:
        sources.require_reachable(["https://github.com/facebookresearch/SlowFast"])
    assert "github.com/facebookresearch/SlowFast" in caught.value.where
    assert "git ls-remote" in caught.value.next
    sources.reachable.cache_clear()
    tell(f"github-{how}", f"GitHub cannot be reached ({how})", ends="not verified")
