"""The action in a reply, as agents compare it with others: what it is worth is the task's business."""

from __future__ import annotations

import re

__all__ = ["in_tags", "plain", "spoken_action"]

_PUNCTUATION = re.compile(r"\s*([{}\[\]():;,\"'=])\s*")
_BLANKS = re.compile(r"\s+")


def in_tags(reply: str, tag: str) -> list[str]:
    """What stands between ``<tag>`` and ``</tag>``, in order; a missing end is forgiven, as replies end at their cap.

    Args:
        reply: Any text.
        tag: A word; its case does not count.
    """
    return [text.strip() for text in re.findall(rf"<{tag}>(.*?)(?:</{tag}>|\Z)", reply, re.IGNORECASE | re.DOTALL)]


def plain(text: str) -> str:
    """A text without what rarely changes its meaning: case, runs of blanks, and blanks around punctuation.

    Blanks between words stay one blank, so that ``move 1 2`` and ``move 12`` are two actions.
    """
    return _BLANKS.sub(" ", _PUNCTUATION.sub(r"\1", text)).strip().casefold()


def spoken_action(reply: str) -> str:
    """The action of a reply, for comparing: what stands in its last ``<action>`` tag, or all of it, made plain."""
    found = in_tags(reply, "action")
    return plain(found[-1] if found else reply)
