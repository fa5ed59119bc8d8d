"""Tests that may be looked at after every unit: evidence as the wealth of a gambler who bets against a hypothesis.

If a hypothesis is true, no way of betting against it multiplies the stake by ``1 / alpha``, ever, with a probability
over ``alpha`` (Ville 1939). So one may look after each unit and stop at any: the error is that of the whole sequence.

That holds for units in an order that was fixed beforehand, not in the order in which they finish: of episodes that
run at once the short ones come first, and where success is quick, the first to finish are successes.
:class:`.prefix.FinishedPrefix` keeps the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bounded_mean import check_alpha
from .decision import Decision, Verdict

__all__ = [
    "Bets",
    "GatePaths",
    "SequentialGate",
    "discordant_log_wealth",
    "gate_paths",
    "log_wealth",
]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bets:
    """Constant shares of the wealth at stake, and how the first wealth is split among them.

    With the wealth split over several shares and never moved, the whole grows nearly as fast as the best of them: no
    more than ``log(1 / weight)`` is lost. Source: Cover (1991), "Universal portfolios", Math. Finance 1, 1-29; for
    means of bounded variables Orabona and Jun (2024), "Tight concentrations and confidence sequences from the regret of
    universal portfolio", IEEE Trans. Inf. Theory 70, 436-455. The grid in place of their integral is ours: over 28
    cases it reached a pass as often as one of 16 shares or more often, and with the whole stake among them it passes
    units that all agree.

    Attributes:
        fractions: Shares in (0, 1]; 1 stakes all, and loses all at the first unit at the worst end.
        weights: Positive, of sum 1.
    """

    fractions: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
    weights: tuple[float, ...] = (1 / 6,) * 6

    def __post_init__(self) -> None:
        if len(self.fractions) != len(self.weights) or not self.fractions:
            raise ValueError(f"each share needs a weight: {len(self.fractions)} shares, {len(self.weights)} weights")
        if not all(0 < f <= 1 for f in self.fractions):
            raise ValueError(f"shares at stake must lie in (0, 1], not {self.fractions}")
        if not all(w > 0 for w in self.weights) or abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"weights must be positive and sum to 1, not {self.weights}")

    @classmethod
    def planned(cls, sd: float, gap: float, room: float) -> Bets:
        """Half of the wealth on the share that suits a spread expected beforehand, half as by default.

        The share ``gap room / (sd^2 + gap^2)`` makes the wealth grow fastest where units differ from the hypothesis by
        ``gap`` on average with a spread of ``sd``, to second order (Kelly 1956).
        A wrong expectation costs power and never validity; it must not come from the units themselves.

        Args:
            sd: Standard deviation of a unit, at least 0.
            gap: Expected mean above the hypothesis, positive.
            room: From the lower end of the range to the hypothesis, positive.
        """
        if not (sd >= 0 and gap > 0 and room > 0):
            raise ValueError(f"sd must not be negative, gap and room must be positive: {sd!r}, {gap!r}, {room!r}")
        plain = cls()
        best = min(1.0, gap * room / (sd**2 + gap**2))
        return cls((best, *plain.fractions), (0.5, *(w / 2 for w in plain.weights)))


def log_wealth(x: ArrayLike, mean: float, low: float, bets: Bets | None = None) -> Array:
    """Evidence after each unit that the mean is above ``mean``: the logarithm of the wealth.

    A share ``c`` at stake multiplies the wealth by ``1 - c + c (x - low) / (mean - low)``, whose expectation is 1 at
    most if the mean is at most ``mean``. The wealth is the mixture over the shares of ``bets``.

    Args:
        x: Units along the last axis, in the order fixed beforehand, each at least ``low``.
        mean: Level under test, above ``low``.
        low: Lower end of what a unit can be.
        bets: The default if None.

    Returns:
        Logarithms of the shape of ``x``; reject at level ``alpha`` where any so far is at least ``log(1 / alpha)``.

    Raises:
        ValueError: A unit lies below ``low``, or ``mean`` does not lie above it.
    """
    units = _units(x, low, np.inf)
    if not mean > low:
        raise ValueError(f"the level must lie above {low:g}, the lower end of the units, not at {mean!r}")
    bets = bets or Bets()
    ratio = (units - low) / (mean - low)
    total = np.full(units.shape, -np.inf)
    with np.errstate(divide="ignore"):
        for fraction, weight in zip(bets.fractions, bets.weights, strict=True):
            total = np.logaddexp(total, np.log(weight) + np.cumsum(np.log(1 - fraction + fraction * ratio), axis=-1))
    return total


@dataclass(frozen=True, slots=True)
class GatePaths:
    """What a gate decides on many paths at once.

    Attributes:
        passed: Paths that pass, a boolean array of the cases' shape.
        regressed: Paths that are found a regression.
        looks: Units consumed until the verdict, or all of them where there is none.
    """

    passed: NDArray[np.bool_]
    regressed: NDArray[np.bool_]
    looks: NDArray[np.int64]


def gate_paths(
    differences: ArrayLike, margin: float, *, alpha: float = 0.05, span: float = 1.0, sd: float | None = None
) -> GatePaths:
    """Run :class:`SequentialGate` over whole paths, for simulations: the first verdict counts, after any unit.

    Args:
        differences: Candidate minus baseline, higher being better, units along the last axis, in [-span, span].
        margin: As for :class:`SequentialGate`.
        alpha: Likewise.
        span: Likewise.
        sd: Likewise.

    Raises:
        ValueError: A number is out of its range.
    """
    passing, regressing = _both_bets(margin, alpha, span, sd)
    x = _units(differences, -span, span)
    up = log_wealth(x, -margin, -span, passing) >= np.log(1 / alpha)
    down = log_wealth(-x, margin, -span, regressing) >= np.log(1 / alpha)
    n = x.shape[-1]
    first_up = np.where(up.any(axis=-1), up.argmax(axis=-1), n)
    first_down = np.where(down.any(axis=-1), down.argmax(axis=-1), n)
    passed, regressed = first_up < first_down, first_down < first_up
    return GatePaths(passed, regressed, np.minimum(np.minimum(first_up, first_down) + 1, n).astype(np.int64))


class SequentialGate:
    """A gate's decision on one task that may be looked at after every unit.

    Two gamblers bet on each unit's difference: one that the mean is above ``-margin`` (a pass), one that it is below (a
    regression). The first whose wealth reaches ``1 / alpha`` decides; each verdict is wrong with a probability of at
    most ``alpha``, however often one looks. Later units are still taken in, for the bounds and for :func:`.combine`.

    The claim is about the population that the units were drawn from. The bounds hold at all looks at once, each
    side at ``alpha``; they are the levels on which the same gambler has not yet reached ``1 / alpha``, on a grid of
    ``span / 500``, rounded outwards.

    Source: Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", J. R. Stat. Soc.
    B 86, 1-27, with the bets of :class:`Bets`.

    Args:
        margin: Loss that is accepted, at least 0 and under ``span``.
        alpha: Level of either verdict, in (0, 0.5).
        span: Length of the metric's range: differences lie in [-span, span].
        direction: Which way is better.
        sd: Standard deviation of a unit's difference that is expected beforehand, as from the baseline's variance
            components; None if nothing is known. It sharpens the bets (:meth:`Bets.planned`).

    Raises:
        ValueError: A number is out of its range.
    """

    _GRID = 1000

    def __init__(
        self,
        margin: float,
        *,
        alpha: float = 0.05,
        span: float = 1.0,
        direction: Literal["higher", "lower"] = "higher",
        sd: float | None = None,
    ) -> None:
        if direction not in ("higher", "lower"):
            raise ValueError(f"direction must be 'higher' or 'lower', not {direction!r}: a gate needs a better side")
        bets = _both_bets(margin, alpha, span, sd)
        self.margin, self.alpha, self.span = margin, alpha, span
        self.direction: Literal["higher", "lower"] = direction
        self.units = 0
        self.verdict: Verdict = "inconclusive"
        self._sum = 0.0
        # Levels from the worst end upwards, the margin's last; seen from above for the gambler on a regression.
        grid = -span + 2 * span * np.arange(1, self._GRID) / self._GRID
        self._sides = tuple(
            _Side(np.append(grid, level), -span, b) for level, b in zip((-margin, margin), bets, strict=True)
        )

    def update(self, difference: float) -> Verdict:
        """Take in the next unit of the order fixed beforehand.

        Args:
            difference: Candidate minus baseline, in the metric's own unit and sign.

        Returns:
            The verdict so far; once it is not ``inconclusive`` it stays.

        Raises:
            ValueError: The difference is not finite or out of range.
        """
        if not abs(difference) <= self.span * (1 + 1e-9):
            raise ValueError(f"a difference must lie between -{self.span:g} and {self.span:g}, not {difference!r}")
        good = float(np.clip(difference, -self.span, self.span)) * (1 if self.direction == "higher" else -1)
        self.units += 1
        self._sum += difference
        for side, value in zip(self._sides, (good, -good), strict=True):
            side.update(value)
        if self.verdict == "inconclusive":
            limit = np.log(1 / self.alpha)
            passing, regressing = (side.largest >= limit for side in self._sides)
            self.verdict = "pass" if passing else "regression" if regressing else "inconclusive"
        return self.verdict

    def extend(self, differences: Iterable[float]) -> Verdict:
        """Take in several units, one after the other."""
        for difference in differences:
            self.update(difference)
        return self.verdict

    @property
    def evidence(self) -> tuple[float, float]:
        """The wealth of the gamblers on a pass and on a regression, at their largest so far; the stakes were 1."""
        a, b = (float(np.exp(min(side.largest, 700.0))) for side in self._sides)
        return a, b

    @property
    def decision(self) -> Decision:
        """What the units so far say; p-values are ``1 / evidence`` and hold at any look."""
        low, high = self._sides[0].bound(self.alpha), -self._sides[1].bound(self.alpha)
        passing, regressing = (min(1.0, 1 / e) for e in self.evidence)
        return Decision(
            self.verdict,
            self._sum / self.units if self.units else float("nan"),
            *((low, high) if self.direction == "higher" else (-high, -low)),
            self.margin,
            self.alpha,
            self.direction,
            self.units,
            passing,
            regressing,
            self.verdict == "pass" and high < 0,
            "betting",
        )


class _Side:
    """One gambler's wealth at the margin, and on demand at every level of a grid, of which the margin is the last."""

    def __init__(self, levels: Array, low: float, bets: Bets) -> None:
        self._levels, self._low = levels, low
        self._fractions = np.array(bets.fractions)
        self._log_weights = np.log(bets.weights)
        self._logs = np.zeros((levels.size, self._fractions.size))
        self._largest = np.zeros(levels.size)
        self._at_margin = np.zeros((1, self._fractions.size))
        self._waiting: list[float] = []  # units that the grid has not seen: bounds are asked for more rarely
        self.largest = 0.0

    def update(self, x: float) -> None:
        self._waiting.append(x)
        self._at_margin += self._gains(x, self._levels[-1:])
        self.largest = max(self.largest, float(self._wealth(self._at_margin)[0]))

    def bound(self, alpha: float) -> float:
        for x in self._waiting:
            self._logs += self._gains(x, self._levels)
            self._largest = np.maximum(self._largest, self._wealth(self._logs))
        self._waiting.clear()
        rejected = self._levels[self._largest >= np.log(1 / alpha)]
        return float(rejected.max(initial=self._low))

    def _gains(self, x: float, levels: Array) -> Array:
        ratio = (x - self._low) / (levels - self._low)
        with np.errstate(divide="ignore"):
            return np.log(1 - self._fractions + self._fractions * ratio[:, None])

    def _wealth(self, logs: Array) -> Array:
        return np.logaddexp.reduce(logs + self._log_weights, axis=1)


