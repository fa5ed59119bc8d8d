"""Select: which candidates are optimised next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

__all__ = ["SELECTIONS", "Rated", "Select", "Selection", "best", "pareto"]

Selection = Literal["best", "pareto"]


class Rated(NamedTuple):
    """A candidate as a selection sees it.

    Attributes:
        id: The candidate's.
        score: Its mean score in training; more is better.
        cost: Its mean cost of a training episode; less is better.
    """

    id: str
    score: float
    cost: float


class Select(Protocol):
    """Chooses parents."""

    def __call__(self, pool: Sequence[Rated], most: int | None = None) -> tuple[str, ...]:
        """Choose.

        Args:
            pool: Candidates in the order in which they were made, at least one.
            most: How many at most; None: as many as the rule says.

        Returns:
            Ids, the best score first.
        """
        ...


def best(pool: Sequence[Rated], most: int | None = None) -> tuple[str, ...]:
    """The candidate of the highest score: of equals the cheapest, of those the oldest."""
    return (min(pool, key=lambda rated: (-rated.score, rated.cost)).id,)


def pareto(pool: Sequence[Rated], most: int | None = None) -> tuple[str, ...]:
    """All candidates that no other dominates: none is at least as good and as cheap, and better in one of the two.

    Of candidates that are equal in both only the oldest is kept: they are one point of the front.

    Source: Pareto dominance as in Deb (2001), Multi-Objective Optimization Using Evolutionary Algorithms, section 2.4.
    """
    front: list[Rated] = []
    for rated in sorted(pool, key=lambda rated: (-rated.score, rated.cost)):
        if not front or rated.cost < front[-1].cost:
            front.append(rated)
    return tuple(rated.id for rated in front[:most])


SELECTIONS: Mapping[Selection, Select] = MappingProxyType({"best": best, "pareto": pareto})
