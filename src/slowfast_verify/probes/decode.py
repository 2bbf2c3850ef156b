"""What PyAV, OpenCV and torchvision's reader make of the clip that counts its own frames: how many, in which order, what colours."""

import io
import json
import os


def by_pyav(path):
    """Frames and the version of the reader."""
    import av

    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], av.__version__


def by_opencv(path):
    """OpenCV gives BGR; turned round here, because that is what SlowFast's demo does with DEMO.INPUT_FORMAT BGR."""
    import cv2

    capture, frames = cv2.VideoCapture(path), []
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames, cv2.__version__


def by_torchvision(path):
    """torchvision.io.read_video, which newer versions no longer have."""
    import torchvision
    from torchvision.io import read_video

    return list(read_video(path, pts_unit="sec")[0].numpy()), torchvision.__version__


READERS = (("pyav", by_pyav), ("opencv", by_opencv), ("torchvision", by_torchvision))


def judged(frames, marker, region):
    """Number shown in each frame, mean RGB of the plain part of each frame, and the size."""
    numbers, means = [], []
    middle = marker["cell"] // 2
    for frame in frames:
        bits = [frame[middle, middle + marker["cell"] * i].mean() > marker["threshold"] for i in range(marker["cells"])]
        numbers.append(sum(1 << i for i, bit in enumerate(bits) if bit))
        plain = frame[region["top"] : region["bottom"], region["left"] : region["right"]]
        means.append([round(float(value), 2) for value in plain.reshape(-1, 3).mean(0)])
    return {"frames": len(frames), "numbers": numbers, "mean_rgb": means, "shape": list(frames[0].shape) if frames else None}


def probe(step, expected, path):
    """expected: expected.json, for where the marker is. path: count.mp4. A reader that raises is a fact, too."""
    with io.open(expected, encoding="utf-8") as file:
        clip = json.load(file)["clips"]["count"]
    facts = {"bytes": os.path.getsize(path)}
    for name, read in READERS:
        step("read with " + name)
        try:
            frames, version = read(path)
        except Exception as error:
            facts[name] = {"error": {"type": type(error).__name__, "message": str(error)[:600]}}
            continue
        facts[name] = dict(judged(frames, clip["marker"], clip["region"]), version=version)
    return facts
