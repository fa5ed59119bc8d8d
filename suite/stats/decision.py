"""The decision of a gate at a number of units fixed beforehand: pass, regression or inconclusive."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .bounded_mean import cautious_bound, cautious_pvalue, check_alpha, few_differ, t_pvalue
from .intervals import MIN_UNITS
from .multiplicity import holm

__all__ = ["Decision", "Gate", "Verdict", "combine", "decide", "pair_differences", "units_for_a_pass"]

Verdict = Literal["pass", "regression", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the units of one task say about a change and its margin.

    Attributes:
        verdict: ``pass``: worse by less than the margin at most. ``regression``: worse by more than it.
            ``inconclusive``: the units do not tell.
        difference: Mean of candidate minus baseline over units, in the metric's own unit and sign.
        low: Lower one-sided bound of it at confidence ``1 - alpha``; both bounds together hold at ``1 - 2 alpha``.
        high: Upper one-sided bound.
        margin: Loss that is accepted, not negative.
        alpha: One-sided level of either verdict.
        direction: Which way is better.
        units: Independent units that the claim rests on.
        pass_pvalue: Of the hypothesis that the change is worse by the margin or more.
        regression_pvalue: Of the hypothesis that it is not worse by more than the margin.
        worse_within_margin: It passes, and is worse than the baseline all the same: a warning.
        method: The tests that had to agree: ``t and score``, with ``and dirichlet`` where few units differ, or ``t``
            where the metric has no range.
        note: Why there is no verdict, where that can be said; else empty.
    """

    verdict: Verdict
    difference: float
    low: float
    high: float
    margin: float
    alpha: float
    direction: Literal["higher", "lower"]
    units: int
    pass_pvalue: float
    regression_pvalue: float
    worse_within_margin: bool
    method: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """The decisions of several tasks as one.

    Attributes:
        verdict: ``pass`` if all tasks pass; ``regression`` if any task's regression survives Holm's correction; else
            ``inconclusive``.
        tasks: The decisions by task, with the verdict that the correction leaves them.
        adjusted: Holm's adjusted p-values of a regression by task.
        regressions: Tasks that have regressed.
        inconclusive: Tasks that neither pass nor have regressed.
        warnings: Tasks that pass and are worse within the margin.
    """

    verdict: Verdict
    tasks: Mapping[str, Decision]
    adjusted: Mapping[str, float]
    regressions: tuple[str, ...]
    inconclusive: tuple[str, ...]
    warnings: tuple[str, ...]


