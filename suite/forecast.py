"""What a gate could find, known from the baseline before anything is spent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .checks import Check
from .policy import Policy
from .seeds import generator
from .spread import expected_sd, spread_of
from .stats.bounded_mean import FEW, cautious_pvalue
from .stats.decision import decide, units_for_a_pass
from .stats.power import GateChance, detectable_effect, gate_chance
from .stats.sequential import gate_paths

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Forecast", "forecast"]

_POWER = 0.8
_SIMULATIONS = 500


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a check could find, known before anything is spent.

    Attributes:
        check: Name of the check.
        units: Common items.
        samples: Samples an item of the candidate.
        passes: P(pass | no change); NaN where the baseline does not tell (graded with one sample an item).
        detectable: The loss that is called a regression in 80 % of gates, in the metric's unit; NaN likewise, and where
            no loss is.
        least: Units under which no pass is possible where all agree.
        note: What the check cannot do.
    """

    check: str
    units: int
    samples: float
    passes: float
    detectable: float
    least: int
    note: str = ""


def forecast(check: Check, units: int, samples: float, policy: Policy, alpha: float, *, among: int = 1) -> Forecast:
    """Say what a check could find with so many units, from the baseline alone.

    Args:
        check: The demand.
        units: Items that the candidate is to be paired on.
        samples: Samples an item of the candidate.
        policy: The policy.
        alpha: Level of the verdict.
        among: How many checks share the level of a regression.
    """
    import numpy as np

    means = np.array(list(check.means.values()))
    noise = spread_of(check)
    span = check.span
    least = 0 if span is None else units_for_a_pass(check.margin, alpha, span)
    note = _blind(check, float(means.mean()))
    sequential = policy.mode == "sequential" and span is not None
    sd = expected_sd(check, samples)
    if check.metric.kind == "binary":
        rate = float(means.mean()) if check.direction == "higher" else 1 - float(means.mean())
        spread = float(means.var(ddof=1)) if len(means) > 1 else 0.0
        between = min(max(spread - noise.of_means(), 0.0), rate * (1 - rate))

        def chance(loss: float, level: float, simulations: int) -> GateChance:
            return gate_chance(
                rate,
                check.margin,
                units,
                max(1, round(samples)),
                between=between,
                change=-loss,
                alpha=level,
                sequential=sequential,
                sd=sd if sequential else None,
                simulations=simulations,
            )

        if not units:
            return Forecast(check.name, units, samples, 0.0, math.nan, least, note)
        passes = chance(0.0, alpha, 2000).passed
        caught = _smallest_loss(lambda loss: chance(loss, alpha / among, 400).regressed, check.margin, rate)
        return Forecast(check.name, units, samples, passes, caught, least, note)
    if units < 2 or not np.isfinite(noise.within).all():
        return Forecast(check.name, units, samples, math.nan, math.nan, least, note)
    each = np.resize(noise.sds(samples), units)
    passes = _graded_chance(check, each, alpha, sequential, sd)
    caught = check.margin + float(detectable_effect(noise.sd(samples), units, alpha=alpha / among, sides=1))
    if span is None and np.count_nonzero(each) < FEW:
        caught = math.nan
        note = note or (
            "no verdict is possible: the baseline's samples of an item agree, and without a range that says too little"
        )
    return Forecast(check.name, units, samples, passes, caught, least, note)


def _graded_chance(check: Check, each: np.ndarray, alpha: float, sequential: bool, sd: float | None) -> float:
    """Simulated chance that a candidate without a change passes, item by item as noisy as the baseline says."""
    import numpy as np

    rng = generator("graded gate", check.name, each.size)
    d = rng.standard_normal((_SIMULATIONS, each.size)) * each
    if check.span is None:
        return sum(decide(row, check.margin, alpha=alpha, span=None).verdict == "pass" for row in d) / _SIMULATIONS
    d = np.clip(d, -check.span, check.span)
    if sequential:
        paths = gate_paths(d, check.margin, alpha=alpha, span=check.span, sd=sd)
        return float(paths.passed.mean())
    return float(np.mean(cautious_pvalue(d, -check.margin, -check.span) <= alpha))


def _blind(check: Check, mean: float) -> str:
    """Why a check cannot find a regression, where that is so: the baseline has nothing to lose beyond the margin."""
    m = check.metric
    worst = m.low if check.direction == "higher" else m.high
    chance = check.reference.levels.get(m.name, (m.chance, m.ceiling))[0]
    for name, end, words in (("the worst value", worst, "cannot"), ("chance", chance, "can hardly")):
        if end is None or check.span is None:
            continue
        room = mean - end if check.direction == "higher" else end - mean
        if room <= check.margin:
            return f"{words} find a regression: the baseline is within the margin of {name}"
    return ""


def _smallest_loss(found: Callable[[float], float], low: float, high: float) -> float:
    """The smallest loss that is found in 80 % of gates, by halving; NaN where not even the largest is."""
    if high <= low or found(high) < _POWER:
        return math.nan
    # Halving with few simulations each: a table shows two digits.
    for _ in range(6):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= _POWER else (middle, high)
    return high
