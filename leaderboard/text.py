"""Text from runs is a stranger's: what could deceive the eye is made visible before it is shown."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["encode", "visible"]

_LONGEST = 400


def visible(value: Any, longest: int = _LONGEST) -> str:
    r"""Make text safe to look at; escaping for HTML comes on top, from the template.

    Control characters, marks that turn the direction of writing, other invisible format characters and lone
    surrogates become ``\u…`` codes. Long text is cut, and the cut is shown.

    Args:
        value: Any value; it is shown as ``str`` gives it.
        longest: Characters that are kept.
    """
    text = str(value)
    if len(text) > longest:
        text = text[:longest] + f"… ({len(text) - longest} more characters)"
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def encode(text: str) -> bytes:
    """Encode as UTF-8; lone surrogates, which no file can hold, become ``?``."""
    return text.encode("utf-8", "replace")
