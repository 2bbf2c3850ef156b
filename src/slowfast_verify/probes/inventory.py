"""What is there: interpreter, platform, distributions, the subject's modules and configs. Imports nothing but Python's own modules."""

import glob
import os
import platform
import re
import struct
import sys


def walk(package):
    """Every module below a package, found by its files; the package itself is not imported."""
    import importlib.util

    spec = importlib.util.find_spec(package)
    if spec is None:
        return None, []
    found = []
    for root in list(spec.submodule_search_locations or []):
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
            inside = os.path.relpath(folder, root)
            dotted = package if inside == "." else package + "." + inside.replace(os.sep, ".")
            for name in sorted(files):
                if name == "__init__.py":
                    found.append(dotted)
                elif name.endswith(".py"):
                    found.append(dotted + "." + name[:-3])
    return (spec.origin or (list(spec.submodule_search_locations or []) or [None])[0]), sorted(set(found))


def distributions():
    """{name: facts} by reading *.dist-info and *.egg-info on sys.path, so that no package of the environment has to work.

    The first of a name is the one that imports see; facts["hidden"] lists the others. A name with a tilde is what an interrupted
    pip left: not installed.
    """
    found, seen = {}, set()
    for entry in sys.path:
        if not os.path.isdir(entry or "."):
            continue
        for path in sorted(
            glob.glob(os.path.join(glob.escape(entry or "."), "*.dist-info"))
            + glob.glob(os.path.join(glob.escape(entry or "."), "*.egg-info"))
        ):
            real = os.path.realpath(path)
            if real in seen or os.path.basename(path).startswith("~"):
                continue
            seen.add(real)
            facts = read_metadata(path)
            if not facts["name"]:
                continue
            first = found.setdefault(facts["name"].lower(), facts)
            if first is not facts:
                first["hidden"].append({"version": facts["version"], "path": path})
    return found


def egg_requirements(path):
    """requires.txt of an *.egg-info as Requires-Dist lines; its sections are [extra], [:marker] and [extra:marker]."""
    found, extra, marker = [], "", ""
    try:
        with open(os.path.join(path, "requires.txt"), encoding="utf-8", errors="replace") as handle:
            lines = [line.strip() for line in handle if line.strip()]
    except (OSError, IOError):
        return []
    for line in lines:
        if line.startswith("["):
            extra, _, marker = line[1:-1].partition(":")
            continue
        wanted = ["(%s)" % marker] * bool(marker) + ['extra == "%s"' % extra] * bool(extra)
        found.append(line + (" ; " + " and ".join(wanted) if wanted else ""))
    return found


def plain(name):
    """A name as installers compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_metadata(path):
    file = path if os.path.isfile(path) else os.path.join(path, "METADATA" if path.endswith(".dist-info") else "PKG-INFO")
    facts = {
        "name": "",
        "version": "",
        "requires": [],
        "python": "",
        "path": path,
        "installer": "",
        "direct_url": "",
        "top_level": [],
        "hidden": [],
    }
    try:
        with open(file, encoding="utf-8", errors="replace") as handle:
            for line in handle:
                if not line.strip():
                    break
                key, _, value = line.partition(":")
                value = value.strip()
                if key == "Name":
                    facts["name"] = value
                elif key == "Version":
                    facts["version"] = value
                elif key == "Requires-Dist":
                    facts["requires"].append(value)
                elif key == "Requires-Python":
                    facts["python"] = value
    except (OSError, IOError) as error:
        facts["broken"] = str(error)
        facts["name"] = os.path.basename(path).split("-")[0]
    stem = os.path.basename(path).rpartition(".")[0]
    told = stem.split("-")[0]
    if "broken" not in facts and path.endswith(".dist-info"):
        if not facts["name"] or not facts["version"]:
            facts["broken"] = "%s has no line %s" % (file, "Version" if facts["name"] else "Name")
        elif plain(facts["name"]) != plain(told):
            facts["broken"] = "%s calls it %s" % (file, facts["name"])
        if "broken" in facts:
            facts["name"], facts["version"] = told, facts["version"] or stem.partition("-")[2]
    if path.endswith(".egg-info") and not facts["requires"]:
        facts["requires"] = egg_requirements(path)
    for name, key in (("INSTALLER", "installer"), ("direct_url.json", "direct_url"), ("top_level.txt", "top_level")):
        try:
            with open(os.path.join(path, name), encoding="utf-8", errors="replace") as handle:
                text = handle.read().strip()
        except (OSError, IOError):
            continue
        facts[key] = text.split() if key == "top_level" else text
    return facts


def managed():
    """The mark by which a system keeps its own Python from installers (PEP 668); None in a virtual environment and where there is none."""
    path = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "EXTERNALLY-MANAGED")
    return path if sys.prefix == sys.base_prefix and os.path.isfile(path) else None


def probe(step, packages=(), dependencies=(), configs=()):
    """Returns python, platform, distributions {name: facts}, modules [name], origins {package: file}, checkout, configs [path]."""
    step("read the distributions")
    found = distributions()
    step("walk the packages")
    modules, origins = [], {}
    for package in packages:
        origin, names = walk(package)
        origins[package] = origin
        modules += names
    checkout = None
    for package in packages:
        if origins.get(package):
            above = os.path.dirname(os.path.dirname(origins[package]))
            if os.path.isfile(os.path.join(above, "setup.py")) or os.path.isdir(os.path.join(above, ".git")):
                checkout = above
                break
    listed = []
    for pattern in configs:
        if checkout:
            base = os.path.join(glob.escape(checkout), pattern)
            listed += [os.path.relpath(path, checkout).replace(os.sep, "/") for path in glob.glob(base, recursive=True)]
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "bits": struct.calcsize("P") * 8,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "managed": managed(),
        "platform": platform.platform(),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": "-".join(platform.libc_ver()),
        "path": sys.path,
        "distributions": found,
        "modules": modules,
        "origins": origins,
        "checkout": checkout,
        "configs": sorted(set(listed)),
        "dependencies": list(dependencies),
    }
