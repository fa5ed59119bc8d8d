"""What must not make a stream's numbers wrong in silence: agents that break their word, limits, kills, odd text."""

import asyncio
from typing import ClassVar

import pytest

from finchmark import evaluate
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.model import ModelStopped
from finchmark.suite.records import Outcome
from finchmark.suite.registry import AGENTS, Entry
from finchmark.suite.states import State

from .test_streams import Diary, reply, run
from .test_streams import registered as registered  # the tasks and agents of these tests


@pytest.fixture
def agent(request):
    """Register an agent's class for one test."""
    names = []

    def add(cls):
        AGENTS.add(Entry(cls.name, f"{__name__}:{cls.__name__}", "test"), cls)
        names.append(cls.name)
        return cls.name

    yield add
    for name in names:
        AGENTS.forget(name)


class Same(ScriptedBackend):
    """Is the same backend whatever its function does."""

    def identity(self):
        return {"name": "x"}


def errors(stored):
    return [sample.error for sample in stored.samples(turns=False) if sample.error]


class TestStates:
    def test_a_state_with_lone_surrogates_is_kept_without_them(self, tmp_path, agent):
        class Odd(Diary):
            name = "odd"

            async def learn(self, experience, model):
                self.notes.append(f"cut emoji \ud83d, NUL \x00, né {experience.id}")
                return "noted \udfff"

        stored = run(tmp_path / "r", agent=agent(Odd), streams=1, arms=["evolving", "frozen"])
        assert stored.counts()["ok"] == stored.manifest.expected
        last = list(stored.updates())[-1]
        assert stored.state(last.state)[0] == "cut emoji ?, NUL \x00, né s000/0"
        assert last.change == "noted ?"

    def test_what_is_kept_of_any_text_can_be_stored(self):
        state = State.of({"\ud800": ["\udfff é"]})
        assert State.of(state.data()) == state
        assert state.size == len(state.text.encode())

    def test_an_agent_that_does_not_take_up_what_it_gave_is_told(self, tmp_path, agent):
        class Lossy(Diary):
            name = "lossy"

            def restore(self, state):
                self.notes = [note[:3] for note in state]

        stored = run(tmp_path / "r", agent=agent(Lossy), streams=1, arms=["evolving"])
        assert errors(stored)
        assert all("restore() must take up all" in error for error in errors(stored))
        assert [u.position for u in stored.updates()] == [0]

    def test_agents_that_share_their_memory_are_found_out(self, tmp_path, agent):
        class Shared(Diary):
            name = "shared"
            memory: ClassVar = []

            def __init__(self):
                super().__init__()
                self.notes = self.memory

            def restore(self, state):
                self.notes[:] = state

        stored = run(tmp_path / "r", agent=agent(Shared), streams=3)
        assert any("a newborn Shared is in the state" in error for error in errors(stored))
        assert not stored.manifest.complete

    def test_only_learning_changes_the_state_in_arms_that_learn_too(self, tmp_path, agent):
        class Early(Diary):
            name = "early"

            async def act(self, observation, model):
                if "probe" not in observation.text:
                    self.notes.append("while acting")
                return await super().act(observation, model)

        stored = run(tmp_path / "r", agent=agent(Early), streams=1, arms=["evolving"])
        assert any("changed by acting in an episode of the arm 'evolving'" in error for error in errors(stored))
        assert not list(stored.updates())

    def test_a_model_that_stops_half_way_through_learning_leaves_nothing_half_learnt(self, tmp_path, agent):
        class Half(Diary):
            name = "half"

            async def learn(self, experience, model):
                self.notes.append(experience.id)
                if experience.position % 2:
                    raise ModelStopped(Outcome.INVALID, "context_overflow")
                return "all of it"

        stored = run(tmp_path / "r", agent=agent(Half), streams=1, arms=["evolving"])
        assert stored.state(list(stored.updates())[-1].state) == ["s000/0", "s000/2", "s000/4"]


class TestLearning:
    def test_what_failed_learning_cost_is_in_the_sample(self, tmp_path, agent):
        class Fails(Diary):
            name = "fails"

            async def learn(self, experience, model):
                await model.generate(self.messages_for(experience), max_tokens=8)
                raise RuntimeError("the pen broke")

        stored = run(tmp_path / "r", agent=agent(Fails), streams=1, arms=["evolving"], limit=1)
        (sample,) = (s for s in stored.samples() if s.checkpoint == 0)
        assert sample.outcome is Outcome.ERROR
        assert [turn.seat for turn in sample.turns] == ["player", "player", "learning"]
        assert sample.usage.calls == 3

    @pytest.mark.parametrize("delay", [0.0, 0.2])
    def test_time_that_the_backend_lost_while_learning_is_its_fault(self, tmp_path, agent, delay):
        class Slow(Diary):
            name = "slow"

            async def learn(self, experience, model):
                self.notes.append("too late")
                await asyncio.sleep(5)
                return "late"

        class Late(ScriptedBackend):
            def delayed(self, session):
                return delay if session.endswith("/learning") else 0.0

        stored = evaluate(
            "streams/sums", Late("x", function=reply), agent=agent(Slow), streams=1, arms=["evolving"], limit=1,
            out=tmp_path / "r", time_limit=0.3,
        )  # fmt: skip
        assert stored.counts()["error"] == (1 if delay else 0)
        assert all("faults of the backend took 0.2 s" in error for error in errors(stored))
        assert not list(stored.updates())
