"""Facts that several checks of one rung read. The other fixtures (facts, ask, inventory, subject, cell, stack) come from the plugin."""

import json

import pytest

from slowfast_verify import distributions, layout
from slowfast_verify.plugin import VERDICTS


@pytest.fixture
def here(facts):
    return facts("environment")


@pytest.fixture
def machine(facts):
    return facts("machine")


@pytest.fixture
def tools(machine):
    return machine["tools"]


@pytest.fixture
def mend(inventory):
    """The command that installs into this target."""
    return lambda *arguments, **how: distributions.install_command(inventory, *arguments, **how)


@pytest.fixture(scope="session")
def expected():
    """fixtures/expected.json: per clip the label, the windows and the lowest probability that a check accepts."""
    return json.loads((layout.fixtures() / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def asked(request):
    """What a person handed in: config, checkpoint, zoo."""
    return request.config.stash[VERDICTS].asked
