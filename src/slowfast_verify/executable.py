"""What a program file is made for, by its first bytes: processor and file format.

Runs on the host; called by standstill.py. Imports the standard library only and starts nothing.
"""

from __future__ import annotations

import platform
import struct

#: e_machine of an ELF header, the machine of a PE header and the cputype of a Mach-O header -> platform.machine()'s word.
ELF = {0x3E: "x86_64", 0xB7: "aarch64", 0x03: "i386", 0x28: "arm", 0xF3: "riscv64", 0x15: "ppc64", 0x16: "s390x"}
PE = {0x8664: "x86_64", 0xAA64: "aarch64", 0x014C: "i386"}
MACH = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
SAME = {"amd64": "x86_64", "arm64": "aarch64", "i686": "i386", "x86": "i386"}


def made_for(head: bytes) -> tuple[str | None, str | None]:
    """(processor, file format) of a program; (None, None) of what is none. A Mach-O with several processors names none."""
    if head[:4] == b"\x7fELF" and len(head) > 20:
        order = "<" if head[5] == 1 else ">"
        return ELF.get(struct.unpack(f"{order}H", head[18:20])[0]), "ELF"
    if head[:2] == b"MZ" and len(head) > 64:
        start = struct.unpack("<I", head[60:64])[0]
        machine = struct.unpack("<H", head[start + 4 : start + 6])[0] if start + 6 <= len(head) else 0
        return PE.get(machine), "PE"
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"):
        return MACH.get(struct.unpack("<I", head[4:8])[0]), "Mach-O"
    return (None, "Mach-O") if head[:4] == b"\xca\xfe\xba\xbe" else (None, None)


def own_processor() -> str:
    """This machine's processor, in the words of `made_for`."""
    return SAME.get(platform.machine().lower(), platform.machine().lower())


def own_format() -> str:
    """The file format of this system's programs."""
    return {"Linux": "ELF", "Darwin": "Mach-O", "Windows": "PE"}.get(platform.system(), "ELF")
