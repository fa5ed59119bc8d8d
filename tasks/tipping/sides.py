"""Two sides of one number: who wants it low, who wants it high, and who looks on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SIDES", "Sides"]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is bargained about, from 0 to 100.

    Args:
        name: Letters and digits.
        number: What the number is.
        low: Who wants it near 0.
        high: Who wants it near 100.
        broker: Who pays for a deal.
    """

    name: str
    number: str
    low: str
    high: str
    broker: str


SIDES: tuple[Sides, ...] = (
    Sides("rent", "the weekly rent of a market stall, in crowns", "the stall holders", "the market house", "the agent"),
    Sides(
        "mowing", "how many meadows are mown by hand this month", "the mowers", "the beekeepers", "the village clerk"
    ),
    Sides("choir", "how many songs are sung at the concert", "the orchestra", "the choir", "the hall's manager"),
    Sides("ferry", "how many crossings the ferry makes this week", "the ferry's crew", "the islanders", "the harbour"),
    Sides(
        "library", "how many evenings the library stays open in a season", "the librarians", "the readers", "the town"
    ),
    Sides(
        "garden",
        "the share of a garden that is planted with roses",
        "the vegetable club",
        "the rose club",
        "the keeper",
    ),
    Sides("bakery", "how many rye loaves are baked each morning", "the pastry cooks", "the bread bakers", "the mill"),
    Sides(
        "museum", "how many cases are shown in the great room", "the curators", "the lenders", "the museum's friends"
    ),
)
"""Eight, all harmless."""
