"""Tasks, an agent and backends for runs on many workers; written as a user would write them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from types import MappingProxyType

from finchmark import Backend, Completion, EpisodeResult, Item, Metric, Task, Tier
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.backends.base import Capabilities, Message
from finchmark.suite.errors import BackendUnavailable, RunStopped
from finchmark.suite.seeds import derive
from finchmark.suite.streams import ProbeSet, Stream, StreamTask

METRICS = (
    Metric(name="success", summary="share right", kind="binary", failure=0.0, primary=True),
    Metric(name="draw", summary="the episode's first random number"),
)


class Steps(Task):
    """Three questions with a short wait; where the backend says so, an item ends the process that plays it."""

    name = "cluster/steps"
    summary = "Three questions."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=60, max_turns=3, max_tokens=64)})
    metrics = METRICS

    def items(self, tier, seed):
        return [Item(f"{n:03d}", {"number": n}) for n in range(tier.items)]

    async def episode(self, ctx):
        draw = float(ctx.rng.random())
        for turn in range(3):
            said = await ctx.ask(f"{ctx.item.id} turn {turn}")
            await asyncio.sleep(0.01)
        return EpisodeResult({"success": float(said.endswith("7")), "draw": draw})


class Long(Steps):
    """More questions than a process keeps in memory."""

    name = "cluster/long"
    summary = "Many questions."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=2, max_turns=150, max_tokens=64)})

    async def episode(self, ctx):
        for turn in range(150):
            await ctx.ask(f"{ctx.item.id} turn {turn}")
        return EpisodeResult({"success": 1.0, "draw": float(ctx.rng.random())})


class Sums(StreamTask):
    """Streams whose agents note what was said."""

    name = "cluster/sums"
    summary = "Notes what was said."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=4, max_turns=2, max_tokens=64)})
    metrics = METRICS
    default_arms = None

    def streams(self, tier, seed, count):
        probes = ProbeSet("others", "levels", tuple(Item(f"probe-{n}", {"probe": n}) for n in range(2)))
        return [
            Stream(
                f"s{number:03d}",
                tuple(Item(f"e{number}-{n}", {"number": number, "n": n}) for n in range(tier.items)),
                tuple(sorted({0, tier.items // 2, tier.items})),
                (probes,),
            )
            for number in range(count)
        ]

    async def episode(self, ctx):
        draw = float(ctx.rng.random())
        for turn in range(2):
            said = await ctx.ask(f"{ctx.item.id} turn {turn}")
            await asyncio.sleep(0.01)
        return EpisodeResult({"success": float(said.endswith("7")), "draw": draw})


class Diary(HistoryAgent):
    """Writes down the episodes that it lived, and acts by it."""

    name = "cluster-diary"

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    async def act(self, observation, model):
        return await super().act(type(observation)(f"{observation.text} notes {' '.join(self.notes)[-60:]}"), model)

    async def learn(self, experience, model):
        reply = await model.generate([Message("user", f"What of {experience.id}?")], max_tokens=8)
        self.notes.append(f"{experience.id} {experience.feedback.score} {reply.text}")
        return f"noted {experience.id}"

    def snapshot(self):
        return list(self.notes)

    def restore(self, state):
        self.notes = list(state)


class Echo(Backend):
    """Answers from prompt and seed, and misbehaves where it is told to.

    Args:
        model: A name.
        kills: The process dies at prompts that hold this.
        stops: The run is stopped at prompts that hold this.
        first: A folder; of all workers only the first to mark it has weights or the model's name.
        fault: What the others have: no weights (``lacks``), or another model (``other``).
        open_at_once: Requests at once.
        delay: Seconds an answer takes.
    """

    name = "cluster-echo"

    def __init__(
        self, model="m", *, kills="", stops="", first="", fault="", open_at_once: int = 4, delay: float = 0.0
    ) -> None:
        self.model, self.kills, self.stops, self.first, self.fault = model, kills, stops, first, fault
        self.delay = delay
        self.capabilities = Capabilities(scheduling="concurrent", concurrency=open_at_once, deterministic=True)
        self.asked = 0

    placement = frozenset({"kills", "stops", "first", "fault", "open_at_once", "delay"})

    def locate(self):
        if not self.fault:
            return
        with contextlib.suppress(FileExistsError):
            (Path(self.first) / "taken").touch(exist_ok=False)
            return
        if self.fault == "lacks":
            raise BackendUnavailable("the weights of 'm' are not on this machine; put them there")
        self.model = "another"

    def identity(self):
        return {"name": self.model}

    def describe(self):
        return {"counts": {"requests": self.asked}}

    async def generate(self, request):
        self.asked += 1
        text = request.messages[-1].content
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.kills and self.kills in text:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.stops and self.stops in text:
            raise RunStopped("the limit is reached")
        return Completion(f"said {derive('echo', request.seed, text) % 10}", "stop", 3, 2)
