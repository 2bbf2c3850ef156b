"""An exit status is told in words."""

from __future__ import annotations

import signal

import pytest

from slowfast_verify import death


@pytest.mark.parametrize(
    ("returncode", "found"),
    [(0, (None, 0)), (3, (None, 3)), (-11, (11, None)), (-9, (9, None)), (139, (11, 139)), (137, (9, 137)), (128, (None, 128)),
     (127, (None, 127)), (255, (None, 255)), (0xC0000005, (None, 0xC0000005)), (-1073741819, (None, -1073741819)),
     (-64, (64, None)), (-65, (None, -65)), (129, (1, 129)), (192, (64, 192)), (193, (None, 193)), (-1, (1, None))],
)  # fmt: skip
def test_a_status_is_a_signal_or_an_exit(returncode: int, found: tuple[int | None, int | None]) -> None:
    """A negative status and a shell's 128+n are signals, everything else an exit status, also Windows's large ones."""
    assert death.split_status(returncode) == found


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL", "SIGKILL", "SIGFPE"])
def test_a_signal_is_told_with_its_usual_meaning(name: str) -> None:
    """The signals that broken binaries die of carry their usual cause."""
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip(f"no {name} on this system")
    assert death.describe(int(number), None) == f"killed by {name} ({death.MEANING[name]})"


def test_a_signal_without_a_name_is_told_by_number() -> None:
    """An unknown signal is no reason to fail."""
    assert death.describe(200, None) == "killed by signal 200"


@pytest.mark.parametrize("status", [0xC0000135, 0xC0000135 - (1 << 32)])
def test_windows_states_are_told_in_words(status: int) -> None:
    """A DLL that was not found is told as such, signed or unsigned."""
    assert death.describe(None, status) == "left with status 0xC0000135 (a DLL was not found)"


def test_an_ordinary_status_is_told_as_it_is() -> None:
    """`left with exit status 3`."""
    assert death.describe(None, 3) == "left with exit status 3"
