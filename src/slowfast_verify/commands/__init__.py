"""The larger commands of `slowfast-verify`, one module each: read arguments, call what does the work, print. cli.py registers them."""
