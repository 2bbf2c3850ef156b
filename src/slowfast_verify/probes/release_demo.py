"""The `slowfast` 1.0 release of 2019: its model, our checkpoint through its own loader, and every clip. It has no demo of its own."""

import io
import json


def frames_of(path):
    """Frames of a video through OpenCV, RGB, uint8."""
    import cv2

    capture, frames = cv2.VideoCapture(path), []
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames


def window(frames, cfg, torch):
    """One window of frames as the two inputs of the model, in the steps of today's demo."""
    import cv2

    scale = float(cfg.DATA.TEST_CROP_SIZE) / min(frames[0].shape[:2])
    edge = (int(frames[0].shape[1] * scale), int(frames[0].shape[0] * scale))
    picked = torch.linspace(0, len(frames) - 1, cfg.DATA.NUM_FRAMES).long().tolist()
    chosen = [torch.from_numpy(cv2.resize(frames[i], edge, interpolation=cv2.INTER_LINEAR)).float() for i in picked]
    fast = (torch.stack(chosen) / 255 - torch.tensor(cfg.DATA.MEAN)) / torch.tensor(cfg.DATA.STD)
    fast = fast.permute(3, 0, 1, 2)
    slow = fast[:, torch.linspace(0, fast.shape[1] - 1, fast.shape[1] // cfg.SLOWFAST.ALPHA).long()]
    return [slow[None], fast[None]]


def probe(step, config, weights, labels, clips):
    """config: tiny_kinetics_release.yaml. clips: [{name, path}]; without any, only the loading is tried.

    The model's class is used: build_model asks for the current CUDA device whatever NUM_GPUS says (question build_model).
    """
    with io.open(labels, encoding="utf-8") as file:
        names = {index: name for name, index in json.load(file).items()}
    step("import torch")
    import torch

    step("import slowfast.models.video_model_builder")
    from slowfast.config.defaults import get_cfg
    from slowfast.models import video_model_builder

    step("import slowfast.utils.checkpoint")
    from slowfast.utils import checkpoint

    cfg = get_cfg()
    cfg.merge_from_file(config)
    step("SlowFastModel")
    model = video_model_builder.SlowFastModel(cfg)
    step("load_state_dict of %d tensors" % len(model.state_dict()))
    keys = model.load_state_dict(torch.load(weights, map_location="cpu")["model_state"], strict=False)
    facts = {"missing_keys": list(keys.missing_keys), "unexpected_keys": list(keys.unexpected_keys)}
    step("slowfast.utils.checkpoint.load_checkpoint")
    facts["epoch"] = checkpoint.load_checkpoint(weights, model, data_parallel=False)
    model.eval()
    facts["clips"] = []
    for clip in clips:
        step("classify " + clip["name"])
        frames, windows = frames_of(clip["path"]), []
        length = cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE
        for first in range(0, len(frames) - length + 1, length):
            with torch.no_grad():
                row = model(window(frames[first : first + length], cfg, torch))[0].tolist()
            best = max(range(len(row)), key=row.__getitem__)
            windows.append([names[best], round(row[best], 6)])
        facts["clips"].append({"name": clip["name"], "frames": len(frames), "windows": windows})
    return facts
