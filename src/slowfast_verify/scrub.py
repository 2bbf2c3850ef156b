"""Takes out of a text what is a person's or a secret: names, hosts, homes, addresses, tokens, passwords.

Called by share; runs on the host; imports data, layout and the standard library. What may stay and what tokens look like is data
(matrices/share.toml). Where a thing cannot be told from a secret it goes: a report that says too little can be asked about, one that
said too much cannot be taken back.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from . import layout
from .data import Row, load
from .identity import Identity, secrets_of

GONE = "***"
SHORTEST_NAME = 3  # characters: a shorter name stands in too many words; inside paths it goes all the same
SHORTEST_SECRET = 6  # characters: what is shorter is no secret worth a hole in the text
SEP = r"(?:[\\/]{1,4}|%2[fF]|%5[cC])"  # bounded: a line of slashes must not take minutes


class Variable(Row):
    """Variables that may be written, the shape of their values, and why."""

    names: list[str]
    shape: str
    reason: str


class Token(Row):
    """Secrets that one can tell by their look."""

    kind: str
    expression: str
    reason: str


class Names(Row):
    """Words, with the reason why they are listed."""

    names: list[str] = []
    folders: list[str] = []
    hosts: list[str] = []
    reason: str


class Rules(Row):
    """matrices/share.toml."""

    variable: list[Variable]
    common: Names
    homes: Names
    public: Names
    versions: Names
    token: list[Token]


@cache
def rules() -> Rules:
    """What may be said and what is taken out."""
    return load(layout.matrices() / "share.toml", Rules)


NAMED = (
    r"[\w.-]{0,80}(?:token|secret|passw(?:or)?d|passwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|encryption[_-]?key"
    r"|shared[_-]?access|credential|signature|session[_-]?id|client[_-]?id)[\w.-]{0,80}"
)
KEPT = r"(?!(?:None|True|False|null|true|false|\*\*\*)(?![\w.-]))"
VALUE = r"(?:\\?\"(?:\\.|[^\"\\\r\n])*\"?|\\?'(?:\\.|[^'\\\r\n])*'?|[^\s,;&\"')}\]]+)"

#: (expression, replacement), in this order.
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S), GONE),
    (re.compile(r"(?<=://)(?!git@)[^/\s]*@"), f"{GONE}@"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]*(?:token|key|auth)[\w-]*)([\"']?\s*[:=]\s*).+"), rf"\1\2{GONE}"),
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]{4,}"), rf"\1{GONE}"),
    (re.compile(r"(?i)\b((?:basic|token)\s+)(?=[A-Za-z]*[\d=+/])[A-Za-z0-9._~+/=-]{8,}"), rf"\1{GONE}"),
    (re.compile(rf"(?i)(?<![\w.-])({NAMED})(\\?[\"']?\s*(?:=>|[:=])\s*){KEPT}{VALUE}"), rf"\1\2{GONE}"),
    (re.compile(rf"(?<![\w.-])([A-Z0-9_]*(?:KEY|AUTH|PAT|PASS)[\"']?\s?[=:]\s?){KEPT}{VALUE}"), rf"\1{GONE}"),
    (re.compile(rf"(?i)(?<![\w.-])((?:pwd|pass)\s*=\s*)(?![\\/]|\w:[\\/]){KEPT}{VALUE}"), rf"\1{GONE}"),
    (re.compile(rf"(?i)(?<![\w-])(--?[\w-]{{0,60}}?(?:token|passw(?:or)?d|secret|api-?key)[\w-]{{0,60}}\s+)(?!-){VALUE}"), rf"\1{GONE}"),
    (re.compile(r"(?<!\S)((?:-u|--user|--proxy-user)[\s=]+)\S+:\S+"), rf"\1{GONE}"),
    (re.compile(r"\b(machine\s+)\S+(\s+login\s+)\S+"), rf"\1{GONE}\2{GONE}"),
    (re.compile(r"\b(password\s+)(?![:=])\S{4,}"), rf"\1{GONE}"),
    (re.compile(r"([?&][\w.~%-]+=)[^&\s\"'<>]+"), rf"\1{GONE}"),
)  # fmt: skip
EMAIL = re.compile(r"(?<![\w.+%'-])(?!git@)[\w.+%'-]*[\w+%]@(?!\*)[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
SCP = re.compile(r"(?<![\w@.+-])([\w.+-]+)@([\w.-]+):(?=[/~\\]|[\w.-]+/)")
URL_HOST = re.compile(r"(?<=://)((?:git|\*\*\*)@)?(\[[0-9a-fA-F:.]+\]|[^\s/:@\"'<>?#]+)(?::\d+)?")
LOCAL_HOST = re.compile(r"(?i)(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:local|lan|internal|intranet|corp|home\.arpa|localdomain)(?![\w-]|\.\w)")
UNC = re.compile(
    r"(?<![\w\\.])(?<!\b[A-Za-z]:)(?:\\\\|\\\\\\\\)(?![?.\\])[^\s\\/\"'<>|?*]+\\{1,2}[^\s\\/\"'<>|?*]+|(?<![\w:/.])//[\w.-]+/[\w$.-]+"
)
LONG_UNC = re.compile(r"(?i)(\\{1,4}\?\\{1,2}UNC\\{1,2})[^\\\s]+\\{1,2}[^\\\s]+")
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-fA-F]*:[0-9a-fA-F]*:)[0-9a-fA-F:]{4,}(?:\d+\.\d+\.\d+\.\d+)?(?:%\w+)?(?![\w:])")
HARDWARE = re.compile(r"\b(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}\b|\b(?:GPU-|MIG-)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
CLOUD_NAME = re.compile(r"(?i)\b(?:ip|ec2)(?:-\d{1,3}){4}[\w.-]*")
#: Right before a dotted quad: a version, not an address (opencv-python 4.12.0.88, nvidia-cudnn-cu12==9.10.2.21).
VERSION_BEFORE = r"(?i)(?:[=<>~!]=|[<>]|version[\"']?[ :=]+\"?|\bv|[A-Za-z][\w.]*[-_]|\b(?:{words})[\w.-]*\s)$"
RANDOM = re.compile(r"(?<![\w+/=-])[A-Za-z0-9_+/-]{24,}={0,2}(?![\w+/-])")


@cache
def _tokens() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{row.expression})" for row in rules().token))


@cache
def _own_secrets() -> tuple[str, ...]:
    return secrets_of(os.environ)


def without_secrets(text: str, known: tuple[str, ...] | None = None) -> str:
    """A text without tokens, passwords and the like; names and paths stay. For what is kept on this machine or goes into a record.

    known: secrets by heart; None: the values of this process's variables that are named like one.
    """
    text = _tokens().sub(GONE, text)  # before what is known by heart, of which a longer token may be made
    for secret in _own_secrets() if known is None else known:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, GONE).replace(quote(secret, safe=""), GONE)
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class Scrubber:
    """Scrubs texts with what is known of one person and machine. `learn` first: what a name is in one place it is in all."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.common = {name.lower() for name in rules().common.names}
        self.users = set(identity.users)
        self.hosts = set(identity.hosts)
        self.versions: set[str] = set()
        self._made_of: tuple[frozenset[str], frozenset[str]] | None = None
        self._expressions: list[tuple[str, re.Pattern[str]]] = []
        below = [home for home in identity.homes if re.search(r"[\\/]\w", home)]  # in a container HOME may be `/`
        homes = sorted({path for home in below for path in spellings(home)}, key=len, reverse=True)
        self.home = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, homes)) or '(?!)'})(?![\w-])", re.I)
        self.version_before = re.compile(VERSION_BEFORE.format(words="|".join(rules().versions.names)))
        folders = "|".join(rules().homes.folders)
        open_name, windows_name = r"[^\\/\s%:*?\"'<>|,;)\]}]|%(?!2[fF]|5[cC])", r"[^\\/%:*?\"'<>|\r\n]|%(?!2[fF]|5[cC])"
        self.person = re.compile(
            rf"(?i)(\b[a-z](?::|%3a){SEP}(?:{folders}){SEP})((?:{windows_name})+)|({SEP}(?:{folders}){SEP})((?:{open_name})+)"
        )

    def learn(self, value: Any) -> None:
        """Find the names in a nested value: whom its home folders belong to, which versions it speaks of."""
        for key, text in texts(value):
            if key == "version" or key.endswith("_version"):
                self.versions.add(text)
            for hit in self.person.finditer(text):
                name = hit.group(2) or hit.group(4)
                followed = re.match(SEP, text[hit.end() :])
                if len(name) >= SHORTEST_NAME and (hit.group(4) or followed) and name not in (GONE, "{user}", "..."):
                    self.users.add(name)

    def value(self, value: Any) -> Any:
        """A nested value with every text scrubbed, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._under(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.value(item) for item in value]
        return value

    def _under(self, key: str, item: Any) -> Any:
        """A value whose key already says that it is a secret."""
        return GONE if isinstance(item, str) and item and re.fullmatch(rf"(?i){NAMED}", key) else self.value(item)

    def text(self, text: str) -> str:
        """One text, scrubbed."""
        text = without_secrets(text, self.identity.secrets)
        text = self.home.sub("~", text)
        text = self.person.sub(lambda hit: f"{hit.group(1) or hit.group(3)}{{user}}", text)
        text = LONG_UNC.sub(r"\1{host}\\{share}", text)
        text = UNC.sub(lambda hit: "//{host}/{share}" if hit.group().startswith("/") else r"\\{host}\{share}", text)
        text = SCP.sub(_account, text)
        text = EMAIL.sub("{email}", text)
        text = URL_HOST.sub(lambda hit: (hit.group(1) or "") + (hit.group() if public(hit.group(2)) else "{host}"), text)
        text = LOCAL_HOST.sub("{host}", text)
        text = CLOUD_NAME.sub("{host}", text)
        text = HARDWARE.sub("{id}", text)
        text = IPV4.sub(self._address, text)
        text = IPV6.sub(self._address, text)
        text = RANDOM.sub(lambda hit: GONE if random(hit.group()) else hit.group(), text)
        return self._names(text)

    def _names(self, text: str) -> str:
        for word, pattern in self._known():
            text = pattern.sub(word, text)
        return text

    def _known(self) -> list[tuple[str, re.Pattern[str]]]:
        """Hosts and users as expressions, the longest name first; made once for what has been learnt."""
        names = (frozenset(self.hosts), frozenset(self.users))
        if names != self._made_of:
            self._made_of, self._expressions = names, []
            for word, known in zip(("{host}", "{user}"), names, strict=True):
                telling = [
                    name for name in known if name.lower() not in self.common and len(name) >= (SHORTEST_NAME if name.isascii() else 2)
                ]
                for name in sorted(telling, key=len, reverse=True):
                    # Chinese has no blanks between words.
                    before, after = (r"(?<![^\W\d_])", r"(?![^\W\d_])") if name.isascii() else ("", "")
                    spelt = "|".join(map(re.escape, spellings(name)))
                    self._expressions.append((word, re.compile(f"{before}(?:{spelt}){after}", re.I)))
        return self._expressions

    def _address(self, hit: re.Match[str]) -> str:
        shown = hit.group()
        if shown in self.versions or public(shown) or self.version_before.search(hit.string[max(0, hit.start() - 60) : hit.start()]):
            return shown
        try:
            ipaddress.ip_address(shown.partition("%")[0])
        except ValueError:
            return shown
        return "{address}"


def _account(hit: re.Match[str]) -> str:
    """`user@host:` of scp and git."""
    user, host = hit.groups()
    return f"{user if user == 'git' else '{user}'}@{host if public(host) else '{host}'}:"


def public(host: str) -> bool:
    """Whether everybody uses this host, or one below it."""
    bare = host.strip("[]").lower()
    return any(bare == known or bare.endswith(f".{known}") for known in rules().public.hosts)


def spellings(name: str) -> list[str]:
    """A name or path as programs write it: plain, with other or doubled separators, URL-quoted, escaped."""
    slashes = [name, name.replace("\\", "/"), name.replace("\\", "\\\\"), name.replace("/", "\\")]
    escaped = [name.encode("unicode_escape").decode(), ascii(name.encode("utf-8"))[2:-1]]
    quoted = [quote(spelt, safe="") for spelt in (name, slashes[1])] + [quote(slashes[1]), quote(slashes[1], safe="/:")]
    return sorted({spelt for spelt in (*slashes, *escaped, *quoted) if spelt}, key=len, reverse=True)


def texts(value: Any, key: str = "") -> Iterable[tuple[str, str]]:
    """(key, text) of every text in a nested value."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield "", str(name)
            yield from texts(item, str(name))
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from texts(item, key)


def random(word: str) -> bool:
    """Whether a long word looks drawn by lot: it mixes cases and digits without being a compiler's name for a function."""
    if word.startswith("_Z") or "PyInit" in word:
        return False  # the evidence of a wrong ABI: `undefined symbol: _ZN3c10...`
    longest = max(re.split(r"[_/-]", word), key=len) if re.search(r"[a-z]{3}[_/-][a-z]{2}", word) else word
    switches = len(re.findall(r"[a-z](?=[A-Z])", longest))  # DistributedDataParallelCommHookState has five in 36 characters
    if len(longest) < 20 or not switches or not (re.search("[0-9]", longest) or switches > len(longest) / 6):
        return False
    count = Counter(longest)
    return -sum(n / len(longest) * math.log2(n / len(longest)) for n in count.values()) > 3.5
