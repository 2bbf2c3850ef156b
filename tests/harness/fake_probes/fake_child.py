"""Starts two children: one by sys.executable, one by multiprocessing's spawn; each says what machine it runs on."""


def probe(step):
    import multiprocessing
    import os
    import platform
    import subprocess
    import sys

    step("start sys.executable")
    code = "import platform; print(platform.machine())"
    machine = subprocess.check_output([sys.executable, "-c", code]).decode("ascii").strip()
    step("spawn")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spawned = pool.apply(platform.machine)
    assert os.getpid()
    return {"machine": machine, "spawned": spawned}
