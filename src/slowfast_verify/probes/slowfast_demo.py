# with: run_net
# ruff: noqa: F821 (workplace, run_net, ... are in _run_net.py, which the host puts in front)
"""PySlowFast's own demo, tools/run_net.py, on every given clip in one process: what it predicted and what it wrote."""

import io
import json
import multiprocessing
import os
import queue
import time


def config_files(folder, config, clips):
    """One YAML a clip on top of `config`: run_net takes several after --cfg, and start-up costs more than the demo.

    JSON strings are YAML strings, so a path with a colon or a backslash needs no thought.
    """
    files, outputs = [], {}
    for clip in clips:
        outputs[clip["path"]] = os.path.join(folder, clip["name"] + ".out.mp4")
        path = os.path.join(folder, clip["name"] + ".yaml")
        with io.open(path, "w", encoding="utf-8") as file:
            file.write(
                "_BASE_: %s\nDEMO:\n  INPUT_VIDEO: %s\n  OUTPUT_FILE: %s\n"
                % tuple(json.dumps(value) for value in (os.path.abspath(config), clip["path"], outputs[clip["path"]]))
            )
        files.append(path)
    return files, outputs


def probe(step, checkout, config, clips, weights, labels, opts=(), threads=2):
    """clips: [{name, path}]. weights: the checkpoint, or "" to see what happens without. opts: further overrides (a mapping)."""
    step("import torch")
    with workplace(checkout, threads) as folder:
        files, outputs = config_files(folder, config, clips)
        step("import slowfast.visualization.predictor")
        from slowfast.visualization import async_predictor, predictor

        with io.open(labels, encoding="utf-8") as file:
            names = {index: name for name, index in json.load(file).items()}
        seen = {clip["path"]: [] for clip in clips}
        original = predictor.Predictor.__call__
        before = multiprocessing.active_children()
        drawing = []  # the processes of the clip before: each holds a copy of everything, and together they would need gigabytes

        def watched(self, task):
            if not seen[self.cfg.DEMO.INPUT_VIDEO]:
                fresh = [child for child in multiprocessing.active_children() if child not in drawing]
                end_children(before + fresh)
                drawing[:] = fresh
            task = original(self, task)
            row = task.action_preds[0].tolist()
            best = max(range(len(row)), key=row.__getitem__)
            seen[self.cfg.DEMO.INPUT_VIDEO].append([names.get(best, str(best)), round(row[best], 6)])
            return task

        polled = async_predictor.AsyncVis.get

        def patient(self):
            try:
                return polled(self)
            except queue.Empty:
                time.sleep(0.002)  # upstream asks again at once, thousands of times, with the core that the drawing process needs
                raise

        options = {
            "NUM_GPUS": 0,
            "OUTPUT_DIR": os.path.join(folder, "out"),
            "TEST.CHECKPOINT_FILE_PATH": weights,
            "DEMO.LABEL_FILE_PATH": labels,
            "DEMO.CLIP_VIS_SIZE": 1,  # labels are drawn on two frames of a window: drawing costs more than the network
        }
        options.update(opts)
        predictor.Predictor.__call__ = watched
        async_predictor.AsyncVis.get = patient
        step("tools/run_net.py on %d clips" % len(clips))
        try:
            text = run_net(checkout, files, options)
        finally:
            predictor.Predictor.__call__ = original
            async_predictor.AsyncVis.get = polled
        step("read the output videos")
        answers = [{"name": clip["name"], "windows": seen[clip["path"]], "output": video_facts(outputs[clip["path"]])} for clip in clips]
    return {"clips": answers, "log": warnings_in(text)}
