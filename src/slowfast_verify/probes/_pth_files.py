"""What Python reads at every start: the .pth files of site-packages. Part of the probe environment; imports nothing of the environment."""

import glob
import os
import sys


def pth_files():
    """What Python reads at every start: [{file, wrong [text]}] of the .pth files of site-packages that lead nowhere or cannot run."""
    import ast
    from importlib.util import find_spec

    found = []
    for entry in [path for path in sys.path if path and os.path.basename(path) in ("site-packages", "dist-packages")]:
        for file in sorted(glob.glob(os.path.join(glob.escape(entry), "*.pth"))):
            wrong = []
            try:
                with open(file, "rb") as handle:
                    lines = handle.read().decode("utf-8-sig").splitlines()
            except (OSError, IOError, UnicodeDecodeError) as error:
                found.append({"file": file, "wrong": ["it cannot be read: %s" % error]})
                continue
            for number, line in enumerate(lines, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                if not line.startswith(("import ", "import\t")):
                    path = os.path.join(entry, line.rstrip())
                    if not os.path.exists(path):
                        wrong.append("line %d names %s, which does not exist" % (number, path))
                    continue
                try:
                    names = [alias.name for node in ast.parse(line).body if isinstance(node, ast.Import) for alias in node.names]
                    lost = [name for name in names if name not in sys.modules and find_spec(name.partition(".")[0]) is None]
                    wrong += ["line %d imports %s, which is not there" % (number, name) for name in lost]
                except (SyntaxError, ValueError) as error:
                    wrong.append("line %d is no Python: %s" % (number, error))
            if wrong:
                found.append({"file": file, "wrong": wrong[:5]})
    return found