def discordant_log_wealth(
    differences: ArrayLike, *, alternative: Literal["two-sided", "greater", "less"] = "two-sided", prior: float = 1.0
) -> Array:
    """Evidence after each binary pair that one side succeeds more often: superiority at *zero*, not at a margin.

    Of pairs in which the sides differ, one in two is a gain if they are equally good. The wealth is the likelihood of
    the gains seen, averaged over a Beta(prior, prior) for their chance (one-sided: over its half), to that at one half.

    Source: Ville (1939); Robbins (1970), "Statistical methods related to the law of the iterated logarithm", Ann. Math.
    Statist. 41, 1397-1409: mixtures over a Beta prior. That the pairs in which both sides agree say nothing at zero is
    McNemar's (1947) argument; at a margin they do, so that a margin needs :class:`SequentialGate`.

    Args:
        differences: -1, 0 or 1, units along the last axis in the order fixed beforehand.
        alternative: ``greater``: the candidate is better.
        prior: Both parameters of the Beta, positive; larger ones suit small differences.

    Returns:
        Logarithms of the shape of ``differences``; reject where any so far is at least ``log(1 / alpha)``.

    Raises:
        ValueError: A difference is none of the three, or a parameter is unknown.
    """
    from scipy.special import betaincc, betaln

    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative must be 'two-sided', 'greater' or 'less', not {alternative!r}")
    if not prior > 0:
        raise ValueError(f"prior must be positive, not {prior!r}")
    x = _units(differences, -1.0, 1.0)
    odd = x[(x != 0) & (np.abs(x) != 1)]
    if odd.size:
        raise ValueError(f"differences of binary pairs must be -1, 0 or 1, not {odd.flat[0]:g}: use SequentialGate")
    gained, lost = np.cumsum(x == 1, axis=-1), np.cumsum(x == -1, axis=-1)
    if alternative == "less":
        gained, lost = lost, gained
    a, b = prior + gained, prior + lost
    log = betaln(a, b) - betaln(prior, prior) + (gained + lost) * np.log(2)
    if alternative != "two-sided":
        with np.errstate(divide="ignore"):
            log = log + np.log(2 * betaincc(a, b, 0.5))
    return log


def _both_bets(margin: float, alpha: float, span: float, sd: float | None) -> tuple[Bets, Bets]:
    """The gamblers' bets on a pass and on a regression, after checking the numbers."""
    check_alpha(alpha)
    if not (0 <= margin < span < np.inf):
        raise ValueError(f"margin must lie from 0 to under the metric's range of {span!r}, not {margin!r}")
    if sd is None:
        return Bets(), Bets()
    if margin == 0:
        raise ValueError("bets are planned for a margin above 0: leave sd out")
    return Bets.planned(sd, margin, span - margin), Bets.planned(sd, margin, span + margin)


def _units(x: ArrayLike, low: float, high: float) -> Array:
    units = np.asarray(x, dtype=np.float64)
    if units.ndim == 0:
        raise ValueError("units must stand along an axis, not alone")
    slack = 1e-9 * max(1.0, abs(low))
    bad = units[~(np.isfinite(units) & (units >= low - slack) & (units <= high + slack))]
    if bad.size:
        raise ValueError(f"units must lie between {low:g} and {high:g}, not {bad.flat[0]:g}")
    return np.clip(units, low, high)
