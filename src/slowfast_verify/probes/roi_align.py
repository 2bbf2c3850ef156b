"""RoIAlign of torchvision or of detectron2 on inputs from a formula: how far the result is from stored numbers."""

import json
import sys


def wave(torch, spec):
    """value[i] = sin(frequency * i + phase), computed in float64 and rounded to float32, as the stored numbers were made."""
    count = 1
    for edge in spec["shape"]:
        count *= edge
    return torch.sin(torch.arange(count, dtype=torch.float64) * spec["frequency"] + spec["phase"]).float().reshape(spec["shape"])


def deviation(wanted, tensor):
    """Largest difference of the stored single values, of the sum and of the magnitude, as a share of the mean magnitude; None: another shape."""
    if list(tensor.shape) != wanted["shape"]:
        return None
    flat = tensor.detach().double().cpu().reshape(-1)
    count = flat.numel()
    worst = [abs(float(flat[place]) - value) for place, value in zip(wanted["places"], wanted["values"])]
    worst.append(abs(float(flat.sum()) - wanted["sum"]) / count)
    worst.append(abs(float(flat.abs().sum()) - wanted["magnitude"]) / count)
    worst = [value * count / wanted["magnitude"] for value in worst]
    return max(worst) if all(value == value for value in worst) else None  # NaN compares with nothing


def probe(step, reference, package, device="cpu"):
    """Returns device (None without one of that kind), deviation, and `by`: whose code did it (detectron2 uses torchvision's today)."""
    step("import torch")
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        return {"device": None}
    with open(reference) as handle:
        spec = json.load(handle)["roi_align"]
    x, boxes = wave(torch, spec["input"]).to(device), torch.tensor(spec["boxes"]).to(device)
    size, scale, ratio = tuple(spec["output_size"]), spec["spatial_scale"], spec["sampling_ratio"]
    if package == "detectron2":
        step("import detectron2.layers")
        from detectron2.layers import ROIAlign

        used = getattr(sys.modules[ROIAlign.__module__], "roi_align", None)
        step("RoIAlign of detectron2 on " + device)
        out = ROIAlign(size, scale, ratio, aligned=spec["aligned"])(x, boxes)
    else:
        step("import torchvision.ops")
        from torchvision.ops import roi_align as used

        step("roi_align of torchvision on " + device)
        out = used(x, boxes, size, scale, ratio, spec["aligned"])
    return {"device": device, "deviation": deviation(spec["output"], out), "by": getattr(used, "__module__", None)}