def decide(
    differences: ArrayLike,
    margin: float,
    *,
    alpha: float = 0.05,
    span: float | None = 1.0,
    direction: Literal["higher", "lower"] = "higher",
    dyads: Sequence[tuple[Hashable, Hashable]] | None = None,
) -> Decision:
    """Decide whether a candidate is worse than its baseline by less than a margin.

    Either verdict takes a one-sided test at ``alpha`` (:func:`.bounded_mean.cautious_pvalue`): t and the score test
    must agree, and the exact kind of test as well where fewer than ten units differ from the most common difference.
    So a pass from units that all agree takes :func:`units_for_a_pass` of them. False passes stay under .06 at
    baselines of 1.0 to .1, 30 to 300 units, 1 to 16 samples a unit, with the loss on few units or spread over all
    (t: .22).

    An open metric (``span`` None) has only t, which a rare large loss deceives: it gets a verdict from 30 units on
    of which ten differ from the most common value.

    Args:
        differences: Candidate minus baseline by unit, shape (units,): the difference of the unit's means where it
            has several samples.
        margin: Loss that is accepted, at least 0 and under ``span``.
        alpha: One-sided level of either verdict, in (0, 0.5).
        span: Length of the metric's range, so that differences lie in [-span, span]; None where it is open.
        direction: Which way is better.
        dyads: The two larger units that each unit belongs to, where units share them: then the test of
            :func:`.dyadic.dyadic_difference` must agree as well.

    Returns:
        The decision. Without units it is inconclusive, its numbers NaN, its p-values 1.

    Raises:
        ValueError: A number is out of its range, or the differences are not one-dimensional.

    Source of the rule: one-sided tests of a shifted hypothesis, as in Wellek (2010), "Testing statistical hypotheses of
    equivalence and noninferiority", 2nd ed., ch. 2; the choice of tests is ours, by the simulations of
    ``tests/benchmarks/bench_gate.py``.
    """
    check_alpha(alpha)
    if direction not in ("higher", "lower"):
        raise ValueError(f"direction must be 'higher' or 'lower', not {direction!r}: a gate needs a better side")
    if not (np.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin must be a loss of at least 0, not {margin!r}")
    if span is not None and not margin < span < np.inf:
        raise ValueError(f"margin must be under the metric's range of {span!r}, not {margin!r}")
    x = np.asarray(differences, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"differences must hold one number a unit (one dimension), not shape {x.shape}")
    if x.size == 0:
        nan = float("nan")
        return Decision(
            "inconclusive", nan, nan, nan, margin, alpha, direction, 0, 1.0, 1.0, False, "none", "there are no units"
        )
    good = x if direction == "higher" else -x
    few = bool(few_differ(good))
    if span is None:
        method = "t"
        passing, regressing = float(t_pvalue(good, -margin)), float(t_pvalue(-good, margin))
        low, high = _t_bound(good, alpha), -_t_bound(-good, alpha)
        told = x.size >= MIN_UNITS and not few
        note = "" if told else "an open metric needs 30 units of which 10 differ"
    else:
        method = "t and score and dirichlet" if few else "t and score"
        passing, regressing = float(cautious_pvalue(good, -margin, -span)), float(cautious_pvalue(-good, margin, -span))
        low, high = float(cautious_bound(good, -span, alpha)), -float(cautious_bound(-good, -span, alpha))
        told = True
        needed = units_for_a_pass(margin, alpha, span) if margin > 0 else 0
        note = f"a pass takes {needed} units where all agree" if few and x.size < needed else ""
    if dyads is not None:
        from .dyadic import dyadic_difference

        law = dyadic_difference(good, dyads, width=np.inf if span is None else span)
        tail, bounds = law.tail(-margin), law.bounds(1 - 2 * alpha)
        told = told and np.isfinite(tail)
        if told:
            passing, regressing = max(passing, tail), max(regressing, 1 - tail)
            low, high = min(low, bounds[0]), max(high, bounds[1])
            method = f"{method} and {law.method}"
    verdict: Verdict = "inconclusive"
    if told and passing <= alpha:
        verdict = "pass"
    elif told and regressing <= alpha:
        verdict = "regression"
    return Decision(
        verdict,
        float(x.mean()),
        *((low, high) if direction == "higher" else (-high, -low)),
        margin,
        alpha,
        direction,
        x.size,
        passing,
        regressing,
        verdict == "pass" and high < 0,
        method,
        note if verdict == "inconclusive" else "",
    )


def combine(decisions: Mapping[str, Decision]) -> Gate:
    """Decide over several tasks.

    A pass needs all of them, which needs no correction: a change that is too bad somewhere must deceive that task's own
    test (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24, 295-300). One
    regression is enough for the whole, so that those p-values are corrected by :func:`.multiplicity.holm`, which holds
    whatever the tasks share.

    Args:
        decisions: By task; at least one, all at the same ``alpha``.

    Returns:
        The gate's decision; a task whose regression does not survive the correction is inconclusive in it.

    Raises:
        ValueError: There is no task, or they were decided at different levels.
    """
    if not decisions:
        raise ValueError("there must be at least one task to decide on")
    levels = {d.alpha for d in decisions.values()}
    if len(levels) > 1:
        raise ValueError(f"all tasks must be decided at one alpha, not at {sorted(levels)}")
    (alpha,) = levels
    corrected = holm([d.regression_pvalue for d in decisions.values()])
    adjusted = {name: float(p) for name, p in zip(decisions, corrected, strict=True)}
    tasks: dict[str, Decision] = {}
    for name, d in decisions.items():
        lost = d.verdict == "regression" and adjusted[name] > alpha
        note = "a regression on its own, not among so many tasks" if lost else d.note
        tasks[name] = replace(d, verdict="inconclusive", note=note) if lost else d
    regressions = tuple(name for name, d in tasks.items() if d.verdict == "regression")
    inconclusive = tuple(name for name, d in tasks.items() if d.verdict == "inconclusive")
    warnings = tuple(name for name, d in tasks.items() if d.worse_within_margin)
    verdict: Verdict = "regression" if regressions else "inconclusive" if inconclusive else "pass"
    return Gate(verdict, tasks, adjusted, regressions, inconclusive, warnings)


def pair_differences(gained: int, lost: int, n: int) -> np.ndarray:
    """Differences of binary pairs of one sample a side from their counts.

    Args:
        gained: Pairs in which only the candidate succeeds.
        lost: Pairs in which only the baseline succeeds.
        n: Pairs in all.

    Returns:
        An array of shape (n,) of 1, -1 and 0.

    Raises:
        ValueError: A count is negative, not whole, or they exceed ``n``.
    """
    for name, value in (("gained", gained), ("lost", lost), ("n", n)):
        if value != int(value) or value < 0:
            raise ValueError(f"{name} must be a count, not {value!r}")
    if gained + lost > n:
        raise ValueError(f"gained and lost must not exceed n={n} together, not {gained + lost!r}")
    return np.repeat([1.0, -1.0, 0.0], [int(gained), int(lost), int(n - gained - lost)])


def units_for_a_pass(margin: float, alpha: float = 0.05, span: float = 1.0) -> int:
    """Units below which no pass is possible where all of them agree: ``ln(alpha) / ln(1 - margin / span)``, rounded up.

    With a share ``margin / span`` of broken units in the population, so many units hold a broken one with probability
    ``1 - alpha``: 59 at a margin of .05, 29 at .10.

    Args:
        margin: Loss that is accepted, above 0 and under ``span``.
        alpha: One-sided level, in (0, 0.5).
        span: Length of the metric's range.

    Raises:
        ValueError: A number is out of its range.
    """
    check_alpha(alpha)
    if not 0 <= margin < span:
        raise ValueError(f"margin must lie from 0 to under the metric's range of {span!r}, not {margin!r}")
    if margin == 0:
        raise ValueError("margin must be above 0: units that agree never show that there is no loss at all")
    return int(np.ceil(np.log(alpha) / np.log1p(-margin / span) - 1e-9))


def _t_bound(x: np.ndarray, alpha: float) -> float:
    from scipy.special import stdtrit

    if x.size < 2:
        return -np.inf
    return float(x.mean() - stdtrit(x.size - 1, 1 - alpha) * x.std(ddof=1) / np.sqrt(x.size))
