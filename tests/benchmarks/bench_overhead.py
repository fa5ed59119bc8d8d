"""What the harness itself costs: a scripted policy plays Lights, everything is stored, and a bare loop does the same.

    python tests/benchmarks/bench_overhead.py

The bare loop steps the same environment with the same policy and keeps nothing. The difference is the harness: agent,
model, records, seeds, store. Bound: under 0.3 ms a turn.
"""

# ruff: noqa: T201 - a bench prints what it measures

import asyncio
import statistics
import tempfile
import time

from finchmark import evaluate
from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.registry import TASKS
from finchmark.suite.seeds import derive
from finchmark.tasks.actions import find_action

TIER, LIMIT, SAMPLES = "gate", 100, 4


def harness(folder):
    began = time.perf_counter()
    run = evaluate(
        "odyssey/lights", "scripted:random", tier=TIER, limit=LIMIT, samples=SAMPLES, arms=["inductive"], out=folder
    )
    return time.perf_counter() - began, int(run.frame()["turns"].sum())


async def _bare():
    task = TASKS.load("odyssey/lights")()
    tier = task.tiers[TIER]
    turns = 0
    for item in task.items(tier, 0)[:LIMIT]:
        for sample in range(SAMPLES):
            backend = ScriptedBackend("random")
            backend.bind("s", task.reference("random", item, task.arms[0]))
            env = task.make_env(item, tier)
            text, _ = env.reset(seed=0)
            for turn in range(tier.max_turns):
                seed = derive(item.id, sample, turn)
                reply = await backend.generate(GenerateRequest((Message("user", text),), "s", seed, 64))
                text, _, terminated, truncated, _ = env.step(find_action(reply.text)[0])
                turns += 1
                if terminated or truncated:
                    break
    return turns


def bare():
    began = time.perf_counter()
    turns = asyncio.run(_bare())
    return time.perf_counter() - began, turns


def main(rounds=5):
    pairs = []
    for k in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            whole, turns = harness(f"{folder}/run")
        alone, bare_turns = bare()
        if k:  # the first round warms up
            pairs.append((1e3 * whole / turns, 1e3 * alone / bare_turns))
    cost = statistics.median(a - b for a, b in pairs)
    print(f"{turns} turns a round, {rounds} rounds")
    print(f"harness    {statistics.median(a for a, _ in pairs):.3f} ms a turn, store included")
    print(f"bare loop  {statistics.median(b for _, b in pairs):.3f} ms a turn, items made included in both")
    print(f"overhead   {cost:.3f} ms a turn (bound 0.3)")


if __name__ == "__main__":
    main()
