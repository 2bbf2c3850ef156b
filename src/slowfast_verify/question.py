"""What is asked of a target, and what became of it. Runs on the host; imports pydantic only."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

How = Literal["answered", "raised", "died", "hung", "memory", "unreachable"]


class Question(BaseModel):
    """One question: which probe, with which arguments, and its limits (seconds of wall time, MiB of resident memory)."""

    model_config = ConfigDict(frozen=True)
    id: str
    probe: str
    args: dict[str, Any] = {}
    seconds: float = 60.0
    memory_mb: int = 6144


class Observation(BaseModel):
    """What became of one question. `how` is answered, raised, died, hung, memory or unreachable; facts only when answered.

    step is the last step that the probe named; stderr_tail what was printed while it ran (stdout too); stack what faulthandler
    wrote. at_exit tells of a process that answered everything and then died.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    how: How
    facts: dict[str, Any] | None = None
    type: str | None = None
    message: str | None = None
    chain: list[dict[str, str]] = []
    traceback: str | None = None
    step: str | None = None
    signal: str | None = None
    exit: int | None = None
    seconds: float = 0.0
    stderr_tail: str = ""
    at_exit: str | None = None
    attempts: int = 1  # more than one only under an emulator (emulators.toml)

    @property
    def text(self) -> str:
        """Everything a signature may match: message, chained messages, traceback, noise."""
        parts = [f"{link['type']}: {link['message']}" for link in self.chain] or [f"{self.type}: {self.message}" if self.type else ""]
        return "\n".join([*parts, self.message or "", self.traceback or "", self.stderr_tail])
