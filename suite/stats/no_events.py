"""No events: how frequent something may be that was never seen, and how many trials would show it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, expm1, log, log1p

__all__ = ["NoEvents", "rule_of_three", "samples_to_see"]


@dataclass(frozen=True, slots=True)
class NoEvents:
    """How frequent an event may be that was never seen.

    Attributes:
        n: Independent trials without it.
        confidence: Confidence of both bounds.
        exact: ``1 - (1 - confidence)^(1 / n)``: rates above it would have shown the event with that probability.
        approximate: ``-log(1 - confidence) / n``, at 95 % the rule of three, ``3 / n``; at most 1.
    """

    n: int
    confidence: float
    exact: float
    approximate: float


def rule_of_three(n: int, confidence: float = 0.95) -> NoEvents:
    """Bound the rate of an event that none of ``n`` independent trials showed.

    Source: Hanley and Lippman-Hand (1983), "If nothing goes wrong, is everything all right?", J. Am. Med. Assoc. 249,
    1743-1745. The exact bound is Clopper and Pearson's one-sided one.

    Args:
        n: Independent trials (units, not samples within them), from 1.
        confidence: In (0, 1).

    Raises:
        ValueError: ``n`` is not a whole number from 1, or ``confidence`` is out of range.
    """
    if n != int(n) or n < 1:
        raise ValueError(f"n must be a whole number from 1, not {n!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    alpha = 1 - confidence
    # The customary 3 stands for -log(.05) = 2.996.
    numerator = 3.0 if abs(alpha - 0.05) < 1e-12 else -log(alpha)
    return NoEvents(int(n), confidence, -expm1(log(alpha) / n), min(numerator / n, 1.0))


def samples_to_see(rate: float, power: float = 0.95) -> int:
    """Count the independent trials that show an event of that rate at least once, with probability ``power``.

    The smallest n with ``1 - (1 - rate)^n >= power``: :func:`rule_of_three` the other way round.

    Args:
        rate: Of the event in one trial, in (0, 1].
        power: In (0, 1).

    Raises:
        ValueError: A number is out of its range.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate must lie in (0, 1], not {rate!r}")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, not {power!r}")
    if rate == 1:
        return 1
    # The slack keeps a rate that was made from a whole n at that n.
    return max(1, ceil(log1p(-power) / log1p(-rate) - 1e-9))
