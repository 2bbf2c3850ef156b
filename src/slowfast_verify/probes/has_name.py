"""Whether a module has a name that others import from it."""

import importlib


def probe(step, module, name):
    """Returns whether the name exists, and the module's file."""
    step("import " + module)
    imported = importlib.import_module(module)
    return {"exists": hasattr(imported, name), "file": getattr(imported, "__file__", None)}
