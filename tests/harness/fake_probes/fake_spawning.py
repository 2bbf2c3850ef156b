"""Uses multiprocessing with fresh interpreters, and looks at what it may import."""

import math
import multiprocessing


def probe(step, names=()):
    step("spawn")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        roots = pool.map(math.sqrt, [4.0, 9.0])
    found = {}
    for name in names:
        step("import " + name)
        try:
            found[name] = getattr(__import__(name), "__file__", "")
        except ImportError as error:
            found[name] = str(error)
    return {"roots": roots, "found": found}
