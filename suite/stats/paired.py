"""The difference between two sides: paired on their common units, with interval, test, flips and claims by margin."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .dyadic import dyadic_design, dyadic_mean
from .inference import Inference, IntervalMethod, paired_inference
from .margins import Claim, Direction, MarginTest, margin_tests
from .paired_tests import TestResult, mcnemar, paired_t, sign_flip, wilcoxon
from .pairs import Flips, Kind, Pairs, Samples, pair_units, samples_of
from .unpaired import unit_means, unpaired_inference

__all__ = ["Difference", "TestMethod", "difference", "paired_test"]

TestMethod = Literal["auto", "mcnemar-mid-p", "mcnemar-exact", "sign-flip", "wilcoxon", "t"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two sides compared: the second less the first.

    Attributes:
        estimate: Mean difference over units; NaN without data.
        low: Lower bound; NaN where no method can tell.
        high: Upper bound, likewise.
        confidence: Coverage that is aimed at.
        method: How the interval was made: a method of :func:`.inference.paired_inference` or of
            :func:`.unpaired.unpaired_inference`, or ``none``.
        pvalue: Two-sided, of "no difference"; NaN where the data cannot tell.
        test: How it was made: a method of :class:`.paired_tests.TestResult`; unpaired: that of the interval.
        paired: Whether the sides have common units; if not, the estimate is of two means over different ones.
        units: Units that the claim rests on; unpaired: those of the side that has fewer.
        items: Common items; unpaired: 0.
        samples_a: Samples of the first side that were used.
        samples_b: Samples of the second side that were used.
        only_a: Items of the first side that were left out, since the second lacks them.
        only_b: Items of the second side, likewise.
        mean_a: Mean of the first side's unit means, over the units used.
        mean_b: Mean of the second side's.
        standard_error: Of the estimate, from the spread between units; NaN with under 2.
        flips: Gained, lost, both, neither: of a paired binary metric, else None.
        sparse: Too few units (under 30) or unit-level events (under 5) for the coverage to be trusted.
        claims: By margin, if one was named: ``superior`` to zero, ``non-inferior``, ``inferior``, ``equivalent``.
        seed: What anything random was drawn with.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    pvalue: float
    test: str
    paired: bool
    units: int
    items: int
    samples_a: int
    samples_b: int
    only_a: int
    only_b: int
    mean_a: float
    mean_b: float
    standard_error: float
    flips: Flips | None
    sparse: bool
    claims: Mapping[Claim, MarginTest] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0


def difference(
    values_a: ArrayLike,
    items_a: ArrayLike,
    values_b: ArrayLike,
    items_b: ArrayLike,
    *,
    kind: Kind = "binary",
    low: float | None = 0.0,
    high: float | None = 1.0,
    clusters: Mapping[Hashable, Hashable] | None = None,
    dyads: Mapping[Hashable, tuple[Hashable, Hashable]] | None = None,
    confidence: float = 0.95,
    method: IntervalMethod = "auto",
    test: TestMethod = "auto",
    margin: float | None = None,
    alpha: float = 0.05,
    direction: Direction = "higher",
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare two sides, paired by item wherever they have common items.

    The interval and the claims by margin come from one :class:`.inference.Inference` and agree with one another. The
    p-value of "no difference" is that of a test that is valid in small samples: McNemar's mid-p for one binary sample
    an item and side, else sign flips of whole units. Near the level it may fall on the other side than the interval.

    Args:
        values_a: The first side's samples (baseline), shape (samples,), finite; 0 or 1 where ``kind`` is ``binary``.
        items_a: The item of each, of the same shape.
        values_b: The second side's samples (candidate), likewise.
        items_b: Their items; samples of both sides are of one item if and only if its labels are equal.
        kind: ``binary`` or ``graded``.
        low: Lower end of a graded metric's range, None where it is open.
        high: Upper end of a graded metric's range, None where it is open.
        clusters: The unit of each item, where units are larger than items; None: each item is a unit.
        dyads: The two larger units that each unit belongs to, where units are dyads and share them with one another.
        confidence: In (0, 1).
        method: Of the interval, see :func:`.inference.paired_inference`; ignored for unpaired sides.
        test: Of "no difference", see :func:`paired_test`; ignored for unpaired sides.
        margin: If given, claims are tested at it; in the metric's unit, above 0.
        alpha: One-sided level of the claims, in (0, 0.5).
        direction: Which way is better; matters to the claims alone.
        resamples: Of bootstrap and sign flips.
        seed: Of the same.

    Returns:
        The comparison. Without common items it is unpaired and says so; where a side has no sample at all it bounds
        nothing.

    Raises:
        ValueError: A value, shape or choice is wrong; the message names it.
    """
    a = samples_of(values_a, items_a, kind=kind, low=low, high=high)
    b = samples_of(values_b, items_b, kind=kind, low=low, high=high)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")
    pairs = pair_units(a, b, clusters=clusters, dyads=dyads)
    if not pairs.units:
        return _unpaired(a, b, clusters, confidence, margin, alpha, direction)
    inference = paired_inference(pairs, method, resamples=resamples, seed=seed)
    if pairs.dyads is not None and test == "auto":
        # Flips of units that depend on one another are no test: the interval's own statistic is.
        tail = inference.tail(0.0)
        pvalue, how = 2 * min(tail, 1 - tail) if np.isfinite(tail) else np.nan, inference.method
    else:
        result = paired_test(pairs, test, resamples=resamples - 1, seed=seed)
        pvalue, how = result.pvalue, result.method
    lower, upper = inference.bounds(confidence)
    d = pairs.differences
    return Difference(
        estimate=inference.estimate,
        low=lower,
        high=upper,
        confidence=confidence,
        method=inference.method,
        pvalue=pvalue,
        test=how,
        paired=True,
        units=d.size,
        items=pairs.items,
        samples_a=pairs.samples_a,
        samples_b=pairs.samples_b,
        only_a=pairs.only_a,
        only_b=pairs.only_b,
        mean_a=float(pairs.a.mean()),
        mean_b=float(pairs.b.mean()),
        standard_error=_standard_error(pairs),
        flips=pairs.flips,
        sparse=inference.sparse,
        claims=_claims(inference, margin, alpha, direction, pairs),
        seed=seed,
    )


