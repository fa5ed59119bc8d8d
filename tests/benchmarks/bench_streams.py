"""Streams against the same episodes without: what carrying a state from episode to episode costs.

    python tests/benchmarks/bench_streams.py [--streams 1000] [--rounds 3]

A scripted policy plays streams of 20 episodes with checkpoints every 5, in one arm, in two ways: as a task of streams
without probes in them, and as single items of the same task without streams. Both are stored as always. The goal is a
ratio of at most 1.5. Printed besides: the same with an agent whose state grows with every episode, and with probes.
"""

# ruff: noqa: T201 - a bench prints what it measures

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finchmark import EpisodeResult, Item, Metric, Task, Tier, evaluate
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.registry import AGENTS, TASKS, Entry
from finchmark.suite.streams import ProbeSet, Stream, StreamTask

EPISODES, EVERY, TURNS = 20, 5, 10


async def play(ctx: Any) -> EpisodeResult:
    """Ten short turns."""
    said = ""
    for turn in range(TURNS):
        said = await ctx.ask(f"{ctx.item.id} turn {turn}")
    return EpisodeResult({"success": float(said.endswith("7"))})


METRICS = (Metric(name="success", summary="share right", kind="binary", failure=0.0, primary=True),)


class Single(Task):
    """The episodes by themselves."""

    name = "bench/single"
    tiers = MappingProxyType({"smoke": Tier("smoke", items=10**6, max_turns=TURNS, max_tokens=64)})
    metrics = METRICS
    count = 0

    def items(self, tier: Tier, seed: int) -> list[Item]:
        """As many as the streams have."""
        return [Item(f"s{s:04d}-{n:02d}", {"s": s, "n": n}) for s in range(self.count) for n in range(EPISODES)]

    async def episode(self, ctx: Any) -> EpisodeResult:
        """Play."""
        return await play(ctx)


class Streamed(StreamTask):
    """The episodes as streams."""

    name = "bench/streams"
    tiers = MappingProxyType({"smoke": Tier("smoke", items=EPISODES, max_turns=TURNS, max_tokens=64)})
    metrics = METRICS
    probed = False

    def streams(self, tier: Tier, seed: int, count: int) -> list[Stream]:
        """Streams with checkpoints every 5 episodes."""
        items = tuple(Item(f"probe-{n}", {"probe": n}) for n in range(4 if self.probed else 0))
        probes = (ProbeSet("levels", "levels", items),)
        return [
            Stream(
                f"s{s:04d}",
                tuple(Item(f"s{s:04d}-{n:02d}", {"s": s, "n": n}) for n in range(EPISODES)),
                tuple(range(0, EPISODES + 1, EVERY)),
                probes,
            )
            for s in range(count)
        ]

    async def episode(self, ctx: Any) -> EpisodeResult:
        """Play."""
        return await play(ctx)


class Diary(HistoryAgent):
    """Notes a line after every episode."""

    name = "bench-diary"

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    async def learn(self, experience: Any, model: Any) -> str:
        """Note how it went."""
        self.notes.append(f"{experience.id}: {experience.feedback.score}, what was done there is worth a line of text")
        return self.notes[-1]

    def snapshot(self) -> list[str]:
        """The notes."""
        return list(self.notes)

    def restore(self, state: list[str]) -> None:
        """Take them up."""
        self.notes = list(state)


def timed(task: str, agent: str, **options: Any) -> tuple[float, int]:
    """Seconds and samples of a run."""
    backend = ScriptedBackend("x", function=lambda request: "seven 7")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = evaluate(task, backend, agent=agent, samples=1, out=Path(folder) / "r", **options)
        seconds = time.perf_counter() - started
        return seconds, sum(run.counts().values())


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    Single.count = chosen.streams
    for cls in (Single, Streamed):
        TASKS.add(Entry(cls.name, f"{__name__}:{cls.__name__}", "", ("smoke",)), cls)
    AGENTS.add(Entry(Diary.name, f"{__name__}:Diary", ""), Diary)

    def single() -> float:
        return timed("bench/single", "history")[0]

    def lived(agent: str) -> Callable[[], float]:
        return lambda: timed("bench/streams", agent, streams=chosen.streams, arms=["evolving"])[0]

    ways = {"streams, no state": lived("history"), "streams, a state that grows": lived("bench-diary")}
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(chosen.rounds):
        base = single()
        for name, way in ways.items():
            seconds = way()
            ratios[name].append(seconds / base)
            print(f"round {number}: {name}: {seconds:.2f} s, single episodes {base:.2f} s: {seconds / base:.2f} times")
    for name, found in ratios.items():
        print(f"{name}: median {statistics.median(found):.2f} times the same episodes without streams")
    Streamed.probed = True
    seconds, samples = timed("bench/streams", "bench-diary", streams=chosen.streams, arms=["evolving"])
    print(f"with 4 probes at each of 5 checkpoints: {samples:,} samples, {1e3 * seconds / samples:.2f} ms each")


if __name__ == "__main__":
    main()
