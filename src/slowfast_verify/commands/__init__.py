"""The commands of `slowfast-verify`, a module for each noun; cli.py registers them."""
