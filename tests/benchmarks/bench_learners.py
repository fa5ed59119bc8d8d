"""What learners without language reach on Lights and Trade, beside chance, and over episodes of one world.

Run: ``python tests/benchmarks/bench_learners.py`` (about a minute; ``--limit 30`` for a quick look). With
``--data CHECKOUT`` it plays the items of OdysseyArena's own release as well.

The learners draw no random numbers, so one sample an item is all there is to know of it. Intervals are 95 %, over
items: Wilson's for success, t for growth.
"""

# ruff: noqa: T201  # a bench prints its figures

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from finchmark import evaluate
from finchmark.suite.agents.experience import Experience, Feedback
from finchmark.suite.agents.tabular import TabularAgent
from finchmark.suite.registry import TASKS
from finchmark.suite.stats.intervals import wilson
from finchmark.tasks.actions import find_action

PLAYED = (
    ("odyssey/lights", "gate", ("tabular", "bandit")),
    ("odyssey/lights", "lite", ("tabular", "bandit")),
    ("odyssey/trade", "gate", ("least-squares", "bandit")),
    ("odyssey/trade", "lite", ("least-squares", "bandit")),
)


def values(column: str, **choice: Any) -> np.ndarray:
    """One number an item."""
    with tempfile.TemporaryDirectory() as folder:
        run = evaluate(**choice, samples=1, arms=["inductive"], out=Path(folder) / "run")
        frame = run.frame()
    assert (frame["outcome"] == "ok").all()
    return frame[column].to_numpy(float)


def shown(found: np.ndarray, *, binary: bool) -> str:
    """Mean and interval."""
    if binary:
        interval = wilson(int(found.sum()), len(found))
        return f"{found.mean():.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    half = t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / math.sqrt(len(found)) if len(found) > 1 else math.nan
    return f"{found.mean():.3f} [{found.mean() - half:.3f}, {found.mean() + half:.3f}]"


def single(limit: int | None, data: str | None) -> None:
    """Print what single episodes reach."""
    print("Single episodes (inductive)")
    for task, tier, agents in PLAYED:
        if data is not None and tier != "lite":
            continue
        columns = ("success",) if task.endswith("lights") else ("growth", "final_return")
        for agent, backend in [*((name, "none") for name in agents), ("history", "scripted:random")]:
            choice = {"tasks": task, "backend": backend, "agent": agent, "tier": tier, "limit": limit, "data": data}
            told = [f"{c} {shown(values(c, **choice), binary=c == 'success')}" for c in (*columns, "rule_accuracy")]
            who = agent if backend == "none" else backend
            print(f"  {task} {tier:5} {who:16} {'; '.join(told)}", flush=True)


def over_episodes(worlds: int, episodes: int) -> None:
    """Print how often the table solves a world of Lights in each episode of a stream of episodes of that world."""
    task = TASKS.load("odyssey/lights")()
    tier = task.tiers["gate"]
    solved = np.zeros((worlds, episodes))
    for world, item in enumerate(task.items(tier, 0)[:worlds]):
        state = TabularAgent().snapshot()
        for episode in range(episodes):
            agent, env, read = TabularAgent(), task.make_env(item, tier), task.reader("")
            agent.restore(state)
            agent.begin()
            text, _ = env.reset(seed=0)
            done = ended = False
            while not (done or ended):
                text, _, done, ended, _ = env.step(find_action(agent.choose(read(text)).text)[0])
            solved[world, episode] = done
            lived = Experience("", task.name, episode, "", (), "", Feedback(float(done), done))
            asyncio.run(agent.learn(lived, None))
            state = agent.snapshot()
    print(f"tabular over episodes of one world (Lights, gate, {worlds} worlds): share solved")
    for episode in sorted({1, 2, 5, 10, 20, episodes}):
        if episode <= episodes:
            print(f"  episode {episode:3}: {solved[:, episode - 1].mean():.3f}")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=None, help="items a task, the first")
    parser.add_argument("--data", default=None, help="a checkout of OdysseyArena")
    arguments = parser.parse_args()
    single(arguments.limit, None)
    if arguments.data:
        print(f"On the items of {arguments.data}:")
        single(arguments.limit, arguments.data)
    over_episodes(worlds=min(100, arguments.limit or 100), episodes=30)


if __name__ == "__main__":
    main()
