"""What two sides solved: only the one, only the other, both, neither; and the items that changed most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..suite.results import Cell
from ..suite.stats.pairs import Flips
from .bars import MOST_BARS, Part, bars
from .tables import Link, Plot, Table, number, table

__all__ = ["Change", "change_table", "changes", "flip_plot", "most_changed"]

_PER_CELL = 5


@dataclass(frozen=True)
class Change:
    """An item's mean on both sides.

    Attributes:
        item: What the first side calls it.
        item_b: What the second side calls it.
        a: Mean of the first side's samples.
        b: Mean of the second side's.
    """

    item: str
    item_b: str
    a: float
    b: float

    @property
    def difference(self) -> float:
        """Second less first."""
        return self.b - self.a


def flip_plot(flips: Sequence[tuple[str, Flips]], *, name: str = "flips") -> Plot | None:
    """Draw how often the sides agree and differ.

    Args:
        flips: Name of a task and arm, and its flips.
        name: Anchor.

    Returns:
        The figure; None without flips.
    """
    if not flips:
        return None
    parts = (("both", "span"), ("gained", "accent"), ("lost", "chance"), ("neither", "line"))
    svg = bars(
        [cell for cell, _ in flips],
        [Part(what, colour, [float(getattr(f, what)) for _, f in flips]) for what, colour in parts],
        name=f"{name}-figure",
        title="Flips",
        description="Share of common items that both sides, only the second, only the first, or neither solved.",
    )
    rows = []
    for cell, f in flips:
        count = [number(float(v), 0 if float(v).is_integer() else 1) for v in (f.gained, f.lost, f.both, f.neither)]
        rows.append((cell, *count))
    notes = [
        "In items. With several samples an item the counts are expected ones over all pairs of a sample of either "
        "side: two runs of one and the same model flip as well."
    ]
    if len(flips) > MOST_BARS:
        notes.append(f"The figure shows the first {MOST_BARS} of {len(flips)}; the table has all.")
    return Plot(
        name,
        "Flips",
        "What only the candidate solved is gained, what only the baseline solved is lost. The difference in score is "
        "gained less lost; how much moved besides, it does not show.",
        svg,
        table("Flips", ("task and arm", "gained>", "lost>", "both>", "neither>"), rows),
        tuple(notes),
    )


def changes(a: Cell, b: Cell) -> list[Change]:
    """The common items of two cells with their means by the primary metric, the largest change first."""
    metric = a.primary.name
    if metric not in b.frame.columns:
        return []
    sides = []
    for cell in (a, b):
        groups = cell.scored.dropna(subset=[metric]).groupby("item_hash")
        sides.append(groups.agg(item=("item", "first"), mean=(metric, "mean")))
    both = sides[0].merge(sides[1], left_index=True, right_index=True, suffixes=("_a", "_b"))
    found = [Change(str(r[0]), str(r[2]), float(r[1]), float(r[3])) for r in both.itertuples(index=False, name=None)]
    return sorted(found, key=lambda c: (-abs(c.difference), c.item))


def most_changed(found: Sequence[Change]) -> list[Change]:
    """The few items that fell most and the few that rose most, of those that :func:`changes` gives."""
    fell = [c for c in found if c.difference < 0][:_PER_CELL]
    return fell + [c for c in found if c.difference > 0][:_PER_CELL]


def change_table(
    cells: Sequence[tuple[Cell, Cell]],
    pages_a: Callable[[Cell, str], tuple[Link, ...]],
    pages_b: Callable[[Cell, str], tuple[Link, ...]],
) -> Table | None:
    """List the items of each task and arm that fell and rose most.

    Args:
        cells: The sides' cells, in pairs.
        pages_a: Links to the first side's transcripts of an item.
        pages_b: The second side's.

    Returns:
        The table; None where no item changed.
    """
    rows = []
    left = 0
    for a, b in cells:
        found = changes(a, b)
        shown = most_changed(found)
        left += sum(1 for c in found if c.difference) - len(shown)
        for c in shown:
            means = number(c.a), number(c.b), ("+" if c.difference > 0 else "") + number(c.difference)
            rows.append((a.name, c.item, *means, pages_a(a, c.item) or "–", pages_b(b, c.item_b) or "–"))
    if not rows:
        return None
    notes = ["Picked because they changed most, so part of each change is luck: played again, most would change less."]
    if left:
        notes.append(f"{left:,} more items changed.")
    heads = ("task and arm", "item", "baseline>", "candidate>", "difference>", "baseline’s transcripts", "candidate’s")
    return table("Items that changed most", heads, rows, notes)
