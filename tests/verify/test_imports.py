"""Rung imports: each dependency and each module imports in the target, the culprit is named, and no failure hides behind a print."""

import pytest

from slowfast_verify import ladder, swallowed

pytestmark = pytest.mark.batch("imports")


def test_dependency_imports(dependency, facts):
    """A dependency that the subject's documents or its code ask for can be imported."""
    assert facts(f"import:{dependency}")["executable"]


def test_module_imports(module, facts):
    """A module of the subject, found by walking its files, can be imported."""
    assert facts(f"import:{module}")["executable"]


def test_name_exists(required_name, facts):
    """A name that other code imports exists in its module: the import of the module alone does not show its absence."""
    module, _, name = required_name.rpartition(".")
    assert facts(f"name:{required_name}")["exists"], f"{module} has no name {name}"


def test_nothing_is_swallowed(ask, inventory, subject):
    """No import passes while it hides the failure of another: neither caught with a print, nor warned away."""
    names = [*ladder.dependency_modules(subject, inventory), *ladder.subject_modules(subject, inventory)]
    told = [f"{name} imports, but hides a failure: {text}" for name in names for text in swallowed.hidden(ask(f"import:{name}"))]
    assert not told, "\n".join(told)
