"""A shared report: nothing of a person in it, whatever was planted where; and it can be read again."""

from __future__ import annotations

import json
import os
import string
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from slowfast_verify import cli, consultation, share
from slowfast_verify.errors import Problem
from slowfast_verify.findings import Cause, Examination

from .planted import BLANK, NOBODY, SECRETS, WHO

PLACES = ["title", "evidence", "stderr_tail", "traceback", "path", "key", "text", "command", "variable", "list of variables", "deep"]


def planted(where: str, what: str) -> tuple[dict[str, Any], str, dict[str, str]]:
    """(document, printed text, variables) with the secret in that place."""
    document, text, environ = json.loads(json.dumps(BLANK)), "imports: torch does not load", {"PATH": "/usr/bin", "LANG": "C.UTF-8"}
    problem = document["problems"][0]
    if where in ("title", "evidence", "stderr_tail"):
        problem[where] = f"before {what} after"
    elif where == "traceback":
        problem[where] = f'Traceback (most recent call last):\n  File "{what}", line 3, in <module>\n    x({what})\nOSError: {what}\n'
    elif where == "path":
        document["paths"].append(what)
    elif where == "key":
        document[what] = "x"
    elif where == "text":
        text += f"\n  where: {what}\n"
    elif where == "command":
        problem["fix"].append(f"PYTHONPATH=/x python -c 'print(1)' {what} && ls")
    elif where == "variable":
        environ["LD_LIBRARY_PATH"] = f"/usr/lib:{what}"
        environ["WHATEVER_IT_IS"] = what
    elif where == "list of variables":
        document["variables"] = [what, "PYTHONPATH"]
    else:
        document["a"] = {"b": [{"c": ({"d": what},)}]}
    return document, text, environ


@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=10)
@given(where=st.sampled_from(PLACES), data=st.data())
def test_no_secret_is_in_a_shared_report(kind: str, where: str, data: st.DataObject) -> None:
    """Whatever is planted, and in whatever place: the shared file does not contain it."""
    what, secret = data.draw(SECRETS[kind])
    assume(secret.lower() not in share.shared(*planted(where, "-")[:2], who=WHO, environ={}).lower())  # a word of the report itself
    document, text, environ = planted(where, what)
    made = share.shared(document, text, who=WHO, environ=environ)
    assert secret.lower() not in made.lower().replace("\\\\", "\\"), made
    assert secret.encode("unicode_escape").decode().lower() not in made.lower(), made


@given(value=st.text(min_size=8), name=st.sampled_from(["SSH_AUTH_SOCK", "MY_VARIABLE", "PIP_INDEX_URL", "PS1", "CUDA_TOKEN"]))
@example(value="plain words", name="ACME")
def test_a_variable_that_is_not_listed_is_not_written(value: str, name: str) -> None:
    """Neither the name nor the value of a variable outside the list is in the report."""
    made = share.shared({}, "", who=NOBODY, environ={name: f"~~{value}~~", "LANG": "C"})
    assert name not in made
    assert f"~~{value}~~" not in made


@given(value=st.text(alphabet=string.printable, min_size=1).map(lambda text: text + " ! "))
def test_a_listed_variable_of_unusual_shape_is_told_by_its_length(value: str) -> None:
    """A switch whose value is no switch is not quoted."""
    made = share.allowed({"PYTHONOPTIMIZE": value})["PYTHONOPTIMIZE"]
    assert made == f"(not shown: {len(value)} characters of an unusual kind)"


def test_what_a_name_is_in_one_place_it_is_in_all() -> None:
    """A name that only a path told is taken out of prose as well."""
    made = share.shared({"a": "/" + "home/qwhoever/x", "b": "group Qwhoever may not write"}, "", who=NOBODY, environ={})
    assert "whoever" not in made
    assert "group {user} may not write" in made


