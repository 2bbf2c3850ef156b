"""`diagnose`: what is said about a log, in which order, with which evidence, and when it stays silent or asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_verify import diagnosis, index, knowledge, layout, log
from slowfast_verify.errors import Problem
from slowfast_verify.explain import story

SCIPY = "ModuleNotFoundError: No module named 'scipy'"
ASKS = sorted(knowledge.all_asks())


def ids(text: str) -> list[str]:
    """The diagnoses of a text, best first."""
    return [found.id for found in diagnosis.diagnose(log.from_text(text)).diagnoses]


def command(*arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """The installed command, as people run it."""
    return subprocess.run([sys.executable, "-m", "slowfast_verify", *arguments], input=stdin, capture_output=True, check=False,
                          env={**os.environ, **variables})  # fmt: skip


def test_json_has_one_line_a_log(tmp_path: Path) -> None:
    """Every log is answered on a line of its own, in order, also the one about which nothing is known."""
    first, second = tmp_path / "first 日志.log", tmp_path / "second.log"
    first.write_text(f"{SCIPY}\n", encoding="utf-8")
    second.write_text("all went well\n", encoding="utf-8")
    done = command("diagnose", "--json", str(first), str(second))
    answers = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert [answer["source"] for answer in answers] == [str(first), str(second)]
    found = answers[0]["diagnoses"][0]
    assert found["id"] == "missing-scipy"
    assert found["evidence"] == {"line": 1, "text": SCIPY}
    assert {"id", "title", "cause", "evidence", "fix", "confidence", "seen_in"} <= set(found)
    assert answers[1] == {"source": str(second), "diagnoses": [], "needs": []}
    assert done.returncode == 1
    assert command("diagnose", str(second)).returncode == 0


def test_standard_input() -> None:
    """What is piped in is answered, in words, with the command that mends it."""
    done = command("diagnose", "-", stdin=SCIPY.encode())
    assert b"[missing-scipy]" in done.stdout
    assert b"pip install scipy" in done.stdout
    assert b"[missing-scipy]" in command("diagnose", stdin=SCIPY.encode()).stdout


def test_output_survives_an_ascii_terminal() -> None:
    """Chinese evidence on a terminal that knows no Chinese ends in an answer, not in an encoding error."""
    text = "ImportError: DLL load failed while importing _imaging: 找不到指定的模块。\n" + SCIPY
    done = command("diagnose", "--zh", stdin=text.encode(), PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_one_bad_name_among_many_loses_nothing(tmp_path: Path) -> None:
    """A log that cannot be read is named, and the others are answered."""
    good = tmp_path / "good.log"
    good.write_text(SCIPY, encoding="utf-8")
    done = command("diagnose", "--json", str(tmp_path / "missing.log"), str(good))
    assert done.returncode == 2
    assert b"missing.log" in done.stderr
    assert b"missing-scipy" in done.stdout


def test_an_answer_in_chinese_has_no_english_sentence() -> None:
    """Of every known failure with an example: what is ours is Chinese; names, commands and what programs printed are nobody's language."""
    seen = 0
    for name, row in knowledge.all_known().items():
        assert row.example
        for one in (one for one in diagnosis.diagnose(log.from_text(row.example.text)).diagnoses if one.id == name):
            told = diagnosis.printed(diagnosis.Answer("", [one], []), width=10_000, language="zh")
            seen += f"{row.title_zh}  [{name}]" in told and one.cause_zh in told
            english = [step["why"] for step in one.fix if step["why"]]
            english += [step["text"] for step in one.fix if step["text_zh"] not in ("", step["text"])]
            english += [dead["why"] for dead in one.dead_ends] + ([one.unsure] if one.unsure else [])
            assert not [text for text in english if f" {text}\n" in told], name
    assert seen > 400


def test_silence_where_nothing_is_known() -> None:
    """An unknown error is not explained by guessing: it says so, and where to go on."""
    text = diagnosis.printed(diagnosis.diagnose(log.from_text("ZeroDivisionError: division by zero in my_own_script.py")))
    assert text.startswith("nothing known")
    assert "slowfast-verify doctor" in text


