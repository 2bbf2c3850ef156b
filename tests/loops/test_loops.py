"""Break, diagnose, fix, green: one test for each known failure that can be reproduced. `nox -s loops`; `-- -k NAME` for one.

`-- -m windows` runs those of Windows, which need Wine where this machine is none.
What a loop does is told by src/slowfast_verify/loop.py, what it stands on by matrices/loops.toml, its steps by knowledge/NAME.toml.
"""

import pytest

from slowfast_verify import healthy, loop, loop_table

IDS = loop.identifiers()


def needs(identifier: str) -> str:
    """`classic: torch 1.8, ...; index`: told beside the name, so that a list of the tests says what each needs."""
    found = loop.row_of(identifier).witness
    assert found
    return "; ".join([f"{found.environment} ({healthy.loops().environment[found.environment].holds})", *found.needs])


def cell_of(identifier: str) -> str:
    """The cell whose clone the loop breaks; empty for an empty venv."""
    found = loop.row_of(identifier).witness
    assert found
    return healthy.loops().environment[found.environment].cell


@pytest.mark.parametrize(
    "identifier", [pytest.param(name, marks=[pytest.mark.windows] if cell_of(name).startswith("windows-") else []) for name in IDS]
)
def test_break_diagnose_fix_green(identifier, untouched, record_property):
    """Broken as described the environment fails its witness, is diagnosed as this failure, and is mended by its fix."""
    untouched(identifier)
    record_property("needs", needs(identifier))
    result = loop.run_loop(identifier)
    loop_table.leave(result)
    if result.outcome == "not run":
        pytest.skip(f"{needs(identifier)}: {result.reason}")
    assert result.outcome == "green", f"{identifier} in {needs(identifier)}\n{result.reason}"
