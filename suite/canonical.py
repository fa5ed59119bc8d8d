"""Canonical JSON and content hashes: equal content has equal bytes on every machine."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

__all__ = ["canonical_json", "content_hash"]

_DECIMALS = 6


def _plain(value: Any) -> Any:
    """Return ``value`` with floats rounded, so that the last bits of a platform do not show."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"canonical JSON holds finite numbers only, not {value!r}")
        return round(value, _DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0
    if isinstance(value, dict):
        return {_key(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    raise TypeError(f"canonical JSON holds plain data only, not {type(value).__name__}: {value!r}")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"canonical JSON has string keys only, not {key!r}")
    return key


def canonical_json(value: Any) -> str:
    """Serialise plain data to one fixed string.

    Keys are sorted, floats are rounded to 6 decimals, there is no white space, and text stays
    text (no ASCII escapes).

    Args:
        value: Nested dicts with string keys, lists, tuples, strings, numbers, booleans and ``None``.

    Returns:
        The JSON text.

    Raises:
        TypeError: ``value`` holds something that is not plain data.
        ValueError: ``value`` holds NaN or an infinity.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any, *, digits: int = 32) -> str:
    """Hash plain data by its canonical JSON.

    Args:
        value: As for :func:`canonical_json`.
        digits: Length of the result in hexadecimal digits, at most 64.

    Returns:
        The first ``digits`` hexadecimal digits of the SHA-256.
    """
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:digits]
