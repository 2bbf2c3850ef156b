"""Rung config: the subject takes every YAML that it ships, ours, and the one that a person hands in with --config."""

import pytest

from slowfast_verify.shell import own_shell, untabbing

pytestmark = pytest.mark.batch("imports")


def told(name, findings):
    """`name:line:column: sentence` for each finding; the file itself where it is one that `name` inherits from."""
    lines = []
    for row in findings:
        file = row["file"].replace("\\", "/")
        file = name if file.endswith("/" + name) else file
        lines.append(":".join(str(part) for part in (file, row["line"], row["column"]) if part is not None) + f": {row['text']}")
    return lines


def accepted(name, result):
    """Fail with where and what is wrong in a file, and then with the subject's own words for it."""
    error = result["error"]
    if error is None:
        return
    stage = {"merge": "does not merge", "assert": "is refused by assert_and_infer_cfg"}[error["stage"]]
    wrong = [row for row in result["findings"] if row["kind"] in ("tab", "syntax", "unknown", "type", "encoding", "missing", "base")]
    tabs = {row["file"] for row in wrong if row["kind"] == "tab"}
    mend = [f"mend: {untabbing(file, own_shell())}" for file in sorted(tabs)[:1]]
    raise AssertionError("\n".join([f"{name} {stage}", *told(name, wrong), f"{error['type']}: {error['message']}", *mend]))


def given(facts, *kinds):
    """The findings of some kinds in the file of the user's."""
    return [row for row in facts("configs")["given"]["findings"] if row["kind"] in kinds]


def test_config_is_accepted(config_file, facts):
    """A YAML that the subject ships merges into its defaults and passes its own assertions."""
    accepted(config_file, facts("configs")["upstream"][config_file])


def test_our_config_is_accepted(our_config, facts):
    """A YAML of ours that is made for this subject merges into its defaults and passes its own assertions."""
    found = facts("configs")["ours"]
    assert our_config in found, f"{our_config} is not among the fixtures that the target sees: {', '.join(found) or 'none'}"
    accepted(our_config, found[our_config])


def test_given_config_is_accepted(given_config, facts):
    """The YAML handed in merges and passes the assertions; where not, line and key are named, and the nearest key that exists."""
    accepted(given_config, facts("configs")["given"])


def test_given_config_has_no_key_twice(given_config, facts):
    """No key stands twice in one section of the YAML handed in: the last wins and nobody is told."""
    assert not (found := given(facts, "duplicate")), "\n".join(told(given_config, found))


def test_given_config_has_numbers(given_config, facts):
    """No number of the YAML handed in is a text to YAML: 1e-4 inside a list is one, and fails only when it is used."""
    assert not (found := given(facts, "number")), "\n".join(told(given_config, found))


def test_given_config_points_to_what_exists(given_config, facts):
    """The files and folders that the YAML handed in names are there."""
    assert not (found := given(facts, "path")), "\n".join(told(given_config, found))


def test_given_config_is_read_as_written(given_config, facts):
    """The target reads the same text as the author's editor shows: UTF-8, whatever the encoding of the machine."""
    assert not (found := given(facts, "locale", "encoding")), "\n".join(told(given_config, found))
