"""A stand-in for a target's Python: it reads the program, finds the cookie in it, and says what a script tells it to say.

What observe makes of the events can be tested so in milliseconds, with events that our own runner would never send as well.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from slowfast_verify.target import Target

PLAYER = r"""
import json, os, re, signal, subprocess, sys, time
script, counter = sys.argv[1:3]
runs = json.load(open(script))
number = len(open(counter).read()) if os.path.exists(counter) else 0
open(counter, "a").write("x")
actions = runs[min(number, len(runs) - 1)]
out, err = sys.stdout.buffer, sys.stderr.buffer
text = b"" if actions and actions[0] == ["deaf"] else sys.stdin.buffer.read()
found = re.search(rb'cookie\\": \\"([0-9a-f]+)', text)
cookie = found.group(1) if found else b""
def request():
    whole = json.loads("".join(json.loads("[" + text.decode().split("json.loads(''.join([\n")[1].split("\n]))\n")[0] + "]")))
    return {**whole, "probes": sorted(whole["probes"])}
for what, *more in actions:
    if what == "say":
        out.write(cookie + b" " + json.dumps(more[0]).encode() + b"\n")
    elif what == "tell":
        group = os.getpgrp() == os.getpid() if hasattr(os, "getpgrp") else None
        facts = {"request": request(), "group": group, "arguments": sys.argv[3:], "variable": os.environ.get("PLAYER")}
        out.write(cookie + b" " + json.dumps({"event": "answer", "q": more[0], "seconds": 1, "facts": facts}).encode() + b"\n")
    elif what == "raw":
        out.write(more[0].replace("COOKIE", cookie.decode()).encode("latin-1"))
    elif what == "err":
        err.write(more[0].encode("latin-1"))
        err.flush()
    elif what == "sleep":
        time.sleep(more[0])
    elif what == "leave":
        out.flush()
        os._exit(more[0])
    elif what == "kill":
        out.flush()
        os.kill(os.getpid(), more[0])
        time.sleep(30)
    elif what == "close":
        os.close(1)
        out = open(os.devnull, "wb")
    elif what == "child":  # it holds our streams open
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(%r)" % more[0]], start_new_session=True)
    out.flush()
out.flush()
os._exit(0)
"""


def say(event: str, **more: Any) -> list[Any]:
    """An event behind the cookie."""
    return ["say", {"event": event, **more}]


def hello(**more: Any) -> list[Any]:
    """The first event of every run."""
    return say("hello", **{"fork": True, "absent": [], "folder": "/nonesuch/folder", **more})


def answer(number: str = "0", **more: Any) -> list[Any]:
    """A question's answer."""
    return say("answer", q=number, **{"seconds": 0.5, "facts": {"of": number}, **more})


END = say("end")


def player(folder: Path, *runs: list[Any], kind: str = "python", slowness: float = 1.0) -> Target:
    """A target that does what the lists say: the first time it is started the first of them, and so on; the last for all further times."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "player.py").write_text(PLAYER, encoding="utf-8")
    (folder / "script.json").write_text(json.dumps(runs), encoding="utf-8")
    argv = (sys.executable, "-S", "-E", str(folder / "player.py"), str(folder / "script.json"), str(folder / "started"))
    return Target(argv=argv, kind=kind, slowness=slowness, shown="the player")


def started(folder: Path) -> int:
    """How often it was started."""
    return len((folder / "started").read_text(encoding="utf-8"))
