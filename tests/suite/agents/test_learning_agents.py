"""Agents that learn, on one small task whose answer is the same in every episode: all ends of a life together."""

from __future__ import annotations

import asyncio
import json

import pytest

from finchmark.suite.agents.cheatsheet import CheatsheetAgent
from finchmark.suite.agents.episodes import EpisodesAgent
from finchmark.suite.agents.experience import Experience, Feedback, Step
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.agents.mistakes import MistakesAgent
from finchmark.suite.agents.playbook import PlaybookAgent
from finchmark.suite.agents.reflection import ReflectionAgent
from finchmark.suite.agents.replay import ReplayAgent
from finchmark.suite.agents.skills import SkillsAgent
from finchmark.suite.agents.window import WindowAgent
from finchmark.suite.canonical import canonical_json, content_hash
from finchmark.suite.conformance import check_agent
from finchmark.suite.model import ModelStopped
from finchmark.suite.records import Outcome
from finchmark.suite.seeds import generator

LEARNERS = {
    "episodes": EpisodesAgent,
    "replay": ReplayAgent,
    "reflection": ReflectionAgent,
    "cheatsheet": CheatsheetAgent,
    "playbook": PlaybookAgent,
    "mistakes": lambda: MistakesAgent(batch=1),
}
ALL = {**LEARNERS, "skills": SkillsAgent}


def follower(prompt: str) -> str:
    """Says blue once it has read so; when it is to learn, says what its last episode ended with."""
    own = prompt.split("user: ")[-1]
    asked_to_learn = "episode" in own
    if not asked_to_learn:
        return "<action>blue</action>" if "blue" in prompt else "<action>red</action>"
    lesson = "Say the colour blue at any door." if "blue" in own else "Say something else."
    return f"NAME: doors\nWHEN: at any door\nHOW: {lesson}\nADD: {lesson}" if "lines" in own else lesson


def lives(stream, make, episodes: int, *, lucky: bool = False) -> list[bool]:
    life = stream(make, follower)
    results = []
    for number in range(episodes):
        solved = "blue" in life.probe("green") or (lucky and number == 0)
        life.live("green", solved=solved, after="Blue would have opened it; blue always does.".lower())
        results.append(solved)
    return results


@pytest.mark.parametrize("make", LEARNERS.values(), ids=LEARNERS)
def test_what_one_failure_showed_solves_the_next_episode(stream, make):
    assert lives(stream, make, 4) == [False, True, True, True]


def test_a_skill_of_one_success_solves_the_next_episode(stream):
    assert lives(stream, SkillsAgent, 3, lucky=True) == [True, True, True]
    assert lives(stream, SkillsAgent, 3) == [False, False, False]


@pytest.mark.parametrize("make", [HistoryAgent, WindowAgent])
def test_agents_without_a_memory_stay_as_they_are(stream, make):
    assert lives(stream, make, 3, lucky=True) == [True, False, False]


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_the_placebo_does_not_help(stream, make):
    life = stream(make, follower)
    life.live("green", solved=make is SkillsAgent, after="blue always opens it.")
    assert "blue" in life.probe("green")
    life.state = json.loads(canonical_json(life.make().placebo(life.state, generator("test"))))
    assert "blue" not in life.probe("green")


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("episodes", "replay")])
def test_a_model_that_is_stopped_leaves_the_state_as_it_was(stream, name):
    class Stopped:
        async def generate(self, *args, **options):
            raise ModelStopped(Outcome.INVALID, "context_overflow")

    life = stream(ALL[name], follower)
    life.live(solved=name == "skills", after="blue always opens it.")
    if name == "mistakes":
        life.live(solved=False)  # ends the trial: the next episode may begin another
    before = content_hash(life.state)
    model = life._model
    life._model = lambda seen: Stopped() if seen is life.asked else model(seen)
    with pytest.raises(ModelStopped):
        life.live(solved=name == "skills")
    assert content_hash(life.agent.snapshot()) == before


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_a_fork_that_learns_teaches_its_agent_nothing(stream, make):
    life = stream(make, follower)
    life.live(solved=True, after="blue always opens it.")
    agent = life.make()
    agent.restore(life.state)
    agent.begin()
    before = content_hash(agent.snapshot())
    steps = (Step("see", "say", "say", True),)
    experience = Experience("s000/9", "demo/doors", 9, "Rules.", steps, "green opens", Feedback(1.0, True))
    asyncio.run(agent.fork().learn(experience, life._model([])))
    assert content_hash(agent.snapshot()) == before


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("episodes", "replay")])
def test_what_learning_asks_is_bounded_whatever_was_lived(stream, name):
    flood = "flood 💡 " * 9000
    life = stream(ALL[name], lambda prompt: f"ADD: {flood}\nNAME: {flood}\nWHEN: {flood}\nHOW: {flood}")
    agent = life.make()
    for number in range(6):
        life.live(flood, solved=name == "skills", after=f"{number} {flood}", rules=flood)
        for asked in life.asked:
            # The example is as long as its episode, and a sheet, a playbook or a reflection stands beside the episode.
            assert len(asked) <= 1.5 * agent.sight + 2 * agent.cap + 3000


SMALLEST = {
    "window": lambda: WindowAgent(0),
    "episodes": lambda: EpisodesAgent(cap=200),
    "replay": lambda: ReplayAgent(examples=1, most=1, cap=200),
    "reflection": lambda: ReflectionAgent(reflections=1, cap=200, sight=200),
    "cheatsheet": lambda: CheatsheetAgent(cap=200, sight=200),
    "playbook": lambda: PlaybookAgent(cap=200, sight=200, window=0),
    "mistakes": lambda: MistakesAgent(batch=1, cap=200, sight=200),
    "skills": lambda: SkillsAgent(examples=1, most=1, cap=200, sight=200),
}


@pytest.mark.parametrize("make", SMALLEST.values(), ids=SMALLEST)
def test_the_smallest_settings_conform(make):
    check_agent(make)
