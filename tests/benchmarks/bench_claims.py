"""How often a false claim "at least" or "at most" is granted: the figures that the choice of bounds rests on.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_claims.py`` (about 6 minutes on one core; ``--cases 500`` for a
quick look).

The true mean is the claimed level itself, so that a claim at confidence .95 may be granted in .05 of runs. The column
``claim`` is what ``finchmark.suite.claims`` does with binary samples, ``graded`` what it does with graded ones (the
same item means taken as scores); ``wilson`` and ``t`` are what two-sided intervals of tables would do. Everything is
seeded.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import itertools
import math

import numpy as np
from scipy.special import stdtrit

from finchmark.suite.seeds import generator
from finchmark.suite.stats.bounded_mean import cautious_bound
from finchmark.suite.stats.bounds import clopper_pearson_bounds, korn_graubard_bounds, wilson_bounds

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98)
UNITS = (30, 100, 300)
SAMPLES = (1, 4)
ITEMS = {"alike": math.inf, "beta": 0.5, "all-or-nothing": 0.0}


def rates(kind: str, level: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Success rates of items whose mean is ``level``."""
    spread = ITEMS[kind]
    if math.isinf(spread):
        return np.full(shape, level)
    if spread == 0:
        return (rng.random(shape) < level).astype(float)
    return rng.beta(level * spread, (1 - level) * spread, shape)


def granted(level: float, units: int, samples: int, kind: str, cases: int) -> dict[str, float]:
    """Share of cases in which a claim of exactly ``level`` at least is granted, by kind of bound."""
    rng = generator("bench claims", str(level), units, samples, kind)
    hits = rng.binomial(samples, rates(kind, level, (cases, units), rng)).astype(float)
    means = hits / samples
    error = means.std(axis=1, ddof=1) / math.sqrt(units)
    lows = {"t": means.mean(axis=1) - stdtrit(units - 1, 0.95) * error}
    if samples == 1:
        lows["wilson"] = wilson_bounds(hits.sum(axis=1), units, 0.9)[0]
        lows["claim"] = clopper_pearson_bounds(hits.sum(axis=1), units, 0.9)[0]
    else:
        each = [korn_graubard_bounds(row, np.full(units, float(samples)), 0.9)[0] for row in hits]
        lows["claim"] = np.array(each, dtype=float)
    with np.errstate(all="ignore"):
        lows["graded"] = cautious_bound(means, 0.0, 0.05)
    return {name: float((low >= level - 1e-9).mean()) for name, low in lows.items()}


def main() -> None:
    """Print the table and its worst cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    cases = parser.parse_args().cases
    worst: dict[str, tuple[float, str]] = {}
    print(f"{'level':>6} {'units':>5} {'samples':>7} {'items':<15} {'claim':>6} {'graded':>6} {'wilson':>6} {'t':>6}")
    # "At most" p is "at least" 1 - p with the outcomes turned round.
    for level, units, samples, kind in itertools.product(
        (*(round(1 - x, 2) for x in reversed(LEVELS[1:])), *LEVELS), UNITS, SAMPLES, ITEMS
    ):
        if samples == 1 and kind != "alike":
            continue  # with one sample an item all kinds are the same
        found = granted(level, units, samples, kind, cases)
        cells = " ".join(f"{found[n]:6.3f}" if n in found else "     –" for n in ("claim", "graded", "wilson", "t"))
        print(f"{level:6.2f} {units:5d} {samples:7d} {kind:<15} {cells}", flush=True)
        for name, share in found.items():
            worst[name] = max(worst.get(name, (0.0, "")), (share, f"{level:g}, {units} units x {samples}, {kind}"))
    for name, (share, case) in worst.items():
        print(f"worst {name}: {share:.3f} ({case})")


if __name__ == "__main__":
    main()
