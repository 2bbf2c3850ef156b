"""How far it is from `git clone` to the doctor's first verdict on a machine with nothing but Python and git; writes bench/new_user.json.

`nox -s "bench(new_user)"`. Needs a container engine (SLOWFAST_VERIFY_ENGINE=start starts one) and a package index. The commands are those
of the README's block, typed one after the other into one bash of a fresh Debian; `OWNER` is answered by a copy of this checkout's commit.
What this machine's network needs (a certificate bundle) is handed in. Then what trips people there: a Debian without python3-venv,
pip outside of an environment, no network.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import described, write

from slowfast_verify import engine, layout
from slowfast_verify.errors import NotVerifiable

SYSTEMS = {"bookworm": "Debian 12", "trixie": "Debian 13"}
BEGIN, END = "<!-- first verdict -->", "<!-- end -->"
ADDRESS = "https://github.com/OWNER/slowfast-verify"
PREPARED = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git >/dev/null 2>&1 && " \
           f"git config --global url./origin.git.insteadOf {ADDRESS} && git config --global safe.directory '*'"  # fmt: skip
BUNDLE = "/etc/ssl/certs/handed-in.crt"
TYPED = 900  # seconds for all commands


def commands() -> list[str]:
    """The lines of the README's block."""
    text = (layout.root() / "README.md").read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    found = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        sys.exit(f"README.md has no block between {BEGIN} and {END}")
    return [line for line in found[0].splitlines() if line.strip()]


class Machine:
    """A fresh container of a Debian, with two cores; gone at the end."""

    def __init__(self, suite: str, origin: Path) -> None:
        bundle = os.environ.get("SSL_CERT_FILE", "")
        volumes = {str(origin): {"bind": "/origin.git", "mode": "ro"}, **({bundle: {"bind": BUNDLE, "mode": "ro"}} if bundle else {})}
        trust = dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), BUNDLE) if bundle else {}
        self.box = engine.client().containers.run(
            engine.base_image(f"{engine.MADE_HERE}{suite}"), ["sleep", "3600"], detach=True, init=True, nano_cpus=2_000_000_000,
            volumes=volumes, environment=trust, working_dir="/srv",
        )  # fmt: skip

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *gone: object) -> None:
        self.box.remove(force=True)

    def type(self, lines: list[str]) -> list[tuple[int, float, str]]:
        """Each line's exit status, seconds and output; all of them in one bash."""
        mark = "@@ typed"
        script = "".join(f'begun=$EPOCHREALTIME\n{line}\necho "{mark} $? $begun $EPOCHREALTIME"\n' for line in lines)
        argv = ["docker", "exec", "-i", self.box.id, "bash"]
        done = subprocess.run(argv, input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TYPED, check=False)
        found, said = [], ""
        for line in done.stdout.splitlines():
            if line.startswith(mark):
                status, begun, ended = line.removeprefix(mark).split()
                found.append((int(status), float(ended.replace(",", ".")) - float(begun.replace(",", ".")), said.strip()))
                said = ""
            else:
                said += f"{line}\n"
        return found


def first_verdict(suite: str, origin: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The block on that Debian; then what else may stand in the way there."""
    lines = commands()
    with Machine(suite, origin) as machine:
        ((status, _, said), (_, _, version)) = machine.type([PREPARED, "python3 --version"])
        if status:
            sys.exit(f"git could not be installed: {said[-300:]}")
        typed = machine.type(lines)
        verdict = next((line for line in typed[-1][2].splitlines() if re.search(r"healthy|problems?:|not verified", line)), "")
        result = {
            "system": f"{SYSTEMS[suite]}, {version}", "commands": len(lines), "seconds": round(sum(row[1] for row in typed), 1),
            "each_seconds": [round(row[1], 1) for row in typed], "exits": [row[0] for row in typed],
            "verdict": re.sub(r"[\d.]+ s$", "", verdict).rstrip("; "),
        }  # fmt: skip
        if [row[0] for row in typed] != [0] * (len(lines) - 1) + [1] or "for pyslowfast" not in verdict:
            sys.exit(f"no verdict on {result['system']}: {typed[-1][2][-800:]}")
        return result, traps(machine, lines, str(result["system"]))


def traps(machine: Machine, lines: list[str], system: str) -> list[dict[str, Any]]:
    """What is said where something is missing, and whether it says what to do."""
    engine.client().networks.get("bridge").disconnect(machine.box)
    offline = machine.type(["cd slowfast-verify", lines[-1]])[-1]
    engine.client().networks.get("bridge").connect(machine.box)
    outside = machine.type(
        ["cd slowfast-verify", "rm -rf .venv", "apt-get install -y -qq python3-pip >/dev/null 2>&1; python3 -m pip install ."]
    )[-1]
    purge = "apt-get purge -y -qq 'python3*-venv' >/dev/null 2>&1"
    bare = machine.type(["cd slowfast-verify", purge, lines[1]])[-1]
    rows = (
        ("no network: the doctor needs none", offline, r"problems: .* for pyslowfast"),
        ("pip outside of an environment", outside, r"python3 -m venv"),
        ("Debian without python3-venv", bare, r"apt(-get)? install python3[\d.]*-venv"),
    )
    met = []
    for name, (status, took, said), pattern in rows:
        found = re.search(pattern, said)
        met.append({"system": system, "trap": name, "exit": status, "says": found[0] if found else "", "seconds_to_it": round(took, 1)})
    return met


def main() -> None:
    """Measure and write; a system whose base cannot be made is left out and said."""
    machine, results, tripped = described(), [], []
    with tempfile.TemporaryDirectory() as scratch:
        origin = Path(scratch) / "origin.git"
        subprocess.run(["git", "clone", "--quiet", "--bare", str(layout.root()), str(origin)], check=True)
        for suite in sys.argv[1:] or SYSTEMS:
            try:
                row, met = first_verdict(suite, origin)
            except NotVerifiable as problem:
                print(f"not verified: {problem}", file=sys.stderr)
                continue
            results.append(row)
            tripped += met
    if not all(row["says"] for row in tripped):
        sys.exit(f"something does not say what to do: {tripped}")
    write(__file__, machine, [*results, *tripped])


if __name__ == "__main__":
    main()
