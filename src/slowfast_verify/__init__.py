"""Install verification for facebookresearch/SlowFast: cells, targets, probes, checks, known failures, records."""

__version__ = "0.1.0"
