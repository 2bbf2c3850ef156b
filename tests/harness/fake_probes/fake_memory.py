"""Takes memory, itself or in a child."""

import subprocess
import sys
import time

EAT = "import time\nheld = []\nfor _ in range(%d):\n    held.append(bytearray(10000000))\n    time.sleep(0.01)\ntime.sleep(%s)"


def probe(step, megabytes, child=False):
    step("eat")
    if child:
        subprocess.check_call([sys.executable, "-S", "-c", EAT % (megabytes // 10, 1000)])
    held = []
    for _ in range(megabytes // 10):
        held.append(bytearray(10000000))
        time.sleep(0.01)
    return {"blocks": len(held)}
