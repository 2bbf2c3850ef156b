"""A 3D convolution, forward and backward, on inputs from a formula: how far each result is from stored numbers."""

import json


def wave(torch, spec, shape=None):
    """value[i] = sin(frequency * i + phase), computed in float64 and rounded to float32, as the stored numbers were made."""
    shape = spec["shape"] if shape is None else shape
    count = 1
    for edge in shape:
        count *= edge
    return torch.sin(torch.arange(count, dtype=torch.float64) * spec["frequency"] + spec["phase"]).float().reshape(shape)


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


def probe(step, reference, device="cpu"):
    """Returns device (None without one of that kind) and deviations {output, input_grad, weight_grad}; reference is a JSON file."""
    step("import torch")
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        return {"device": None, "deviations": {}}
    with open(reference) as handle:
        spec = json.load(handle)["conv3d"]
    torch.backends.cudnn.allow_tf32 = False  # its ten bits of mantissa would hide a wrong result
    step("conv3d forward on " + device)
    x = wave(torch, spec["input"]).to(device).requires_grad_()
    w = wave(torch, spec["weight"]).to(device).requires_grad_()
    y = torch.nn.functional.conv3d(x, w, stride=tuple(spec["stride"]), padding=tuple(spec["padding"]))
    step("conv3d backward on " + device)
    (y * wave(torch, spec["upstream"], list(y.shape)).to(device)).sum().backward()
    found = {
        "output": deviation(spec["output"], y),
        "input_grad": deviation(spec["input_grad"], x.grad),
        "weight_grad": deviation(spec["weight_grad"], w.grad),
    }
    return {"device": device, "cudnn": torch.backends.cudnn.version() if device != "cpu" else None, "deviations": found}
