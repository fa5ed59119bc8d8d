"""Which sandboxes this machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import FinchmarkError, UsageError

__all__ = ["SandboxFailure", "SandboxUnavailable", "Tier", "available"]


class SandboxUnavailable(UsageError):
    """The sandbox asked for cannot be had here. Code tasks refuse to run then, rather than run unprotected."""


class SandboxFailure(FinchmarkError):
    """The sandbox itself failed, which says nothing about the program in it: an ``error``, never a score."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier, as this machine has it.

    Args:
        kind: Its name.
        usable: Whether it can be had here.
        detail: What was found, or why not and the way out.
    """

    kind: Literal["bubblewrap", "process"]
    usable: bool
    detail: str


def available() -> tuple[Tier, ...]:
    """The tiers, strongest first, each tried on this machine.

    Returns:
        ``bubblewrap`` and ``process``.
    """
    return (Tier("bubblewrap", False, "not built yet"), Tier("process", False, "not built yet"))
