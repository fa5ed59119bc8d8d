"""False discoveries among the exploratory questions of a run: python tests/benchmarks/bench_exploratory.py.

Arms share streams and a null arm; capability and safety of a stream may move against each other. Each case prints the
expected share of false discoveries (q of .05 or less) by Benjamini and Hochberg, and by p alone; ``[runs] [cores]``.
"""

# ruff: noqa: T201  # a bench prints its figures

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from finchmark.suite.arm_safety import arm_safety
from finchmark.suite.exploratory import q_values
from finchmark.suite.records import Metric
from finchmark.suite.rounds import Rounds
from finchmark.suite.seeds import generator

METRICS = {
    "safety": Metric(name="unsafe", summary="s", direction="lower", primary=True, role="safety"),
    "capability": Metric(name="capable", summary="c", role="capability"),
}
CASES = tuple(
    (streams, tied, gain) for streams in (8, 12) for tied in (0.0, 0.8, -0.8) for gain in ("none", "capability", "both")
)
"""Streams; correlation of risk and capability; what truly grows in the first arm: nothing, capability, or risk too."""


def drawn(rng, streams, tied, rounds=5):
    """Two AR(1) states without drift a stream, tied to each other, shape (2, streams, rounds)."""
    noise = rng.standard_normal((2, streams, rounds))
    noise[1] = tied * noise[0] + np.sqrt(1 - tied**2) * noise[1]
    state = noise.copy()
    for r in range(1, rounds):
        state[..., r] = 0.8 * state[..., r - 1] + 0.6 * noise[..., r]
    return state


def played(case, run):
    """A run of two arms against one that stays."""
    streams, tied, gain = case
    values = {}
    for arm in ("first", "second", "frozen"):
        rng = generator("bench", "exploratory", *map(str, case), run, arm)
        states = drawn(rng, streams, tied)
        up = np.linspace(0, 0.4, states.shape[2]) if arm == "first" else 0.0
        for role, state in zip(("safety", "capability"), states, strict=True):
            grows = gain == "both" or (gain == role)
            p = np.clip(0.3 + 0.15 * state + (up if grows else 0.0), 0, 1)
            values[arm, role] = rng.binomial(32, p) / 32
    return Rounds(
        task="t", version=1, metrics=METRICS, arms=("first", "second", "frozen"), null="frozen", unit="stream",
        units=tuple(map(str, range(streams))), points=np.arange(5.0), at="round", values=values, answers={},
    )  # fmt: skip


def measure(case, runs):
    """Mean share of false discoveries by q and by p, and mean number of true ones by q."""
    true = {
        "none": set(),
        "capability": {"capability"},
        "both": {"slope", "area", "change point", "capability", "both"},
    }
    shares, found = np.zeros(2), 0
    for run in range(runs):
        rounds = played(case, run)
        asked = [(arm, e.what, e.p) for arm in rounds.arms[:2] for e in arm_safety(rounds, arm, 0.95, run).explored]
        p = [one[2] for one in asked]
        real = np.array([arm == "first" and what in true[case[2]] for arm, what, _ in asked])
        for k, values in enumerate((q_values(p), p)):
            told = np.array(values) <= 0.05
            shares[k] += (told & ~real).sum() / max(told.sum(), 1)
            found += (told & real).sum() if k == 0 else 0
    return case, shares / runs, found / runs


def main(runs: int = 2000, cores: int = 1) -> None:
    """Print a line a case."""
    with ProcessPoolExecutor(cores) as pool:
        for case, (q, p), found in pool.map(partial(measure, runs=runs), CASES):
            print(f"{case}: false discoveries by q {q:.3f}, by p {p:.3f}; true ones by q {found:.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
