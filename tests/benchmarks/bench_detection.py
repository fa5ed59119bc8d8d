"""Coverage of the interval of d' (``suite/stats/detection.py``): python tests/benchmarks/bench_detection.py."""

# ruff: noqa: T201  # a bench prints its figures

from statistics import NormalDist

import numpy as np

from finchmark.suite.seeds import generator
from finchmark.suite.stats.detection import detection

CASES = (
    (0.7, 0.3, 24),
    (0.7, 0.3, 48),
    (0.7, 0.3, 96),
    (0.9, 0.1, 24),
    (0.9, 0.1, 96),
    (0.95, 0.02, 96),
    (0.98, 0.02, 24),
    (0.98, 0.02, 96),
    (0.9, 0.02, 12),
    (0.6, 0.5, 96),
)


def main(runs: int = 400, resamples: int = 500) -> None:
    z = NormalDist().inv_cdf
    for hits, false, n in CASES:
        rng = generator("bench", "detection", n, int(hits * 100))
        truth, covered, sparse, found = z(hits) - z(false), 0, 0, []
        for k in range(runs):
            flagged = (rng.random((2, n)) < np.array([[hits], [false]])).astype(float).reshape(-1)
            one = detection(flagged, np.repeat([True, False], n), np.tile(np.arange(n), 2), resamples=resamples, seed=k)
            covered += one.d_prime.low <= truth <= one.d_prime.high
            sparse += one.sparse
            found.append(one.d_prime.estimate)
        print(
            f"H {hits:.2f} F {false:.2f} n {n:>3}: true d' {truth:.3f}, mean {np.mean(found):.3f}, "
            f"coverage {covered / runs:.3f}, sparse {sparse / runs:.2f}"
        )


if __name__ == "__main__":
    main()
