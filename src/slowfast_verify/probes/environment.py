"""What surrounds the packages: variables, what each entry of sys.path offers, who owns which file, which build torch is.

Imports nothing but Python's own modules and nothing of the environment, so that it answers where torch is broken.
"""

import csv
import glob
import json
import mmap
import os
import platform
import re
import site
import sys
import sysconfig
from urllib.parse import unquote, urlsplit

NATIVE = (".so", ".pyd", ".dylib")
#: Any of these in torchvision's compiled operators means that they were built for CUDA: its kernels, or its runtime.
CUDA_MARKS = (b".nv_fatbin", b".nv_fatb", b"libcudart", b"cudart64_", b"libc10_cuda", b"c10_cuda.dll")
SHARED_KEPT = 60


def offered(folder):
    """{importable top-level name: package, module, extension or namespace} of a folder."""
    found = {}
    try:
        names = sorted(os.listdir(folder))
    except (OSError, IOError):
        return found
    for name in names:
        stem, dot, rest = name.partition(".")
        if not stem.isidentifier() or stem in ("__pycache__", "__init__", "__main__"):
            continue
        if not dot:
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                found[name] = "package" if os.path.isfile(os.path.join(path, "__init__.py")) else found.get(name, "namespace")
        elif rest == "py":
            found[stem] = "package" if found.get(stem) == "package" else "module"
        elif name.endswith(NATIVE):  # a package wins over an extension, an extension over a plain folder
            found[stem] = "package" if found.get(stem) == "package" else "extension"
    return found


def home_of_python():
    """The folders of the standard library, as they may appear in sys.path."""
    paths = sysconfig.get_paths()
    folders = [paths[key] for key in ("stdlib", "platstdlib") if paths.get(key)]
    folders += [os.path.join(folder, "lib-dynload") for folder in folders] + [os.path.dirname(os.path.abspath(os.__file__))]
    folders.append(os.path.join(sys.base_prefix, "DLLs"))
    return set(os.path.realpath(folder) for folder in folders)


def entries():
    """sys.path without the empty entry of this program: [{path, kind, offers}]; kind is stdlib, site or other."""
    python = home_of_python()
    sites = set(os.path.realpath(path) for path in site.getsitepackages()) if hasattr(site, "getsitepackages") else set()
    found, seen = [], set()
    for entry in sys.path:
        real = os.path.realpath(entry)
        if not entry or real in seen:
            continue
        seen.add(real)
        name = os.path.basename(real)
        kind = "stdlib" if real in python else "site" if real in sites or name in ("site-packages", "dist-packages") else "other"
        found.append({"path": entry, "real": real, "kind": kind, "offers": offered(entry)})
    return found


def editable():
    """Editable installations: {dist-info: {home, origins {name: file}, inside}}, all with links resolved."""
    from importlib.util import find_spec

    found = {}
    for entry in [path for path in sys.path if path and os.path.isdir(path)]:
        for file in glob.glob(os.path.join(glob.escape(entry), "*.dist-info", "direct_url.json")):
            try:
                with open(file, encoding="utf-8") as handle:
                    record = json.load(handle)
                if not record.get("dir_info", {}).get("editable"):
                    continue
                with open(os.path.join(os.path.dirname(file), "top_level.txt"), encoding="utf-8") as handle:
                    names = handle.read().split()
            except (OSError, IOError, ValueError):
                continue
            home = unquote(urlsplit(record["url"]).path)
            home = os.path.realpath(home[1:] if home[2:3] == ":" else home)
            origins = {}
            for name in names:
                spec = find_spec(name) if name.isidentifier() else None
                if spec is not None and spec.origin:
                    origins[name] = os.path.realpath(spec.origin)
            inside = dict((name, origin.startswith(home + os.sep)) for name, origin in origins.items())
            found.setdefault(os.path.dirname(file), {"home": home, "origins": origins, "inside": inside})
    return found


def pythonpath():
    """PYTHONPATH as it is, and what each entry is; relative ones are read from the folder that the shell calls its own."""
    raw = os.environ.get("PYTHONPATH")
    found = []
    for entry in (raw or "").split(os.pathsep):
        if not entry:
            continue
        base = os.environ.get("PWD", "")
        path = entry if os.path.isabs(entry) else os.path.join(base, entry)
        known = os.path.isabs(entry) or os.path.isdir(base)
        found.append(
            {
                "entry": entry,
                "path": path,
                "known": known,
                "exists": os.path.exists(path),
                "package": os.path.isfile(os.path.join(path, "__init__.py")),
                "offers": sorted(offered(path))[:40],
            }
        )
    return {"raw": raw, "entries": found}


def record_rows(path):
    """(file, hash, size) of each line of a RECORD; a file whose name has a comma is quoted."""
    try:
        with open(os.path.join(path, "RECORD"), encoding="utf-8", errors="replace") as handle:
            for line in handle:
                if line.startswith('"'):
                    row = next(csv.reader([line]), [])
                    if len(row) > 1:
                        yield row[0], row[1], row[2] if len(row) > 2 else ""
                else:
                    file, comma, rest = line.partition(",")
                    if comma:
                        digest, _, size = rest.partition(",")
                        yield file, digest, size.strip()
    except (OSError, IOError):
        return


