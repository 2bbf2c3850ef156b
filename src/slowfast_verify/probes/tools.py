"""Which commands the machine has (compilers, git, ffmpeg, nvidia-smi), and what each says of itself. Starts them all at once."""
import os
import shutil
import subprocess
import sys
import time

LIMIT = 15.0
KEPT = 2000


def absent_on_mac(path):
    """Without the command line tools the stubs in /usr/bin open a dialog instead of running: they count as absent."""
    return sys.platform == "darwin" and path.startswith("/usr/bin/") and subprocess.call(
        ["xcode-select", "-p"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) != 0


def probe(step, commands):
    """commands: {name: argv}. Returns {tools: {name: {path, exit, text}}}; path is None when there is no such command."""
    step("look for the commands")
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
            running[name] = subprocess.Popen([path] + argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                             stderr=subprocess.STDOUT, env=environ)
        except (OSError, IOError) as error:
            found[name]["text"] = str(error)
    until = time.time() + LIMIT
    for name in sorted(running):
        step("wait for " + name)
        try:
            text = running[name].communicate(timeout=max(0.1, until - time.time()))[0]
            found[name].update(exit=running[name].returncode, text=text.decode("utf-8", "replace")[:KEPT])
        except subprocess.TimeoutExpired:
            running[name].kill()
            running[name].communicate()
            found[name]["text"] = "no answer within %g s" % LIMIT
    return {"tools": found}
