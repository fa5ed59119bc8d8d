"""Figures of ``docs/games.md``: coverage of the bounds of exploitability, baselines, and the search for update rules.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_games.py PART`` with PART one of ``coverage``, ``baselines``,
``search`` (on one quiet core about 3, 1 and 4 minutes; ``--cases`` makes them shorter). Everything is seeded.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import math

import numpy as np

from finchmark.environments.openspiel.equilibrium import equilibrium
from finchmark.environments.openspiel.games import GAMES
from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.suite.seeds import generator
from finchmark.tasks.games.behaviour import bounds_together, draw, estimate, exploit, region
from finchmark.tasks.games.evolve import assess, evolve
from finchmark.tasks.games.psro import SOLVERS, meta_curve
from finchmark.tasks.games.region import highest_win
from finchmark.tasks.games.regret import CHECKPOINTS, RULES, minimise


def coverage(cases: int) -> None:
    """How often each bound holds, how wide they are, and how often a posterior's interval has the truth (Kuhn)."""
    form = sequence_form("kuhn")
    best, flat = equilibrium("kuhn").policies, form.uniform()
    print(f"Kuhn, {cases} cases each; bounds at .975 alone")
    print("policy        n   truth   low  high  | held-out  high bound  plug-in | posterior covers, its mean")
    for share in (0.0, 0.02, 0.3, 1.0):
        policies = [(1 - share) * p + share * u for p, u in zip(best, flat, strict=True)]
        truth = float(form.exploitability(policies))
        for number in (8, 32, 128):
            rng = generator("bench games", str(share), number)
            held = []
            for _ in range(cases):
                draws = draw(form, policies, number, rng)
                fitted = exploit(form, draws)
                bounds = [region(form, p, draws[p], 0.025, bounds_together(form)) for p in (0, 1)]
                high = sum(highest_win(form, p, b.low, b.high) for p, b in enumerate(bounds)) / 2
                shares = estimate(form, draws)
                believed = [
                    seat.normalised(rng.gamma(part[:, None] * number + 0.5, size=(seat.size, 200)))
                    for seat, part in zip(form.seats, shares, strict=True)
                ]
                guess = form.exploitability(believed)
                ends = np.quantile(guess, [0.025, 0.975])
                held.append(
                    (
                        fitted.low <= truth + 1e-9,
                        high >= truth - 1e-9,
                        fitted.value,
                        high,
                        float(form.exploitability(shares)),
                        ends[0] <= truth <= ends[1],
                        guess.mean(),
                    )
                )
            low, up, value, high, plug, covers, mean = np.mean(held, axis=0)
            name = f"{share:.0%} uniform"
            print(
                f"{name:11s} {number:4d}  {truth:.4f}  {low:.3f} {up:.3f} | {value:8.4f}  {high:9.3f}  {plug:8.4f} "
                f"| {covers:.3f}  {mean:.4f}",
                flush=True,
            )


def baselines(_: int) -> None:
    """Exploitability after 100 iterations, and the mean log curve, of every baseline on every game."""
    print("regret minimisation, after 100 iterations")
    print(f"{'game':13s}" + "".join(f"{name:>13s}" for name in RULES))
    for line in GAMES:
        form = sequence_form(line.name)
        row = [minimise(form, rule, (100,))[0] for rule in RULES.values()]
        print(f"{line.name:13s}" + "".join(f"{value:13.2e}" for value in row), flush=True)
    print("policy-space response oracles, after 30 additions to each population")
    print(f"{'game':13s}" + "".join(f"{name:>22s}" for name in SOLVERS))
    for line in GAMES:
        row = [meta_curve(sequence_form(line.name), solver, (30,))[0] for solver in SOLVERS.values()]
        print(f"{line.name:13s}" + "".join(f"{value:22.2e}" for value in row), flush=True)


def search(cases: int) -> None:
    """Best so far of searches that select and of blind ones, paired over seeds, and what is left of it elsewhere."""
    train, other = ["kuhn"], ["goofspiel3", "darkhex2", "goofspiel4up"]
    for name in RULES:
        known = assess(RULES[name], train), assess(RULES[name], other)
        print(f"{name:12s} train {known[0].fitness:7.3f}   held out {known[1].fitness:7.3f}")
    print(f"mean log10 of exploitability over uniform play's at iterations {CHECKPOINTS}; train: {train}; not: {other}")
    gaps = []
    for seed in range(1, cases + 1):
        chosen = evolve(train, seed=seed, budget=100)
        blind = evolve(train, seed=seed, budget=100, temperature=math.inf)
        gaps.append(chosen.curve[-1] - blind.curve[-1])
        points = " ".join(f"{chosen.curve[i]:.3f}" for i in (0, 24, 49, 99))
        held = assess(chosen.best.rule, other).fitness
        print(
            f"seed {seed}: after 1, 25, 50, 100: {points}; blind {blind.curve[-1]:.3f}; held out {held:.3f}", flush=True
        )
        print(f"        {chosen.best.rule}")
    spread = np.std(gaps, ddof=1) / math.sqrt(len(gaps)) if len(gaps) > 1 else math.nan
    print(f"selection minus blind, paired: {np.mean(gaps):.3f}, standard error {spread:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("coverage", "baselines", "search"))
    parser.add_argument("--cases", type=int)
    given = parser.parse_args()
    part = {"coverage": (coverage, 300), "baselines": (baselines, 1), "search": (search, 8)}[given.part]
    part[0](given.cases or part[1])
