"""What a run can detect, and what a planned one needs, as text for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from ..leaderboard.text import visible
from ..suite.comparison import default_margin
from ..suite.errors import UsageError
from ..suite.results import Cell, read_results
from ..suite.stats.components import Components, PairedComponents, components, paired_components
from ..suite.stats.power import Plan, detectable_effect, gate_chance, plan
from .tables import number
from .terminal import draw, text_table

__all__ = ["power_text"]

_SAMPLES = (1, 2, 4, 8, 16)


def power_text(
    run: Path | None,
    *,
    against: Path | None = None,
    rate: float | None = None,
    spread: float | None = None,
    effect: float | None = None,
    margin: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    width: int | None = None,
) -> str:
    """Say what a finished run can detect, or what a planned one needs.

    Args:
        run: A finished run; None: plan from ``rate``.
        against: A second run: the spread of the differences of the two is used instead of an upper bound.
        rate: Without a run: the success rate that is expected, in (0, 1).
        spread: Without a run: standard deviation of the items' true rates; None: that of rates spread evenly about it.
        effect: Difference to be found with a two-sided test.
        margin: Loss to be ruled out with a one-sided test, as a gate does.
        power: Chance to find it.
        alpha: Level of the test.
        width: The terminal's width.

    Raises:
        UsageError: The flags do not fit together, or a number is out of its range.
    """
    if effect is not None and margin is not None:
        raise UsageError("finchmark power: give --effect (to find a difference) or --margin (to rule out a loss).")
    if (run is None) == (rate is None):
        raise UsageError("finchmark power: give a run, or --rate for one that is only planned.")
    if against is not None and run is None:
        raise UsageError("finchmark power: --against goes with a run.")
    try:
        if run is None:
            assert rate is not None
            return _planned(rate, spread, effect, margin, power, alpha, width)
        return _finished(run, against, effect, margin, power, alpha, width)
    except ValueError as error:
        raise UsageError(f"finchmark power: {error}.") from error


def _planned(
    rate: float,
    spread: float | None,
    effect: float | None,
    margin: float | None,
    power: float,
    alpha: float,
    width: int | None,
) -> str:
    if not 0 < rate < 1:
        raise ValueError(f"--rate must lie between 0 and 1, not {rate!r}")
    most = rate * (1 - rate)
    between = most / 3 if spread is None else spread**2
    if between > most:
        raise ValueError(f"--spread must be at most {math.sqrt(most):.3g} at a rate of {rate:g}, not {spread!r}")
    if effect is None and margin is None:
        margin = 0.05
    known = Components(rate, most - between, between, most, 2, 4, 1.0)
    lines = plan(known, effect=effect, margin=margin, samples=_SAMPLES, power=power, alpha=alpha)
    goal = f"a difference of {effect:g}" if effect is not None else f"that no more than {margin:g} is lost"
    parts = [f"To show {goal} with a power of {100 * power:g} % at level {alpha:g}, at a rate of {rate:g}:"]
    chances = None
    if margin is not None:
        chances = [
            gate_chance(rate, margin, line.units, line.samples, between=between, alpha=alpha).passed for line in lines
        ]
    parts.append(_plans(lines, chances, width))
    parts.append(
        fill(
            f"Items' rates are taken to have a standard deviation of {math.sqrt(between):.3g}, and a change to move "
            "all items alike; what moves single items takes more of them. Give a run to reckon with its own spread.",
            width or 120,
        )
    )
    return "\n".join(parts)


def _plans(lines: Sequence[Plan], chances: Sequence[float] | None, width: int | None) -> str:
    out = text_table("samples>", "items>", "episodes>", *(["simulated P(pass | no change)>"] if chances else []))
    for i, line in enumerate(lines):
        cells = [f"{line.samples}", f"{line.units:,}", f"{line.episodes:,}"]
        out.add_row(*cells, *([number(chances[i], 2)] if chances else []))
    return draw(out, width)


def _finished(
    run: Path,
    against: Path | None,
    effect: float | None,
    margin: float | None,
    power: float,
    alpha: float,
    width: int | None,
) -> str:
    results = read_results(run)
    other = None if against is None else read_results(against)
    out = text_table(
        "task and arm", "metric", "items>", "samples>", "mean>", "SD between>", "SD within>", "detects>", "rules out>"
    )
    parts: list[str] = []
    plans: list[str] = []
    for cell in results.cells:
        rows = cell.scored
        name = cell.primary.name
        rows = rows[rows[name].notna()]
        if not len(rows):
            continue
        found = components(rows[name].to_numpy(float), rows["item_hash"].to_numpy(str))
        pair = None
        twin = None if other is None else other.cell(cell.key)
        if twin is not None:
            theirs = twin.scored[twin.scored[name].notna()]
            pair = paired_components(
                rows[name].to_numpy(float),
                rows["item_hash"].to_numpy(str),
                theirs[name].to_numpy(float),
                theirs["item_hash"].to_numpy(str),
            )
        units = found.items if pair is None else pair.items
        sd = found.difference_sd() if pair is None else pair.sd()
        known = units > 1 and math.isfinite(sd) and sd > 0
        finds = float(detectable_effect(sd, units, power=power, alpha=alpha)) if known else math.nan
        rules = float(detectable_effect(sd, units, power=power, alpha=alpha, sides=1)) if known else math.nan
        out.add_row(
            *(
                visible(text, 80)
                for text in (
                    cell.name,
                    name,
                    f"{units}",
                    f"{found.per_item:.3g}",
                    number(found.mean),
                    number(math.sqrt(found.between) if found.between == found.between else math.nan),
                    number(math.sqrt(found.within) if found.within == found.within else math.nan),
                    number(finds),
                    number(rules),
                )
            )
        )
        if known:
            plans.append(_cell_plan(cell, found if pair is None else pair, effect, margin, power, alpha, width))
    parts.append(draw(out, width))
    parts.append(
        fill(
            "Detects: the difference to a second run on the same items that is found with a power of "
            f"{100 * power:g} % at level {alpha:g}; rules out: the loss that a gate at that level rules out as often. "
            + (
                "The spread is that of the two runs' differences."
                if other is not None
                else "A second run is taken to be as noisy, and a change to move all items alike; --against reckons "
                "with a second run's own differences."
            )
            + " Without a spread (–) nothing can be said: play more samples an item, or items that differ.",
            width or 120,
        )
    )
    return "\n\n".join([*parts, *plans])


def _cell_plan(
    cell: Cell,
    spread: Components | PairedComponents,
    effect: float | None,
    margin: float | None,
    power: float,
    alpha: float,
    width: int | None,
) -> str:
    if effect is None and margin is None:
        margin = default_margin(cell.primary, cell)
        if margin is None:
            return f"{cell.name}: give --effect or --margin; {cell.primary.name} has no range to take a share of."
    low, high = cell.primary.low, cell.primary.high
    span = 1.0 if low is None or high is None else high - low
    lines = plan(
        spread,
        effect=effect,
        margin=margin,
        samples=_SAMPLES,
        power=power,
        alpha=alpha,
        span=max(span, margin or 0) * 1.0,
    )
    goal = f"a difference of {effect:g}" if effect is not None else f"that no more than {margin:.3g} is lost"
    return f"{visible(cell.name, 100)}: to show {goal}\n{_plans(lines, None, width)}"
