"""Which torch is installed, what it was built for, what this machine lets it use, and whether it and NumPy understand each other."""

import os
import sys


def driver():
    """What the NVIDIA driver itself says: {cuda, status, devices}, or None where there is no driver. Asks the driver, not torch."""
    import ctypes

    for name in ("nvcuda.dll",) if sys.platform in ("win32", "cygwin") else ("libcuda.so.1", "libcuda.so"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        version, count = ctypes.c_int(0), ctypes.c_int(0)
        library.cuDriverGetVersion(ctypes.byref(version))
        status = library.cuInit(0)
        if status == 0:
            library.cuDeviceGetCount(ctypes.byref(count))
        return {"library": name, "cuda": version.value, "status": status, "devices": count.value}
    return None


def bridge(torch):
    """An array to torch and back: {numpy, back} or {numpy, error}. A torch built for NumPy 1 beside NumPy 2 fails here."""
    try:
        import numpy
    except Exception as error:
        return {"numpy": None, "error": "%s: %s" % (type(error).__name__, error)}
    try:
        tensor = torch.from_numpy(numpy.arange(6, dtype="float32").reshape(2, 3)) * 2
        return {"numpy": numpy.__version__, "back": tensor.numpy().tolist()}
    except Exception as error:
        return {"numpy": numpy.__version__, "error": "%s: %s" % (type(error).__name__, error)}


def devices(torch):
    """[{name, capability, megabytes}] of what torch can use."""
    found = []
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        found.append({"name": facts.name, "capability": [facts.major, facts.minor], "megabytes": facts.total_memory >> 20})
    return found


def probe(step):
    """Returns version, cuda_build, cudnn_build, cuda_usable, cuda_error, arch_list, devices, driver, bridge, threads."""
    step("import torch")
    import torch

    facts = {
        "version": torch.__version__,
        "file": torch.__file__,
        "cuda_build": torch.version.cuda,
        "hip_build": getattr(torch.version, "hip", None),
        "threads": torch.get_num_threads(),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    step("torch.from_numpy")
    facts["bridge"] = bridge(torch)
    step("ask the NVIDIA driver")
    facts["driver"] = driver()
    step("torch.cuda.is_available")
    facts["cuda_usable"] = torch.cuda.is_available()
    facts["cudnn_build"] = torch.backends.cudnn.version() if torch.version.cuda else None
    facts["arch_list"] = list(torch.cuda.get_arch_list()) if facts["cuda_usable"] and hasattr(torch.cuda, "get_arch_list") else []
    facts["devices"] = devices(torch) if facts["cuda_usable"] else []
    facts["cuda_error"] = None
    if not facts["cuda_usable"] and facts["driver"]:
        try:
            torch.cuda.init()
        except Exception as error:
            facts["cuda_error"] = "%s: %s" % (type(error).__name__, error)
    return facts
