"""A small known task for agents that learn, played through a scripted backend that is a function of the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from finchmark.suite.agents.base import Agent, Observation
from finchmark.suite.agents.experience import Experience, Feedback, Step
from finchmark.suite.backends.base import GenerateRequest
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.canonical import canonical_json
from finchmark.suite.model import Model, TokenMeter
from finchmark.suite.records import Limits, Sampling, Thinking

RULES = "Open the door. Say <action>a colour</action>."


class Stream:
    """One agent's life: every episode on a fresh object that takes up the state, as the engine does it.

    The task: a door of a colour is shown for two turns, and the colour must be said. ``reply`` plays the model; what
    it was shown is in ``shown`` (the last prompt of each episode's play) and in ``asked`` (what learning asked).
    """

    def __init__(self, make: Callable[[], Agent], reply: Callable[[str], str]) -> None:
        self.make, self.reply, self.state = make, reply, make().snapshot()
        self.shown: list[str] = []
        self.asked: list[str] = []
        self.changes: list[str] = []
        self.agent: Agent | None = None

    def _model(self, seen: list[str]) -> Model:
        def answer(request: GenerateRequest) -> str:
            text = "\n\n".join(f"{m.role}: {m.content}" for m in request.messages)
            seen.append(text)
            return self.reply(text)

        return Model(
            Broker(ScriptedBackend(function=answer)),
            session="s", seed=1, seat="player", sampling=Sampling(), thinking=Thinking(), max_tokens=2000,
            meter=TokenMeter(Limits()),
        )  # fmt: skip

    async def _live(self, door: str, feedback: Feedback, learn: bool, after: str, rules: str) -> None:
        position = len(self.changes)
        agent = self.agent = self.make()
        agent.restore(self.state)
        agent.begin()
        seen: list[str] = []
        model = self._model(seen)
        steps = []
        for turn in range(2):
            text = f"Turn {turn}: a {door} door."
            action = await agent.act(Observation(text, rules), model)
            steps.append(Step(text, action.text, action.text or None, bool(action.text)))
        assert canonical_json(agent.snapshot()) == canonical_json(self.state), "acting changed the state"
        self.shown.append(seen[-1])
        if not learn:
            return
        experience = Experience(f"s000/{position}", "demo/doors", position, rules, tuple(steps), after, feedback)
        self.asked = []
        self.changes.append(await agent.learn(experience, self._model(self.asked)))
        self.state = agent.snapshot()

    def live(
        self,
        door: str = "red",
        *,
        solved: bool | None = True,
        score: float | None = None,
        outcome: str = "ok",
        after: str = "",
        rules: str = RULES,
    ) -> str:
        """Play an episode, learn from it, and give what was changed in words."""
        if score is None and solved is not None:
            score = float(solved)
        asyncio.run(self._live(door, Feedback(score, solved, outcome), True, after, rules))
        return self.changes[-1]

    def probe(self, door: str = "red", *, rules: str = RULES) -> str:
        """Play an episode without learning, and give the last prompt."""
        asyncio.run(self._live(door, Feedback(None), False, "", rules))
        return self.shown[-1]


@pytest.fixture(scope="session")
def stream() -> type[Stream]:
    return Stream


class Talk:
    """Turns of an agent with a model that is a function of the request; all requests are kept."""

    def __init__(self, reply: Callable[[GenerateRequest], str], limits: Limits | None = None) -> None:
        self.requests: list[GenerateRequest] = []

        def answer(request: GenerateRequest) -> str:
            self.requests.append(request)
            return reply(request)

        self.model = Model(
            Broker(ScriptedBackend(function=answer)),
            session="s", seed=1, seat="player", sampling=Sampling(), thinking=Thinking(), max_tokens=2000,
            meter=TokenMeter(limits or Limits()),
        )  # fmt: skip

    def turn(self, agent: Agent, text: str = "Turn 1 of 4.\nA lamp.", **fields) -> str:
        """One turn, and the action's text."""
        return asyncio.run(agent.act(Observation(text, RULES, **fields), self.model)).text


@pytest.fixture(scope="session")
def talk() -> type[Talk]:
    return Talk
