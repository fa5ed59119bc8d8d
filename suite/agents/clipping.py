"""Cutting a text to a size."""

from __future__ import annotations

from ..records import storable

__all__ = ["clip"]


def clip(text: str, most: int) -> str:
    """Cut a text at its end, where a line, a sentence or a word ends if one does in the second half of what fits.

    Args:
        text: Any text; white space around it goes, and lone surrogates are replaced, which no store can hold.
        most: Characters at most, at least 0.

    Returns:
        The text, or its beginning.
    """
    text = storable(text).strip()
    if len(text) <= most:
        return text
    head = text[: max(0, most)]
    for mark in ("\n", ". ", " "):
        at = head.rfind(mark)
        if at >= 0 and at >= most // 2:
            return head[: at + len(mark)].rstrip()
    return head.rstrip()
