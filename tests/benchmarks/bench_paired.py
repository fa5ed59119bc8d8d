"""How well intervals of paired differences cover, and how wide they are.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_paired.py`` (a minute; ``--simulations 2000`` for a quick look).

1. One binary sample an item, by enumeration of all tables: Tango's interval with the normal and Student's quantile.
2. Several samples an item, by simulation: Tango at the effective number of pairs, t and BCa on unit differences.
3. Graded differences, likewise.
4. False passes of a gate at margin .05 on a broken ceiling.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bootstrap import bootstrap_bounds
from finchmark.suite.stats.paired_tests import sign_flips
from finchmark.suite.stats.tango import clustered_tango_bounds, tango_bounds

Bounds = tuple[np.ndarray, np.ndarray]


def t_bounds(d: np.ndarray, confidence: float = 0.95) -> Bounds:
    """Student's t on unit differences, shape (cases, units)."""
    k = d.shape[1]
    half = stats.t.ppf((1 + confidence) / 2, k - 1) * d.std(axis=1, ddof=1) / np.sqrt(k)
    return d.mean(axis=1) - half, d.mean(axis=1) + half


def covered(bounds: Bounds, true: float) -> tuple[float, float]:
    """Coverage and mean width."""
    low, high = bounds
    return float(((low <= true + 1e-12) & (true - 1e-12 <= high)).mean()), float((high - low).mean())


def beside(score: tuple[float, float], d: np.ndarray, true: float) -> str:
    """Coverage and width of the score interval, beside t and BCa (of the first 2,000 cases)."""
    student = covered(t_bounds(d), true)
    bca = covered(bootstrap_bounds(d[:2_000], resamples=1_000), true)
    return (
        f"{score[0]:.3f} ({score[1] / student[1]:.2f})     {student[0]:.3f}  {bca[0]:.3f} ({bca[1] / student[1]:.2f})"
    )


def enumerated() -> None:
    """Exact coverage over a grid of gains and losses with 5 or more expected discordant pairs."""
    gains = (0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
    print("1. One binary sample an item, exact coverage")
    print("   n    quantile  cases  least  mean   share under .935  mean width over tables")
    total = 0
    for n in (30, 40, 60, 100):
        x, y = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
        x, y = x[x + y <= n], y[x + y <= n]
        t_for_z = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, n - 1)) ** 2
        for name, (low, high) in {
            "normal": tango_bounds(x, y, n),
            # z / sqrt(variance / n) against t is z at n shrunk by the squared ratio of the quantiles.
            "Student": tango_bounds(x * t_for_z, y * t_for_z, n * t_for_z),
        }.items():
            found = []
            for gain, loss in itertools.combinations_with_replacement(gains, 2):
                if gain + loss <= 1 and (gain + loss) * n >= 5 - 1e-9:
                    chance = stats.multinomial.pmf(np.stack([x, y, n - x - y], -1), n, [gain, loss, 1 - gain - loss])
                    d = gain - loss
                    found.append(float(chance[(low <= d + 1e-12) & (d - 1e-12 <= high)].sum()))
            array = np.array(found)
            total += len(found) if name == "normal" else 0
            print(
                f"   {n:3}  {name:8}  {len(found):5}  {array.min():.3f}  {array.mean():.3f}  "
                f"{(array < 0.935).mean():.3f}             {(high - low).mean():.4f}"
            )
    print(f"   {total} cases in all")


