"""How fast the energy world is, on one core, and what knowing its periods is worth.

Run: ``python tests/benchmarks/bench_energy.py`` (2 to 4 minutes; ``--worlds 30 --long 6`` for a quick look).

Machines differ, so a fixed loop of plain Python is timed in the same run, and every rate also stands as its ratio to
that loop's rate: compare ratios, not rates, between machines. Each figure is the median of several rounds.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Sequence

import gymnasium

import finchmark.environments.odyssey  # noqa: F401  # registers the id
from finchmark.environments.odyssey.energy import EnergyEnv
from finchmark.environments.odyssey.energy_control import Settings, play
from finchmark.environments.odyssey.energy_grid import EnergyGrid
from finchmark.environments.odyssey.energy_rules import EnergyRules
from finchmark.environments.odyssey.energy_solver import solve
from finchmark.environments.odyssey.energy_worlds import EnergyWorld, generate
from finchmark.suite.seeds import generator

STEPS = 20_000
ROUNDS = 5
MARGINS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
AIMS = (0.002, 0.01, 0.03, 0.06)
GAINS = (0.1, 0.3)
RATES = (40.0, 150.0)
KINDS = ("yesterday", "least", "induce", "period", "pattern")


def calibrate() -> int:
    """The fixed loop: whole-number arithmetic and a small dictionary, no library."""
    seen: dict[int, int] = {}
    value = 1
    for _ in range(STEPS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        seen[value & 255] = seen.get(value & 255, 0) + 1
    return STEPS


def step_through(env: gymnasium.Env[str, str], actions: list[str]) -> Callable[[], int]:
    """Step through the actions, starting anew at each end."""

    def run() -> int:
        env.reset()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return run


def rate(work: Callable[[], int]) -> float:
    """Units of work a second, the median of several rounds."""
    work()
    rates = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        units = work()
        rates.append(units / (time.perf_counter() - begin))
    return statistics.median(rates)


def speed() -> None:
    """Print steps a second, with text made and read at every step."""
    base = rate(calibrate)
    print(f"calibration loop: {base:,.0f} rounds a second")
    config = generate("lite", 0).config
    draws = generator("bench", "energy").uniform((150, 20, 10, -20), (400, 150, 90, 20), (STEPS, 4)).round(1).tolist()
    acts = [f'{{"thermal": {t}, "wind": {w}, "solar": {s}, "battery": {b}}}' for t, w, s, b in draws]
    cases: dict[str, Callable[[], int]] = {
        "steps": step_through(EnergyEnv(config), acts),
        "steps, reference rules": step_through(EnergyEnv(config, reference_rules=True), acts),
        "steps, through gymnasium.make": step_through(gymnasium.make("finchmark/Energy-v1", config=config), acts),
        "unusable actions": step_through(EnergyEnv(config), ["I would turn up the thermal plant a little"] * STEPS),
        "plans of 120 days": lambda: len([solve(config) for _ in range(5)]),
    }
    for name, work in cases.items():
        value = rate(work)
        print(
            f"{name}: {value:,.0f} a second ({1e6 / value:,.1f} microseconds each; {value / base:.5f} of calibration)"
        )


def random_runs(rules: EnergyRules, plays: int, seed: int) -> list[EnergyGrid]:
    """Play a world with uniform commands."""
    rng = generator("bench", "energy random", seed)
    most = rules.capacity
    low, high = (0, 0, 0, -most[3]), most
    runs = []
    for _ in range(plays):
        grid = EnergyGrid(rules)
        while not grid.done:
            grid.advance(*rng.uniform(low, high).tolist())
        runs.append(grid)
    return runs


def controllers(worlds: Sequence[EnergyWorld]) -> None:
    """Print the success of every kind of controller with its best settings, chosen in hindsight on these worlds."""
    rules = [EnergyRules.from_config(world.config) for world in worlds]
    for kind in KINDS:
        best: tuple[float, Settings, list[EnergyGrid]] | None = None
        solved: set[int] = set()
        for values in itertools.product(MARGINS, AIMS, GAINS, RATES):
            settings = Settings(*values)
            grids = [play(each, kind, settings) for each in rules]
            solved |= {index for index, grid in enumerate(grids) if grid.success}
            share = statistics.mean(grid.success for grid in grids)
            if best is None or share > best[0]:
                best = share, settings, grids
        assert best is not None
        share, settings, grids = best
        print(
            f"  {kind}: success {share:.3f} with {settings}; by any settings {len(solved) / len(rules):.3f}; "
            f"stability {statistics.mean(g.mean_stability for g in grids):.3f}, "
            f"thermal share {statistics.mean(g.carbon for g in grids):.3f}, "
            f"violations {statistics.mean(g.violations for g in grids):.1f}, "
            f"collapses {statistics.mean(g.collapsed for g in grids):.2f}"
        )


def worlds(counts: dict[str, int], plays: int) -> None:
    """Print what the worlds of seeds 0, 1, … are like."""
    for name, count in counts.items():
        seconds, made = [], []
        for seed in range(count):
            begin = time.perf_counter()
            made.append(generate(name, seed))
            seconds.append(time.perf_counter() - begin)
        print(
            f"\n{name}, seeds 0 to {count - 1}: {statistics.mean(seconds) * 1e3:.1f} ms to generate, at most "
            f"{max(seconds) * 1e3:.0f}; the plan's room: stability "
            f"{statistics.mean(w.stability - w.config['target_stability'] for w in made):.3f}, thermal share "
            f"{statistics.mean(w.config['target_carbon'] - w.carbon for w in made):.3f}"
        )
        runs = [run for i, w in enumerate(made) for run in random_runs(EnergyRules.from_config(w.config), plays, i)]
        print(
            f"  random: {sum(run.success for run in runs)} of {len(runs)} succeed; days lived through "
            f"{statistics.mean(run.day / run.rules.horizon for run in runs):.3f}"
        )
        controllers(made)


def main() -> None:
    """Read the arguments and print everything."""
    parser = argparse.ArgumentParser(description="Speed and worlds of finchmark/Energy-v1.")
    parser.add_argument("--worlds", type=int, default=300, help="worlds of the gate (default 300)")
    parser.add_argument("--long", type=int, default=30, help="worlds of lite, a third of it of challenge (default 30)")
    parser.add_argument("--plays", type=int, default=100, help="random games a world (default 100)")
    arguments = parser.parse_args()
    speed()
    long = arguments.long
    worlds({"smoke": arguments.worlds, "gate": arguments.worlds, "lite": long, "challenge": long // 3}, arguments.plays)


if __name__ == "__main__":
    main()
