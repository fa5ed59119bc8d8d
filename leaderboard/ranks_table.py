"""One row a model and column: the deciding number with the ranks that it allows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from .lineup import Lineup
from .standings import ordered

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ranked", "ranks_table"]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A model in a column.

    Attributes:
        model: The entry's name.
        reference: Whether a scripted policy played.
        task: Task name.
        version: Task version.
        tier: Tier.
        items_kind: Kind of items.
        items_hash: Names the set of items.
        arm: Arm.
        metric: The primary metric.
        direction: Which way is better.
        mean: Mean over units.
        low: Lower bound of its interval.
        high: Upper bound.
        confidence: Coverage of that interval, and of all rank intervals of the column together.
        method: How the interval was made.
        sparse: Too few units or events for the coverage to be trusted.
        rank_low: The best rank that the model may have; empty for references, withdrawn entries, and where nothing is
            ranked.
        rank_high: The worst.
        ranked: Models that are ranked in the column.
        letters: Models that share a letter cannot be told apart.
        decoding: How tokens were drawn.
        badge: How the entry came about.
        attempts: Submissions so far.
        flag: What a reader must know before using the number.
        spec_hash: Names the run's specification.
    """

    model: str
    reference: bool
    task: str
    version: int
    tier: str
    items_kind: str
    items_hash: str
    arm: str
    metric: str
    direction: str
    mean: float
    low: float
    high: float
    confidence: float
    method: str
    sparse: bool
    rank_low: int | None
    rank_high: int | None
    ranked: int
    letters: str
    decoding: str
    badge: str
    attempts: int | None
    flag: str
    spec_hash: str


def ranks_table(lineup: Lineup) -> pd.DataFrame:
    """Tabulate the deciding numbers of a board with their ranks, sorted by column and model."""
    import pandas as pd

    own = {f.name for f in fields(Ranked)}
    columns = {(*c.key.sheet, c.key.arm): c for c in lineup.columns}
    made = []
    for s in ordered(s for s in lineup.standings if s.primary):
        column = columns[s.task, s.version, s.tier, s.items_kind, s.items_hash, s.arm]
        place = lineup.place(column, s.model)
        made.append(
            {name: getattr(s, name) for name in own if hasattr(s, name)}
            | {
                "rank_low": None if place is None else place.low,
                "rank_high": None if place is None else place.high,
                "ranked": len(column.ranked),
                "letters": "" if place is None else place.letters,
            }
        )
    frame = pd.DataFrame(made, columns=[f.name for f in fields(Ranked)])
    return frame.astype(dict.fromkeys(("rank_low", "rank_high", "attempts"), "Int64"))
