"""Nouns in sentences that count."""

from __future__ import annotations

__all__ = ["several", "word"]

_WORDS = {"parent": "original item"}
"""What a task calls the groups of its items, where people read it: ``parent`` is the item whose wordings are items."""


def word(noun: str) -> str:
    """The word for what is counted; most nouns are words already."""
    return _WORDS.get(noun, noun)


def several(noun: str) -> str:
    """The plural of what is counted: ``items``, ``societies``, ``days``."""
    noun = word(noun)
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"
