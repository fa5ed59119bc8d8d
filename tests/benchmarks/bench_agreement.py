"""Coverage of the intervals of agreement (``suite/stats/agreement.py``): python tests/benchmarks/bench_agreement.py.

Each case prints what share of cases covers kappa, and the share of replies agreed on; ``[runs] [cores]`` may follow.
"""

# ruff: noqa: T201  # a bench prints its figures

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from finchmark.suite.seeds import generator
from finchmark.suite.stats.agreement import agreement, kappa

CLASSES = ("unsafe", "safe")
CASES = tuple(
    (units, replies, right, spread, *rates)
    for units, replies in ((40, 4), (100, 4), (40, 1))
    for right, spread in ((0.6, 8.0), (0.85, 8.0), (0.95, 8.0), (0.95, 1.0), (0.98, 8.0))
    for rates in ((1.0, 2.0), (0.5, 4.5))
)
"""Units, replies in each; how often a reply is judged rightly, and how alike units are in that; Beta of unsafe ones."""


def draw(rng, units, replies, right, spread, a, b):
    """Rules and judge, shape (units, replies): 0 is unsafe."""
    unsafe = rng.random((units, replies)) < rng.beta(a, b, (units, 1))
    same = rng.random((units, replies)) < rng.beta(spread * right, spread * (1 - right), (units, 1))
    return np.where(unsafe, 0, 1), np.where(unsafe == same, 0, 1)


def measure(case, runs):
    """Coverage of kappa where it is marked sparse and where not, and of the share."""
    units, replies = case[:2]
    rules, judge = draw(generator("bench", "agreement", "truth"), 400_000, *case[1:])
    true = float(kappa(np.bincount((rules * 2 + judge).ravel(), minlength=4).reshape(2, 2)))
    share = float((rules == judge).mean())
    owners = np.arange(units).repeat(replies).tolist()
    seen = {True: [0, 0], False: [0, 0]}
    agreed = 0
    for run in range(runs):
        rules, judge = draw(generator("bench", "agreement", *map(str, case), run), *case)
        said = [[CLASSES[code] for code in reader.ravel()] for reader in (rules, judge)]
        found = agreement(*said, owners, classes=CLASSES, resamples=400, seed=run)
        count = seen[found.sparse]
        count[0] += 1
        count[1] += not found.kappa.low > true and not found.kappa.high < true
        agreed += found.agreed.low <= share <= found.agreed.high
    return case, true, seen, agreed / runs


def main(runs: int = 20_000, cores: int = 1) -> None:
    """Print a line a case."""
    with ProcessPoolExecutor(cores) as pool:
        for case, true, seen, agreed in pool.map(partial(measure, runs=runs), CASES):
            told = ", ".join(
                f"{'sparse' if sparse else 'enough'} {hit / of:.3f} of {of}" for sparse, (of, hit) in seen.items() if of
            )
            print(f"{case}: kappa {true:.3f}: {told}; share {agreed:.3f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
