"""The clustered bootstrap against resampling in plain Python.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_bootstrap.py`` (under half a minute).

1,319 items is the size of GSM8K's test set. lm-evaluation-harness resamples the median (and other metrics without a
closed form) 100,000 times in plain Python; the loop here does the same work for fewer resamples, and its time for
100,000 is extrapolated, since it is proportional to them. Seconds are of the processor, which a busy machine stretches
less than those of the wall. Machines differ: compare ratios.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bootstrap import bootstrap

ITEMS, RESAMPLES, THEIRS = 1_319, 10_000, 100_000
LOOPED = 2_000
ROUNDS = 5


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median of several rounds, after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def loop(values: list[float], statistic: Callable[[list[float]], float], resamples: int) -> float:
    """Standard error of a statistic by resampling in plain Python."""
    rng = generator("bench", "loop")
    found = []
    for _ in range(resamples):
        found.append(statistic([values[i] for i in rng.integers(0, len(values), len(values)).tolist()]))
    return statistics.stdev(found)


def median_of_weights(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The median as a function of weights: the first sorted value at which half of the weight is reached."""
    order = np.argsort(values)

    def medians(weights: np.ndarray) -> np.ndarray:
        reached = np.cumsum(weights[:, order], axis=1) >= weights.sum(axis=1, keepdims=True) / 2
        return values[order][reached.argmax(axis=1)]

    return medians


def main() -> None:
    """Print the table."""
    x = generator("bench", "bootstrap").random(ITEMS)
    values, units = np.repeat(x, 4), np.repeat(np.arange(ITEMS), 4)
    print(f"{ITEMS:,} items; processor seconds, median of {ROUNDS} rounds")
    rows = {
        "mean, BCa, one sample an item": lambda: bootstrap(x, resamples=RESAMPLES),
        "mean, BCa, four samples an item": lambda: bootstrap(values, units, resamples=RESAMPLES),
        "mean, percentile": lambda: bootstrap(x, resamples=RESAMPLES, method="percentile"),
        "median, BCa (jackknife of 1,319)": lambda: bootstrap(x, statistic=median_of_weights(x), resamples=RESAMPLES),
    }
    ours = {name: seconds(work) for name, work in rows.items()}
    for name, taken in ours.items():
        print(f"  ours, {RESAMPLES:>7,} resamples, {name:34} {taken:8.3f}")
    listed = x.tolist()
    for name, statistic, key in (
        ("mean", statistics.fmean, "mean, BCa, one sample an item"),
        ("median", statistics.median, "median, BCa (jackknife of 1,319)"),
    ):
        taken = seconds(lambda s=statistic: loop(listed, s, LOOPED), rounds=1) / LOOPED
        print(
            f"  loop, {THEIRS:>7,} resamples, {name:34} {taken * THEIRS:8.1f}  (extrapolated from {LOOPED:,}); "
            f"{taken * RESAMPLES / ours[key]:.0f} times ours at equal resamples"
        )


if __name__ == "__main__":
    main()
