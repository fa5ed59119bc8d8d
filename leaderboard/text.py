"""Text from runs is a stranger's: what could deceive the eye is made visible before it is shown."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import Any

from ..suite.nouns import several, word

__all__ = ["encode", "plural", "slug", "visible"]

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
    if len(text) <= longest and text.isprintable():
        return text
    if len(text) > longest:
        text = text[:longest] + f"… ({len(text) - longest} more characters)"
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def encode(text: str) -> bytes:
    """Encode as UTF-8; lone surrogates, which no file can hold, become ``?``."""
    return text.encode("utf-8", "replace")


def plural(n: int, noun: str) -> str:
    """Write a count with its noun: ``1 item``, ``2,000 items``, ``8 societies``."""
    return f"{n:,} {word(noun) if n == 1 else several(noun)}"


def slug(kind: str, text: str) -> str:
    """Make a file name without its ending from a stranger's text: it cannot leave the folder, nor be a device's name.

    Args:
        kind: Ours, in front: ``task``, ``model`` or ``pair``.
        text: Anything. What the name keeps of it is for people; 16 hexadecimal digits of its hash tell texts apart, on
            file systems that fold upper and lower case too.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", text[:200].lower()).strip("-")[:40].strip("-")
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return "-".join(part for part in (kind, readable, digest) if part)
