"""How often a gate errs, and how often it passes what has not changed: the figures that the choice of tests rests on.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_gate.py`` (about 25 minutes on one core;
``--cases 1000`` for a quick look; ``--part fixed``, ``exact``, ``power``, ``sequential`` or ``order`` for one of them).

A candidate exactly at the margin (m = .05, alpha = .05) may pass, or be called a regression, in .05 of runs; the
goals are .06 for false passes at fixed units and .055 for both errors of the sequential gate. Everything is seeded.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import heapq
import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import binom

from finchmark.suite.seeds import generator
from finchmark.suite.stats.betting import betting_bounds
from finchmark.suite.stats.bounded_mean import cautious_pvalue, dirichlet_pvalue, score_pvalue, t_pvalue
from finchmark.suite.stats.prefix import FinishedPrefix
from finchmark.suite.stats.sequential import gate_paths

MARGIN = 0.05
BASELINES = (1.0, 0.98, 0.95, 0.9, 0.5, 0.1)
UNITS = (30, 59, 120, 300)
SAMPLES = (1, 4, 16)
ITEMS = ("alike", "beta", "all-or-nothing")
LOSSES = ("few", "half", "all")
CHUNK = 300_000

Array = NDArray[np.float64]
Test = Callable[[Array, float], Array]

TESTS: dict[str, Test] = {
    "t": lambda x, mean: t_pvalue(x, mean),
    "score": lambda x, mean: score_pvalue(x, mean, -1.0),
    "dirichlet": lambda x, mean: dirichlet_pvalue(x, mean, -1.0),
    "gate": lambda x, mean: cautious_pvalue(x, mean, -1.0),
}


def item_rates(kind: str, rate: float, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Success rates of items: all alike, Beta of concentration 1, or solved always or never."""
    if kind == "alike" or rate == 1:
        return np.full(shape, rate)
    return rng.beta(rate, 1 - rate, shape) if kind == "beta" else (rng.random(shape) < rate).astype(float)


def worsened(loss: str, rates: Array, rate: float, rng: np.random.Generator, by: float = MARGIN) -> Array:
    """Rates after a mean loss: a few items broken, more of them in part, or all in proportion."""
    if loss == "all":
        return rates * (1 - by / rate)
    share = min(by / rate * (1 if loss == "few" else 2), 1.0)
    return np.where(rng.random(rates.shape) < share, rates * (1 - by / rate / share), rates)


