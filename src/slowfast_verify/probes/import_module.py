"""Imports one module; tells what was warned of while that happened, where it came from, and which failed imports it keeps to itself."""

import ast
import importlib
import importlib.util
import sys
import warnings

TELLING = ("print", "warn", "warning", "info", "error", "exception", "debug", "write")


def swallows(handler):
    """Whether an `except` says something and goes on. One that says nothing makes a dependency optional, which is no failure."""
    calls = [node.func for node in ast.walk(handler) if isinstance(node, ast.Call)]
    told = any(getattr(call, "attr", getattr(call, "id", "")) in TELLING for call in calls)
    return told and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def retry(statement, package):
    """Carry out an import statement again; None or what it raises. What failed before is not in sys.modules and fails anew."""
    try:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                importlib.import_module(alias.name)
            return None
        name = (
            importlib.util.resolve_name("." * statement.level + (statement.module or ""), package) if statement.level else statement.module
        )
        imported = importlib.import_module(name)
        for alias in statement.names:
            if alias.name != "*" and not hasattr(imported, alias.name):
                importlib.import_module(name + "." + alias.name)
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)
    return None


def hidden(module):
    """[{line, statement, error}] of the imports at a module's top level that fail and whose failure it only mentions."""
    file = getattr(module, "__file__", None) or ""
    try:
        with open(file, "rb") as handle:
            source = handle.read() if file.endswith(".py") else b""
        body = ast.parse(source).body if b"except" in source else []
    except (OSError, IOError, SyntaxError, ValueError):
        return []  # in an archive, or gone: the import itself is what counts
    found = []
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    for node in body:
        if not (isinstance(node, ast.Try) and any(swallows(handler) for handler in node.handlers)):
            continue
        for statement in node.body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                error = retry(statement, package)
                if error:
                    dots = "." * getattr(statement, "level", 0) if isinstance(statement, ast.ImportFrom) else ""
                    names = ", ".join(alias.name for alias in statement.names)
                    text = (
                        "from %s%s import %s" % (dots, statement.module or "", names)
                        if isinstance(statement, ast.ImportFrom)
                        else "import " + names
                    )
                    found.append({"line": statement.lineno, "statement": text, "error": error})
    return found


def probe(step, module, bar=False):
    """Returns file, version, warnings [text], hidden [{line, statement, error}]; raises whatever the import raises.

    bar: after a failure nobody in this process gets the module, so that whoever needs it says so instead of failing in another way
    (a half-imported torch complains of docstrings).
    """
    step("import " + module)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            imported = importlib.import_module(module)
        except BaseException:
            if bar:
                sys.modules[module] = None
            raise
        kept = hidden(imported)
    version = getattr(imported, "__version__", None)
    return {
        "file": getattr(imported, "__file__", None),
        "version": str(version) if version is not None else None,
        "warnings": sorted(set("%s: %s" % (item.category.__name__, item.message) for item in caught))[:20],
        "hidden": kept,
        "executable": sys.executable,
    }
