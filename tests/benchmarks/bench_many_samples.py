"""Coverage and error of the statistics of many samples, many models and many rounds, by simulation.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_many_samples.py [RUNS]

500 runs a case take about ten minutes on one core; a share of .05 then has a standard error of .01.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from finchmark.suite.seeds import generator
from finchmark.suite.stats.change import change_point, mean_change, trend
from finchmark.suite.stats.curves import score_curve
from finchmark.suite.stats.extrapolation import extrapolate
from finchmark.suite.stats.ranks import rank_models
from finchmark.suite.stats.tails import tail_mean

Array = NDArray[np.float64]
Rates = Callable[[np.random.Generator, int], NDArray[Any]]

RATES: dict[str, Rates] = {
    "Beta(.3, 3)": lambda rng, n: rng.beta(0.3, 3, n),
    "logit N(-3, 1.5)": lambda rng, n: expit(rng.normal(-3, 1.5, n)),
    "all .05": lambda _, n: np.full(n, 0.05),
    "half 0, half .1": lambda rng, n: 0.1 * rng.integers(0, 2, n),
}


def show(*cells: object) -> None:
    """Print one line of a table."""
    print("  ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells), flush=True)  # noqa: T201  # a bench prints


def drift_free(rng: np.random.Generator, streams: int, rounds: int = 20, phi: float = 0.8) -> Array:
    """Streams of a state that only wanders around its mean."""
    x = np.empty((streams, rounds))
    x[:, 0] = rng.normal(0, 1 / np.sqrt(1 - phi**2), streams)
    for t in range(1, rounds):
        x[:, t] = phi * x[:, t - 1] + rng.normal(size=streams)
    return x


def extrapolations(runs: int) -> None:
    """64 items x 16 samples, at least one event of 64."""
    show("extrapolation to k = 64: rates, truth, covered by both families, by beta, by logit-normal, mean width")
    for name, rates in RATES.items():
        rng = generator("bench extrapolation", name)
        truth = float((1 - (1 - rates(rng, 400_000)) ** 64).mean())
        found = [extrapolate(16, rng.binomial(16, rates(rng, 64)), 64) for _ in range(runs // 2)]
        alone = [float(np.mean([r.families[i].low <= truth <= r.families[i].high for r in found])) for i in (0, 1)]
        covered = float(np.mean([r.low <= truth <= r.high for r in found]))
        show(f"{name:18}", truth, covered, *alone, float(np.mean([r.high - r.low for r in found])))


def tails(runs: int) -> None:
    """Items x 16 samples, the worst tenth."""
    show("tail mean: rates, items, mean of split samples, plug-in, null, covered")
    for name, rates in RATES.items():
        for items in (100, 300):
            rng = generator("bench tails", name, items)
            found = []
            for i in range(runs // 2):
                x = (rng.random((items, 16)) < rates(rng, items)[:, None]).astype(float)
                found.append(tail_mean(x, splits=20, resamples=200, seed=i))
            aim = float(np.mean([r.estimate for r in found]))
            means = [float(np.mean([getattr(r, field) for r in found])) for field in ("plug_in", "null")]
            show(f"{name:18}", items, aim, *means, float(np.mean([r.low <= aim <= r.high for r in found])))


def ranks(runs: int) -> None:
    """Ten models that are equal: some pair is called different."""
    show("ten equal models, binary: items, rate, any pair different")
    for items in (30, 100):
        for rate in (0.5, 0.8, 0.95):
            rng = generator("bench ranks", items, str(rate))
            drawn = ((rng.random((10, items)) < rate).astype(float) for _ in range(2 * runs))
            wrong = [rank_models(x, draws=1000, seed=i).pairs.different.any() for i, x in enumerate(drawn)]
            show(items, rate, float(np.mean(wrong)))


def bands(runs: int) -> None:
    """The whole curve within its band."""
    show("curves, AR(.8): streams, rounds, points covered, whole curve covered")
    for streams, rounds in ((8, 10), (12, 20), (30, 20)):
        rng = generator("bench bands", streams, rounds)
        found = [score_curve(0.5 + 0.02 * drift_free(rng, streams, rounds), draws=1000, seed=i) for i in range(runs)]
        points = float(np.mean([((r.low <= 0.5) & (r.high >= 0.5)).mean() for r in found]))
        show(
            streams, rounds, points, float(np.mean([((r.band_low <= 0.5) & (r.band_high >= 0.5)).all() for r in found]))
        )


def changes(runs: int) -> None:
    """No drift in either arm; the evolving one wanders."""
    show("alarms without a drift, permuted alone and as reported: streams, other arm, trend, mean change, change point")
    for streams in ((12, 12), (8, 8), (12, 8), (6, 6)):
        for other, spread in (("wanders alike", None), ("noise 1", 1.0), ("noise .2", 0.2)):
            rng = generator("bench changes", *streams, other)
            alarms = np.zeros(6)
            for i in range(runs):
                a = drift_free(rng, streams[0])
                b = drift_free(rng, streams[1]) if spread is None else rng.normal(0, spread, (streams[1], 20))
                tests = (
                    trend(a, b, permutations=500, seed=i),
                    mean_change(a, b, window=3, permutations=500, seed=i),
                    change_point(a, b, permutations=500, seed=i),
                )
                alarms += [p <= 0.05 for r in tests for p in (r.p_permuted, r.p_value)]
            show(streams, f"{other:14}", *(float(share) for share in alarms / runs))


def main() -> None:
    """Print every table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for part in (extrapolations, tails, ranks, bands, changes):
        part(runs)


if __name__ == "__main__":
    main()
