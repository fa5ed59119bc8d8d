"""How far two predictions of the next token are apart at least, where only some tokens' log-probabilities are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .base import Divergence

__all__ = ["lower_bound"]

_ROUNDED = 5e-5
"""What a sum of a server's probabilities is taken to be off by: vLLM's float32 gave 1.000015 over 49,152 tokens."""
_WRONG = 1e-3
"""Above 1 by so much it is no rounding."""

Known = Mapping[int, float]
"""Log-probabilities of some tokens, by id."""


def lower_bound(test: Sequence[Known], reference: Sequence[Known]) -> Divergence:
    """Bound KL(test || reference) and Jensen-Shannon divergence from below, place by place.

    Tokens that are known on both sides stand for themselves, all others are one outcome, the tail, with the
    probability that is left. Merging outcomes can only bring distributions nearer (data-processing inequality, Cover
    and Thomas 2006, theorem 2.8.1 and equation 2.90), whatever the choice of what is merged. The tail is known up to
    rounding alone, and is taken where it adds least: the bound holds then too, and where a whole vocabulary is known
    it lies below the truth by no more than 1e-4.

    Args:
        test: One mapping a place.
        reference: Of the same places.

    Raises:
        ValueError: The counts of places differ, a log-probability is no number, or probabilities add up to more than 1.
    """
    kl: list[float] = []
    js: list[float] = []
    for one, other in zip(test, reference, strict=True):
        common = sorted(one.keys() & other.keys())
        q, p = ([known[token] for token in common] for known in (one, other))
        rest_q, rest_p = _rest(q), _rest(p)
        kl.append(max(0.0, math.fsum(map(_kl, q, p)) + _least_kl(rest_q, rest_p)))
        js.append(min(math.log(2), max(0.0, math.fsum(map(_js, q, p)) + _least_js(rest_q, rest_p))))
    return Divergence(tuple(kl), tuple(js), exact=False)


def _rest(known: Sequence[float]) -> float:
    """The probability that is left."""
    if any(math.isnan(value) for value in known):
        raise ValueError("a log-probability is not a number")
    rest = 1.0 - math.fsum(map(math.exp, known))
    if rest < -_WRONG:
        raise ValueError(f"probabilities of one place add up to {1.0 - rest:.6f}, above 1")
    return max(0.0, rest)


def _kl(q: float, p: float) -> float:
    """A token's part of KL, from log-probabilities."""
    return 0.0 if q == -math.inf else math.exp(q) * (q - p)


def _js(q: float, p: float) -> float:
    """A token's part of the Jensen-Shannon divergence, from log-probabilities."""
    high, low = max(q, p), min(q, p)
    if high == -math.inf:
        return 0.0
    middle = high + math.log1p(math.exp(low - high)) - math.log(2)
    return (_kl(q, middle) + _kl(p, middle)) / 2


def _least_kl(q: float, p: float) -> float:
    """The least of q ln(q / p) over tails within rounding: falling in p, and in q convex with its bottom at p / e."""
    p += _ROUNDED
    q = min(max(p / math.e, q - _ROUNDED), q + _ROUNDED)
    return q * math.log(q / p)


def _least_js(q: float, p: float) -> float:
    """The least over tails within rounding: it grows with their distance."""
    if abs(q - p) <= 2 * _ROUNDED:
        return 0.0
    step = math.copysign(_ROUNDED, q - p)
    q, p = q - step, p + step
    return _js(math.log(q) if q > 0 else -math.inf, math.log(p) if p > 0 else -math.inf)
