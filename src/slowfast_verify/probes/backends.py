"""Which backends of torch.distributed are compiled in, and which of them really start here: being available proves nothing."""

import os


def compiled(dist):
    """{backend: whether torch says that it is built in}, by the way that this torch has of saying so."""
    found = {}
    for name in ("gloo", "nccl", "mpi"):
        asked = getattr(dist, "is_%s_available" % name, None)
        found[name] = (
            bool(asked()) if asked else hasattr(dist, "ProcessGroup" + name.upper()) or hasattr(dist, "ProcessGroup" + name.title())
        )
    return found


def start(torch, dist, backend, number):
    """Start a group of one and sum over it: {started, sum} or {error}. With NCCL the sum needs the GPU to work."""
    import datetime

    meeting = os.path.join(os.getcwd(), "alone-%d" % number).replace(os.sep, "/").lstrip("/")
    try:
        dist.init_process_group(backend, init_method="file:///" + meeting, rank=0, world_size=1, timeout=datetime.timedelta(seconds=30))
        tensor = torch.ones(2, device="cuda:0" if backend == "nccl" else "cpu")
        dist.all_reduce(tensor)
        return {"started": True, "sum": tensor.tolist()}
    except Exception as error:
        return {"started": False, "error": "%s: %s" % (type(error).__name__, error)}
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def default_of(module):
    """The backend that the subject's config asks for unless told otherwise."""
    import importlib

    return importlib.import_module(module).get_cfg().DIST_BACKEND


def probe(step, defaults="", opts=None, fallback="gloo"):
    """Returns compiled, gpus, wanted (the config's default), override (of opts), started {backend: facts}, nccl_version."""
    step("import torch.distributed")
    import torch
    import torch.distributed as dist

    facts = {"wanted": "nccl", "override": (opts or {}).get("DIST_BACKEND"), "started": {}, "compiled": {}, "nccl_version": None}
    if not dist.is_available():
        return facts
    facts["compiled"] = compiled(dist)
    facts["gpus"] = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if defaults:
        step("import " + defaults)
        facts["wanted"] = default_of(defaults)
    try:
        facts["nccl_version"] = str(torch.cuda.nccl.version())
    except Exception as error:
        facts["nccl_version"] = "%s: %s" % (type(error).__name__, error)
    if "GLOO_SOCKET_IFNAME" not in os.environ and os.path.isdir("/sys/class/net/lo"):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    for number, backend in enumerate(sorted(set([fallback, facts["wanted"], facts["override"] or fallback]))):
        step("start " + backend)
        facts["started"][backend] = start(torch, dist, backend, number)
    return facts
