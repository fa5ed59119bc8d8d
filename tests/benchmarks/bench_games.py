"""Figures of ``docs/games.md``: coverage of the bounds of exploitability, baselines, and what the boundary costs.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_games.py PART`` with PART one of ``coverage``, ``baselines``,
``boundary`` (on one quiet core about 3, 2 and 1 minutes; ``--cases`` makes them shorter). Everything is seeded.
Searches have their own command: ``finchmark games evolve --seeds 6 --budget 100 --blind --out DIR``.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import asyncio
import time

import numpy as np

from finchmark.environments.openspiel.equilibrium import equilibrium
from finchmark.environments.openspiel.games import GAMES
from finchmark.environments.openspiel.sequences import sequence_form
from finchmark.suite.seeds import generator
from finchmark.tasks.games.behaviour import bounds_together, draw, estimate, exploit, region
from finchmark.tasks.games.programs import PROGRAMS
from finchmark.tasks.games.psro import SOLVERS, meta_curve
from finchmark.tasks.games.region import highest_win
from finchmark.tasks.games.regret import CHECKPOINTS, RULES, minimise
from finchmark.tasks.games.trial import try_program
from finchmark.tasks.games.trial_texts import program_text, solving_text


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


def boundary(cases: int) -> None:
    """What the boundary costs: one program solved in this process, whole in a sandbox's process, and between two."""
    asyncio.run(_boundary(cases))


async def _boundary(cases: int) -> None:
    from finchmark.suite.sandbox import open_sandbox

    program, points = PROGRAMS["regret"]["predictive+"], list(CHECKPOINTS)
    print(f"50 iterations of predictive CFR+, mean of {cases}; processor seconds, and elapsed in brackets")
    print(f"{'games':32s}{'rule, no boundary':>20s}{'all in one process':>20s}{'two processes':>20s}")
    async with open_sandbox(workers=1, packages=("numpy",)) as box:
        await try_program(box, program, ["kuhn"])
        for games in (("kuhn",), ("kuhn", "leduc", "goofspiel4", "liars3")):
            cells = []
            forms = [sequence_form(name) for name in games]
            begun, used = time.perf_counter(), time.process_time()
            for _ in range(cases):
                own = [minimise(form, RULES["predictive+"]) for form in forms]
            cells.append(((time.process_time() - used) / cases, (time.perf_counter() - begun) / cases))
            whole = (
                "\ndef whole(): return [float(x) for row in solved([board(*each) for each in GAMES]) for x in row]\n"
            )
            source = solving_text("regret", games, points, "word") + program_text(program) + whole
            runs = [await box.run(source, call="whole") for _ in range(cases)]
            assert np.allclose(runs[0].value, np.ravel(own), rtol=1e-8), runs[0]
            cells.append((sum(r.cpu_s for r in runs) / cases, sum(r.wall_s for r in runs) / cases))
            begun = time.perf_counter()
            trials = [await try_program(box, program, games) for _ in range(cases)]
            assert np.allclose(trials[0].curves, own, rtol=1e-8)
            cells.append((sum(t.cpu_s for t in trials) / cases, (time.perf_counter() - begun) / cases))
            row = "".join(f"{f'{used:.3f} ({wall:.3f})':>20s}" for used, wall in cells)
            print(f"{','.join(games):32s}{row}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("coverage", "baselines", "boundary"))
    parser.add_argument("--cases", type=int)
    given = parser.parse_args()
    part = {"coverage": (coverage, 300), "baselines": (baselines, 1), "boundary": (boundary, 20)}[given.part]
    part[0](given.cases or part[1])
