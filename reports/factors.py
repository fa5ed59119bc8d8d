"""Factor effects of generated worlds: what one change of a world costs an agent, in pairs, by core and over cores."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..suite.results import Cell, Results
from ..tasks.worlds.names import BASE, CHANGES, FACTOR_TASK, core_of
from .forest import MOST_ROWS, ForestPanel, ForestRow, forest
from .tables import Plot, interval, number, table
from .worlds import ENOUGH_CORES

if TYPE_CHECKING:
    from rich.table import Table

    from ..suite.stats.paired import Difference

__all__ = ["FactorEffect", "factor_effects", "factor_plot", "factor_text"]


@dataclass(frozen=True, slots=True)
class FactorEffect:
    """What a change of one axis does to the score.

    Attributes:
        arm: The arm; the other side is the base.
        change: As tables call it: ``observation: full → partial``.
        core: The core, empty for the effect over all cores.
        difference: The arm less the base, paired by level: below 0 where the change costs. For one core its levels are
            the units, over all cores the cores are.
        adjusted: Over all cores: the p-value corrected by Benjamini and Hochberg (1995) for the changes that were
            measured; NaN for one core, of which nothing is claimed.
    """

    arm: str
    change: str
    core: str
    difference: Difference
    adjusted: float


def factor_effects(results: Results, *, confidence: float = 0.95, seed: int = 0) -> list[FactorEffect]:
    """The effects in a run of the task of factor effects.

    Samples of a level are averaged, levels paired with the base's, and over all cores level differences are averaged
    within the core, each core counting once: worlds of one core are no independent evidence (validity, section 1).

    Args:
        results: The run.
        confidence: Of the intervals, in (0, 1).
        seed: Of sign flips.

    Returns:
        By change: the effect over all cores, then that of each core, by name. Empty where the run has no such task, or
        not the base and another arm.
    """
    from ..suite.stats.multiplicity import benjamini_hochberg

    cells = {cell.arm: cell for cell in results.cells if cell.task == FACTOR_TASK}
    if BASE not in cells:
        return []
    base, found = _sides(cells[BASE]), list[FactorEffect]()
    for arm, change in CHANGES.items():
        if arm not in cells:
            continue
        other = _sides(cells[arm])
        common = sorted(set(base) & set(other))
        if common:
            whole = _difference(base, other, common, confidence, seed)
            found.append(FactorEffect(arm, change.words, "", whole, whole.pvalue))
        found += [
            FactorEffect(arm, change.words, core, _difference(base, other, [core], confidence, seed), float("nan"))
            for core in common
        ]
    over_all = [i for i, effect in enumerate(found) if not effect.core]
    corrected = benjamini_hochberg([found[i].adjusted for i in over_all]).tolist() if over_all else []
    for i, p in zip(over_all, corrected, strict=True):
        e = found[i]
        found[i] = FactorEffect(e.arm, e.change, e.core, e.difference, float(p))
    return found


_Side = dict[str, tuple[list[float], list[str]]]


def _sides(cell: Cell) -> _Side:
    """Scores and items by core; samples without a score are of arms that a core lacks."""
    rows = cell.scored[cell.scored[cell.primary.name].notna()]
    found: _Side = {}
    for item, name, value in zip(rows["item_hash"], rows["item"], rows[cell.primary.name], strict=True):
        values, items = found.setdefault(core_of(str(name)), ([], []))
        values.append(float(value))
        items.append(str(item))
    return found


def _difference(base: _Side, other: _Side, cores: Sequence[str], confidence: float, seed: int) -> Difference:
    from ..suite.stats.paired import difference

    sides = [([v for c in cores for v in side[c][0]], [i for c in cores for i in side[c][1]]) for side in (base, other)]
    owners: dict[Hashable, Hashable] = {
        item: core for core in cores for side in (base, other) for item in side[core][1]
    }
    return difference(
        *sides[0],
        *sides[1],
        kind="graded",
        low=None,
        high=None,
        clusters=owners if len(cores) > 1 else None,
        confidence=confidence,
        seed=seed,
    )


_COLUMNS = ("change", "base>", "changed>", "effect>", "95 % interval>", "adjusted p>", "cores>", "levels>", "cost in>")

_BY_CORE = ("change", "core", "base>", "changed>", "effect>", "95 % interval>", "units>")


def _row(effect: FactorEffect, own: Sequence[FactorEffect]) -> tuple[str, ...]:
    d = effect.difference
    costly = sum(e.difference.estimate < 0 for e in own)
    return (
        effect.change,
        number(d.mean_a),
        number(d.mean_b),
        number(d.estimate),
        interval(d.low, d.high),
        number(effect.adjusted),
        str(len(own)),
        str(d.items),
        f"{costly} of {len(own)}",
    )


def _rows(effects: Sequence[FactorEffect]) -> list[tuple[str, ...]]:
    return [_row(e, [own for own in effects if own.core and own.arm == e.arm]) for e in effects if not e.core]


def _notes(effects: Sequence[FactorEffect], results: Results) -> list[str]:
    notes = [
        "Effect: the changed world's score less the base's, on the same levels with the same luck, each core counting "
        "once; below 0 the change costs. Intervals are over cores. p-values are corrected by Benjamini and Hochberg; "
        "all effects are exploratory. A core without such a variant is no part of that effect."
    ]
    counts = [sum(1 for own in effects if own.core and own.arm == e.arm) for e in effects if not e.core]
    if counts and min(counts) < ENOUGH_CORES:
        notes.append(f"Under {ENOUGH_CORES} cores: this describes these cores, and is no claim about others.")
    lost = [f"{cell.arm} {cell.errors}" for cell in results.cells if cell.task == FACTOR_TASK and cell.errors]
    if lost:
        notes.append(f"Samples lost to errors, which are not random: {', '.join(lost)}.")
    return notes


def factor_text(results: Results) -> tuple[Table, list[str]] | None:
    """The effects over all cores as a table for the terminal, with its notes; None where there are none."""
    effects = factor_effects(results)
    if not effects:
        return None
    from .terminal import text_table

    made = text_table(*_COLUMNS)
    for row in _rows(effects):
        made.add_row(*row)
    return made, _notes(effects, results)


def factor_plot(results: Results, *, name: str = "factors") -> Plot | None:
    """Draw the effects, over all cores and of each core.

    Returns:
        The figure; None where the run has no factor effects.
    """
    effects = factor_effects(results)
    if not effects:
        return None
    panels = [
        ForestPanel(e.change, tuple(_forest_row(own) for own in effects if own.arm == e.arm), zero=0.0)
        for e in effects
        if not e.core
    ]
    svg = forest(
        panels,
        name=f"{name}-figure",
        title="Factor effects",
        description="The change of the score, with intervals, over all cores and for each core.",
    )
    by_core = [
        (e.change, e.core or "all cores", number(e.difference.mean_a), number(e.difference.mean_b),
         number(e.difference.estimate), interval(e.difference.low, e.difference.high), str(e.difference.units))
        for e in effects
    ]  # fmt: skip
    lines = [f"{row[0]}: {row[3]} {row[4]}, adjusted p {row[5]}; costs in {row[8]} cores." for row in _rows(effects)]
    more = [f"The figure shows the first {MOST_ROWS} lines; the table has all."] if len(effects) > MOST_ROWS else []
    return Plot(
        name,
        "Factor effects",
        "What it does to the score that less is seen, that only winning pays, that words mislead or say nothing. "
        "Lines with a core's name describe its levels; what is claimed stands in the line of all cores.",
        svg,
        table(
            "Factor effects", ("change", "core", "base>", "changed>", "effect>", "95 % interval>", "units>"), by_core
        ),
        (*lines, *_notes(effects, results), *more),
    )


def _forest_row(effect: FactorEffect) -> ForestRow:
    d = effect.difference
    return ForestRow(
        effect.core or "all cores",
        d.estimate,
        d.low,
        d.high,
        f"{number(d.estimate)} {interval(d.low, d.high)}",
        faint=d.sparse,
    )