def cases(shape: tuple[int, int]) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Success rates by item of both sides, and the true mean difference."""
    rng = generator("bench", "paired", *shape)
    one = np.ones(shape)
    spread, middle, rare = rng.beta(0.5, 0.5, shape), rng.beta(20, 20, shape), rng.beta(0.1, 1.9, shape)
    yield "spread rates, alike", spread, spread, 0.0
    yield "spread rates, .1 of the rest gained", spread, spread + 0.1 * (1 - spread), 0.05
    yield "rates about .5, alike", middle, middle, 0.0
    yield "rates near 0, .05 of the rest gained", rare, rare + 0.05 * (1 - rare), 0.05 * 0.95
    yield "unrelated rates near 0", rng.beta(0.1, 0.9, shape), rng.beta(0.1, 0.9, shape), 0.0
    yield "ceiling, .17 of items broken", one, 1.0 * (rng.random(shape) >= 0.17), -0.17
    yield "ceiling, .30 of items broken", one, 1.0 * (rng.random(shape) >= 0.30), -0.30
    yield "ceiling, .34 of items halved", one, np.where(rng.random(shape) < 0.34, 0.5, 1.0), -0.17
    yield "ceiling, every item lowered by .17", one, one - 0.17, -0.17
    yield "ceiling, .05 of items broken (sparse)", one, 1.0 * (rng.random(shape) >= 0.05), -0.05
    yield "ceiling, .10 of items halved (sparse)", one, np.where(rng.random(shape) < 0.1, 0.5, 1.0), -0.05


def repeated(simulations: int) -> None:
    """Coverage where items hold several samples."""
    print("2. Several binary samples an item: coverage (mean width over that of t)")
    print(f"   {'case':38} items samples events  effective Tango   t      BCa")
    for items in (30, 60):
        for samples in (1, 4, 16):
            for name, p, q, true in cases((simulations, items)):
                rng = generator("bench", "paired", name, items, samples)
                a, b = rng.binomial(samples, p) / samples, rng.binomial(samples, q) / samples
                events = items * float((p * (1 - q) + q * (1 - p)).mean())
                score = covered(clustered_tango_bounds((1 - a) * b, a * (1 - b)), true)
                print(f"   {name:38} {items:5} {samples:7} {events:6.1f}  {beside(score, b - a, true)}")


GRADED: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], np.ndarray], float]] = {
    "normal, SD .1": (lambda r, s: r.normal(0.02, 0.1, s), 0.02),
    "normal, SD .01": (lambda r, s: r.normal(0.02, 0.01, s), 0.02),
    "difference of two U-shaped scores": (lambda r, s: r.beta(0.5, 0.5, s) - r.beta(0.5, 0.5, s), 0.0),
    ".17 of units fall by a uniform score": (lambda r, s: -r.random(s) * (r.random(s) < 0.17), -0.085),
    ".30 of units fall by a uniform score": (lambda r, s: -r.random(s) * (r.random(s) < 0.30), -0.15),
    ".20 fall by much, the rest gain a little": (
        lambda r, s: np.where(r.random(s) < 0.2, -r.random(s), 0.05 * r.random(s)),
        -0.08,
    ),
    "exponential, mean .1, less its mean": (lambda r, s: np.minimum(r.exponential(0.1, s) - 0.1, 1), 0.0),
}


def graded(simulations: int) -> None:
    """Coverage of graded differences in [-1, 1]."""
    print("3. Graded differences: coverage (mean width over that of t)")
    print(f"   {'case':41} units  effective Tango   t      BCa")
    for name, (draw, true) in GRADED.items():
        for units in (30, 60, 120):
            d = np.clip(draw(generator("bench", "graded", name, units), (simulations, units)), -1, 1)
            score = covered(clustered_tango_bounds(np.maximum(d, 0), np.maximum(-d, 0)), true)
            print(f"   {name:41} {units:5}  {beside(score, d, true)}")


def ceilings(simulations: int) -> None:
    """Share of broken candidates that pass a gate at margin .05, one sample an item."""
    print("4. Baseline 1.0, .05 of items broken, margin .05: share that passes")
    print("   items   t     bootstrap  sign flip  Tango  Tango and exact")
    for items in (30, 54, 59, 120):
        d = -(generator("bench", "ceiling", items).random((simulations, items)) < 0.05).astype(float)
        lost = -d.sum(axis=1)
        score = clustered_tango_bounds(np.zeros_like(d), -d, 0.90)[0] > -0.05
        exact = stats.binom.cdf(lost, items, 0.05) <= 0.05
        known = (
            t_bounds(d, 0.90)[0] > -0.05,
            bootstrap_bounds(d[:4_000], confidence=0.90, resamples=1_000)[0] > -0.05,
            sign_flips(d[:4_000] + 0.05, alternative="greater", resamples=999)[0] <= 0.05,
        )
        shares = "  ".join(f"{float(passed.mean()):.3f}    " for passed in (*known, score, score & exact))
        print(f"   {items:5}   {shares}")


def main() -> None:
    """Print all four tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=20_000)
    simulations = parser.parse_args().simulations
    enumerated()
    repeated(simulations)
    graded(simulations)
    ceilings(simulations)


if __name__ == "__main__":
    main()
