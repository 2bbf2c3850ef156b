"""The subject's own build_model on a config of ours: whether it makes the network on this machine."""

import importlib


def probe(step, defaults, module, config):
    """defaults: the module with get_cfg. module: the one with build_model. Returns tensors."""
    step("import " + module)
    cfg = importlib.import_module(defaults).get_cfg()
    cfg.merge_from_file(config)
    cfg.NUM_GPUS = 0  # a key of SlowFast's; another config takes it and nobody reads it
    build_model = importlib.import_module(module).build_model
    step("build_model")
    return {"tensors": len(build_model(cfg).state_dict())}