def paired_test(pairs: Pairs, test: TestMethod = "auto", *, resamples: int = 9_999, seed: int = 0) -> TestResult:
    """Test "no difference" on common units, two-sided.

    Args:
        pairs: From :func:`.pairs.pair_units`.
        test: ``mcnemar-mid-p`` or ``mcnemar-exact`` (one binary sample an item and side), ``sign-flip``, ``wilcoxon``
            or ``t``. ``auto``: McNemar's mid-p where it applies, else sign flips.
        resamples: Sign flips drawn where not all are tried.
        seed: What they are drawn with.

    Raises:
        ValueError: The test does not suit the data.
    """
    single = pairs.kind == "binary" and pairs.single and pairs.flips is not None
    if test == "auto":
        test = "mcnemar-mid-p" if single else "sign-flip"
    if test == "mcnemar-mid-p" or test == "mcnemar-exact":
        if not single or pairs.flips is None:
            raise ValueError(f"test {test!r} needs one binary sample an item and side; take 'sign-flip'")
        kind = "exact" if test == "mcnemar-exact" else "mid-p"
        return mcnemar(round(pairs.flips.gained), round(pairs.flips.lost), method=kind)
    d = pairs.differences
    if test == "sign-flip":
        return sign_flip(d, resamples=resamples, seed=seed)
    if test == "wilcoxon":
        return wilcoxon(d)
    if test == "t":
        return paired_t(d)
    raise ValueError(f"test must be auto, mcnemar-mid-p, mcnemar-exact, sign-flip, wilcoxon or t, not {test!r}")


def _standard_error(pairs: Pairs) -> float:
    d = pairs.differences
    if pairs.dyads is not None:
        return float(np.sqrt(dyadic_mean(d, dyadic_design(pairs.dyads)).variance))
    return float(d.std(ddof=1) / np.sqrt(d.size)) if d.size > 1 else np.nan


def _claims(
    inference: Inference, margin: float | None, alpha: float, direction: Direction, pairs: Pairs | None
) -> Mapping[Claim, MarginTest]:
    if margin is None:
        return MappingProxyType({})
    return MappingProxyType(margin_tests(inference, margin, alpha=alpha, direction=direction, pairs=pairs))


def _unpaired(
    a: Samples,
    b: Samples,
    clusters: Mapping[Hashable, Hashable] | None,
    confidence: float,
    margin: float | None,
    alpha: float,
    direction: Direction,
) -> Difference:
    inference = unpaired_inference(a, b, clusters=clusters)
    low, high = inference.bounds(confidence)
    tail = inference.tail(0.0)
    sides = [unit_means(side, clusters) for side in (a, b)]
    means = [float(m.mean()) if m.size else np.nan for m in sides]
    errors = [float(m.var(ddof=1) / m.size) if m.size > 1 else np.nan for m in sides]
    return Difference(
        estimate=inference.estimate,
        low=low,
        high=high,
        confidence=confidence,
        method=inference.method,
        pvalue=2 * min(tail, 1 - tail) if np.isfinite(tail) else np.nan,
        test=inference.method,
        paired=False,
        units=min(m.size for m in sides),
        items=0,
        samples_a=a.values.size,
        samples_b=b.values.size,
        only_a=0,
        only_b=0,
        mean_a=means[0],
        mean_b=means[1],
        standard_error=float(np.sqrt(sum(errors))),
        flips=None,
        sparse=inference.sparse,
        claims=_claims(inference, margin, alpha, direction, None),
    )
