"""What a check says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of one world.

    Args:
        check: The check's name.
        passed: Whether the world passes it.
        detail: What was found, in a sentence; where it fails, what to do.
        numbers: What it measured, by name.
    """

    check: str
    passed: bool
    detail: str
    numbers: Mapping[str, float] = field(default_factory=dict)
