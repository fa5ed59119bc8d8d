"""Tests of "no difference" between two sides on common units: McNemar, sign-flip permutation, Wilcoxon, paired t."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..seeds import generator
from .intervals import finite

__all__ = ["Alternative", "TestResult", "mcnemar", "mcnemar_pvalues", "paired_t", "sign_flip", "sign_flips", "wilcoxon"]

Alternative = Literal["two-sided", "greater", "less"]

EXACT_UNITS = 16
"""Units that differ up to which all sign flips are tried: 65,536 of them."""

_CHUNK = 4_000_000
"""Signs that are held at once: 32 MB."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """A test of "no difference".

    Attributes:
        statistic: What the test counts or averages; positive where the second side is better, but for ``wilcoxon``,
            whose statistic is scipy's.
        pvalue: In [0, 1]; NaN where the data cannot tell.
        method: ``mcnemar-mid-p``, ``mcnemar-exact``, ``sign-flip-exact``, ``sign-flip-monte-carlo``, ``wilcoxon`` or
            ``t``.
        units: Units that bear on the result: those that differ, for all but ``t``.
        alternative: ``two-sided``, ``greater`` (the second side is better) or ``less``.
        resamples: Sign flips tried, 0 where none were.
        seed: What they were drawn with, None where none were.
    """

    __test__ = False  # no test class, whatever pytest thinks of the name

    statistic: float
    pvalue: float
    method: str
    units: int
    alternative: Alternative
    resamples: int = 0
    seed: int | None = None


def mcnemar(
    gained: int, lost: int, *, method: Literal["mid-p", "exact"] = "mid-p", alternative: Alternative = "two-sided"
) -> TestResult:
    """Test binary pairs by their discordant ones.

    Args:
        gained: Pairs in which only the second side succeeds.
        lost: Pairs in which only the first side succeeds.
        method: ``exact`` never errs above alpha and is conservative; ``mid-p`` errs above alpha hardly ever and by
            little (in none of the 9,595 settings of Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodol. 13,
            91), and has more power.
        alternative: ``greater`` asks whether the second side is better.

    Raises:
        ValueError: A count is negative or not whole, or a choice is unknown.
    """
    p = mcnemar_pvalues(gained, lost, method=method, alternative=alternative)
    return TestResult(float(gained - lost), float(p), f"mcnemar-{method}", int(gained + lost), alternative)


def mcnemar_pvalues(
    gained: ArrayLike,
    lost: ArrayLike,
    *,
    method: Literal["mid-p", "exact"] = "mid-p",
    alternative: Alternative = "two-sided",
) -> NDArray[np.float64]:
    """P-values of :func:`mcnemar` on arrays of counts.

    Given the discordant pairs, the gained are binomial with 1/2 under the hypothesis. The two-sided value is twice the
    smaller tail, at most 1; mid-p counts half of the observed table's chance in a tail. Without a discordant pair it
    is 1.

    Source: McNemar (1947), Psychometrika 12, 153-157; exact and mid-p forms in Fagerland, Lydersen and Laake (2013),
    "The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than exact conditional", BMC
    Medical Research Methodology 13, 91.

    Args and errors as for :func:`mcnemar`; counts are broadcast.
    """
    from scipy.special import bdtr

    _known("method", method, ("mid-p", "exact"))
    _known("alternative", alternative, ("two-sided", "greater", "less"))
    x, y = np.broadcast_arrays(np.asarray(gained, dtype=np.float64), np.asarray(lost, dtype=np.float64))
    for name, values in (("gained", x), ("lost", y)):
        bad = values[~((values >= 0) & (values == np.floor(values)) & np.isfinite(values))]
        if bad.size:
            raise ValueError(f"{name} must be a count, not {bad.flat[0]:g}")
    n = (x + y).astype(np.int64)

    def tail(count: NDArray[np.float64]) -> NDArray[np.float64]:
        p = np.asarray(bdtr(count, n, 0.5), dtype=np.float64)
        # Half of the table's own chance off the tail is halfway to the next tail.
        return p if method == "exact" else (p + np.where(count > 0, bdtr(np.maximum(count - 1, 0), n, 0.5), 0.0)) / 2

    greater, less = tail(y), tail(x)  # "gained or more" is "lost or fewer"
    p = {"greater": greater, "less": less, "two-sided": np.minimum(2 * np.minimum(greater, less), 1.0)}[alternative]
    return np.where(n == 0, 1.0, p)


def sign_flip(
    differences: ArrayLike, *, alternative: Alternative = "two-sided", resamples: int = 9_999, seed: int = 0
) -> TestResult:
    """Test unit differences by flipping their signs.

    Under "no difference" the sides of a unit may be exchanged, which flips the sign of its difference; the mean is
    compared with its values under flips. Whole units are flipped, so samples within a unit may depend on each other.
    Valid where differences are symmetric about 0 under the hypothesis, as they are where the sides may be exchanged. As
    a test that the *mean* difference is 0 it is not, where differences are skewed: with 30 items of 64 samples, of
    which .05 break to 0 and the rest rise so that the mean stays, .21 of runs are found better (those in which no item
    happens to break, .95^30). :func:`.bounded_mean.cautious_pvalue` is made for that case.
    Studentising would change nothing: flips leave the sum of squares as it is, so t is a monotone function of the mean.

    With up to 16 units that differ all flips are tried ("exact"). Otherwise ``resamples`` are drawn and the p-value is
    ``(1 + as extreme) / (1 + resamples)``, which is valid and never 0.

    Source: Fisher (1935), The Design of Experiments, section 21; Phipson and Smyth (2010), "Permutation p-values should
    never be zero", Stat. Appl. Genet. Mol. Biol. 9, 39.

    Args:
        differences: Second side less first by unit, shape (units,), finite.
        alternative: ``greater`` asks whether the second side is better.
        resamples: Flips to draw where not all are tried, from 1.
        seed: What they are drawn with.

    Raises:
        ValueError: A difference is not finite, or a choice is unknown.
    """
    d = finite(differences, "differences")
    p, exact = sign_flips(d, alternative=alternative, resamples=resamples, seed=seed)
    moved = int(np.count_nonzero(d))
    return TestResult(
        statistic=float(d.mean()) if d.size else np.nan,
        pvalue=float(p),
        method="sign-flip-exact" if bool(exact) else "sign-flip-monte-carlo",
        units=moved,
        alternative=alternative,
        resamples=2**moved if bool(exact) else resamples,
        seed=None if bool(exact) else seed,
    )


def sign_flips(
    differences: ArrayLike, *, alternative: Alternative = "two-sided", resamples: int = 9_999, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """P-values of :func:`sign_flip` for many cases at once.

    Args:
        differences: Shape (..., units). Cases that are not exact share their drawn flips.
        alternative: As for :func:`sign_flip`.
        resamples: As for :func:`sign_flip`.
        seed: As for :func:`sign_flip`.

    Returns:
        P-values and whether each is exact, arrays with the last axis gone.
    """
    _known("alternative", alternative, ("two-sided", "greater", "less"))
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim == 0 or not np.isfinite(d).all():
        raise ValueError("differences must be finite numbers along a last axis of units: leave out what is missing")
    cases = d.reshape(-1, d.shape[-1])
    if alternative == "less":
        cases = -cases
    two_sided = alternative == "two-sided"
    observed = np.abs(cases.sum(axis=1)) if two_sided else cases.sum(axis=1)
    # Sums that are equal but for rounding count as equally extreme.
    threshold = observed - 1e-9 * np.abs(cases).sum(axis=1)
    exact = np.count_nonzero(cases, axis=1) <= EXACT_UNITS
    p = np.empty(len(cases))
    for i in np.flatnonzero(exact):
        sums = _all_sums(cases[i][cases[i] != 0])
        p[i] = np.mean((np.abs(sums) if two_sided else sums) >= threshold[i])
    rest = np.flatnonzero(~exact)
    if rest.size:
        extreme = np.zeros(rest.size)
        for sums in _drawn_sums(cases[rest], resamples, seed):
            extreme += ((np.abs(sums) if two_sided else sums) >= threshold[rest]).sum(axis=0)
        p[rest] = (1 + extreme) / (1 + resamples)
    return p.reshape(d.shape[:-1]), exact.reshape(d.shape[:-1])


def wilcoxon(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> TestResult:
    """Test unit differences by their signed ranks (scipy's ``wilcoxon``; units that do not differ are left out).

    It asks about the centre of symmetry, not about the mean: quote it beside a mean only as a check.

    Source: Wilcoxon (1945), Biometrics Bulletin 1, 80-83.

    Args and errors as for :func:`sign_flip`.
    """
    _known("alternative", alternative, ("two-sided", "greater", "less"))
    d = finite(differences, "differences")
    d = d[d != 0]
    if d.size == 0:
        return TestResult(0.0, 1.0, "wilcoxon", 0, alternative)
    from scipy import stats

    r = stats.wilcoxon(d, alternative=alternative)
    return TestResult(float(r.statistic), float(r.pvalue), "wilcoxon", d.size, alternative)


def paired_t(differences: ArrayLike, *, alternative: Alternative = "two-sided") -> TestResult:
    """Test the mean of unit differences by Student's t.

    Source: Student (1908), Biometrika 6, 1-25. The p-value is NaN with under 2 units or where all differ by the same
    amount, and 1 (0.5 one-sided) where none differs at all.

    Args and errors as for :func:`sign_flip`.
    """
    from scipy.special import stdtr

    _known("alternative", alternative, ("two-sided", "greater", "less"))
    d = finite(differences, "differences")
    k = d.size
    if k >= 2 and not d.any():
        return TestResult(0.0, 1.0 if alternative == "two-sided" else 0.5, "t", k, alternative)
    if k < 2 or np.ptp(d) <= 1e-12 * max(1.0, float(np.abs(d).max())):
        return TestResult(np.nan, np.nan, "t", k, alternative)
    t = float(d.mean() / (d.std(ddof=1) / np.sqrt(k)))
    p = {"greater": stdtr(k - 1, -t), "less": stdtr(k - 1, t), "two-sided": 2 * stdtr(k - 1, -abs(t))}[alternative]
    return TestResult(t, float(p), "t", k, alternative)


def _all_sums(d: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of ``d`` under all its sign flips."""
    sums = np.zeros(1)
    for x in d:
        sums = np.concatenate([sums + x, sums - x])
    return sums


def _drawn_sums(cases: NDArray[np.float64], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Chunks of sums of each case under drawn sign flips, shape (flips in the chunk, cases)."""
    rng = generator("stats", "sign-flip", seed)
    if len(cases) == 1:
        sizes, counts = np.unique(np.abs(cases[0]), return_counts=True)
        if sizes.size <= cases.shape[1] / 8:
            # Of differences of one size it only matters how many keep their sign: one binomial a size.
            kept = rng.binomial(counts, 0.5, size=(resamples, sizes.size))
            yield np.asarray((2.0 * kept - counts) @ sizes, dtype=np.float64)[:, None]
            return
    columns = cases.T
    step = max(1, _CHUNK // max(cases.shape))
    for start in range(0, resamples, step):
        heads = rng.integers(0, 2, size=(min(step, resamples - start), cases.shape[1]), dtype=np.int8)
        yield (heads * 2.0 - 1.0) @ columns


def _known(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
