# with: run_net
# ruff: noqa: F821 (workplace, run_net, ... are in _run_net.py, which the host puts in front)
"""PySlowFast's own training command, tools/run_net.py, for two iterations; then its checkpoint through its own loader."""

import contextlib
import json
import os
import re


@contextlib.contextmanager
def quiet_synchronize(asked):
    """Make torch.cuda.synchronize do nothing; yields a list with one entry a call.

    Upstream calls it after every iteration whatever NUM_GPUS says, so without a GPU training ends after the first. With this a
    caller learns how far training gets beyond; without it (asked False), that it ends there.
    """
    import torch

    calls, original = [], torch.cuda.synchronize
    if asked:
        torch.cuda.synchronize = lambda *args, **kwargs: calls.append(1)
    try:
        yield calls
    finally:
        torch.cuda.synchronize = original


def reloaded(config, opts, path):
    """The checkpoint in a new model, through SlowFast's loader: its epoch and the keys that do not fit."""
    from slowfast.config.defaults import get_cfg
    from slowfast.models import build_model
    from slowfast.utils import checkpoint

    cfg = get_cfg()
    cfg.merge_from_file(config)
    cfg.merge_from_list([text for pair in dict(opts).items() for text in map(str, pair)])
    cfg.NUM_GPUS = 0
    with told() as tee:
        # Found by its prints, not by its log lines: the log handler writes to the stdout of the training run.
        epoch = checkpoint.load_checkpoint(path, build_model(cfg), data_parallel=False)
    return dict(warnings_in(tee.text()), epoch=epoch)


def probe(step, checkout, config, data, prefix, without_synchronize=False, opts=(), threads=2):
    """config: tiny_train.yaml. data: the folder of the lists. prefix: what their paths are relative to.

    without_synchronize asks how far training gets where torch.cuda.synchronize() does nothing; where a GPU is usable it is not needed.
    """
    step("import torch")
    import torch

    if without_synchronize and torch.cuda.is_available():
        return {"needed": False}
    with workplace(checkout, threads) as folder:
        output = os.path.join(folder, "out")
        options = {"NUM_GPUS": 0, "OUTPUT_DIR": output, "DATA.PATH_TO_DATA_DIR": data, "DATA.PATH_PREFIX": prefix}
        options.update(opts)
        step("tools/run_net.py with TRAIN.ENABLE True")
        with quiet_synchronize(without_synchronize) as calls:
            text = run_net(checkout, [config], options)
        step("find the checkpoint")
        from slowfast.utils import checkpoint

        path = checkpoint.get_last_checkpoint(output, "")
        stats = [json.loads(line) for line in re.findall(r"json_stats: (\{.*\})", text)]
        facts = {
            "iterations": [{key: row.get(key) for key in ("iter", "loss", "lr")} for row in stats if row["_type"] == "train_iter_"],
            "logged": sorted(set(row["_type"] for row in stats)),
            "synchronize_calls": len(calls),
            "checkpoint": os.path.basename(path) if path else None,
            "bytes": os.path.getsize(path) if path else 0,
            "reloaded": None,
        }
        if path:
            step("load the checkpoint with slowfast.utils.checkpoint.load_checkpoint")
            facts["reloaded"] = reloaded(config, opts, path)
    return facts
