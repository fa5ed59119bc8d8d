"""What learners without language reach on Lights and Trade, beside chance, and over episodes of one world.

Run: ``python tests/benchmarks/bench_learners.py`` (about a minute on an idle core; ``--limit 30`` for a quick look).
With ``--data CHECKOUT`` it plays the items of OdysseyArena's own release as well.

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
from finchmark.suite.seeds import derive
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


def over_episodes(streams: int, worlds: int, episodes: int) -> None:
    """Print how often the table solves Lights in each fifth of streams of episodes.

    Args:
        streams: How many, each of other worlds.
        worlds: How many worlds a stream has, drawn anew for every episode.
        episodes: How many it lives through.
    """
    task = TASKS.load("odyssey/lights")()
    tier = task.tiers["gate"]
    items, read = task.items(tier, 0), task.reader("")
    solved = np.zeros((streams, episodes))
    for stream in range(streams):
        state = TabularAgent().snapshot()
        for episode in range(episodes):
            item = items[(stream * worlds + derive("bench", stream, episode) % worlds) % len(items)]
            agent, env = TabularAgent(), task.make_env(item, tier)
            agent.restore(state)
            agent.begin()
            text, _ = env.reset(seed=0)
            done = ended = False
            while not (done or ended):
                text, _, done, ended, _ = env.step(find_action(agent.choose(read(text)).text)[0])
            solved[stream, episode] = done
            lived = Experience("", task.name, episode, "", (), "", Feedback(float(done), done))
            asyncio.run(agent.learn(lived, None))
            state = agent.snapshot()
    fifths = [part.mean() for part in np.array_split(solved, 5, axis=1)]
    shown_fifths = ", ".join(f"{share:.2f}" for share in fifths)
    print(f"  {streams} streams of {episodes} episodes on {worlds} worlds each: {shown_fifths}", flush=True)


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
    print("tabular over episodes (Lights, gate): share solved in each fifth of the stream")
    streams = min(50, arguments.limit or 50)
    for worlds, episodes in ((1, 20), (4, 60), (60, 60)):
        over_episodes(min(streams, 300 // worlds), worlds, episodes)


if __name__ == "__main__":
    main()
