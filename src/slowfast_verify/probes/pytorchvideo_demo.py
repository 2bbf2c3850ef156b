"""pytorchvideo's SlowFast with its own reader and transforms on every clip: label and probability of each window."""

import io
import json


def tuples(value):
    """Lists to tuples, all the way down: create_slowfast takes tuples, JSON has lists."""
    return tuple(tuples(item) for item in value) if isinstance(value, list) else value


def windows_of(torch, model, frames, about):
    """[label, probability] of each window of a clip's frames."""
    from pytorchvideo.transforms.functional import short_side_scale, uniform_temporal_subsample

    given, found = about["input"], []
    mean, std = (torch.tensor(given[name]).view(3, 1, 1, 1) for name in ("mean", "std"))
    for first in range(0, frames.shape[1] - given["window"] + 1, given["window"]):
        fast = uniform_temporal_subsample(frames[:, first : first + given["window"]].float(), given["frames"])
        fast = short_side_scale((fast / given["scale"] - mean) / std, given["short_side"])
        slow = uniform_temporal_subsample(fast, given["frames"] // given["alpha"])
        with torch.no_grad():
            row = torch.softmax(model([slow[None], fast[None]]), 1)[0].tolist()
        best = max(range(len(row)), key=row.__getitem__)
        found.append([about["classes"][best], round(row[best], 6)])
    return found


def probe(step, weights, hyper, clips, decoder="pyav"):
    """weights: .pth with {model_state}. hyper: the JSON beside it. clips: [{name, path}]; without any, only the checkpoint is loaded."""
    with io.open(hyper, encoding="utf-8") as file:
        about = json.load(file)
    step("import torch")
    import torch

    step("import pytorchvideo.models")
    from pytorchvideo.models import create_slowfast

    step("create_slowfast")
    model = create_slowfast(**{key: tuples(value) for key, value in about["arguments"].items()})
    step("load_state_dict of %d tensors" % len(model.state_dict()))
    keys = model.load_state_dict(torch.load(weights, map_location="cpu")["model_state"], strict=False)
    model.eval()
    answers = []
    for clip in clips:
        step("pytorchvideo.data.encoded_video: " + clip["name"])
        from pytorchvideo.data.encoded_video import EncodedVideo

        video = EncodedVideo.from_path(clip["path"], decode_audio=False, decoder=decoder)
        frames = video.get_clip(0, float(video.duration) + 1.0)["video"]
        step("classify " + clip["name"])
        answers.append({"name": clip["name"], "frames": int(frames.shape[1]), "windows": windows_of(torch, model, frames, about)})
    return {"clips": answers, "missing_keys": list(keys.missing_keys), "unexpected_keys": list(keys.unexpected_keys)}
