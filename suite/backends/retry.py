"""When a request that failed is tried again, and after how long."""

from __future__ import annotations

import datetime
import email.utils
import math
from dataclasses import dataclass

from ..seeds import uniform

__all__ = ["Patience", "Transient", "backoff", "retry_after"]


class Transient(Exception):
    """A fault of the server or of the way to it that may be gone at the next try.

    Args:
        kind: A short stable name, by which faults are counted: ``rate_limited``, ``overloaded``, ``server_error``,
            ``timeout``, ``connection``, ``cut_off``, ``bad_body``, ``too_long``, ``empty``, ``wrong_n``, ``conflict``.
        detail: One line that says what happened, without secrets.
        wait: Seconds that the server asks to wait, None where it does not say.
        billed: Whether the provider may have charged for the reply that was lost.
        away: Whether nobody was there: no other request would have fared better.
    """

    def __init__(
        self, kind: str, detail: str, *, wait: float | None = None, billed: bool = False, away: bool = False
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.wait, self.billed, self.away = kind, detail, wait, billed, away


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is tried.

    Args:
        tries: Attempts at most, at least 1.
        first: Upper bound of the first pause, in seconds.
        longest: Upper bound of any pause that the server did not ask for, in seconds.
        total: Seconds from the first attempt after which no other is begun; pauses of the whole run count.
    """

    tries: int = 8
    first: float = 0.5
    longest: float = 60.0
    total: float = 1800.0


def backoff(attempt: int, patience: Patience, *path: str | int) -> float:
    """Draw the pause after a failed attempt: exponential, with full jitter.

    Uniform on [0, min(longest, first * 2**attempt)): of the ways to spread clients that failed together, the one with
    the least work and time (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Args:
        attempt: 0 after the first attempt.
        patience: The bounds.
        *path: What the pause is for; it decides the draw, so that no pause depends on global random state.

    Returns:
        Seconds.
    """
    return uniform("backoff", *path, attempt) * min(patience.longest, patience.first * 2.0 ** min(attempt, 60))


def retry_after(value: str | None, now: datetime.datetime) -> float | None:
    """Read a ``Retry-After`` header: seconds, or an HTTP date (RFC 9110, section 10.2.3).

    Args:
        value: The header's text, None where there is none.
        now: The time to count a date from, with a time zone.

    Returns:
        Seconds from ``now``, at least 0; None where the header says nothing that can be used.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except (TypeError, ValueError, IndexError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        seconds = (date - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
