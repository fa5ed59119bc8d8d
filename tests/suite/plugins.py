"""Small tasks, agents and backends for tests of the harness; written as a user would write them."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

from finchmark import Backend, Completion, EpisodeResult, Item, Metric, Task, Tier
from finchmark.suite.backends.base import Capabilities


class Parity(Task):
    """Says whether a number is even."""

    name = "harness/parity"
    summary = "Says whether a number is even."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=6, max_turns=3, max_tokens=32)})
    metrics = (
        Metric(
            name="success", summary="share right", kind="binary", chance=0.5, ceiling=1.0, failure=0.0, primary=True
        ),
        Metric(name="draw", summary="the episode's first random number"),
    )
    references = ("oracle",)

    def items(self, tier, seed):
        return [Item(f"{n:03d}", {"number": n}) for n in range(6)]

    async def episode(self, ctx):
        draw = float(ctx.rng.random())
        said = []
        for _ in range(3):
            said.append(await ctx.ask(f"Is {ctx.item.data['number']} even or odd?"))
            await asyncio.sleep(0)
        right = "even" if ctx.item.data["number"] % 2 == 0 else "odd"
        return EpisodeResult({"success": float(right in said[-1]), "draw": draw})

    def reference(self, name, item, arm):
        class Oracle:
            def reply(self, request):
                return "even" if item.data["number"] % 2 == 0 else "odd"

        return Oracle()


class Moody(Backend):
    """Answers the same always, and fails at prompts that hold the text ``broken``."""

    name = "moody"
    capabilities = Capabilities(scheduling="own", concurrency=4, deterministic=True)

    def __init__(
        self, model: str = "m", *, broken: str = "", answer: str = "even", finish: str = "stop", delay: float = 0.0
    ):
        self.model, self.broken, self.answer, self.finish, self.delay = model, broken, answer, finish, delay
        self.requests = []

    def identity(self):
        return {"name": self.model}

    async def generate(self, request):
        self.requests.append(request)
        await asyncio.sleep(self.delay)
        if self.broken and self.broken in request.messages[-1].content:
            raise RuntimeError("the lights went out")
        return Completion(self.answer, self.finish, prompt_tokens=3, completion_tokens=2)
