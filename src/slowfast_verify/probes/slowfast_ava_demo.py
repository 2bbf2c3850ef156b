# with: run_net
# ruff: noqa: F821 (workplace, run_net, ... are in _run_net.py, which the host puts in front)
"""PySlowFast's AVA demo (tools/run_net.py, DETECTION on), its boxes from a file or from the person detector: every label's score per box."""

import io
import json
import os


def probe(step, checkout, config, video, weights, labels, boxes="", truth="", detector="", opts=(), threads=2):
    """video: a folder of pictures NAME/NAME_000001.jpg, or a video file. boxes: csv of predicted boxes, or "" for the person detector.

    detector: the detector's weights. A path where nothing is keeps upstream from downloading 160 MB unasked.
    Returns per key frame the boxes in pixels and the scores by label, and the output video.
    """
    step("import torch")
    import torch

    with workplace(checkout, threads) as folder:
        output = os.path.join(folder, "ava.mp4")
        step("import slowfast.visualization.ava_demo_precomputed_boxes")
        from slowfast.visualization import ava_demo_precomputed_boxes as ava

        with io.open(labels, encoding="utf-8") as file:
            names = {index: name for name, index in json.load(file).items()}
        keyframes = []
        original = ava.AVAVisualizerWithPrecomputedBox.get_predictions

        def watched(self):
            original(self)
            for index in sorted(self.pred_boxes):
                where, scores = self.pred_boxes[index]
                keyframes.append(
                    {
                        "frame": index,
                        "boxes": [[round(float(edge), 2) for edge in box] for box in where],
                        "scores": [{names.get(i, str(i)): round(float(v), 6) for i, v in enumerate(row)} for row in scores.tolist()],
                    }
                )

        options = {
            # Boxes from a file need no GPU; the detector takes one where there is one.
            "NUM_GPUS": int(not boxes and torch.cuda.is_available()),
            "OUTPUT_DIR": os.path.join(folder, "out"),
            "TEST.CHECKPOINT_FILE_PATH": weights,
            "DEMO.LABEL_FILE_PATH": labels,
            "DEMO.INPUT_VIDEO": video,
            "DEMO.PREDS_BOXES": boxes,
            "DEMO.GT_BOXES": truth,
            "DEMO.OUTPUT_FILE": output,
        }
        if not boxes:
            options["DEMO.DETECTRON2_WEIGHTS"] = detector or os.path.join(folder, "detector.pkl")
        options.update(opts)
        ava.AVAVisualizerWithPrecomputedBox.get_predictions = watched
        step("tools/run_net.py with DETECTION.ENABLE True")
        try:
            text = run_net(checkout, [config], options)
        finally:
            ava.AVAVisualizerWithPrecomputedBox.get_predictions = original
        step("read the output video")
        return {"keyframes": keyframes, "output": video_facts(output), "log": warnings_in(text)}
