"""A shared report: nothing of a person in it, whatever was planted where; and it can be read again."""

from __future__ import annotations

import json
import os
import string
from base64 import b64encode
from hashlib import sha256
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from slowfast_verify import share
from slowfast_verify.errors import Problem
from slowfast_verify.identity import Identity, identity
from slowfast_verify.scrub import Scrubber, rules

WHO = Identity(
    users=("jdoe", "Zo\u00eb", "\u5f20\u4f1f"),
    hosts=("gpu-box-17", "gpu-box-17.cs.example-university.edu"),
    homes=("/" + "home/jdoe", "C:\\Users\\jdoe"),
    secrets=("correct horse battery",),
)
NOBODY = Identity()

# ---- what is planted --------------------------------------------------------------------------------------------------------

LETTERS = string.ascii_letters + string.digits


def word(least: int, most: int, alphabet: str = LETTERS) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


#: A person's name that neither this file nor the report's own words contain.
PERSON = st.tuples(st.sampled_from(["q", "x", "zz", "\u00f8", "\u5f20"]), word(3, 10, string.ascii_lowercase + string.digits)).map("".join)
SHORT_NAME = st.tuples(word(6, 6, string.ascii_uppercase), st.integers(1, 9)).map(lambda row: f"Q{row[0][:5]}~{row[1]}")
OCTET = st.integers(1, 254)
TOKENS = {
    "GitHub": word(36, 36).map("ghp_{}".format),
    "GitHub fine-grained": word(40, 82).map("github_pat_{}".format),
    "Hugging Face": word(34, 34).map("hf_{}".format),
    "AWS": word(16, 16, string.ascii_uppercase + string.digits).map("AKIA{}".format),
    "Slack": word(24, 40).map("xoxb-{}".format),
    "GitLab": word(20, 20).map("glpat-{}".format),
    "Google": word(35, 35).map("AIza{}".format),
    "package index": word(60, 120).map("pypi-{}".format),
    "OpenAI": word(40, 48).map("sk-{}".format),
    "JSON web token": st.tuples(word(20, 30), word(20, 40), word(20, 40)).map("eyJ{0[0]}.{0[1]}.{0[2]}".format),
    "Slack hook": word(24, 24).map("https://hooks.slack.com/services/T000/B000/{}".format),
}
NAMES = ["API_KEY", "ACME_TOKEN", "DB_PASSWORD", "client_secret", "aws_secret_access_key", "SIGNING_KEY", "npm_config__authToken", "passwd"]
#: {kind: a pair (what is planted, the part of it that must not be found)}.
SECRETS: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    **{kind: strategy.map(lambda text: (text, text.rpartition("/")[2])) for kind, strategy in TOKENS.items()},
    "KEY=value": st.tuples(st.sampled_from(NAMES), st.sampled_from(["=", ": ", '="', "='", " = "]), word(8, 40)).map(
        lambda row: (f"{row[0]}{row[1]}{row[2]}" + {'="': '"', "='": "'"}.get(row[1], ""), row[2])
    ),
    "JSON": st.tuples(st.sampled_from(NAMES), word(8, 40)).map(lambda row: (json.dumps({row[0]: row[1]}), row[1])),
    "option": st.tuples(st.sampled_from(["--token", "--password", "--api-key"]), word(8, 40)).map(lambda row: (" ".join(row), row[1])),
    "bearer": word(12, 60).map(lambda text: (f"Authorization: Bearer {text}", text)),
    "bearer in a dict": word(12, 60).map(lambda text: (f"{{'Authorization': 'Bearer {text}', 'Accept': '*/*'}}", text)),
    "basic": word(16, 60).map(lambda text: (f"authorization: Basic {text}==", text)),
    "cookie": word(12, 60).map(lambda text: (f"Cookie: sessionid={text}; a=b", text)),
    "address with a password": st.tuples(word(3, 9), word(6, 30, LETTERS + "@:!$%-_.~")).map(
        lambda row: (f"https://{row[0]}:{row[1]}@mirror.example-company.com/simple", row[1])
    ),
    "address with a token": word(8, 40).map(lambda text: (f"https://github.com/x/y.git?access={text}&b=1", text)),
    "signed address": word(30, 60).map(lambda text: (f"https://bucket.s3.example.com/w.pkl?X-Amz-Signature={text}", text)),
    "company's host": PERSON.map(lambda text: (f"https://{text}.corp-mirror.cn/simple", text)),
    "private key": word(40, 80).map(lambda text: (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----", text)),
    "netrc": word(8, 20).map(lambda text: (f"machine example.com login me password {text}", text)),
    "home": PERSON.map(lambda name: ("/" + f"home/{name}/env/bin/python", name)),
    "home of a cluster": PERSON.map(lambda name: (f"/nfs/home3/{name}/SlowFast", name)),
    "home on macOS": PERSON.map(lambda name: ("/" + f"Users/{name}/Library/Caches/pip", name)),
    "home on Windows": PERSON.map(lambda name: (f"C:\\Users\\{name}\\AppData\\Local\\Temp\\x.dll", name)),
    "home on Windows, in a repr": PERSON.map(lambda name: (repr(f"C:\\Users\\{name}\\x.dll"), name)),
    "home on Windows, with a blank": PERSON.map(lambda name: (f"D:\\Users\\Ann {name}\\x.dll", name)),
    "home on Windows, short": SHORT_NAME.map(lambda name: (f"C:\\Users\\{name}\\AppData", name)),
    "home in Git Bash": PERSON.map(lambda name: ("/c" + f"/Users/{name}/x", name)),
    "home in WSL": PERSON.map(lambda name: ("/mnt/c" + f"/Users/{name}/x", name)),
    "home in an address": PERSON.map(lambda name: ("file://" + quote("/" + f"home/{name}/x y.whl"), quote(name))),
    "home, all quoted": PERSON.map(lambda name: (quote("/" + f"home/{name}/x", safe=""), quote(name))),
    "home on Windows, quoted": PERSON.map(lambda name: (quote(f"C:\\Users\\{name}\\x", safe=""), quote(name))),
    "share": PERSON.map(lambda name: (f"\\\\fileserver\\{name}\\weights.pkl", name)),
    "share in a repr": PERSON.map(lambda name: (repr(f"\\\\{name}\\data\\weights.pkl"), name)),
    "long share": PERSON.map(lambda name: (f"\\\\?\\UNC\\{name}\\data\\w.pkl", name)),
    "e-mail": st.tuples(PERSON, word(3, 9, string.ascii_lowercase)).map(lambda row: (f"{row[0]}@{row[1]}.example.com", row[0])),
    "ssh": st.tuples(PERSON, PERSON).map(lambda row: (f"{row[0]}@{row[1]}:/data/SlowFast", row[1])),
    "IPv4": st.tuples(OCTET, OCTET, OCTET, OCTET).map(lambda row: ("connect to {}.{}.{}.{}:8080".format(*row), "{}.{}.{}.{}".format(*row))),
    "IPv6": st.lists(st.integers(0x1000, 0xFFFF), min_size=6, max_size=6)
    .map(lambda row: ":".join(f"{n:x}" for n in row))
    .map(lambda tail: (f"[2001:db8:{tail}]:80", tail)),
    "machine in a local net": PERSON.map(lambda name: (f"no route to {name}.local", name)),
    "hardware address": st.tuples(*[st.integers(16, 255)] * 6).map(lambda row: (":".join(f"{n:02x}" for n in row),) * 2),
    "drawn by lot": st.binary(min_size=4).map(lambda seed: b64encode(sha256(seed).digest()).decode()).map(lambda text: (text, text[:20])),
    "this person": st.sampled_from(["jdoe", "JDOE", "zo\u00eb", "\u5f20\u4f1f"]).map(lambda name: (f"owned by {name} (uid 1000)", name)),
    "this person, quoted": st.sampled_from(["\u5f20\u4f1f", "Zo\u00eb"]).map(lambda name: (f"file:///data/{quote(name)}/x", quote(name))),
    "this machine": st.sampled_from([("gpu-box-17", "gpu-box-17"), ("GPU-BOX-17.cs.example-university.edu", "example-university")]),
    "value of a secret variable": st.just(("it said correct horse battery", "correct horse battery")),
}  # fmt: skip

# ---- where it is planted ----------------------------------------------------------------------------------------------------

BLANK: dict[str, Any] = {
    "target": {"python": "3.8.18", "platform": "Linux-6.1-x86_64", "version": "4.12.0.88"},
    "problems": [
        {
            "rung": "imports", "title": "torch does not load", "cause": "another torch", "evidence": "undefined symbol: _ZN3c106detail14",
            "stderr_tail": "ImportError: _C.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv", "fix": ["pip install torch==1.8.0"],
        }
    ],
    "paths": ["/usr/lib/python3.8"],
}  # fmt: skip
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


# ---- what must stay ---------------------------------------------------------------------------------------------------------

STAYS = [
    "opencv-python 4.12.0.88 and opencv-python-headless 5.0.0.93 both own cv2",
    "nvidia-cudnn-cu12==9.10.2.21",
    "libtorch_cuda.so: undefined symbol: _ZN2at4_ops19empty_memory_format4callEN3c108ArrayRefIlEENS2_8optionalIN10ScalarTypeEEE",
    "/env/lib/python3.8/site-packages/torch/lib/libcaffe2_detectron_ops_gpu.so: cannot open shared object file",
    "pip install 'pytorchvideo @ git+https://github.com/facebookresearch/pytorchvideo.git@f3142bb05cdb56af0704ab6f0adc6af6f7a8c4d7'",
    "yaml.scanner.ScannerError: found character '\\t' that cannot start any token",
    "KeyError: 'Non-existent config key: TENSORBOARD.MODEL_VIS.TOPK'",
    "linux-py3.8-torch1.8.0-cpu-uv-pyslowfast@bac7b67",
    "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    "numpy 1.24.4 requires Python >=3.8; 12:04:11 2026-11-22T10:04:11Z",
    "slowfast.git@bac7b67: imports::module_imports[slowfast.datasets.loader]",
    "git@github.com:facebookresearch/SlowFast.git",
    "at::native::conv3d c10::Error std::terminate torch::autograd",
    "lock_sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "MASTER at 127.0.0.1:29500 and http://localhost:6006/",
    "ModuleNotFoundError: No module named 'torch._six'",
    "this is a basic installation of a token-based reader",
    "CUDA_HOME=/usr/local/cuda-11.1",
]


@pytest.mark.parametrize("text", STAYS)
def test_what_a_report_needs_stays(text: str) -> None:
    """Versions, symbols, file names, revisions and cell ids are no secrets."""
    scrubber = Scrubber(WHO)
    scrubber.learn(BLANK)
    assert scrubber.text(text) == text


def test_a_common_name_goes_inside_paths_only() -> None:
    """A user called torch loses the name in the home folder; the package keeps it."""
    scrubber = Scrubber(Identity(users=("torch",), homes=("/" + "home/torch",)))
    assert scrubber.text("/" + "home/torch/env: import torch") == "~/env: import torch"
    assert scrubber.text("/nfs" + "/home/torch/env: import torch") == "/nfs/home/{user}/env: import torch"


def test_a_home_that_is_the_root_is_no_home() -> None:
    """In a container HOME may be `/`: every path would become a tilde."""
    assert Scrubber(Identity(homes=("/",))).text("/usr/lib") == "/usr/lib"


def test_what_a_name_is_in_one_place_it_is_in_all() -> None:
    """A name that only a path told is taken out of prose as well."""
    made = share.shared({"a": "/" + "home/qwhoever/x", "b": "group Qwhoever may not write"}, "", who=NOBODY, environ={})
    assert "whoever" not in made
    assert "group {user} may not write" in made


def test_every_expression_of_the_data_is_valid_and_reasoned() -> None:
    """The data compile, no variable is listed twice, and none is an address of an index."""
    names = [name for row in rules().variable for name in row.names]
    assert len(names) == len(set(names)) > 50
    assert all(row.reason for row in (*rules().variable, *rules().token))
    assert not {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "HTTPS_PROXY", "SSH_AUTH_SOCK", "USER", "HOME"} & set(names)
    assert Scrubber(NOBODY).text("x") == "x"


def test_the_identity_of_this_process() -> None:
    """Names, hosts and homes come from variables and from the system, secrets from variables that are named like one."""
    found = identity({"USER": "jdoe", "HOME": "/x/homes/jdoe", "HOSTNAME": "box.example.com", "HF_TOKEN": "s3cr3t", "TERM": "xterm"},
                     ("ssh", "-o", "BatchMode=yes", "ann@far.example.com", "python3"))  # fmt: skip
    assert {"jdoe", "ann"} <= set(found.users)
    assert {"box.example.com", "box", "far.example.com", "far"} <= set(found.hosts)
    assert "/x/homes/jdoe" in found.homes
    assert found.secrets == ("s3cr3t",)


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


def test_windows_homes_of_this_person() -> None:
    """A home in any spelling becomes a tilde."""
    scrubber = Scrubber(WHO)
    home = PureWindowsPath("C:/Users/jdoe/env/x.dll")
    for spelt in (str(home), home.as_posix(), repr(str(home)), quote(home.as_posix()), str(home).upper()):
        assert "~" in scrubber.text(spelt), spelt
        assert "jdoe" not in scrubber.text(spelt).lower()
    assert os.sep
