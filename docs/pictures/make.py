"""The README's picture: a real command, run here, its output drawn as a terminal. `python docs/pictures/make.py`, `--check` compares.

The log that is piped in is the example of a known failure: what a run of ours printed.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from rich.console import Console
from rich.text import Text

from slowfast_verify.generated import settle

HERE = Path(__file__).parent
PICTURE = HERE / "diagnose.svg"
KNOWN = "pytorchvideo-cat-all-gather"
COMMAND = "python tools/run_net.py --help 2>&1 | slowfast-verify diagnose"
WIDTH = 114  # columns: the longest word of the answer, an address, stands by itself


def recorded() -> str:
    """What the command prints for that log."""
    example = tomllib.loads((HERE.parents[1] / "knowledge" / f"{KNOWN}.toml").read_text(encoding="utf-8"))["example"]["text"]
    done = subprocess.run(
        [sys.executable, "-m", "slowfast_verify", "diagnose", "-"], input=example.lstrip("\n"), capture_output=True, text=True,
        encoding="utf-8", check=False, env={**os.environ, "SLOWFAST_VERIFY_LANG": "en", "COLUMNS": str(WIDTH), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if done.returncode != 1 or KNOWN not in done.stdout:
        sys.exit(f"diagnose ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def drawn(output: str) -> str:
    """The prompt, the command and its output as SVG; without fonts from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor", force_terminal=True, legacy_windows=False)
    console.print(Text.assemble(("$ ", "green"), (COMMAND, "bold")))
    for line in output.splitlines():
        text = Text(line)
        text.highlight_regex(r"^ {2}(cause|seen|fix|tried|threads|not|unsure):", "cyan")
        text.highlight_regex(r"\[[\w-]+\]$", "yellow")
        text.highlight_regex(r"^\S.*(?=  \[)", "bold red")
        console.print(text, highlight=False)
    picture = console.export_svg(title="slowfast-verify diagnose", unique_id="terminal")
    picture = re.sub(r"\s*@font-face \{.*?\}\n", "\n", picture, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def main() -> int:
    """Write, or with --check compare; 1 where the picture no longer shows what the command prints."""
    return settle({PICTURE: drawn(recorded())}, sys.argv[1:], "python docs/pictures/make.py")


if __name__ == "__main__":
    sys.exit(main())
