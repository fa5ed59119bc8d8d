"""Margins: is the second side better, not worse, worse, or equivalent, by more than a margin that was named before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .inference import Inference
from .pairs import Pairs

__all__ = ["Claim", "MarginTest", "equivalence", "inferiority", "margin_tests", "noninferiority", "superiority"]

Claim = Literal["superior", "non-inferior", "inferior", "equivalent"]
Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class MarginTest:
    """A claim about the difference, with its p-value.

    Attributes:
        claim: ``superior`` (better by more than the margin), ``non-inferior`` (not worse by the margin or more),
            ``inferior`` (worse by more than the margin) or ``equivalent`` (neither better nor worse by the margin).
        margin: The margin, in the metric's unit, at least 0.
        pvalue: Of the opposite of the claim; NaN where the data cannot tell.
        alpha: The level.
        holds: Whether the claim is made: ``pvalue <= alpha``.
        low: Lower bound of the difference, second less first, at confidence ``1 - 2 * alpha``.
        high: Upper bound, likewise. The claim is made where they lie on its side of the margin; the one exception is
            stated at :func:`noninferiority`.
    """

    claim: Claim
    margin: float
    pvalue: float
    alpha: float
    holds: bool
    low: float
    high: float


def superiority(
    inference: Inference, margin: float = 0.0, *, alpha: float = 0.05, direction: Direction = "higher"
) -> MarginTest:
    """Test whether the second side is better by more than the margin, at one-sided ``alpha``.

    Args:
        inference: From :func:`.inference.paired_inference` or :func:`.unpaired.unpaired_inference`.
        margin: In the metric's unit, at least 0.
        alpha: In (0, 0.5).
        direction: ``higher`` is better, or ``lower``.

    Raises:
        ValueError: A number is out of range.
    """
    p = _above(inference, _margin(margin), direction)
    return _result("superior", inference, margin, p, alpha)


def noninferiority(
    inference: Inference,
    margin: float,
    *,
    alpha: float = 0.05,
    direction: Direction = "higher",
    pairs: Pairs | None = None,
) -> MarginTest:
    """Test whether the second side is not worse by the margin or more, at one-sided ``alpha``.

    A gate takes :func:`.decision.decide`, which is stricter: from several samples an item of a near-perfect baseline
    this test passes too much where few items broke (baseline .98, 30 items x 16 samples, .05 of the items broken:
    .21, since often none of the broken is among the 30 and the others hardly differ). With one sample it holds.

    Near a ceiling no score is to be trusted: 54 pairs without a loss put Tango's bound above -.05, and .06 of
    candidates that break .05 of the items show no loss on 54. So with ``pairs`` in which no unit gains, the p-value is
    at least that of the exact binomial test that the share lost is the margin; with no loss either it is
    ``(1 - margin)^units``, whence the units that validity asks for: ``log(alpha) / log(1 - margin)``, 59 at .05.

    Args:
        inference: As for :func:`superiority`.
        margin: In the metric's unit, above 0.
        alpha: As for :func:`superiority`.
        direction: As for :func:`superiority`.
        pairs: What the inference is from, for the exact test.

    Raises:
        ValueError: A number is out of range.
    """
    if not margin > 0:
        raise ValueError(f"a margin of non-inferiority must be above 0, not {margin!r}: ask for superiority")
    p = _above(inference, -_margin(margin), direction)
    if pairs is not None and np.isfinite(pairs.width):
        p = float(np.maximum(p, _exact_floor(pairs, margin / pairs.width, direction)))
    return _result("non-inferior", inference, margin, p, alpha)


def inferiority(
    inference: Inference, margin: float = 0.0, *, alpha: float = 0.05, direction: Direction = "higher"
) -> MarginTest:
    """Test whether the second side is worse by more than the margin: a regression.

    Args and errors as for :func:`superiority`.
    """
    opposite: dict[Direction, Direction] = {"higher": "lower", "lower": "higher"}
    p = _above(inference, _margin(margin), opposite.get(direction, direction))
    return _result("inferior", inference, margin, p, alpha)


def equivalence(inference: Inference, margin: float, *, alpha: float = 0.05, pairs: Pairs | None = None) -> MarginTest:
    """Test whether the sides differ by less than the margin either way: two one-sided tests, both at ``alpha``.

    Source: Schuirmann (1987), J. Pharmacokinet. Biopharm. 15, 657-680 (TOST). The p-value is the larger of the two.

    Args and errors as for :func:`noninferiority`.
    """
    tests = [noninferiority(inference, margin, alpha=alpha, direction=d, pairs=pairs) for d in ("higher", "lower")]
    # np.max hands NaN on.
    return _result("equivalent", inference, margin, float(np.max([t.pvalue for t in tests])), alpha)


def margin_tests(
    inference: Inference,
    margin: float,
    *,
    alpha: float = 0.05,
    direction: Direction = "higher",
    pairs: Pairs | None = None,
) -> dict[Claim, MarginTest]:
    """All four claims at once: superior to zero, non-inferior, inferior by more than the margin, equivalent.

    Args and errors as for :func:`noninferiority`.
    """
    tests = (
        superiority(inference, 0.0, alpha=alpha, direction=direction),
        noninferiority(inference, margin, alpha=alpha, direction=direction, pairs=pairs),
        inferiority(inference, margin, alpha=alpha, direction=direction),
        equivalence(inference, margin, alpha=alpha, pairs=pairs),
    )
    return {t.claim: t for t in tests}


def _above(inference: Inference, threshold: float, direction: Direction) -> float:
    """One-sided p-value of "not better than the threshold", which is signed so that positive is better."""
    if direction == "higher":
        return inference.tail(threshold)
    if direction == "lower":
        return 1 - inference.tail(-threshold)
    raise ValueError(f"direction must be 'higher' or 'lower', not {direction!r}")


def _exact_floor(pairs: Pairs, margin: float, direction: Direction) -> float:
    """P-value of the exact test, 0 where some unit gains and the test does not apply."""
    from scipy.special import betainc

    better, worse = (pairs.gained, pairs.lost) if direction == "higher" else (pairs.lost, pairs.gained)
    if better.any() or margin >= 1:
        return 0.0
    k, x = len(pairs.units), float(worse.sum())
    # The chance of x or fewer of k, in the beta form, which also takes losses that are no whole units.
    return 1.0 if x >= k else float(betainc(k - x, x + 1, 1 - margin))


def _result(claim: Claim, inference: Inference, margin: float, p: float, alpha: float) -> MarginTest:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha!r}")
    low, high = inference.bounds(1 - 2 * alpha)
    return MarginTest(claim, float(margin), p, alpha, bool(p <= alpha), low, high)


def _margin(margin: float) -> float:
    if not (margin >= 0 and np.isfinite(margin)):
        raise ValueError(f"margin must be at least 0, not {margin!r}")
    return float(margin)
