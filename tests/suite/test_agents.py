from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from finchmark.suite.agents.base import Observation
from finchmark.suite.agents.history import HistoryAgent, StatelessAgent
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.model import Model, TokenMeter
from finchmark.suite.records import Limits, Sampling, Thinking

PRACTICE = (("How?", "like this"),)


def prompts(agent, turns: int = 3, *, practice=(), system=None) -> list[list[tuple[str, str]]]:
    """What the model is shown at each turn."""
    seen = []

    def reply(request):
        seen.append([(m.role, m.content) for m in request.messages])
        return f"reply {len(seen)}"

    async def go():
        model = Model(
            Broker(ScriptedBackend(function=reply)),
            session="s",
            seed=1,
            seat="player",
            sampling=Sampling(),
            thinking=Thinking(),
            max_tokens=9,
            meter=TokenMeter(Limits()),
            system_prompt=system,
        )
        agent.begin()
        for turn in range(turns):
            await agent.act(Observation(f"see {turn}", "Rules.", practice), model)

    asyncio.run(go())
    return seen


def test_the_history_is_complete_by_default():
    assert prompts(HistoryAgent())[2] == [
        ("user", "Rules.\n\nsee 0"),
        ("assistant", "reply 1"),
        ("user", "see 1"),
        ("assistant", "reply 2"),
        ("user", "see 2"),
    ]


@pytest.mark.parametrize("agent", [HistoryAgent(), HistoryAgent(window=2), StatelessAgent()])
def test_each_prompt_of_an_agent_alternates_roles(agent):
    for prompt in prompts(agent, 5, practice=PRACTICE):
        roles = [role for role, _ in prompt]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_a_full_history_only_ever_grows_at_its_end():
    shown = prompts(HistoryAgent(), 4, practice=PRACTICE)
    for before, after in pairwise(shown):
        assert after[: len(before)] == before


def test_a_window_keeps_instructions_and_the_last_turns():
    assert prompts(HistoryAgent(window=1), 3)[2] == [
        ("user", "Rules.\n\nsee 1"),
        ("assistant", "reply 2"),
        ("user", "see 2"),
    ]


def test_a_stateless_agent_sees_no_past():
    assert prompts(StatelessAgent(), 3)[2] == [("user", "Rules.\n\nsee 2")]


def test_practice_stands_before_the_first_turn():
    assert prompts(HistoryAgent(), 1, practice=PRACTICE)[0] == [
        ("user", "Rules.\n\nHow?"),
        ("assistant", "like this"),
        ("user", "see 0"),
    ]


def test_the_run_s_system_prompt_comes_first():
    assert prompts(StatelessAgent(), 1, system="Be brief.")[0][0] == ("system", "Be brief.")


@pytest.mark.parametrize("agent", [HistoryAgent(), HistoryAgent(window=1)])
def test_a_fork_knows_the_past_and_leaves_none(agent):
    prompts(agent, 2)
    shown = []

    async def ask(who, text):
        backend = ScriptedBackend(function=lambda request: shown.append(request.messages) or "aside")
        model = Model(
            Broker(backend), session="s", seed=1, seat="player", sampling=Sampling(), thinking=Thinking(), max_tokens=9,
            meter=TokenMeter(Limits()),
        )  # fmt: skip
        await who.act(Observation(text, "Rules."), model)

    for text in ("first", "second"):
        asyncio.run(ask(agent.fork(), text))
    asyncio.run(ask(agent, "turn"))
    assert shown[0][:-1] == shown[1][:-1] == shown[2][:-1]
    assert [m[-1].content for m in shown] == ["first", "second", "turn"]
    assert "see 1" in "".join(m.content for m in shown[0])
