"""How fast the lights world is, on one core, and what its worlds are like.

Run: ``python tests/benchmarks/bench_lights.py`` (under a minute; ``--worlds 30`` for a quick look).

Machines differ, so a fixed loop of plain Python is timed in the same run, and every rate also stands as its ratio to
that loop's rate: compare ratios, not rates, between machines. Each figure is the median of several rounds.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import gymnasium

import finchmark.environments.odyssey  # noqa: F401  # registers the id
from finchmark.environments.odyssey.lights import LightsEnv
from finchmark.environments.odyssey.lights_solver import policy_table, random_success
from finchmark.environments.odyssey.lights_worlds import LIGHTS_PRESETS, generate
from finchmark.suite.seeds import generator

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
    config = next(w for w in (generate("lite", seed) for seed in range(99)) if w.config["level"] == 10).config
    presses = [str(bulb) for bulb in generator("bench", "lights").integers(10, size=STEPS)]
    cases: dict[str, Callable[[], int]] = {
        "steps, 10 bulbs": play(LightsEnv(config), presses),
        "steps, 10 bulbs, reference rules": play(LightsEnv(config, reference_rules=True), presses),
        "steps, 10 bulbs, through gymnasium.make": play(gymnasium.make("finchmark/Lights-v1", config=config), presses),
        "unusable actions": play(LightsEnv(config), ["I would press the third bulb from the left"] * STEPS),
        "policy_table, 10 bulbs": lambda: len([policy_table(config) for _ in range(100)]),
        "random_success, 10 bulbs, 200 steps": lambda: len([random_success(config, 200) for _ in range(20)]),
    }
    for name, work in cases.items():
        value = rate(work)
        print(
            f"{name}: {value:,.0f} a second ({1e6 / value:,.1f} microseconds each; {value / base:.5f} of calibration)"
        )


def worlds(count: int) -> None:
    """Print what the worlds of seeds 0 to ``count - 1`` are like; the docstring of LightsEnv has the table for 300."""
    print(f"\nworlds of seeds 0 to {count - 1}: chance mean, largest; shortest solution mean (range); ms to generate")
    for name, difficulty in LIGHTS_PRESETS.items():
        seconds, chances, lengths = [], [], []
        for seed in range(count):
            begin = time.perf_counter()
            world = generate(name, seed)
            seconds.append(time.perf_counter() - begin)
            chances.append(random_success(world.config, difficulty.horizon))
            lengths.append(world.shortest)
        print(
            f"{name}: {statistics.mean(chances):.4f}, {max(chances):.3f}; "
            f"{statistics.mean(lengths):.2f} ({min(lengths)} to {max(lengths)}); "
            f"{statistics.mean(seconds) * 1e3:.2f} ms, {max(seconds) * 1e3:.1f} ms"
        )


def main() -> None:
    """Read the arguments and print everything."""
    parser = argparse.ArgumentParser(description="Speed and worlds of finchmark/Lights-v1.")
    parser.add_argument("--worlds", type=int, default=300, help="worlds a difficulty (default 300)")
    arguments = parser.parse_args()
    speed()
    worlds(arguments.worlds)


if __name__ == "__main__":
    main()
