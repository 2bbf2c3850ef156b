"""What became of a process: its exit status in words. Standard library only; runs on the host."""

from __future__ import annotations

import signal as signals

#: Windows reports these instead of a signal (ntstatus.h).
NTSTATUS = {
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction: the binary uses an instruction this processor lacks",
    0xC00000FD: "stack overflow",
    0xC0000135: "a DLL was not found",
    0xC0000139: "a DLL lacks an entry point: two versions of a library are mixed",
    0xC0000142: "a DLL failed to initialise",
    0xC0000374: "heap corruption",
    0xC0000409: "fail-fast (a C++ exception nobody caught, or a stack check)",
}
#: Return codes of a process that somebody else ended: SIGHUP, SIGINT, SIGKILL, SIGTERM.
ENDED_FROM_OUTSIDE = (-1, -2, -9, -15)
MEANING = {
    "SIGSEGV": "it touched memory it does not own: usually binaries built for different versions of one library",
    "SIGABRT": "a library called abort()",
    "SIGILL": "the binary uses an instruction this processor lacks",
    "SIGBUS": "a mapped file was shorter than promised, or /dev/shm is full",
    "SIGKILL": "somebody killed it: usually the system, out of memory",
    "SIGFPE": "an arithmetic trap in native code",
}


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11; `signal 77` for one without a name here."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def split_status(returncode: int) -> tuple[int | None, int | None]:
    """(signal, exit) of a subprocess return code; a shell's or a container's 128+n counts as the signal n."""
    if -65 < returncode < 0:  # beyond that it is one of Windows's states, read as a signed number
        return -returncode, None
    if 128 < returncode < 128 + 65:
        return returncode - 128, returncode
    return None, returncode


def describe(signal: int | None, exit: int | None) -> str:
    """One sentence: `killed by SIGSEGV (it touched memory ...)`, `left with exit status 3`."""
    if signal:
        name = signal_name(signal)
        return f"killed by {name}" + (f" ({MEANING[name]})" if name in MEANING else "")
    if exit is not None and (exit & 0xFFFFFFFF) in NTSTATUS:
        return f"left with status 0x{exit & 0xFFFFFFFF:08X} ({NTSTATUS[exit & 0xFFFFFFFF]})"
    return f"left with exit status {exit}"
