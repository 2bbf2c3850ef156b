# with: run_net
# ruff: noqa: F821 (workplace, run_net, ... are in _run_net.py, which the host puts in front)
"""PySlowFast's Kinetics data set with one of its decoding backends: the first training example, or what is printed instead of it."""

import random


def probe(step, checkout, config, data, prefix, backend):
    """backend: DATA.DECODING_BACKEND, or "" for upstream's default. Returns the backend and the shapes of an example, None where it gives none."""
    step("import torch")
    with workplace(checkout):
        step("import slowfast.datasets.kinetics")
        from slowfast.config.defaults import get_cfg
        from slowfast.datasets.kinetics import Kinetics

        cfg = get_cfg()
        cfg.merge_from_file(config)
        cfg.merge_from_list(
            ["DATA.PATH_TO_DATA_DIR", data, "DATA.PATH_PREFIX", prefix] + ["DATA.DECODING_BACKEND", backend] * bool(backend)
        )
        cfg.NUM_GPUS = 0
        seed = random.getstate()
        step("Kinetics(cfg, 'train')[0] with DATA.DECODING_BACKEND %s" % cfg.DATA.DECODING_BACKEND)
        try:
            with told() as tee:
                example = Kinetics(cfg, "train")[0]
        finally:
            random.setstate(seed)
    shapes = None if example is None else [list(pathway.shape) for pathway in example[0]]
    return {
        "backend": cfg.DATA.DECODING_BACKEND,
        "shapes": shapes,
        "said": sorted(set(line for line in tee.text().splitlines() if line.strip()))[:20],
    }