def differences(kind: str, rate: float, units: int, samples: int, loss: str | None, cases: int) -> Iterator[Array]:
    """Unit differences of simulated runs, in parts."""
    rng = generator("bench gate", kind, str(rate), units, samples, loss or "")
    step = max(1, CHUNK // units)
    for start in range(0, cases, step):
        shape = (min(step, cases - start), units)
        rates = item_rates(kind, rate, shape, rng)
        after = rates if loss is None else worsened(loss, rates, rate, rng)
        yield (rng.binomial(samples, after) - rng.binomial(samples, rates)) / samples


def shares(parts: Iterator[Array]) -> tuple[dict[str, float], dict[str, float]]:
    """Share of runs that each test passes, and calls a regression."""
    passed, regressed, n = dict.fromkeys(TESTS, 0.0), dict.fromkeys(TESTS, 0.0), 0
    for x in parts:
        n += len(x)
        for name, test in TESTS.items():
            passed[name] += float(np.sum(test(x, -MARGIN) <= 0.05))
            regressed[name] += float(np.sum(test(-x, MARGIN) <= 0.05))
    return {k: v / n for k, v in passed.items()}, {k: v / n for k, v in regressed.items()}


def line(*cells: object) -> None:
    """Print one row."""
    print("  ".join(f"{c:>9.3f}" if isinstance(c, float) else f"{c!s:>9}" for c in cells), flush=True)


def fixed(cases: int) -> None:
    """Both errors of every test at the margin, over the grid; the largest last."""
    print(
        f"\nFalse PASS | false REGRESSION at the margin, {cases:,} runs a case (largest over kinds of items and losses)"
    )
    line("baseline", "units", "samples", *TESTS, *(f"R {name}" for name in TESTS))
    worst: dict[str, float] = {}
    for rate, units, samples in itertools.product(BASELINES, UNITS, SAMPLES):
        top = [0.0] * (2 * len(TESTS))
        for kind, loss in itertools.product(ITEMS if rate < 1 else ITEMS[:1], LOSSES):
            passed, regressed = shares(differences(kind, rate, units, samples, loss, cases))
            top = [max(a, b) for a, b in zip(top, (*passed.values(), *regressed.values()), strict=True)]
        line(str(rate), units, samples, *top)
        for name, value in zip((*TESTS, *(f"R {n}" for n in TESTS)), top, strict=True):
            worst[name] = max(worst.get(name, 0.0), value)
    line("largest", "", "", *worst.values())


def exact() -> None:
    """False passes of units with two values, computed exactly, at every number of units from 10 to 400."""
    print("\nFalse PASS, exact, largest over 10 to 400 units: all units at `usual`, a share at `broken`")
    line("margin", "usual", "broken", *TESTS, "gate 30+", "at units")
    for margin, usual, broken in itertools.product((0.02, 0.05, 0.1), (0.0, 0.05, 0.2), (-1.0, -0.5, -0.25)):
        share = (usual + margin) / (usual - broken)
        top, at, later = dict.fromkeys(TESTS, 0.0), 0, 0.0
        for n in itertools.chain(range(10, 130), range(130, 401, 6)):
            k = np.arange(n + 1)
            x = np.where(np.arange(n) < k[:, None], broken, usual)
            chance = binom.pmf(k, n, share)
            keep = chance > 1e-9
            for name, test in TESTS.items():
                error = float(chance[keep][test(x[keep], -margin) <= 0.05].sum())
                if name == "gate" and error > top[name]:
                    at = n
                later = max(later, error) if name == "gate" and n >= 30 else later
                top[name] = max(top[name], error)
        line(margin, usual, broken, *top.values(), later, at)


def power(cases: int) -> None:
    """P(pass | no change) of every test and of the sequential gate, plain and with planned bets."""
    print(f"\nP(pass | no change), {cases:,} runs a case (sequential: a look after every unit)")
    line("items", "baseline", "units", "samples", *TESTS, "betting", "seq", "planned", "looks")
    for (kind, rate), samples, units in itertools.product(
        (("alike", 0.98), ("alike", 0.9), ("alike", 0.5), ("uniform", 0.5)), SAMPLES, UNITS
    ):
        rng = generator("bench power", kind, str(rate), units, samples)
        shape = (cases, units)
        rates = rng.random(shape) if kind == "uniform" else np.full(shape, rate)
        x = (rng.binomial(samples, rates) - rng.binomial(samples, rates)) / samples
        passed, _ = shares(iter(np.array_split(x, max(1, x.size // CHUNK))))
        within = 1 / 6 if kind == "uniform" else rate * (1 - rate)
        plain, planned = gate_paths(x, MARGIN), gate_paths(x, MARGIN, sd=float(np.sqrt(2 * within / samples)))
        bet = np.mean(betting_bounds(x[:500], 0.9, low=-1, high=1)[0] > -MARGIN)
        line(
            kind, str(rate), units, samples, *passed.values(), float(bet),
            float(plain.passed.mean()), float(planned.passed.mean()), float(planned.looks.mean()),
        )  # fmt: skip


def sequential(cases: int) -> None:
    """Both errors of the sequential gate at the margin, and what naive peeking does."""
    print(f"\nSequential gate at the margin, a look after every one of 300 units, {cases:,} runs a case")
    line("baseline", "samples", "loss", "PASS", "REGR", "planned", "REGR", "peek PASS", "peek REGR")
    top = np.zeros(4)
    for rate, samples, loss in itertools.product(BASELINES, SAMPLES, ("few", "all")):
        counts, n = np.zeros(6), 0
        for x in differences("alike", rate, 300, samples, loss, cases):
            plain, planned = gate_paths(x, MARGIN), gate_paths(x, MARGIN, sd=0.3)
            up, down = peeking(x)
            counts += [v.sum() for v in (plain.passed, plain.regressed, planned.passed, planned.regressed, up, down)]
            n += len(x)
        line(str(rate), samples, loss, *(counts / n).tolist())
        top = np.maximum(top, counts[:4] / n)
    line("largest", "", "", *top.tolist())
    rng = generator("bench peeking")
    x = rng.choice([-1.0, 0.0, 1.0], (cases, 300), p=[0.25, 0.5, 0.25])
    for first in (10, 30, 100):
        up, down = peeking(x, margin=0.0, alpha=0.025, first=first)
        print(f"Naive peeking from unit {first} on, two-sided t at .05, no difference: {np.mean(up | down):.3f}")


def peeking(
    x: Array, margin: float = MARGIN, alpha: float = 0.05, first: int = 10
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a t test after each unit from the first look on ever passes, and ever calls a regression."""
    n = np.arange(1, x.shape[1] + 1)
    mean = np.cumsum(x, axis=1) / n
    variance = np.maximum(np.cumsum(x**2, axis=1) / n - mean**2, 0) * n / np.maximum(n - 1, 1)
    half = stdtrit(np.maximum(n - 1, 1), 1 - alpha) * np.sqrt(variance / n)
    return (mean - half > -margin)[:, first - 1 :].any(axis=1), (mean + half < -margin)[:, first - 1 :].any(axis=1)


def completion(durations: Array, concurrent: int) -> list[int]:
    """Units, begun in order as places fall free, in the order in which they end."""
    running: list[tuple[float, int]] = []
    ended = []
    for unit, duration in enumerate(durations):
        now = 0.0
        if len(running) == concurrent:
            now, first = heapq.heappop(running)
            ended.append(first)
        heapq.heappush(running, (now + duration, unit))
    return ended + [unit for _, unit in sorted(running)]


def order(cases: int) -> None:
    """Errors where failures last long: finished prefix against order of completion."""
    print(f"\nAt the margin, 300 pairs, durations that depend on the outcome, {cases:,} runs a case")
    line("slower", "at once", "PASS", "REGR", "by compl.", "REGR")
    for slower, concurrent in itertools.product((20.0, 0.05), (1, 32, 128)):
        rng = generator("bench order", str(slower), concurrent)
        baseline, candidate = rng.random((cases, 300)) < 0.7, rng.random((cases, 300)) < 0.7 - MARGIN
        durations = np.where(candidate, 1.0, slower) * rng.lognormal(0, 0.5, (cases, 300))
        x = candidate.astype(float) - baseline
        fixed_order, completed = [], []
        for values, lasts in zip(x, durations, strict=True):
            ends = completion(lasts, concurrent)
            prefix = FinishedPrefix(range(300))
            fixed_order.append([v for unit in ends for _, v in prefix.finish(unit, values[unit])])
            completed.append(values[ends])
        ours, theirs = gate_paths(fixed_order, MARGIN), gate_paths(completed, MARGIN)
        line(
            str(slower), concurrent, float(ours.passed.mean()), float(ours.regressed.mean()),
            float(theirs.passed.mean()), float(theirs.regressed.mean()),
        )  # fmt: skip


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=4000, help="simulated runs a case")
    parser.add_argument("--part", choices=["fixed", "exact", "power", "sequential", "order"])
    args = parser.parse_args()
    begin = time.perf_counter()
    for name, part in (
        ("fixed", lambda: fixed(args.cases)),
        ("exact", exact),
        ("power", lambda: power(args.cases // 2)),
        ("sequential", lambda: sequential(args.cases)),
        ("order", lambda: order(args.cases)),
    ):
        if args.part in (None, name):
            part()
    print(f"\n{time.perf_counter() - begin:.0f} seconds")


if __name__ == "__main__":
    main()
