"""Imports one module; tells what was printed or warned of while that happened, and where the module came from."""
import importlib
import sys
import warnings


def probe(step, module):
    """Returns file, version, warnings [text]; raises whatever the import raises."""
    step("import " + module)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        imported = importlib.import_module(module)
    version = getattr(imported, "__version__", None)
    return {
        "file": getattr(imported, "__file__", None), "version": str(version) if version is not None else None,
        "warnings": sorted(set("%s: %s" % (item.category.__name__, item.message) for item in caught))[:20],
        "executable": sys.executable,
    }
