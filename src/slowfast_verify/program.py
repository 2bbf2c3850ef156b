"""The text that a target's Python reads from its standard input: the request, the runner, the probes. Runs on the host.

The runner is written in parts (PARTS, in probes/) that are joined here: what travels is one text, and nothing of it is a file that the
target could import. May import the standard library, parcel and question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .parcel import Parcel
from .question import Question

PROBES = Path(__file__).resolve().parent / "probes"
#: Where probes are looked for; tests add folders of their own.
SOURCES: list[Path] = [PROBES]
LINE = 4000  # characters: a line of megabytes takes Python about twice as long to read as short ones
PARTS = ("_protocol", "_processes", "_supervisor", "_runner")


@cache
def probe_text(name: str) -> str:
    """The source of a probe, after that of what its first line asks for (`# with: NAME`: probes/_NAME.py)."""
    for folder in SOURCES:
        path = folder / f"{name}.py"
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            first = text.partition("\n")[0]
            wanted = first.removeprefix("# with: ").split() if first.startswith("# with: ") else []
            return "".join((PROBES / f"_{shared}.py").read_text(encoding="utf-8") for shared in wanted) + text
    raise KeyError(f"no probe {name!r} in {', '.join(map(str, SOURCES))}")


@cache
def runner_text() -> str:
    """The parts of the runner, in order."""
    return "\n\n".join((PROBES / f"{part}.py").read_text(encoding="ascii") for part in PARTS)


def program(cookie: str, questions: Iterable[Question], parcel: Parcel | None = None, executable: str = "") -> bytes:
    """The text that the target's Python reads: ASCII, whatever the paths and the probes contain.

    executable: what starts this Python again, where its own path does not (under qemu-user); children of probes and workers use it.
    """
    questions = list(questions)
    request = {
        "cookie": cookie,
        "questions": [question.model_dump() for question in questions],
        "probes": {name: probe_text(name) for name in {question.probe for question in questions}},
        "executable": executable,
        "places": parcel.places if parcel else {},
        "parcel": parcel.packed if parcel else None,
    }
    text = json.dumps(request)
    # Each piece is a Python string literal as well: JSON escapes to ASCII, and so does the outer quoting.
    pieces = ",\n".join(json.dumps(text[start : start + LINE]) for start in range(0, len(text), LINE))
    # Until the runner has left the caller's folder, a json.py or random.py there must not stand for the standard library's.
    first = "import sys\nHERE = sys.path[:1] == ['']\nsys.path[:HERE] = []\n"
    return f"{first}import json\nREQUEST = json.loads(''.join([\n{pieces}\n]))\n{runner_text()}".encode("ascii")
