"""Pictures of the dashboard for looking at: `python tests/harness/dashboard_pictures.py [FILE] [FOLDER]`.

Every kind of page, light and dark, both languages, on a desk and on a phone, and printed. FILE is the page (default
reports/dashboard/index.html, from `nox -s dashboard`), FOLDER where the pictures go (default reports/dashboard/pictures).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import browser

CELL = "#cell=linux-py3.11-torch2.15.0-cpu-uv-pyslowfast@main-as-is"
PLACES = {
    "front": "", "machine": "#machine=windows/x86_64/nvidia/3.10", "ran": "#machine=linux/x86_64/cpu/3.11", "cell": CELL,
    "wine": "#cell=windows-py3.10-torch2.4.1-cpu-uv-pyslowfast@main+wine", "failure": "#failure=torch-six-removed",
    "failures": "#failures", "changes": "#changes", "filtered": "#os=linux&state=known,reached&rows=subject",
}  # fmt: skip
LOOKS = {
    "light": ("light", "en-US", 1280),
    "dark": ("dark", "zh-CN", 1280),
    "phone": ("light", "en-US", 390),
    "phone-dark": ("dark", "zh-CN", 390),
}


def main() -> None:
    """Take them."""
    if browser.missing():
        raise SystemExit(f"no pictures: {browser.missing()}")
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/dashboard/index.html").resolve()
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else file.parent / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with browser.started() as running:
        for look, (scheme, locale, width) in LOOKS.items():
            context = running.new_context(color_scheme=scheme, locale=locale, viewport={"width": width, "height": 900})
            page = context.new_page()
            for name, place in PLACES.items():
                page.goto("about:blank")
                page.goto(file.as_uri() + place)
                page.wait_for_function("() => !document.querySelector('[aria-busy]')")
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
                if look == "light":
                    page.pdf(path=folder / f"{name}.pdf", format="A4")
            context.close()
    print(f"{len(list(folder.iterdir()))} files in {folder}")


if __name__ == "__main__":
    main()
