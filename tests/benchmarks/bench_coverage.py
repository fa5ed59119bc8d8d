"""Coverage of the default 95 % intervals, simulated: ``python tests/benchmarks/bench_coverage.py``.

Prints, case by case, how often the default covers the true mean of new items, beside Student's t and what pooling all
samples as if they were independent gives. Goals (marked where they are missed): .935 with 30 or more items and 5 or
more expected unit-level events, .88 in ``sparse`` cells.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy.special import stdtrit

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounds import korn_graubard_bounds, wilson_bounds

CHUNK = 2000


def binary_cases():
    """Items, samples, Beta parameters of the items' rates (None: all alike), mean rate."""
    yield 30, 4, (0.1, 1.9), 0.05
    yield 64, 16, (0.01, 0.99), 0.01
    for items in (30, 60, 120, 300):
        for rate in (0.02, 0.05, 0.2, 0.5, 0.95):
            for samples in (1, 4, 16):
                for size in (0.5, 2.0, None):
                    shape = None if size is None else (rate * size, (1 - rate) * size)
                    if samples == 1 and size != 2.0:
                        continue  # with one sample an item only the mean rate matters
                    yield items, samples, shape, rate


def covered(low, high, truth):
    """Share of simulations whose interval holds the truth."""
    return float(np.mean((low <= truth + 1e-12) & (truth <= high + 1e-12)))


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=20_000)
    runs = parser.parse_args().simulations
    say(f"{runs:,} simulations a case; standard error at .95: {np.sqrt(0.95 * 0.05 / runs):.4f}")
    say(f"{'items':>5} {'samples':>7} {'rate':>5} {'item rates':<18} {'events':>6}  default      t pooled")
    worst = {"goal": (1.0, ""), "sparse": (1.0, "")}
    for items, samples, shape, rate in binary_cases():
        found = np.zeros(3)
        for start in range(0, runs, CHUNK):
            n = min(CHUNK, runs - start)
            rng = generator("coverage", items, samples, str(shape), str(rate), start)
            rates = np.full((n, items), rate) if shape is None else rng.beta(*shape, (n, items))
            hits = rng.binomial(samples, rates)
            means = hits / samples
            one = samples == 1
            default = wilson_bounds(hits.sum(axis=1), items) if one else korn_graubard_bounds(hits, samples)
            half = stdtrit(items - 1, 0.975) * means.std(axis=1, ddof=1) / np.sqrt(items)
            centre = means.mean(axis=1)
            pooled = wilson_bounds(hits.sum(axis=1), items * samples)
            for k, (low, high) in enumerate((default, (centre - half, centre + half), pooled)):
                found[k] += covered(low, high, rate) * n
        found /= runs
        events = items * min(rate, 1 - rate)
        kind = "goal" if items >= 30 and events >= 5 else "sparse"
        label = "all alike" if shape is None else f"Beta({shape[0]:.3g}, {shape[1]:.3g})"
        missed = found[0] < {"goal": 0.935, "sparse": 0.88}[kind]
        line = f"{items:>5} {samples:>7} {rate:>5.2f} {label:<18} {events:>6.1f}  "
        line += f"{found[0]:>7.4f} {found[1]:>6.3f} {found[2]:>6.3f}"
        say(line + ("  sparse" if kind == "sparse" else "") + ("  MISSED" if missed else ""))
        if found[0] < worst[kind][0]:
            worst[kind] = (float(found[0]), f"{items} x {samples}, rate {rate:g}, {label}")
    say(f"least with enough units and events: {worst['goal'][0]:.4f} ({worst['goal'][1]}); goal .935")
    say(f"least in sparse cells:              {worst['sparse'][0]:.4f} ({worst['sparse'][1]}); goal .88")


if __name__ == "__main__":
    main()
