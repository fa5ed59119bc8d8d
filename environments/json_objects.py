"""JSON from agents, in which no object names a thing twice: the last would win in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["DECODER", "LONGEST", "NamedTwice", "objects_in"]

LONGEST = 16_000
"""Characters of a text that :func:`objects_in` reads, from its end. Every brace may begin an object, and brackets that
are never closed are read to the end of the text from each of them: without a bound, time grows with the square of what
a model happens to write."""


class NamedTwice(ValueError):
    """A name stands twice in an object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NamedTwice
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_once)
"""Raises :class:`NamedTwice` there, and else what the standard decoder raises."""


def objects_in(text: str) -> Iterator[dict[str, Any] | None]:
    """Yield the JSON objects that stand in a text, in its order; what is inside one is not yielded again.

    Args:
        text: Anything. Of more than :data:`LONGEST` characters the last ones are read: what models write last is what
            they mean.

    Yields:
        An object; None for one in which a name stands twice, after which what is inside it may come.
    """
    text = text[-LONGEST:]
    at = text.find("{")
    while at >= 0:
        try:
            found, end = DECODER.raw_decode(text, at)
        except NamedTwice:
            yield None
            at = text.find("{", at + 1)
        except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError too
            at = text.find("{", at + 1)
        else:
            yield found
            at = text.find("{", end)
