"""`slowfast_verify.doctor()` in a real notebook: a kernel executes it, and what the page would show is looked at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from slowfast_verify.findings import Cause, Examination
from slowfast_verify.notebook import Shown

EVIL = '<script>alert("1")</script>&'


class Tags(HTMLParser):
    """The elements of a page, and whether each that was opened was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(**more: Any) -> Shown:
    cause = Cause(
        id="missing-scipy", known=True, rung="imports", title=EVIL, cause=EVIL * 2, evidence=EVIL * 3, fix=[f"pip {EVIL}", "second"]
    )
    return Shown(Examination(**{"target": {"name": EVIL}, "subject": "pyslowfast", "verdict": "problems", "causes": [cause], **more}))


def test_everything_is_escaped() -> None:
    """Whatever the environment calls its packages, no element of it gets into the page, and each element is closed."""
    page = Tags(shown()._repr_html_())
    assert "script" not in page.seen and not page.open
    assert {"div", "ol", "pre"} <= set(page.seen)


def test_a_page_says_what_the_text_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cause, evidence and every command of the text are in the HTML; in Chinese the cause of a known failure is Chinese in both."""
    for language, word in (("en", "evidence"), ("zh", "证据")):
        monkeypatch.setenv("SLOWFAST_VERIFY_LANG", language)
        monkeypatch.setattr("slowfast_verify.language.showable", lambda text: True)
        cause = Cause(id="missing-scipy", known=True, rung="imports", title="T", title_zh="题", cause="C", cause_zh="因", evidence="E",
                      fix=["a b", "c d"])  # fmt: skip
        one = shown(causes=[cause])
        for text in (repr(one), one._repr_html_()):
            assert all(part in text for part in ("E", "a b", "c d", word, "slowfast-verify explain missing-scipy"))
            assert ("] T" in text, "] 题" in text) == (language == "en", language == "zh")
            assert ("cause: C" in text, "原因: 因" in text) == (language == "en", language == "zh")


def execute(source: str, folder: Path, **variables: str) -> Any:
    """The one cell of a notebook, executed by a kernel of this Python."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    (folder / "book.ipynb").write_text(nbformat.writes(book), encoding="utf-8")
    script = (
        "import nbformat, nbclient, sys\nbook = nbformat.read(sys.argv[1], 4)\n"
        "nbclient.NotebookClient(book, timeout=240, kernel_name='python3', allow_errors=True).execute()\n"
        "nbformat.write(book, sys.argv[1])\n"
    )
    assert nbclient
    env = {**os.environ, "JUPYTER_PLATFORM_DIRS": "1", "IPYTHONDIR": str(folder / "ipython"), **variables}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(folder / "book.ipynb")], env=env, capture_output=True,
                          text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return nbformat.read(folder / "book.ipynb", 4).cells[0].outputs


def test_a_real_notebook_shows_the_verdict(tmp_path: Path) -> None:
    """The kernel's own environment is examined, and the page gets HTML with the same verdict as the text beside it."""
    outputs = execute("import slowfast_verify\nslowfast_verify.doctor(rung='environment')", tmp_path)
    (result,) = [output for output in outputs if output.output_type == "execute_result"]
    html, text = result.data["text/html"], result.data["text/plain"]
    assert not Tags(html).open
    assert re.match(r"\d+ problems?: ", text) and "torch" in text, text  # the suite's own environment is none of SlowFast's
    assert text.partition(":")[0] in html and "<pre" in html


def test_a_mistake_in_a_notebook_gets_its_four_lines(tmp_path: Path) -> None:
    """A rung that there is not ends in what, where and next, and in no frame of ours."""
    outputs = execute("import slowfast_verify\nslowfast_verify.doctor(rung='import')", tmp_path)
    (error,) = [output for output in outputs if output.output_type == "error"]
    told = "\n".join(error.traceback)
    assert "there is no rung 'import'" in told and "did you mean 'imports'?" in told and "Traceback" not in told and ".py" not in told