def test_the_cause_comes_before_what_it_brought_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that match, a consequence of the other is left out, and a rule for a whole class stands back."""

    def entry(name: str, words: str, **more: object) -> index.Entry:
        empty = dict.fromkeys(("cause", "cause_zh", "unsure", "unsure_zh", "tried_zh"), "") | {"fix": [], "seen_in": [], "dead_ends": []}
        shown = {"title": name, "title_zh": name, "rung": "imports", "carried_out": False, "tried": "", **empty}
        values = {"generic": False, "consequence_of": [], "between": [], **more}
        return index.Entry(id=name, rules=[index.Rule(text=words)], line=json.dumps(shown).encode(), **values)  # type: ignore[arg-type]

    table = index.Index(
        known=[entry("cause", "the root"), entry("after", "a longer sentence that follows", consequence_of=["cause"]),
               entry("class", "a sentence that is the longest of all of them", generic=True), entry("other", "else")],
        asks=[],
    )  # fmt: skip
    monkeypatch.setattr(diagnosis, "index", lambda: table)
    everything = "the root\na longer sentence that follows\na sentence that is the longest of all of them\n"
    assert ids(everything) == ["cause"]
    assert ids(everything.replace("the root", "")) == ["after"]
    assert ids(everything.splitlines()[2]) == ["class"]
    assert set(ids(everything + "something else")) == {"cause", "other"}


@pytest.mark.parametrize("name", ASKS)
def test_asks_for_the_one_fact(name: str) -> None:
    """Where a log does not tell, what would decide is asked, between known failures that exist; each signature shows in the example."""
    ask = knowledge.all_asks()[name]
    assert set(ask.between) <= set(knowledge.all_known())
    for line in ask.example.text.strip().splitlines():
        answer = diagnosis.diagnose(log.from_text(line))
        assert answer.diagnoses == []
        assert [need["fact"] for need in answer.needs] == [" ".join(ask.fact.split())], line
    shown = knowledge.Failure(text=ask.example.text)
    assert all(knowledge.matches(signature, shown) for signature in ask.signature)


def test_asks_nothing_of_a_healthy_log() -> None:
    """No question about what went well."""
    for path in sorted((Path(__file__).parent / "logs").glob("healthy-*.txt")):
        answer = diagnosis.diagnose(log.from_text(path.read_text(encoding="utf-8")))
        assert (answer.diagnoses, answer.needs) == ([], [])


def test_every_example_is_found_as_a_log() -> None:
    """The example of each known failure, as a log with colours, times and Windows line ends, still comes first with its line."""
    wrong = {}
    for name, row in knowledge.all_known().items():
        if row.example:
            lines = [f"\x1b[31m2026-11-22T10:04:11.123Z {line}\x1b[0m" for line in row.example.text.strip("\n").splitlines()]
            answer = diagnosis.diagnose(log.from_bytes("\r\n".join(lines).encode()))
            found = [one.id for one in answer.diagnoses]
            if found[:1] != [name] or not answer.diagnoses[0].evidence["text"]:
                wrong[name] = found
    assert wrong == {}


def test_index_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is used while the files are the same, and made anew when one changes; a damaged one is made anew too."""
    monkeypatch.setenv("SLOWFAST_VERIFY_HOME", str(tmp_path))
    kept = tmp_path / "index" / "knowledge.jsonl"
    fresh = index.index.__wrapped__
    before = fresh()
    assert len(before.known) == len(knowledge.all_known())
    kept.write_text(kept.read_text(encoding="utf-8").replace("scipy is missing", "SCIPY IS MISSING"), encoding="utf-8")
    assert any("SCIPY IS MISSING" in entry.shown["title"] for entry in fresh().known)
    monkeypatch.setattr(index, "FORM", -1)
    assert not any("SCIPY IS MISSING" in entry.shown["title"] for entry in fresh().known)
    kept.write_text('{"key": "', encoding="utf-8")
    assert len(fresh().known) == len(before.known)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    """Where the cache's place is a file, the answer is the same."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = command("diagnose", stdin=SCIPY.encode(), SLOWFAST_VERIFY_HOME=str(tmp_path / "file"))
    assert b"[missing-scipy]" in done.stdout


@pytest.mark.parametrize("name", sorted(knowledge.all_known()))
def test_every_story_can_be_told(name: str) -> None:
    """`explain` tells each known failure with its cause in both languages, its way out and its sources."""
    row = knowledge.known(name)
    told = " ".join(story(name).split())
    assert " ".join(row.explain.cause.split())[:40] in told
    assert "What mends it" in told
    assert all(source in told for source in row.seen_in)


def test_explain_suggests_the_nearest() -> None:
    """A misspelt id is answered with the one that was meant."""
    with pytest.raises(Problem, match="missing-scipi") as caught:
        story("missing-scipi")
    assert "missing-scipy" in str(caught.value)


def test_knowledge_travels_with_an_installed_wheel() -> None:
    """The questions lie where the wheel takes them along."""
    assert list((layout.knowledge() / "asks").glob("*.toml"))


def test_what_is_said_of_a_fix_is_what_its_loop_did() -> None:
    """An action that was carried out, an advice that was followed by hand and a failure that nobody reproduced are told apart."""
    rows = {row["id"]: row["fixes"] for row in json.loads(index.proven_file().read_text(encoding="utf-8")) if row["outcome"] == "green"}
    for entry in index.index().known:
        tried, fixes = entry.shown["tried"], rows.get(entry.id)
        assert entry.shown["carried_out"] == (fixes is not None and fixes != "by hand"), entry.id
        assert ("followed the advice by hand" in tried) == (fixes == "by hand"), entry.id
        assert tried.startswith("not by our tests: ") == (fixes is None), entry.id
