"""The environments that clones share files with must come out of a run as they went in."""

import pytest

from slowfast_verify import healthy, loop
from slowfast_verify.clone import fingerprint


@pytest.fixture(scope="session")
def untouched():
    """Call it with a known failure before its loop; at the end of the run the originals are compared, file by file."""
    before = {}

    def remember(identifier):
        witness = loop.row_of(identifier).witness
        folder = healthy.original(witness.environment) if witness else None
        if folder and folder not in before:
            before[folder] = fingerprint(folder)

    yield remember
    healthy.sweep()
    for folder, files in before.items():
        now = fingerprint(folder)
        changed = sorted(name for name in files.keys() | now.keys() if files.get(name) != now.get(name))
        assert not changed, f"a loop wrote into the original {folder.parent.name}, not into its clone: {changed[:10]}"
