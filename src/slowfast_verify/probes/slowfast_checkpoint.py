# with: run_net
# ruff: noqa: F821 (workplace, run_net, ... are in _run_net.py, which the host puts in front)
"""PySlowFast's own loader, load_test_checkpoint, on a model of its own: which keys fit, and what the log says when they do not."""

import logging
import os


class Kept(logging.Handler):
    """Keeps log messages: of weights that do not fit, the loader says nothing else than a log line."""

    def __init__(self):
        logging.Handler.__init__(self)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def probe(step, checkout, config, options):
    """options: overrides (a mapping) that name the checkpoint. OUTPUT_DIR is an empty folder: the loader looks there, too."""
    step("import torch")
    with workplace(checkout) as folder:
        step("import slowfast.models, slowfast.utils.checkpoint")
        from slowfast.config.defaults import get_cfg
        from slowfast.models import build_model
        from slowfast.utils import checkpoint

        cfg = get_cfg()
        cfg.merge_from_file(config)
        cfg.merge_from_list([text for pair in options.items() for text in map(str, pair)])
        cfg.NUM_GPUS, cfg.OUTPUT_DIR = 0, os.path.join(folder, "out")
        step("build_model")
        model = build_model(cfg)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        kept, logger = Kept(), logging.getLogger("slowfast.utils.checkpoint")
        level, step_text = logger.level, "load_test_checkpoint of %s" % os.path.basename(cfg.TEST.CHECKPOINT_FILE_PATH)
        step(step_text)
        logger.addHandler(kept)
        logger.setLevel(logging.DEBUG)
        try:
            with told() as tee:
                checkpoint.load_test_checkpoint(cfg, model)
        finally:
            logger.removeHandler(kept)
            logger.setLevel(level)
        facts = warnings_in(tee.text() + "\n" + "\n".join(kept.lines))
        same = [name for name, value in model.state_dict().items() if value.equal(before[name])]
        facts.update(tensors=len(before), untouched=len(same), classes=cfg.MODEL.NUM_CLASSES)
    return facts
