"""What agents that learn without training cost: calls, characters of prompts, size of the state, processor time.

A stream of 20 episodes of 20 turns, every other one solved, with a model that answers at once and writes a lesson of
its own each time. Run as ``python tests/benchmarks/bench_agents.py``; needs no model.
"""

# ruff: noqa: T201 - a bench prints what it measures

from __future__ import annotations

import asyncio
import gc
import time

from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.experience import Experience, Feedback, Step
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.canonical import canonical_json
from finchmark.suite.model import Model, TokenMeter
from finchmark.suite.records import Limits, Sampling, Thinking
from finchmark.suite.registry import AGENTS
from finchmark.suite.seeds import generator

EPISODES, TURNS = 20, 20
NAMES = ("history", "episodes", "replay", "reflection", "cheatsheet", "playbook", "mistakes", "skills")
RULES = (
    "Switch on all bulbs of a row. Each obeys a hidden condition on the others. Answer <action>number</action>. " * 4
)


def lesson(count: int) -> str:
    """Something to learn, in a form that every agent can read."""
    words = ("bulb", "row", "first", "second", "before", "after", "press", "when", "lamp", "rule", "order", "never")
    rng = generator("bench_agents", count)
    text = " ".join(words[i] for i in rng.integers(len(words), size=20))
    return f"NAME: skill {count}\nWHEN: {text[:60]}\nHOW: {text}\nADD: {text}."


def model(asked: list[int] | None) -> Model:
    """Acts if ``asked`` is None; else says what there is to learn, and notes the size of what it was asked."""

    def reply(request) -> str:
        if asked is None:
            return "<action>1</action>"
        size = sum(len(message.content) for message in request.messages)
        asked.append(size)
        return lesson(len(asked) + size)

    return Model(
        Broker(ScriptedBackend(function=reply)),
        session="s", seed=1, seat="player", sampling=Sampling(), thinking=Thinking(), max_tokens=400,
        meter=TokenMeter(Limits()),
    )  # fmt: skip


async def live(name: str) -> dict[str, float]:
    cls = AGENTS.load(name)
    state, asked, memory, spent = cls().snapshot(), [], 0, 0.0
    actor, learner = model(None), model(asked)
    for position in range(EPISODES):
        rng = generator("bench_agents", "episode", position)
        rows = [
            f"Turn {t + 1} of {TURNS}.\n{' '.join('💡○'[b] for b in rng.integers(2, size=6))}" for t in range(TURNS)
        ]
        started = time.process_time()
        agent = cls()
        if state is not None:
            agent.restore(state)
        agent.begin()
        replies = [(await agent.act(Observation(row, RULES), actor)).text for row in rows]
        steps = tuple(Step(row, said, "1", True) for row, said in zip(rows, replies, strict=True))
        solved = position % 2 == 1
        experience = Experience(
            f"s000/{position}", "odyssey/lights", position, RULES, steps, "The end.", Feedback(float(solved), solved)
        )
        await agent.learn(experience, learner)
        state = agent.snapshot()
        spent += time.process_time() - started
        memory = max(memory, len(getattr(agent, "_shown", "") or ""))
    return {
        "calls": len(asked) / EPISODES,
        "asked": sum(asked) / len(asked) if asked else 0,
        "memory": memory,
        "state": len(canonical_json(state).encode()),
        "cpu": 1000 * spent / EPISODES,
    }


def main() -> None:
    asyncio.run(live("replay"))  # imports scikit-learn
    gc.disable()  # whose objects would be searched through now and then, in whoever is at work
    print(f"{EPISODES} episodes of {TURNS} turns")
    print("agent        calls to learn   characters a call   memory shown   state bytes   CPU ms an episode")
    for name in NAMES:
        f = asyncio.run(live(name))
        row = f"{f['calls']:>14.2f} {f['asked']:>19.0f} {f['memory']:>14.0f} {f['state']:>13.0f} {f['cpu']:>19.1f}"
        print(f"{name:<12} {row}")


if __name__ == "__main__":
    main()
