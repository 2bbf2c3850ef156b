"""What is planted to see whether it leaks: tokens, names, homes, addresses, in every spelling that was thought of."""

from __future__ import annotations

import json
import string
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from slowfast_verify.identity import Identity

WHO = Identity(
    users=("jdoe", "Zo\u00eb", "\u5f20\u4f1f"),
    hosts=("gpu-box-17", "gpu-box-17.cs.example-university.edu"),
    homes=("/" + "home/jdoe", "C:\\Users\\jdoe"),
    secrets=("correct horse battery",),
)


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
NOBODY = Identity()


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
