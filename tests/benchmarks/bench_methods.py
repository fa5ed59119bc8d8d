"""Learning methods, measured: ``python tests/benchmarks/bench_methods.py [--cases N] [--worlds WORLD,…]``.

Prints, on simulated tables of 36 worlds on 12 cores and 8 methods (5 validation and 10 test levels):

- how often any gain is claimed where there is none, and how often the intervals of the honest bound's gain and of the
  curve over the number of worlds cover the truth;
- the optimism of the maximum on test, and what the simulation of equal methods says of it;
- what the choice of a method is worth where worlds want different methods, and how well a bandit by features does.

Then the speed of a whole experiment without a model: executor ``scripted:follower``, optimiser ``search``.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.adaptive import adaptive_choice, design
from finchmark.tasks.learning.methods.bounds import choice_weights, upper_bound
from finchmark.tasks.learning.methods.claims import gains
from finchmark.tasks.learning.methods.experiment import run_methods
from finchmark.tasks.learning.methods.growth import growth
from finchmark.tasks.learning.methods.plan import Plan
from finchmark.tasks.learning.methods.result import Table
from finchmark.tasks.learning.methods.search import SearchOptimiser

WORLDS, CORES, METHODS, LEVELS, CHECKS = 36, 12, 8, 10, 5


def simulate(seed: int, *, common: float, own: float, tilt: float, binary: bool) -> tuple[Table, np.ndarray]:
    """A table and the true gains, shape (worlds, methods).

    Args:
        seed: Of all draws.
        common: SD over cores of what learning gains by any method.
        own: SD over worlds of what a method gains there.
        tilt: What method 1 gains in worlds of binary reward, and method 2 in others.
        binary: Whether episodes are won or lost.
    """
    rng = generator("bench_methods", seed)
    core = rng.normal(0, common, CORES)[np.arange(WORLDS) // (WORLDS // CORES)][:, None]
    kinds = np.arange(WORLDS) % 2
    worth = core + rng.normal(0, own, (WORLDS, METHODS))
    worth[:, 0] += tilt * (kinds == 0)
    worth[:, 1] += tilt * (kinds == 1)
    hard = rng.normal(0.4, 0.15, (WORLDS, LEVELS + CHECKS, 1))

    def play(mean: np.ndarray) -> np.ndarray:
        return (rng.random(mean.shape) < mean) * 1.0 if binary else mean + rng.normal(0, 0.3, mean.shape)

    scores, starts = play(hard + worth[:, None, :]), play(hard)[:, :, 0]
    table = Table(
        tuple(f"m{m}" for m in range(METHODS)),
        tuple(f"w{w}" for w in range(WORLDS)),
        tuple(f"c{w // (WORLDS // CORES)}" for w in range(WORLDS)),
        (0,) * WORLDS,
        tuple({"reward": "binary" if kind == 0 else "accumulative"} for kind in kinds),
        scores[:, LEVELS:].mean(axis=1),
        scores[:, :LEVELS].mean(axis=1),
        starts[:, LEVELS:].mean(axis=1),
        starts[:, :LEVELS].mean(axis=1),
        tuple(scores[:, :LEVELS]),
        tuple(starts[:, :LEVELS]),
    )
    return table, worth


def claims(cases: int) -> None:
    print(f"\n{cases} tables a row; claims at alpha .05 for 8 methods and the honest bound together")
    print(f"{'':34}{'any claim':>10}{'covered':>9}{'optimism':>10}{'by chance':>10}")
    for name, options in {
        "equal methods, graded": {"common": 0.0, "binary": False},
        "equal methods, binary": {"common": 0.0, "binary": True},
        "cores differ (SD .1), graded": {"common": 0.1, "binary": False},
        "cores differ (SD .1), binary": {"common": 0.1, "binary": True},
    }.items():
        claimed = covered = 0
        excess, chance = [], []
        for seed in range(cases):
            table, _ = simulate(seed, own=0.0, tilt=0.0, **options)
            found = gains(table)
            claimed += any(gain.claimed for gain in found)
            covered += found[-1].interval.low < 0 < found[-1].interval.high
            bound = upper_bound(table.validation, table.test, table.levels, draws=100, seed=seed)
            # The truth is the mean of all methods: they are equal, and share their levels.
            excess.append(float(bound.optimistic.mean() - table.test.mean()))
            chance.append(bound.by_chance)
        print(
            f"{name:<34}{claimed / cases:>10.3f}{covered / cases:>9.3f}{np.mean(excess):>10.4f}{np.mean(chance):>10.4f}"
        )


def curves(cases: int) -> None:
    """Cover of the curve's intervals: the truth is the mean of the same estimate over many tables."""
    numbers = (1, 4, 12, 36)
    rows = []
    for seed in range(cases):
        table, _ = simulate(10**6 + seed, common=0.1, own=0.1, tilt=0.0, binary=False)
        rows.append(
            growth(
                table.validation - table.start_validation[:, None],
                table.test - table.start_test[:, None],
                table.cores,
                numbers=numbers,
                subsets=300,
                resamples=200,
                seed=seed,
            )
        )
    print(f"\nbest single method against the number of worlds, {cases} tables")
    print(f"{'worlds':>7}{'honest':>9}{'covered':>9}{'optimistic':>12}")
    for n, number in enumerate(numbers):
        points = [row[n] for row in rows]
        truth = float(np.mean([p.honest for p in points]))
        hits = np.mean([p.low < truth < p.high for p in points])
        print(f"{number:>7}{truth:>9.4f}{hits:>9.3f}{np.mean([p.optimistic for p in points]):>12.4f}")


