"""JSON from agents, in which no object names a thing twice: the last would win in silence."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["DECODER", "NamedTwice"]


class NamedTwice(ValueError):
    """A name stands twice in an object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NamedTwice
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_once)
"""Raises :class:`NamedTwice` there, and else what the standard decoder raises."""
