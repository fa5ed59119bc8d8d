"""How fast worlds are: ``python tests/benchmarks/bench_worlds.py [--audit] [WORLD …]`` prints a table.

Random play end to end is what an agent's harness does: text in, text out, a reset after each episode. One core. With
``--audit`` every audit is run anew and timed, which takes minutes. ``tasks`` is a run of the random reference through
the harness: engine, agent, scripted backend, store.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time

import finchmark
from finchmark.environments.worlds.batch import advance_batch, begin_batch, draw_actions
from finchmark.environments.worlds.command import audit_worlds, check_worlds, select_worlds
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


def through_the_harness(names: list[str]) -> tuple[int, float]:
    """Turns of a smoke run of the random reference over worlds as tasks, two samples each, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        tasks = [f"worlds/{name}" for name in names]
        run = finchmark.evaluate(tasks, "scripted:random", tier="smoke", samples=2, out=f"{folder}/run")
        return int(run.frame()["turns"].sum()), time.perf_counter() - start


def main(arguments: list[str]) -> None:
    """Print a line a world, medians, and how long checking all certificates takes."""
    selectors = [argument for argument in arguments if argument != "--audit"]
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
    names = [line.name for line in select_worlds(selectors) if has_scale(line.name)]
    turns, seconds = through_the_harness(names)
    sys.stdout.write(f"tasks: {turns:,} turns in {seconds:.1f} s, {turns / seconds:,.0f} a second\n")
    start = time.perf_counter()
    check_worlds(names)
    sys.stdout.write(f"certificates checked in {time.perf_counter() - start:.1f} s\n")
    if "--audit" in arguments:
        start = time.perf_counter()
        audit_worlds(names)
        sys.stdout.write(f"audited in {time.perf_counter() - start:.1f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
