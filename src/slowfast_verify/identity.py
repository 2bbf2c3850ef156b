"""Who sits at this machine: names, host names, homes, and the secrets that their variables hold. Runs on the host.

Called by share, which takes all of it out of what it writes. Nothing here is ever printed or kept. Standard library only.
"""

from __future__ import annotations

import os
import platform
import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NAME_VARIABLES = ("USER", "USERNAME", "LOGNAME", "SUDO_USER", "LNAME", "PAM_USER")
HOST_VARIABLES = ("HOSTNAME", "COMPUTERNAME", "HOST", "USERDOMAIN", "SSH_CONNECTION", "SSH_CLIENT", "MASTER_ADDR", "SLURM_JOB_NODELIST",
                  "SLURMD_NODENAME")  # fmt: skip
HOME_VARIABLES = ("HOME", "USERPROFILE", "SUDO_HOME", "ONEDRIVE")
SECRET = re.compile(r"(?i)token|secret|passw|passphrase|api_?key|access_?key|private_?key|credential|cookie|_auth$|_pat$|_key$")


@dataclass(frozen=True)
class Identity:
    """What must not be in a report: users, hosts, homes (paths), secrets (values of variables that are named like one)."""

    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


def identity(environ: Mapping[str, str] | None = None, argv: Iterable[str] = ()) -> Identity:
    """The identity of whoever runs this process; argv: that of the target, in which `ssh` names a host."""
    environ = os.environ if environ is None else environ
    homes = [environ[name] for name in HOME_VARIABLES if environ.get(name)]
    with suppress(RuntimeError, KeyError):  # a user without an entry and without HOME
        homes.append(str(Path.home()))
    users = [environ[name] for name in NAME_VARIABLES if environ.get(name)]
    users += [re.split(r"[\\/]", home.rstrip("\\/"))[-1] for home in homes]
    with suppress(ImportError, KeyError, AttributeError):  # Windows has no such table; a container's user may be missing in it
        import pwd

        entry = pwd.getpwuid(os.getuid())  # type: ignore[attr-defined,unused-ignore]
        users += [entry.pw_name, *entry.pw_gecos.split(",")[0].split()]
        homes.append(entry.pw_dir)
    hosts = [word for name in HOST_VARIABLES if environ.get(name) for word in environ[name].split()]
    hosts += [socket.gethostname(), platform.node()]
    words = list(argv)
    if words[:1] == ["ssh"]:
        hosts += [word.rpartition("@")[2] for word in words[1:] if not word.startswith("-") and "=" not in word][:1]
        users += [word.partition("@")[0] for word in words[1:] if "@" in word][:1]
    hosts += [host.partition(".")[0] for host in hosts if not re.fullmatch(r"[\d.]+", host)]
    resolved = [str(Path(home).resolve()) for home in homes if Path(home).is_dir()]
    return Identity(_tidy(users), _tidy(word for word in hosts if not word.isdigit()), _tidy([*homes, *resolved]), secrets_of(environ))


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables that are named like a secret, the longest first."""
    return _tidy(value for name, value in environ.items() if SECRET.search(name) and value)


def _tidy(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({word.strip() for word in words if word and word.strip()}, key=lambda word: (-len(word), word)))
