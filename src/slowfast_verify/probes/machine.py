"""What the machine has: commands (compilers, git, ffmpeg, nvidia-smi) and their versions, signs of a GPU, disk, shared memory."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

LIMIT = 15.0
KEPT = 2000


def absent_on_mac(path):
    """Without the command line tools the stubs in /usr/bin open a dialog instead of running: they count as absent."""
    return (
        sys.platform == "darwin"
        and path.startswith("/usr/bin/")
        and subprocess.call(["xcode-select", "-p"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) != 0
    )


def gpu():
    """Signs of an NVIDIA GPU: device files, the driver's own line, the driver's library on Windows and WSL."""
    driver = None
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8", errors="replace") as handle:
            driver = handle.readline().strip()
    except (OSError, IOError):
        pass
    windows = os.path.join(os.environ.get("SystemRoot", ""), "System32", "nvcuda.dll") if os.name == "nt" else ""
    libraries = [path for path in (windows, "/usr/lib/wsl/lib/libcuda.so.1") if path and os.path.exists(path)]
    return {"devices": sorted(glob.glob("/dev/nvidia[0-9]*")), "driver": driver, "libraries": libraries}


def long_paths():
    """Windows: whether paths beyond 259 characters are allowed; None elsewhere, or where the registry does not say."""
    if os.name != "nt":
        return None
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return None


def room(what, path):
    try:
        return {"what": what, "path": path, "free_mb": shutil.disk_usage(path).free // 1048576, "writable": os.access(path, os.W_OK)}
    except (OSError, IOError) as error:
        return {"what": what, "path": path, "free_mb": None, "writable": False, "error": str(error)}


def shared_memory():
    if not hasattr(os, "statvfs") or not os.path.isdir("/dev/shm"):  # a Windows program under Wine sees the folder and cannot ask
        return None
    size = os.statvfs("/dev/shm")
    return {
        "total_mb": size.f_blocks * size.f_frsize // 1048576,
        "free_mb": size.f_bavail * size.f_frsize // 1048576,
        "writable": os.access("/dev/shm", os.W_OK),
    }


def versions(step, commands):
    """Starts all the commands at once and waits for them together."""
    environ = dict(os.environ, LC_ALL="C", LANG="C")
    found, running = {}, {}
    for name in sorted(commands):
        argv = [os.path.expandvars(part) for part in commands[name]]
        home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
        inside = shutil.which(argv[0], path=os.path.join(home, "bin")) if home and name == "nvcc" else None
        path = inside or shutil.which(argv[0])  # torch's own build looks at CUDA_HOME first
        found[name] = {"path": path, "exit": None, "text": ""}
        if not path or absent_on_mac(path):
            found[name]["path"] = None
            continue
        step("run " + name)
        try:
            running[name] = subprocess.Popen(
                [path] + argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ
            )
        except (OSError, IOError) as error:
            found[name]["text"] = str(error)
    until = time.monotonic() + LIMIT
    for name in sorted(running):
        step("wait for " + name)
        try:
            text = running[name].communicate(timeout=max(0.1, until - time.monotonic()))[0]
            found[name].update(exit=running[name].returncode, text=text.decode("utf-8", "replace")[:KEPT])
        except subprocess.TimeoutExpired:
            running[name].kill()
            running[name].communicate()
            found[name]["text"] = "no answer within %g s" % LIMIT
    return found


def probe(step, commands):
    """commands: {name: argv}. Returns tools {name: {path, exit, text}} (path None: no such command), gpu, long_paths, shm, disk."""
    step("look for the commands")
    tools = versions(step, commands)
    step("look at the machine")
    disk = [room("temporary files", tempfile.gettempdir()), room("weights and caches", os.path.expanduser("~"))]
    return {"tools": tools, "gpu": gpu(), "long_paths": long_paths(), "shm": shared_memory(), "disk": disk}
