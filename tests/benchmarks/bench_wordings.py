"""Coverage of what wordings add, and of flips (``suite/stats/skewness.py``): python tests/benchmarks/bench_wordings.py.

Each case prints the share of runs that cover, by whether the cell is marked sparse; ``[runs] [cores]`` may follow.
"""

# ruff: noqa: T201  # a bench prints its figures

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np

from finchmark.suite.seeds import generator
from finchmark.suite.stats.intervals import t_interval
from finchmark.suite.stats.wordings import flips_of_samples

CASES = tuple(
    (items, *rates, shift, wordings, samples)
    for items, (*rates, shift), (wordings, samples) in product(
        (16, 32, 64, 256),
        ((0.5, 4.5, 0.0), (0.2, 3.8, 0.0), (2, 2, 0.0), (0.5, 4.5, 0.3), (0.5, 4.5, 1.0), (0.2, 3.8, 1.0), (2, 2, 1.0)),
        ((2, 8), (4, 4), (4, 16), (2, 2)),
    )
)
"""Items; Beta of their rates; by how much a wording shifts the logit (standard deviation); wordings, samples of one."""


def rates(rng, items, a, b, shift, wordings):
    """Rates, shape (items, wordings)."""
    base = np.clip(rng.beta(a, b, (items, 1)), 1e-12, 1 - 1e-12)
    moved = np.log(base / (1 - base)) + shift * rng.standard_normal((items, wordings))
    return 1 / (1 + np.exp(-moved))


def measure(case, runs):
    """Coverage of the three, and of Student's t for what wordings add."""
    items, a, b, shift, wordings, samples = case
    many = rates(generator("bench", "wordings", "truth"), 400_000, a, b, shift, wordings)
    i, j = np.triu_indices(wordings, 1)
    excess = float(((many[:, i] - many[:, j]) ** 2).mean())
    within = float((2 * many * (1 - many)).mean())
    truth = {"excess": excess, "within": within, "between": excess + within}
    seen = {name: {True: [0, 0], False: [0, 0]} for name in truth}
    plain = 0
    for run in range(runs):
        rng = generator("bench", "wordings", *map(str, case), run)
        c = rng.binomial(samples, rates(rng, items, a, b, shift, wordings)).astype(float)
        found = flips_of_samples(np.full(c.shape, float(samples)), c)
        for name, counts in seen.items():
            one = getattr(found, name)
            counts[one.sparse][0] += 1
            counts[one.sparse][1] += one.low - 1e-12 <= truth[name] <= one.high + 1e-12
        q = c / samples
        each = (q[:, i] * (1 - q[:, j]) + q[:, j] * (1 - q[:, i])).mean(axis=1)
        t = t_interval(each - (2 * c * (samples - c) / (samples * (samples - 1))).mean(axis=1), low=-1, high=1)
        plain += t.low <= excess <= t.high
    return case, truth, seen, plain / runs


def main(runs: int = 20_000, cores: int = 1) -> None:
    """Print a line a case."""
    with ProcessPoolExecutor(cores) as pool:
        for case, truth, seen, plain in pool.map(partial(measure, runs=runs), CASES):
            told = "; ".join(
                f"{name} {truth[name]:.4f} "
                + ", ".join(
                    f"{'sparse' if sparse else 'enough'} {hit / of:.3f} of {of}"
                    for sparse, (of, hit) in counts.items()
                    if of
                )
                for name, counts in seen.items()
            )
            print(f"{case}: {told}; t of excess {plain:.3f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
