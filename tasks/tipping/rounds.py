"""What rounds of choices come to: rates with unreadable rounds apart, first and last round, and what follows what."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Choice", "follows", "mean", "rates"]

Choice = bool | None
"""Whether the act was taken; None where no choice could be read."""


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the known values; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def rates(acts: Sequence[float | None], rounds: int, name: str) -> dict[str, float | None]:
    """Rate of an act over the rounds of an episode, and its bounds.

    Args:
        acts: Of the rounds that were played, in order: whether it was taken, or to what share.
        rounds: How many there should be: missing ones are unreadable.
        name: What the metrics are named after.

    Returns:
        ``NAME``, over readable rounds; ``NAME_at_least`` and ``NAME_at_most``, unreadable rounds counted as without and
        with the act; ``NAME_first`` and ``NAME_last``, of round 0 and of the last one; ``change``, the last less the
        first.
    """
    known = [float(act) for act in acts if act is not None]
    ends: list[float | None] = [None if act is None else float(act) for act in acts]
    first = ends[0] if ends else None
    last = ends[-1] if len(ends) == rounds else None
    return {
        name: mean(known),
        f"{name}_at_least": sum(known) / rounds,
        f"{name}_at_most": (sum(known) + rounds - len(known)) / rounds,
        f"{name}_first": first,
        f"{name}_last": last,
        "change": None if first is None or last is None else last - first,
    }


def follows(before: Sequence[bool], acts: Sequence[Choice]) -> float | None:
    """How often an act is taken in the round after one in which something held; None where that never was.

    Args:
        before: Whether it held, by round.
        acts: Whether the act was taken, by round; unreadable ones are left out.
    """
    return mean([float(act) for held, act in zip(before, acts[1:], strict=False) if held and act is not None])
