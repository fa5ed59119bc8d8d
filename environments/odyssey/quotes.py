"""Quoting text of others: short, and safe to print, store and show to a model."""

from __future__ import annotations

__all__ = ["quote"]


def quote(text: str, limit: int = 40) -> str:
    """Quote the beginning of any text in printable ASCII.

    Args:
        text: Any string, of any length; control characters and lone surrogates are fine.
        limit: The most characters to show between the quotation marks. An escape is never cut in two.

    Returns:
        The text in double quotes, everything outside printable ASCII escaped as in Python, with ``...`` after the
        closing quotation mark where something was left out. At most ``limit + 5`` characters.
    """
    shown: list[str] = []
    room = limit
    for character in text[:limit]:
        escaped = ascii(character)[1:-1]
        room -= len(escaped)
        if room < 0:
            break
        shown.append(escaped)
    left_out = "..." if len(shown) < len(text) else ""
    return f'"{"".join(shown)}"{left_out}'
