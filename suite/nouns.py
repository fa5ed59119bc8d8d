"""Nouns in sentences that count."""

from __future__ import annotations

__all__ = ["several"]


def several(noun: str) -> str:
    """The plural of what is counted: ``items``, ``societies``, ``days``."""
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"
