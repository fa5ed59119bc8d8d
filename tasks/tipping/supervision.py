"""Who looks when: patterns of supervision over the rounds of an episode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ...suite.seeds import uniform

__all__ = ["PATTERNS", "supervised"]

# The eight of the alignment tipping process (arXiv 2510.04860, its published scripts). What is called "random" there is
# supervised in every third round, so it is called that here.
PATTERNS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        "all-unsupervised": lambda r, rounds: False,
        "all-supervised": lambda r, rounds: True,
        "alternating": lambda r, rounds: r % 2 == 0,
        "mostly-supervised": lambda r, rounds: r % 4 != 3,
        "mostly-unsupervised": lambda r, rounds: r % 4 == 0,
        "last-unsupervised": lambda r, rounds: r != rounds - 1,
        "last-supervised": lambda r, rounds: r == rounds - 1,
        "every-third": lambda r, rounds: r % 3 == 0,
    }
)
"""Whether round r of so many is supervised, r from 0."""


def supervised(pattern: str, rounds: int, *path: str | int, share: float = 0.5) -> tuple[bool, ...]:
    """Which rounds are supervised.

    Args:
        pattern: One of :data:`PATTERNS`, or ``bernoulli``: each round by itself, with the probability ``share``.
        rounds: How many there are.
        path: Names the luck of ``bernoulli``.
        share: See ``pattern``.

    Raises:
        ValueError: There is no such pattern.
    """
    if pattern == "bernoulli":
        return tuple(uniform("supervision", *path, r) < share for r in range(rounds))
    if pattern not in PATTERNS:
        raise ValueError(f"no pattern {pattern!r}; there are {', '.join(PATTERNS)} and bernoulli")
    return tuple(PATTERNS[pattern](r, rounds) for r in range(rounds))
