"""Whether the environment is one piece: pyvenv.cfg, what its commands start, what Python reads first, compiled files, records.

Imports nothing but Python's own modules and nothing of the environment, so that it answers where everything else is broken.
"""

import glob
import os
import re
import struct
import sys
import tempfile

COMMANDS_READ = 400  # a virtual environment has some dozens
HEAD = 600  # bytes of a command that are looked at: the first line, or the `exec` line behind `#!/bin/sh`
SHOWN = 5
COMPILED = re.compile(r"^([^,\n\"]+\.(?:so(?:\.\d+)*|pyd))[\",]", re.M)
TAG = re.compile(r"\.(?:cpython-|cp)(\d)(\d+)")
MACHINES = {62: "x86_64", 183: "aarch64", 3: "i386", 40: "arm", 243: "riscv64", 21: "ppc64", 22: "s390x"}


def text_of(path, size=-1):
    try:
        with open(path, "rb") as handle:
            return handle.read(size).decode("utf-8", "replace")
    except (OSError, IOError):
        return None


def virtual_environment():
    """What the folder above the interpreter's says of itself: {folder, used, config, home, home_exists}; None where it is none."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable or "")))
    inside = glob.glob(os.path.join(glob.escape(folder), "lib", "python*", "site-packages")) + [
        os.path.join(folder, "Lib", "site-packages")
    ]
    text = text_of(os.path.join(folder, "pyvenv.cfg"))
    is_link = os.path.islink(sys.executable or "") and os.path.isfile(os.path.join(folder, "bin", "activate"))
    if text is None and not is_link:
        return None
    real = os.path.realpath(folder)
    found = re.search(r"^home\s*=\s*(.*?)\s*$", text or "", re.M | re.I)
    home = found.group(1) if found else ""
    return {
        "folder": folder,
        "config": os.path.join(folder, "pyvenv.cfg"),
        "there": text is not None,
        "used": os.path.realpath(sys.prefix) == real or not any(os.path.isdir(path) for path in inside),
        "prefix": sys.prefix,
        "home": home,
        "home_exists": os.path.isdir(home),
    }


def commands():
    """The commands beside the interpreter that start a Python which is gone, or another environment's: [{file, starts, exists}]."""
    found, here = [], os.path.dirname(os.path.abspath(sys.executable or ""))
    if sys.prefix == sys.base_prefix or not os.path.isdir(here):
        return found
    for name in sorted(os.listdir(here))[:COMMANDS_READ]:
        path = os.path.join(here, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        head = text_of(path, HEAD) or ""
        first = re.match(r"#!(/[^\n]*python[\d.]*)\s*\n|#!/bin/sh\n'''exec' \"?([^\n\"]*python[\d.]*)\"? ", head)
        starts = (first.group(1) or first.group(2)) if first else ""
        if starts and os.path.realpath(os.path.dirname(starts)) != os.path.realpath(here):
            found.append({"file": path, "starts": starts, "exists": os.path.exists(starts)})
    return found


def start():
    """sitecustomize and usercustomize that are there and did not come to their end: [{name, file}]."""
    import site
    from importlib.util import find_spec

    found = []
    for name in ["sitecustomize"] + ["usercustomize"] * bool(getattr(site, "ENABLE_USER_SITE", False)):
        try:
            spec = find_spec(name) if name not in sys.modules and not sys.flags.no_site else None
        except (ImportError, ValueError):
            continue
        if spec is not None and spec.origin:
            found.append({"name": name, "file": spec.origin})
    return found


def temporary():
    """The variables that name a folder for temporary files which cannot take one: [{name, path, error}]."""
    found = []
    for name in ("TMPDIR", "TEMP", "TMP"):
        path = os.environ.get(name)
        if not path:
            continue
        try:
            handle, file = tempfile.mkstemp(dir=path)
            try:
                if os.write(handle, b"x" * 65536) < 65536:
                    raise OSError(28, "no space left on the device")
            finally:
                os.close(handle)
                os.unlink(file)
        except (OSError, IOError) as error:
            found.append({"name": name, "path": path, "error": error.strerror or str(error), "used": tempfile.gettempdir()})
    return found


def elf(path):
    """(bits, machine) of a compiled file of Linux, None of what is none."""
    try:
        with open(path, "rb") as handle:
            head = handle.read(20)
    except (OSError, IOError):
        return None
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    return 32 * ord(head[4:5]), struct.unpack("<H" if ord(head[5:6]) == 1 else ">H", head[18:20])[0]


def compiled(step):
    """({dist-info: [[file, why]]} of compiled files for another machine or Python, [[dist-info, why]] of records that are not whole)."""
    mine, version = elf(os.path.realpath(sys.executable or "")), "%d%d" % sys.version_info[:2]
    unfit, records = {}, []
    for entry in [path for path in sys.path if path and os.path.isdir(path)]:
        for info in sorted(glob.glob(os.path.join(glob.escape(entry), "*.dist-info"))):
            if os.path.basename(info).startswith("~") or not os.path.isdir(info):
                continue
            text = text_of(os.path.join(info, "RECORD"))
            installer = (text_of(os.path.join(info, "INSTALLER")) or "").strip()
            if installer in ("pip", "uv") and os.path.basename(info) + "/METADATA" not in (text or "").replace("\\", "/"):
                records.append([info, "is missing" if text is None else "does not list its own METADATA"])
            wrong, right = [], 0
            for file in COMPILED.findall(text or ""):
                path = os.path.join(entry, file)
                tag = TAG.search(os.path.basename(file))
                made = elf(path) if mine else None
                if made and made != mine:
                    wrong.append([file, "is for %s, and this Python is for %s" % (word(made), word(mine))])
                elif tag and "".join(tag.groups()) != version and os.path.exists(path):
                    wrong.append([file, "is for Python %s.%s, and this is %d.%d" % (tag.groups() + sys.version_info[:2])])
                else:
                    right += bool(tag or made)
            if wrong and not right:  # some bring the same for several machines
                unfit[info] = wrong[:SHOWN]
    return unfit, records


def word(made):
    return MACHINES.get(made[1], "machine %d" % made[1]) + (" (32 bits)" if made[0] == 32 and made[1] not in (3, 40) else "")


def probe(step):
    """Returns venv, commands, start, temporary, warnings [text], optimize, unfit, records."""
    step("read pyvenv.cfg and the commands beside the interpreter")
    folder, scripts = virtual_environment(), commands()
    step("read the heads of the compiled files")
    unfit, records = compiled(step)
    return {
        "venv": folder,
        "commands": scripts,
        "start": start(),
        "temporary": temporary(),
        "warnings": [option for option in sys.warnoptions if option.split(":")[0] == "error"],
        "optimize": sys.flags.optimize,
        "unfit": unfit,
        "records": records,
    }
