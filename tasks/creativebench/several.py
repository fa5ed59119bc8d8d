"""Several samples of one item: whether a model finds one way or many.

Of every program with quality its transcript holds the part that the tests need, in canonical form, so that programs are
compared when all of them are there, without running anything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...suite.records import Sample, Turn
from .novelty import pair_distances

__all__ = ["FAMILY", "Ways", "slice_of", "told_slice", "ways", "ways_by_item"]

FAMILY = "creativebench"
"""What the names of the tasks begin with whose transcripts tell slices."""

_SAID = "tests: passed"
_HEAD = "What the tests need of it, in canonical form:"


def told_slice(part: str) -> list[str]:
    """What is recorded of a program with quality, in lines; its slice last, where there is one."""
    return [_SAID, _HEAD, part] if part else [_SAID]


def slice_of(turn: Turn) -> str | None:
    """The slice that a turn's record tells; empty where none was found, None where the program had no quality."""
    said, _, rest = turn.after.partition("\n")
    if said != _SAID:
        return None
    head, _, part = rest.partition("\n")
    return part if head == _HEAD else ""


@dataclass(frozen=True, slots=True)
class Ways:
    """The programs of one item that have quality, set against each other.

    Args:
        programs: How many there are, at least 2.
        novelty: Mean over their pairs of ``max(0, distance - among)``, in [0, 1], where ``among`` is the 95th
            percentile of the distances of two rewrites of one program. A mean over pairs, so that it estimates the same
            whatever the number of programs; without the allowance it would be the quadratic entropy of Rao (1982),
            "Diversity and dissimilarity coefficients: a unified approach", Theor. Popul. Biol. 21, 24-43.
        alike: Share of the pairs whose novelty is 0: the chance that two programs with quality go the same way, an
            unbiased estimate like Simpson's (1949, "Measurement of diversity", Nature 163, 688).
    """

    programs: int
    novelty: float
    alike: float


def ways(parts: Sequence[str], among: float) -> Ways | None:
    """Set the slices of an item's programs with quality against each other.

    Args:
        parts: Their slices; an empty one, of a program whose slice was not found, is novel to no other.
        among: What rewrites of one program reach between each other, in [0, 1].

    Returns:
        None with fewer than two programs.
    """
    if len(parts) < 2:
        return None
    pairs = len(parts) * (len(parts) - 1) // 2
    beyond = [max(0.0, d - among) for d in pair_distances([part for part in parts if part])]
    return Ways(len(parts), sum(beyond) / pairs, 1.0 - sum(d > 0 for d in beyond) / pairs)


def ways_by_item(samples: Iterable[Sample]) -> dict[str, Ways | None]:
    """The ways of every item of which there are samples.

    Args:
        samples: Of one task and arm, with their turns.
    """
    parts: dict[str, list[str]] = {}
    among: dict[str, float] = {}
    for sample in samples:
        own = parts.setdefault(sample.item, [])
        for turn in sample.turns:
            part = slice_of(turn)
            if part is not None:
                own.append(part)
                among[sample.item] = turn.scores.get("among", 0.0)
    return {item: ways(own, among.get(item, 0.0)) for item, own in parts.items()}
