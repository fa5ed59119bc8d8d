"""How fast the trade world is, on one core, and what its worlds are worth.

Run: ``python tests/benchmarks/bench_trade.py`` (about a minute; ``--worlds 30`` for a quick look).

Machines differ, so a fixed loop of plain Python is timed in the same run, and every rate also stands as its ratio to
that loop's rate: compare ratios, not rates, between machines. Each figure is the median of several rounds.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import gymnasium

import finchmark.environments.odyssey  # noqa: F401  # registers the id
from finchmark.environments.odyssey.trade import TradeEnv
from finchmark.environments.odyssey.trade_solver import informed_bound, plan
from finchmark.environments.odyssey.trade_worlds import TRADE_PRESETS, generate

STEPS = 20_000
ROUNDS = 5


def calibrate() -> int:
    """The fixed loop: whole-number arithmetic and a small dictionary, no library."""
    seen: dict[int, int] = {}
    value = 1
    for _ in range(STEPS):
        value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        seen[value & 255] = seen.get(value & 255, 0) + 1
    return STEPS


def play(env: gymnasium.Env[str, str], actions: list[str]) -> Callable[[], int]:
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
    world = next(w for w in (generate("lite", seed) for seed in range(99)) if len(w.config["stocks"]) == 7)
    orders = list(world.plan) * (STEPS // world.horizon)
    trades = ['{"buy": {"S0": 3, "S1": 2, "S4": 1}}', '{"sell": {"S0": 3, "S1": 2, "S4": 1}}'] * (STEPS // 2)
    cases: dict[str, Callable[[], int]] = {
        "steps, 7 stocks, the oracle's orders": play(TradeEnv(world.config), orders),
        "steps, 7 stocks, three trades a day": play(TradeEnv(world.config), trades),
        "steps, 7 stocks, reference rules": play(TradeEnv(world.config, reference_rules=True), trades),
        "steps, 7 stocks, through gymnasium.make": play(
            gymnasium.make("finchmark/Trade-v1", config=world.config), trades
        ),
        "unusable actions": play(TradeEnv(world.config), ["I would buy three shares of the second stock"] * STEPS),
        "environments made and reset, 120 days": lambda: len([TradeEnv(world.config).reset() for _ in range(50)]),
        "oracle plans, 120 days": lambda: len([plan(world.config, world.horizon) for _ in range(20)]),
    }
    for name, work in cases.items():
        value = rate(work)
        print(
            f"{name}: {value:,.0f} a second ({1e6 / value:,.1f} microseconds each; {value / base:.5f} of calibration)"
        )


def worlds(count: int) -> None:
    """Print what the worlds of seeds 0 to ``count - 1`` are worth; the docstring of TradeEnv has the table for 300."""
    print(f"\nworlds of seeds 0 to {count - 1}, log growth: random, oracle (range), informed bound, hindsight bound")
    for name in TRADE_PRESETS:
        seconds, made = [], []
        for seed in range(count):
            begin = time.perf_counter()
            made.append(generate(name, seed))
            seconds.append(time.perf_counter() - begin)
        oracle = [world.oracle for world in made]
        bound = statistics.mean(informed_bound(world.config, world.horizon) for world in made)
        print(
            f"{name}: {statistics.mean(world.random for world in made):+.4f}, {statistics.mean(oracle):.4f} "
            f"({min(oracle):.3f} to {max(oracle):.3f}), {bound:.4f}, "
            f"{statistics.mean(world.hindsight for world in made):.4f}; "
            f"{statistics.mean(seconds) * 1e3:.2f} ms to generate, {max(seconds) * 1e3:.1f} ms at most"
        )
    print("\nwhat whole shares cost where there is no noise: 1 - oracle / hindsight bound, mean and largest")
    for name, difficulty in TRADE_PRESETS.items():
        silent = dataclasses.replace(difficulty, min_noise=0.0, max_noise=0.0)
        made = [generate(silent, seed) for seed in range(max(1, count // 5))]
        gaps = [1 - world.oracle / world.hindsight for world in made]
        print(f"{name}: {statistics.mean(gaps):.5f}, {max(gaps):.5f} ({len(made)} worlds)")


def main() -> None:
    """Read the arguments and print everything."""
    parser = argparse.ArgumentParser(description="Speed and worlds of finchmark/Trade-v1.")
    parser.add_argument("--worlds", type=int, default=300, help="worlds a difficulty (default 300)")
    arguments = parser.parse_args()
    speed()
    worlds(arguments.worlds)


if __name__ == "__main__":
    main()
