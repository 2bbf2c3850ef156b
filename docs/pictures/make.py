"""The README's pictures. `python docs/pictures/make.py`: a real command, run here, its output drawn as a terminal; `--check` compares.
With `--dashboard` also the dashboard's front page of the kept records, photographed in a real Chromium.

The log that is piped in is the example of a known failure: what a run of ours printed. A photograph differs from browser to browser, so
none is compared.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from rich.console import Console
from rich.text import Text

from slowfast_verify.generated import settle

HERE = Path(__file__).parent
PICTURE = HERE / "diagnose.svg"
DASHBOARD = HERE / "dashboard.png"
WINDOW = (1280, 720)
KNOWN = "pytorchvideo-cat-all-gather"
COMMAND = "python tools/run_net.py --help 2>&1 | slowfast-verify diagnose"
WIDTH = 114  # columns: the longest word of the answer, an address, stands by itself


def recorded() -> str:
    """What the command prints for that log."""
    example = tomllib.loads((HERE.parents[1] / "knowledge" / f"{KNOWN}.toml").read_text(encoding="utf-8"))["example"]["text"]
    log = example.lstrip("\n").replace("{env}", "slowfast-env")
    done = subprocess.run(
        [sys.executable, "-m", "slowfast_verify", "diagnose", "-"], input=log, capture_output=True, text=True,
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
        text.highlight_regex(r"^\S.*?(?=  \[|$)", "bold red")
        console.print(text, highlight=False)
    picture = console.export_svg(title="slowfast-verify diagnose", unique_id="terminal")
    picture = re.sub(r"\s*@font-face \{.*?\}\n", "\n", picture, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def photographed() -> None:
    """Render the page from reports/evidence and take its front page, light and in English; ends where no browser is here."""
    root = HERE.parents[1]
    sys.path.insert(0, str(root / "tests"))
    from harness import browser

    if browser.missing():
        sys.exit(f"no photograph: {browser.missing()}")
    with tempfile.TemporaryDirectory() as folder, browser.started() as running:
        command = [sys.executable, "-m", "slowfast_verify", "report", "render", str(root / "reports" / "evidence"), "--output", folder]
        subprocess.run(command, check=True, capture_output=True)
        page = running.new_page(color_scheme="light", locale="en-US", viewport={"width": WINDOW[0], "height": WINDOW[1]})
        page.goto((Path(folder) / "index.html").as_uri())
        page.wait_for_function("() => !document.querySelector('[aria-busy]')")
        page.screenshot(path=DASHBOARD)


def main() -> int:
    """Write, or with --check compare; 1 where the picture no longer shows what the command prints."""
    if "--dashboard" in sys.argv:
        photographed()
    return settle({PICTURE: drawn(recorded())}, [word for word in sys.argv[1:] if word != "--dashboard"], "python docs/pictures/make.py")


if __name__ == "__main__":
    sys.exit(main())
