"""No token and no password reaches what is kept or shown: records, locks, COMPATIBILITY.md, the summary, the logs of a build.

What doctor --share takes out beside that (names, hosts, homes) is in test_share.py; both plant the same secrets (planted.py).
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from slowfast_verify import compatibility, report, scrub
from slowfast_verify import record as records
from slowfast_verify.ending import run_to_end
from slowfast_verify.record import CheckResult, FailureDetail, Record
from slowfast_verify.running import Bounded

from .planted import NAMES, SECRETS, TOKENS, word

KINDS = [*TOKENS, "KEY=value", "JSON", "option", "bearer", "bearer in a dict", "basic", "cookie", "address with a password",
         "address with a token", "signed address", "netrc"]  # fmt: skip
PLACES = ["message", "stderr_tail", "step", "reason", "target", "lock"]


def planted(where: str, what: str) -> tuple[Record, list[str]]:
    """A record, and its lock, with the secret in that place."""
    text = {place: f"before\n{what}\nafter" if place == where else "-" for place in PLACES}
    failure = FailureDetail(how="raised", type="E", message=text["message"], step=text["step"], stderr_tail=text["stderr_tail"])
    checks = [
        CheckResult(id="imports::a", rung="imports", outcome="failed", failure=failure),
        CheckResult(id="imports::b", rung="imports", outcome="not verified", reason=text["reason"]),
    ]
    record = Record(cell="c", run="2026-01-01T00:00:00Z-0000", suite="s", target={"python": text["target"]}, checks=checks)
    return record, ["torch==1.0", *text["lock"].split("\n")]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(where=st.sampled_from(PLACES), data=st.data())
def test_no_secret_is_in_a_record_or_a_report(kind: str, where: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is planted, and in whatever place: neither the files nor the page nor the table contain it."""
    what, secret = data.draw(SECRETS[kind])
    record, lock = planted(where, what)
    folder = tmp_path_factory.mktemp("records")
    records.write(record, folder, lock)
    shown, complaints = report.load([folder])
    stream = io.StringIO()
    report.print_summary([held.record for held in shown], Console(file=stream, width=200))
    texts = [path.read_text(encoding="utf-8") for path in folder.iterdir()] + [compatibility.markdown(shown), stream.getvalue()]
    assert not complaints
    assert len(texts) == 4
    clean = "".join(records.write(*_blank(folder)).read_text(encoding="utf-8"))
    assume(secret not in clean)
    assert not [text for text in texts if secret in text]


def _blank(folder: Path) -> tuple[Record, Path]:
    record, _ = planted("", "")
    return record, folder / "blank"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(data=st.data(), before=st.integers(0, 200))
def test_no_secret_is_in_a_log(kind: str, data: st.DataObject, before: int) -> None:
    """However the output is cut into pieces on its way."""
    what, secret = data.draw(SECRETS[kind])
    stream = io.BytesIO()
    bounded = Bounded(stream)
    output = f"{'x' * before}\ncollecting {what}\ndone\n".encode()
    size = data.draw(st.integers(1, 40))
    for start in range(0, len(output), size):
        bounded.write(output[start : start + size])
    bounded.close()
    assert secret.encode() not in stream.getvalue()
    assert stream.getvalue().endswith(b"done\n")


ENVIRONMENTS = st.dictionaries(
    st.tuples(st.sampled_from(["A_", "MY_", "X_"]), st.sampled_from(NAMES)).map("".join), word(8, 40), min_size=1, max_size=4
)


@given(environ=ENVIRONMENTS)
@example(environ={"MY_TOKEN": "plain words"})
def test_what_a_secret_variable_holds_is_in_no_text(environ: dict[str, str]) -> None:
    """A program that prints its environment, or an address that was made with it, tells nothing."""
    known = scrub.secrets_of(environ)
    lines = [f"{name}={value}\nhttps://me:{value}@host/x\nit said {value} and left" for name, value in environ.items()]
    clean = scrub.without_secrets("\n".join(lines), known)
    assert known
    assert not [value for value in known if value in clean]


@pytest.mark.skipif(os.name != "posix", reason="sh")
def test_an_installer_that_prints_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real way: a command of ours that says everything it knows leaves a log without it."""
    scrub._own_secrets.cache_clear()
    monkeypatch.setenv("MIRROR_TOKEN", "s3cr3t-of-the-mirror")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter2hunter2@mirror.example.com/simple")
    with (tmp_path / "log").open("wb") as stream:
        assert run_to_end([sys.executable, "-c", "import os; print(dict(os.environ))"], stream, dict(os.environ)) == 0
    scrub._own_secrets.cache_clear()
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "MIRROR_TOKEN" in said
    assert "s3cr3t" not in said
    assert "hunter2" not in said


def test_a_token_is_not_cut_in_half_before_it_is_taken_out() -> None:
    """The tail of a long message begins in the middle of a token: it was taken out before."""
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    text = f"{token} {'x' * 1990}"
    assert "D4e5F6" not in records.scrub(text, {})[-2000:]


@pytest.mark.parametrize("text", [
    "ModuleNotFoundError: No module named 'torch._six'", "ImportError: undefined symbol: _ZN3c106detail14torchCheckFailEPKcS2_jRKSs",
    "found character '\\t' that cannot start any token", "KeyError: 'Non-existent config key: TENSORBOARD.MODEL_VIS.TOPK'",
    "torch==1.8.0 @ https://download.pytorch.org/whl/cpu/torch-1.8.0%2Bcpu-cp38-cp38-linux_x86_64.whl",
    "detectron2 @ git+https://github.com/facebookresearch/detectron2@0123456789012345678901234567890123456789",
])  # fmt: skip
def test_what_a_record_needs_stays(text: str) -> None:
    """The counter-example: messages and locks are not emptied."""
    assert scrub.without_secrets(text) == text