def choices(cases: int) -> None:
    print(
        f"\ngain on test of ways to choose among 8 methods, {cases} tables (method 1 or 2 gains .3 by kind of reward)"
    )
    print(f"{'':24}{'bandit':>9}{'single':>9}{'own':>9}{'best possible':>15}")
    for policy in ("thompson", "ucb"):
        found = []
        for seed in range(cases):
            table, worth = simulate(2 * 10**6 + seed, common=0.05, own=0.05, tilt=0.3, binary=False)
            validation = table.validation - table.start_validation[:, None]
            test = table.test - table.start_test[:, None]
            one = adaptive_choice(
                validation, test, design(table.features), table.cores, policy=policy, orders=5, seed=seed
            )
            top = (choice_weights(worth) * worth).sum(axis=1)
            found.append([one.bandit.mean(), one.single.mean(), one.own.mean(), top.mean()])
        means = np.mean(found, axis=0)
        print(f"{policy:<24}" + "".join(f"{value:>9.4f}" for value in means[:3]) + f"{means[3]:>15.4f}")


def speed(worlds: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        result = run_methods(
            Plan(worlds, methods=("*-prompt",), iterations=10),
            ScriptedBackend("follower"),
            SearchOptimiser(),
            Path(folder) / "a",
        )
        took = time.perf_counter() - start
        start = time.perf_counter()
        run_methods(
            Plan(worlds, methods=("*-prompt",), iterations=10),
            ScriptedBackend("follower"),
            SearchOptimiser(),
            Path(folder) / "a",
        )
        again = time.perf_counter() - start
        size = sum(path.stat().st_size for path in (Path(folder) / "a").iterdir())
    print(
        f"\n{len(worlds)} worlds, 4 methods, 10 iterations without a model: {took:.1f} s, "
        f"{result.spent.calls:,} calls, {result.spent.calls / took:,.0f} calls/s; again {again:.1f} s; "
        f"{size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--worlds", default="foraging-open,colony-trade,vault-dark,cards-open")
    given = parser.parse_args()
    claims(given.cases)
    curves(max(20, given.cases // 10))
    choices(max(10, given.cases // 20))
    speed(tuple(given.worlds.split(",")))