def test_this_very_process_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing handed in, the report is scrubbed of whoever runs the tool."""
    for name, value in (("USER", "qzorro"), ("HOME", "/srv/people/qzorro"), ("HOSTNAME", "qhost"), ("QZ_PASSWORD", "hunter2hunter2")):
        monkeypatch.setenv(name, value)
    made = share.shared({"a": "qzorro on qhost, /srv/people/qzorro/x, hunter2hunter2"}, "", environ=None)
    assert not [word for word in ("qzorro", "qhost", "hunter2") if word in made]


# ---- reading again ----------------------------------------------------------------------------------------------------------


def test_a_report_can_be_read_again(tmp_path: Path) -> None:
    """What is read is what was written, whether from the file, quoted in a thread, with other line ends, or alone."""
    text = "imports: torch does not load\n```\nfences in it\n```"
    path = tmp_path / "report.md"
    share.write_shared(path, BLANK, text, who=WHO)
    whole = path.read_text(encoding="utf-8")
    alone = whole[whole.index('{\n "slowfast-verify-report"') : whole.rindex("```")]
    for told in (whole, whole.replace("\n", "\r\n"), "\ufeff" + whole, "\n".join(f"> {line}" for line in whole.splitlines()), alone,
                 f"@me wrote:\n\n{whole}\n\nthanks!"):  # fmt: skip
        path.write_text(told, encoding="utf-8", newline="")
        assert share.read_shared(path) == json.loads(json.dumps(BLANK))


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_whatever_is_written_can_be_read(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    """A document of any shape and with any characters survives."""
    path = tmp_path_factory.mktemp("share") / "r.md"
    path.write_text(share.shared({"x": document}, "text", who=NOBODY, environ={}), encoding="utf-8")
    assert set(share.read_shared(path)) == {"x"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no JSON document"),
        ("hello {", "no JSON document"),
        ('{"slowfast-verify-report": 1, "doctor": {"a": ', "cut off"),
        ('{"slowfast-verify-report": 99, "doctor": {}}', "version '99'"),
        ('{"slowfast-verify-report": 1, "doctor": []}', "version '1'"),
        ('{"slowfast-verify-report": 1, "doctor": ' + '{"a":' * 100_000, "cut off"),
    ],
)
def test_what_is_no_report_is_told_as_that(tmp_path: Path, content: str, says: str) -> None:
    """A wrong, cut or foreign file ends in four lines, not in a traceback."""
    path = tmp_path / "report.md"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Problem, match=says):
        share.read_shared(path)


def test_a_report_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    """Likewise for a file that is none."""
    for path in (tmp_path / "none.md", tmp_path):
        with pytest.raises(Problem, match="cannot be read"):
            share.read_shared(path)
    with pytest.raises(Problem, match="cannot be written"):
        share.write_shared(tmp_path / "no" / "folder.md", {}, "")


def test_a_foreign_report_steers_no_terminal(tmp_path: Path) -> None:
    """Escape sequences, carriage returns and characters that turn the reading direction are taken out of what is read."""
    path = tmp_path / "report.md"
    bad = "a\u001b[31mred\u001b]0;title\u0007\rgone\u202eb\nc\td"
    path.write_text(json.dumps({share.MARK: 1, "doctor": {"t\u001b[1m": bad}}), encoding="utf-8")
    assert share.read_shared(path) == {"t": "aredgoneb\nc\td"}


# ---- the options of the command ---------------------------------------------------------------------------------------------


def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of the command; what it examines has one problem, of a person's own."""
    where = "/" + "home/jdoe/env"
    cause = Cause(id="x", rung="imports", title="torch does not load", cause="jdoe's own", evidence=f"{where}/torch", fix=["echo"])
    found = Examination(target={"name": where}, subject="pyslowfast", verdict="problems", causes=[cause])
    monkeypatch.setattr(consultation, "examine", lambda order: found)
    monkeypatch.setenv("USER", "jdoe")
    monkeypatch.setattr(sys, "argv", ["slowfast-verify", "doctor", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out, told.err


def test_share_and_from_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """--share writes what --from-report tells again, with the exit status of the verdict, and without the person."""
    report = tmp_path / "report.md"
    python = Path(sys.base_prefix) / ("python.exe" if os.name == "nt" else "bin/python3")
    code, out, err = doctor(capsys, monkeypatch, str(python), "--share", str(report))
    assert (code, "jdoe" in out, "read it before you post it" in err) == (1, True, True)
    assert "jdoe" not in report.read_text(encoding="utf-8")
    code, out, _ = doctor(capsys, monkeypatch, "--from-report", str(report))
    assert code == 1
    assert "torch does not load" in out
    assert "jdoe" not in out
    code, out, _ = doctor(capsys, monkeypatch, "--from-report", str(report), "--json")
    assert json.loads(out)["causes"][0]["title"] == "torch does not load"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from-report", "{}", "--fix"], "only reads"),
        (["--from-report", "{}", "--share", "x"], "only reads"),
        (["--share", "{}/no/folder/x.md"], "cannot be written"),
        (["--share", "{}"], "cannot be written"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    """A foreign report is never carried out, and a file that cannot be written is told before the examination."""
    code, _, err = doctor(capsys, monkeypatch, sys.base_prefix, *(part.format(tmp_path) for part in arguments))
    assert (code, says in err) == (2, True), err


def test_a_report_with_another_model(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that is none of the doctor's ends in a Problem."""
    path = tmp_path / "report.md"
    path.write_text(json.dumps({share.MARK: 1, "doctor": {"verdict": "splendid"}}), encoding="utf-8")
    code, _, err = doctor(capsys, monkeypatch, "--from-report", str(path))
    assert (code, "another version" in err) == (2, True)