def ownership():
    """Who owns what: {dist-info: {names, lost, short}}, what two own with different contents, and the longest path of all.

    lost: packages and compiled files that are gone. short: [file, bytes, bytes on record] of compiled files that are not whole.
    """
    owned, owner, shared, longest = {}, {}, {}, (0, "")
    for entry in [path for path in sys.path if path and os.path.isdir(path)]:
        for path in sorted(glob.glob(os.path.join(glob.escape(entry), "*.dist-info"))):
            if path in owned or os.path.basename(path).startswith("~"):
                continue
            names, lost, short, rows = set(), [], [], 0
            for file, digest, size in record_rows(path):
                rows += 1
                if len(entry) + len(file) + 1 > longest[0]:
                    longest = (len(entry) + len(file) + 1, os.path.join(entry, file))
                if file.startswith(("..", "/")) or "__pycache__" in file or os.path.isabs(file):
                    continue
                top, slash, inside = file.replace("\\", "/").partition("/")
                if top.endswith((".dist-info", ".data", ".libs")):
                    continue
                code = file.endswith(".py") or file.endswith(NATIVE)
                if code:
                    names.add(top if slash else top.split(".")[0])
                    native = file.endswith(NATIVE)
                    if (not inside or native or inside.endswith("__init__.py")) and len(lost) < 5:
                        try:
                            there = os.stat(os.path.join(entry, file)).st_size
                        except OSError:
                            lost.append(file)
                        else:
                            if native and size.isdigit() and there < int(size) and len(short) < 5:
                                short.append([file, there, int(size)])
                key = (entry, file)
                if key not in owner:
                    owner[key] = (path, digest)
                elif owner[key][0] != path and (digest != owner[key][1] or not digest):  # equal files (empty __init__.py) harm nobody
                    pair = (owner[key][0], path)
                    row = shared.setdefault(pair, {"owners": list(pair), "names": [], "file": file})
                    if top not in row["names"]:
                        row["names"].append(top)
            owned[path] = {"names": sorted(name for name in names if name.isidentifier()), "lost": lost, "short": short, "files": rows}
    return owned, list(shared.values())[:SHARED_KEPT], {"length": longest[0], "path": longest[1]}


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


def leftovers():
    """What an interrupted pip leaves: folders whose first letter became a tilde."""
    return [
        path for entry in sys.path if entry and os.path.isdir(entry) for path in sorted(glob.glob(os.path.join(glob.escape(entry), "~*")))
    ]


def conda_packages():
    """{name: version} of conda's own records, by their file names; None outside a conda environment."""
    folder = os.path.join(sys.prefix, "conda-meta")
    if not os.path.isdir(folder):
        return None
    found = {}
    for name in os.listdir(folder):
        parts = name[:-5].rsplit("-", 2) if name.endswith(".json") else []
        if len(parts) == 3:
            found[parts[0]] = parts[1]
    return found


def build_of(package, places):
    """Version and CUDA of torch or torchvision, read from version.py as text; {} when there is none."""
    for entry in places:
        if entry["offers"].get(package) in ("package", "module", "extension"):
            folder = os.path.join(entry["path"], package)
            try:
                with open(os.path.join(folder, "version.py"), encoding="utf-8", errors="replace") as handle:
                    text = handle.read()
            except (OSError, IOError):
                return {"path": folder}
            found = {"path": folder}
            for key, wanted in (("version", "__version__"), ("cuda", "cuda"), ("hip", "hip")):
                hit = re.search(r"^%s\s*(?::[^=\n]*)?=\s*(?:'([^']*)'|\"([^\"]*)\"|None)" % wanted, text, re.M)
                found[key] = (hit.group(1) or hit.group(2)) if hit else None
            return found
    return {}


def has_cuda_code(folder):
    """Whether torchvision's compiled operators were built for CUDA; None where there are none to look into."""
    files = [path for pattern in ("_C*.so", "_C*.pyd", "_C*.dylib") for path in glob.glob(os.path.join(glob.escape(folder), pattern))]
    for path in files:
        try:
            with open(path, "rb") as handle:
                view = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
                try:
                    if any(view.find(mark) >= 0 for mark in CUDA_MARKS):
                        return True
                finally:
                    view.close()
        except (OSError, IOError, ValueError):
            continue
    return False if files else None


def markers():
    """The values that environment markers are evaluated with (PEP 508)."""
    version = sys.implementation.version
    suffix = "" if version.releaselevel == "final" else version.releaselevel[0] + str(version.serial)
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": "%d.%d.%d%s" % (version[0], version[1], version[2], suffix),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "platform_python_implementation": platform.python_implementation(),
        "python_version": "%d.%d" % sys.version_info[:2],
        "sys_platform": sys.platform,
    }


def probe(step):
    """Returns markers, variables [name], pythonpath, entries, here, owned, shared, leftovers, pth, home, conda, torch, torchvision."""
    step("read the variables")
    path = pythonpath()
    step("list the entries of sys.path")
    places = entries()
    standing = os.environ.get("PWD", "")
    here = None
    if standing and os.path.isdir(standing):
        here = {"path": standing, "real": os.path.realpath(standing), "kind": "here", "offers": offered(standing)}
    step("read the RECORD of each distribution")
    owned, shared, longest = ownership()
    step("read the versions of torch and torchvision")
    torch, vision = build_of("torch", places), build_of("torchvision", places)
    if vision:
        vision["cuda_code"] = has_cuda_code(vision["path"])
    return {
        "markers": markers(),
        "variables": sorted(os.environ),
        "pythonpath": path,
        "entries": places,
        "here": here,
        "editable": editable(),
        "owned": owned,
        "shared": shared,
        "longest": longest,
        "leftovers": leftovers(),
        "pth": pth_files(),
        "home": os.environ.get("PYTHONHOME"),
        "conda": conda_packages(),
        "builtin": sorted(sys.builtin_module_names),
        "isolated": sys.prefix != sys.base_prefix or os.path.isdir(os.path.join(sys.prefix, "conda-meta")),
        "torch": torch,
        "torchvision": vision,
    }
