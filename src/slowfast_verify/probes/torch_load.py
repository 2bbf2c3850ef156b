"""torch.load, with its own defaults, on a checkpoint and on damaged copies of it: what it holds, and what torch here says of the damage."""

import inspect
import os
import zipfile


def inside_a_tensor(path):
    """Where in a torch zip file the middle of the largest tensor's bytes lies."""
    with zipfile.ZipFile(path) as archive:
        member = max(archive.infolist(), key=lambda row: row.file_size)
        with open(path, "rb") as file:
            file.seek(member.header_offset + 26)
            lengths = file.read(4)
    names = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    return member.header_offset + 30 + names + member.file_size // 2


def loaded(torch, path, careful=False):
    """What came of torch.load(path, map_location="cpu"): error, keys, tensors.

    careful: as weights only where this torch has that. What it refuses there is loaded with torch's own default: the host puts the question
    only for files whose imports it has read and knows, and SlowFast's loader asks for no more.
    """
    content = None
    if careful and "weights_only" in inspect.signature(torch.load).parameters:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            pass
    try:
        content = torch.load(path, map_location="cpu") if content is None else content
    except Exception as error:
        return {"error": {"type": type(error).__name__, "message": str(error)[:600]}, "keys": [], "tensors": 0}
    keys = sorted(map(str, content)) if isinstance(content, dict) else []
    state = content.get("model_state") if keys else None
    return {"error": None, "keys": keys, "tensors": len(state) if hasattr(state, "__len__") else 0}


def probe(step, weights, damage=True, careful=False):
    """Returns loaded {error, keys, tensors}, and for each damaged copy {keep or flip (bytes, place), error, keys, tensors}."""
    step("import torch")
    import torch

    step("torch.load of %s" % os.path.basename(weights))
    facts = {"torch": torch.__version__, "file": os.path.basename(weights), "loaded": loaded(torch, weights, careful), "damaged": {}}
    if not damage:
        return facts
    with open(weights, "rb") as file:
        data = file.read()
    place = inside_a_tensor(weights)
    for name, how in (
        ("cut in half", {"keep": len(data) // 2}),
        ("last byte missing", {"keep": len(data) - 1}),
        ("one bit flipped", {"flip": place}),
    ):
        copy = bytearray(data[: how.get("keep", len(data))])
        if "flip" in how:
            copy[how["flip"]] ^= 0x40
        with open("damaged.pyth", "wb") as file:
            file.write(copy)
        step("torch.load of a copy: " + name)
        facts["damaged"][name] = dict(loaded(torch, "damaged.pyth"), **how)
        os.remove("damaged.pyth")
    return facts
