"""Coverage of intervals of means over dyads: ``python tests/benchmarks/bench_dyadic.py [--repeats N]``.

Each case draws items that join two of some units, none of them in more than six items. ``alike`` is the correlation of
two items that share a unit: at .5 all that makes items differ is their units'. ``plain`` takes items for independent;
``width`` is that of the dyadic interval over that of the ideal one.
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from finchmark.suite.seeds import generator
from finchmark.suite.stats.dyadic import dyadic_design, dyadic_interval, dyadic_mean
from finchmark.suite.stats.intervals import wilson
from finchmark.suite.stats.paired import difference

SIZES = ((60, 60), (60, 30), (30, 30), (12, 18))
ALIKE = (0.0, 0.1, 0.25, 0.5)
MOST = 6


def drawn(rng: np.random.Generator, items: int, units: int) -> list[tuple[int, int]]:
    """Distinct pairs of units, none of them in more than six."""
    found: list[tuple[int, int]] = []
    uses = np.zeros(units, dtype=int)
    every = list(combinations(range(units), 2))
    for k in rng.permutation(len(every)):
        a, b = every[k]
        if max(uses[a], uses[b]) < MOST and len(found) < items:
            found.append((a, b))
            uses[[a, b]] += 1
    return found


def scores(
    rng: np.random.Generator, dyads: list[tuple[int, int]], units: int, alike: float, repeats: int, law: str
) -> NDArray[np.float64]:
    """Items of mean 0 and variance 1, shape (repeats, items)."""

    def draw(shape: tuple[int, int]) -> NDArray[np.float64]:
        return rng.standard_normal(shape) if law == "normal" else rng.exponential(size=shape) - 1

    own = draw((repeats, units)) * np.sqrt(alike)
    one, two = np.array(dyads).T
    return own[:, one] + own[:, two] + draw((repeats, len(dyads))) * np.sqrt(max(0.0, 1 - 2 * alike))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20_000)
    repeats = parser.parse_args().repeats
    say = sys.stdout.write
    say("means: items units law         alike  dyadic  plain  width\n")
    for items, units in SIZES:
        rng = generator("bench dyadic", items, units)
        dyads = drawn(rng, items, units)
        design = dyadic_design(dyads)
        for law in ("normal", "exponential"):
            for alike in ALIKE:
                x = scores(rng, dyads, units, alike, repeats, law)
                found = dyadic_mean(x, design)
                half = stdtrit(found.df, 0.975) * np.sqrt(found.variance)
                plain = stdtrit(items - 1, 0.975) * x.std(axis=1, ddof=1) / np.sqrt(items)
                covered = [float((np.abs(found.estimate) <= h).mean()) for h in (half, plain)]
                width = float(np.median(half) / (ndtri(0.975) * found.estimate.std()))
                say(
                    f"       {items:5} {units:5} {law:11} {alike:5.2f}  "
                    f"{covered[0]:.3f}  {covered[1]:.3f}  {width:.2f}\n"
                )
    fewer = max(200, repeats // 20)
    say("shares and equal sides: items units share alike  dyadic  wilson  called different: dyadic  flips\n")
    for items, units in SIZES[:3]:
        rng = generator("bench dyadic shares", items, units)
        dyads = drawn(rng, items, units)
        owned, names = dict(enumerate(dyads)), np.arange(items)
        for share in (0.1, 0.3, 0.5):
            for alike in (0.0, 0.2, 0.45):
                hits = [
                    (scores(rng, dyads, units, alike, fewer, "normal") < ndtri(share)).astype(float) for _ in range(2)
                ]
                made = np.zeros(4)
                for one, two in zip(*hits, strict=True):
                    mine, plain = dyadic_interval(one, names, owned, kind="binary"), wilson(int(one.sum()), items)
                    made += [
                        mine.low <= share <= mine.high,
                        plain.low <= share <= plain.high,
                        difference(one, names, two, names, dyads=owned).pvalue <= 0.05,
                        difference(one, names, two, names).pvalue <= 0.05,
                    ]
                a, b, c, d = made / fewer
                say(
                    f"                  {items:12} {units:5} {share:5.1f} {alike:5.2f}  "
                    f"{a:.3f}  {b:.3f} {c:26.3f} {d:6.3f}\n"
                )


if __name__ == "__main__":
    main()
