"""How fast worlds are: ``python tests/benchmarks/bench_worlds.py`` prints a table.

Random play end to end is what an agent's harness does: text in, text out, a reset after each episode. One core.
"""

from __future__ import annotations

import statistics
import sys
import time

from finchmark.environments.worlds.batch import advance_batch, begin_batch, draw_actions
from finchmark.environments.worlds.command import check_worlds, select_worlds
from finchmark.environments.worlds.dynamics import BatchedDynamics
from finchmark.environments.worlds.env import WorldEnv
from finchmark.environments.worlds.lookup import find_world
from finchmark.environments.worlds.scale import has_scale
from finchmark.environments.worlds.world import episode_key

STEPS, RESETS, ROWS = 10_000, 500, 1_000


def play(name: str) -> tuple[float, float]:
    """Steps a second of random play with resets, and the median reset in milliseconds."""
    env = WorldEnv(name, split="test")
    actions = [env.sample_action(number) for number in range(1_000)]
    for level in range(10):
        env.reset(options={"level": level})
    times = []
    for _ in range(RESETS):
        start = time.perf_counter()
        env.reset()
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    for number in range(STEPS):
        _, _, terminated, truncated, _ = env.step(actions[number % 1_000])
        if terminated or truncated:
            env.reset()
    return STEPS / (time.perf_counter() - start), 1_000 * statistics.median(times)


def batched(name: str) -> float | None:
    """Steps a second of live rows of random play, drawing actions included; None where the core is not batched."""
    world = find_world(name)
    if not isinstance(world.dynamics, BatchedDynamics):
        return None
    levels = world.levels("test")
    params = [world.load(level) for level in levels] * (ROWS // len(levels))
    keys = [episode_key(level, sample) for sample in range(ROWS // len(levels)) for level in levels]
    moment, live = begin_batch(world, params, keys), 0
    start = time.perf_counter()
    for step in range(world.horizon):
        live += int((~(moment.terminated | moment.truncated)).sum())
        moment = advance_batch(world, moment, draw_actions(world, moment.keys, step))
    return live / (time.perf_counter() - start)


def main(selectors: list[str]) -> None:
    """Print a line a world, medians, and how long checking all certificates takes."""
    rates, resets = [], []
    for line in select_worlds(selectors):
        if not has_scale(line.name):
            continue
        rate, reset = play(line.name)
        many = batched(line.name)
        rates.append(rate)
        resets.append(reset)
        told = "" if many is None else f"{many:12,.0f} batched"
        sys.stdout.write(f"{line.name:22} {rate:9,.0f} steps/s  reset {reset:.4f} ms {told}\n")
    sys.stdout.write(
        f"{'median':22} {statistics.median(rates):9,.0f} steps/s  reset {statistics.median(resets):.4f} ms\n"
    )
    start = time.perf_counter()
    check_worlds([line.name for line in select_worlds(selectors) if has_scale(line.name)])
    sys.stdout.write(f"certificates checked in {time.perf_counter() - start:.1f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
