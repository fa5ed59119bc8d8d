"""How large an effect a run can show, how many items and samples a planned one needs, and how likely a gate passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .bounded_mean import cautious_pvalue
from .components import Components, PairedComponents
from .decision import units_for_a_pass
from .sequential import gate_paths

__all__ = ["GateChance", "Plan", "detectable_effect", "gate_chance", "plan", "t_power", "units_needed"]

_HALVINGS = 60
_FAR = 500.0
_MOST_UNITS = 10_000_000
_CELLS = 300_000
"""Units that are simulated at once."""


def t_power(
    sd: ArrayLike, units: ArrayLike, effect: ArrayLike, *, alpha: float = 0.05, sides: int = 2
) -> NDArray[np.float64]:
    """Chance that a t test on unit differences finds an effect.

    For non-inferiority with a margin ask for ``effect = margin + change`` with ``sides=1``, where ``change`` is the
    true mean difference (0: none). Near a ceiling, where few units differ, a gate passes less often than this says:
    :func:`gate_chance` simulates it.

    Source: the non-central t distribution, as in Cohen (1988), "Statistical power analysis", ch. 2; the normal
    approximation is Miller's (2024), arXiv:2411.00640, section 5.

    Args:
        sd: Standard deviation of a unit's difference, at least 0.
        units: Number of units, at least 2.
        effect: True mean difference in the direction that is looked for. All three are broadcast.
        alpha: Level of the test, in (0, 1).
        sides: 1 or 2.

    Returns:
        Chances, an array of the broadcast shape.

    Raises:
        ValueError: A number is out of its range.
    """
    from scipy.special import nctdtr, stdtrit

    s, n, d = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (sd, units, effect)))
    _check(alpha, sides)
    for bad, name, values, rule in (
        (~(s >= 0), "sd", s, "be at least 0"),
        (~(n >= 2), "units", n, "be at least 2"),
        (~np.isfinite(d), "effect", d, "be finite"),
    ):
        if bad.any():
            raise ValueError(f"{name} must {rule}, not {values[bad].flat[0]:g}")
    critical = stdtrit(n - 1, 1 - alpha / sides)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(s == 0, 0.0, np.sqrt(n) * d / s)
    # Two-sided, the sign of the effect does not matter. Far out in a tail the function gives NaN for 0.
    shift = np.clip(np.abs(shift) if sides == 2 else shift, -_FAR, _FAR)
    power = 1 - np.nan_to_num(nctdtr(n - 1, shift, critical), nan=0.0)
    power = np.where(shift < -7, 0.0, power)
    if sides == 2:
        power = power + np.nan_to_num(nctdtr(n - 1, shift, -critical), nan=0.0)
    certain = np.where(d > 0, 1.0, 0.0) if sides == 1 else np.where(d != 0, 1.0, 0.0)
    return np.clip(np.where(s == 0, certain, power), 0.0, 1.0)


def detectable_effect(
    sd: ArrayLike, units: ArrayLike, *, power: float = 0.8, alpha: float = 0.05, sides: int = 2
) -> NDArray[np.float64]:
    """Smallest effect that a t test on so many unit differences finds with a given power.

    About ``(z_{1 - alpha / sides} + z_power) sd / sqrt(units)`` (Miller 2024, arXiv:2411.00640, section 5), solved for
    the t distribution here.

    Args:
        sd: Standard deviation of a unit's difference: :meth:`.components.PairedComponents.sd` for two finished runs,
            :meth:`.components.Components.difference_sd` for one and a second one like it.
        units: Number of units, at least 2; broadcast against ``sd``.
        power: Chance to find the effect, in (alpha, 1).
        alpha: Level of the test.
        sides: 1 or 2.

    Returns:
        Effects, at least 0, an array of the broadcast shape.

    Raises:
        ValueError: A number is out of its range.
    """
    _check(alpha, sides, power)
    s, n = np.broadcast_arrays(np.asarray(sd, dtype=np.float64), np.asarray(units, dtype=np.float64))
    low = np.zeros(s.shape)
    high = _FAR * s / np.sqrt(np.maximum(n, 1.0))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = t_power(s, n, middle, alpha=alpha, sides=sides) >= power
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(s == 0, 0.0, high)


def units_needed(sd: float, effect: float, *, power: float = 0.8, alpha: float = 0.05, sides: int = 2) -> int:
    """Fewest units with which a t test on their differences finds an effect with a given power.

    Args:
        sd: Standard deviation of a unit's difference, at least 0.
        effect: The effect, positive: for non-inferiority the margin plus the true change, with ``sides=1``.
        power: Chance to find it, in (alpha, 1).
        alpha: Level of the test.
        sides: 1 or 2.

    Raises:
        ValueError: A number is out of its range, or more than ten million units were needed.
    """
    _check(alpha, sides, power)
    if not effect > 0:
        raise ValueError(f"effect must be positive, not {effect!r}: no number of units shows a smaller one")
    few, many = 1, 2
    while t_power(sd, many, effect, alpha=alpha, sides=sides) < power:
        few, many = many, many * 2
        if many > _MOST_UNITS:
            raise ValueError(f"an effect of {effect:g} at a spread of {sd:g} takes over {_MOST_UNITS:,} units")
    while many - few > 1:
        middle = (few + many) // 2
        enough = t_power(sd, middle, effect, alpha=alpha, sides=sides) >= power
        few, many = (few, middle) if enough else (middle, many)
    return many


@dataclass(frozen=True, slots=True)
class Plan:
    """One line of a table of plans.

    Attributes:
        samples: Samples an item on each side.
        units: Items that they take.
        episodes: Samples in all on each side.
        sd: Standard deviation of a unit's difference that was reckoned with.
    """

    samples: int
    units: int
    episodes: int
    sd: float


def plan(
    spread: Components | PairedComponents,
    *,
    effect: float | None = None,
    margin: float | None = None,
    change: float = 0.0,
    samples: Sequence[int] = (1, 2, 4, 8, 16),
    power: float = 0.8,
    alpha: float = 0.05,
    interaction: float = 0.0,
    span: float = 1.0,
) -> tuple[Plan, ...]:
    """Items needed by samples an item: more samples help only against the spread within items.

    Args:
        spread: Of one run, or of the difference of two.
        effect: Superiority: the difference to find with a two-sided test.
        margin: Non-inferiority: the loss that is accepted, for a one-sided test; at least
            :func:`.decision.units_for_a_pass` units, below which a gate never passes units that agree.
        change: With ``margin``: the true mean difference, above ``-margin``.
        samples: Samples an item to choose from.
        power: Chance to find the effect, or to pass.
        alpha: Level of the test.
        interaction: With one run: as for :meth:`.components.Components.difference_sd`.
        span: With ``margin``: length of the metric's range.

    Returns:
        One line for each number of samples.

    Raises:
        ValueError: Not exactly one of ``effect`` and ``margin`` is given, or a number is out of its range.
    """
    if (effect is None) == (margin is None):
        raise ValueError("give either an effect (superiority) or a margin (non-inferiority)")
    lines = []
    for k in samples:
        sd = spread.sd(k) if isinstance(spread, PairedComponents) else spread.difference_sd(k, interaction)
        if margin is not None:
            units = units_needed(sd, margin + change, power=power, alpha=alpha, sides=1)
            units = max(units, units_for_a_pass(margin, alpha, span))
        else:
            units = units_needed(sd, abs(effect or 0.0), power=power, alpha=alpha)
        lines.append(Plan(k, units, units * k, sd))
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class GateChance:
    """How often a gate would decide what.

    Attributes:
        passed: Share of simulated runs that pass: P(pass | no change) where the change is 0.
        regressed: Share found a regression.
        inconclusive: The rest.
        looks: Units consumed on average; fewer than there are only where the gate is sequential.
        simulations: Runs simulated; a share's standard error is at most ``0.5 / sqrt(simulations)``.
    """

    passed: float
    regressed: float
    inconclusive: float
    looks: float
    simulations: int


def gate_chance(
    rate: float,
    margin: float,
    units: int,
    samples: int = 1,
    *,
    between: float | None = None,
    change: float = 0.0,
    alpha: float = 0.05,
    sequential: bool = False,
    sd: float | None = None,
    simulations: int = 2000,
    seed: str | int = 0,
) -> GateChance:
    """Simulate a gate on a binary metric: the chances that it prints before it spends anything.

    Items' success rates follow a Beta distribution; both sides draw their samples from them, the candidate's rates
    being moved in proportion by ``change``. Each simulated run is decided by the very test of the gate
    (:func:`.decision.decide`, or :class:`.sequential.SequentialGate`).

    Args:
        rate: Baseline's mean success rate, in [0, 1].
        margin: Loss that is accepted, in (0, 1).
        units: Items, at least 1.
        samples: Samples an item on each side.
        between: Variance of the items' rates (:attr:`.components.Components.between`), at most ``rate (1 - rate)``;
            None: a third of that, which is the uniform distribution at a rate of one half.
        change: Candidate's mean rate minus the baseline's.
        alpha: One-sided level of either verdict.
        sequential: Whether the gate looks after every item.
        sd: With ``sequential``: as for :class:`.sequential.SequentialGate`.
        simulations: Runs to simulate.
        seed: Names the random numbers.

    Raises:
        ValueError: A number is out of its range.
    """
    most = rate * (1 - rate)
    between = most / 3 if between is None else between
    for ok, name, value, rule in (
        (0 <= rate <= 1, "rate", rate, "lie between 0 and 1"),
        (0 < margin < 1, "margin", margin, "lie between 0 and 1"),
        (0 <= rate + change <= 1, "change", change, f"keep the rate of {rate:g} between 0 and 1"),
        (0 <= between <= most + 1e-12, "between", between, f"lie between 0 and rate (1 - rate) = {most:g}"),
        (units >= 1 and samples >= 1 and simulations >= 1, "units, samples and simulations", units, "be at least 1"),
    ):
        if not ok:
            raise ValueError(f"{name} must {rule}, not {value!r}")
    rng = generator("gate chance", seed, units, samples)
    passed = regressed = looks = 0.0
    step = max(1, _CELLS // units)
    for start in range(0, simulations, step):
        shape = (min(step, simulations - start), units)
        rates = _rates(rate, between, shape, rng)
        moved = rates * (1 + change / rate) if change < 0 else 1 - (1 - rates) * (1 - _share(change, 1 - rate))
        x = (rng.binomial(samples, moved) - rng.binomial(samples, rates)) / samples
        if sequential:
            paths = gate_paths(x, margin, alpha=alpha, sd=sd)
            passed += paths.passed.sum()
            regressed += paths.regressed.sum()
            looks += paths.looks.sum()
        else:
            passed += np.sum(cautious_pvalue(x, -margin, -1.0) <= alpha)
            regressed += np.sum(cautious_pvalue(-x, margin, -1.0) <= alpha)
            looks += x.size
    a, b = float(passed / simulations), float(regressed / simulations)
    return GateChance(a, b, max(0.0, 1 - a - b), float(looks / simulations), simulations)


def _rates(rate: float, between: float, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    most = rate * (1 - rate)
    if between <= 1e-12:
        return np.full(shape, rate)
    if between >= most - 1e-9:
        return (rng.random(shape) < rate).astype(np.float64)
    size = most / between - 1
    return rng.beta(rate * size, (1 - rate) * size, shape)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _check(alpha: float, sides: int, power: float | None = None) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha!r}")
    if sides not in (1, 2):
        raise ValueError(f"sides must be 1 or 2, not {sides!r}")
    if power is not None and not alpha < power < 1:
        raise ValueError(f"power must lie between alpha = {alpha:g} and 1, not {power!r}")
