"""What must not make a stream's numbers wrong in silence: agents that break their word, limits, kills, odd text."""

import asyncio
import sqlite3
from dataclasses import replace
from typing import ClassVar

import pytest

from finchmark import Item, evaluate
from finchmark.leaderboard.standings import standings
from finchmark.reports.terminal import transcript_text
from finchmark.suite.agents.experience import Feedback
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import UsageError
from finchmark.suite.lives import Life, Lived, Moment
from finchmark.suite.model import ModelStopped
from finchmark.suite.plan import Plan
from finchmark.suite.records import Outcome
from finchmark.suite.registry import AGENTS, TASKS, Entry
from finchmark.suite.results import read_results
from finchmark.suite.states import State
from finchmark.suite.streams import ProbeSet, Stream, stream_sheet
from finchmark.tasks.learning.task import make_task

from .test_streams import Diary, Sums, reply, run
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

    def test_a_policy_has_nothing_to_say_where_an_agent_thinks(self, tmp_path):
        stored = evaluate(
            "learning/odyssey/lights", "scripted:random", agent="reflection", streams=1, limit=1, arms=["evolving"],
            out=tmp_path / "r",
        )  # fmt: skip
        assert any("scripted:random plays episodes and cannot say what it learnt" in error for error in errors(stored))


class TestMatched:
    def test_limits_of_a_sample_are_refused_with_it(self, tmp_path):
        for limit in ({"time_limit": 60}, {"token_limit": 100}):
            with pytest.raises(UsageError, match="Leave the limits out, or the arm"):
                run(tmp_path / "r", arms=["evolving", "compute-matched"], **limit)

    def test_a_filter_that_stops_a_further_vote_does_not_end_the_episode(self, tmp_path):
        asked = {}

        class Filters(ScriptedBackend):
            async def generate(self, request):
                done = await super().generate(request)
                asked.setdefault((request.session, request.messages[-1].content), []).append(request.seed)
                votes = len(asked[request.session, request.messages[-1].content])
                stopped = "/compute-matched/" in request.session and votes == 2
                return replace(done, finish_reason="content_filter") if stopped else done

        def long_learning(request):
            return "so much to say " * 10 if "What of" in request.messages[-1].content else reply(request)

        stored = evaluate(
            "streams/sums", Filters("x", function=long_learning), agent="diary", streams=2,
            arms=["evolving", "compute-matched"], out=tmp_path / "r",
        )  # fmt: skip
        assert max(map(len, asked.values())) == 2
        assert stored.counts()["refused"] == 0

    def test_a_policy_is_asked_once_a_turn(self, tmp_path):
        stored = evaluate(
            "learning/odyssey/lights", "scripted:oracle", streams=1, arms=["evolving", "compute-matched"],
            out=tmp_path / "r",
        )  # fmt: skip
        frame = stored.frame()
        assert (frame["success"] == 1).all()
        assert frame.groupby("arm")["calls"].sum().nunique() == 1


class TestLayout:
    def test_a_probe_is_asked_once_whatever_sets_it_is_in(self):
        sets = tuple(ProbeSet(name, "levels", (Item("p", {"x": 1}),)) for name in "ab")
        with pytest.raises(UsageError, match="two probes of the id 'p'"):
            Stream("s000", (Item("e", {}),), (0,), sets)

    def test_streams_have_names_of_their_own(self):
        stream = Stream("s000", (Item("e", {}),), (0,))
        with pytest.raises(UsageError, match="one name"):
            stream_sheet("t", [stream, stream])
        with pytest.raises(UsageError, match="needs a name"):
            Stream("", (Item("e", {}),), (0,))


class TestNumbers:
    def test_a_cell_knows_how_often_an_item_is_asked_also_before_it_is(self, tmp_path):
        stored = run(tmp_path / "r", streams=3, samples=2, arms=["evolving"])
        (cell,) = read_results(stored.path).cells
        assert (cell.expected, cell.repeats) == (3 * 2 * 2, 3 * 2)
        with sqlite3.connect(stored.path / "samples.sqlite") as db:
            db.execute("DELETE FROM turns")
            db.execute("DELETE FROM samples WHERE checkpoint = 3")
        (cell,) = read_results(stored.path).cells
        assert (cell.expected, cell.repeats, cell.errors) == (12, 6, 12)

    def test_a_board_counts_what_learning_cost_and_streams_as_units_whatever_is_declared(self, tmp_path):
        stored = run(tmp_path / "r", streams=3, arms=["evolving", "frozen"])
        frame = stored.frame()
        for standing in standings([stored]).itertuples():
            own = frame[frame["arm"] == standing.arm]
            assert standing.calls == own["calls"].sum()
            assert standing.completion_tokens == own["completion_tokens"].sum()
            assert (standing.unit, standing.units) == ("stream", 3)
            assert standing.samples == 3 * 2


def test_time_that_is_up_fails_as_the_task_inside_does(tmp_path):
    class Endless(ScriptedBackend):
        async def generate(self, request):
            await asyncio.sleep(60)

    options = {"streams": 1, "limit": 1, "arms": ["frozen"], "time_limit": 0.2}
    orchard = evaluate("learning/worlds/orchard-open", Endless("x", function=reply), out=tmp_path / "o", **options)
    trade = evaluate("learning/odyssey/trade", Endless("x", function=reply), out=tmp_path / "t", **options)
    for stored in (orchard, trade):
        assert set(stored.frame()["reason"]) == {"time_limit"}
    metric = next(m for m in TASKS.load("worlds/orchard-open").metrics if m.primary)
    assert metric.failure < 0
    assert set(orchard.frame()["score"]) == {metric.failure}
    assert {m.name: m.failure for m in make_task("learning/worlds/orchard-open").metrics}["score"] == metric.failure
    assert trade.frame()["success"].isna().all()

    def test_a_transcript_is_found_by_its_place_in_the_stream(self, tmp_path):
        stored = run(tmp_path / "r", streams=2, arms=["evolving"])
        text = transcript_text(stored, "evolving/probe-1/0/s001/5/3")
        assert text.startswith("streams/sums/evolving/probe-1/0/s001/5/3  ok")
        with pytest.raises(UsageError, match="has no sample 'evolving/probe-1/0'"):
            transcript_text(stored, "evolving/probe-1/0")


class TestResume:
    ARMS = ("evolving", "shuffled", "yoked", "placebo", "compute-matched")

    def test_probes_that_are_missing_at_checkpoints_long_passed_are_played_with_the_state_of_then(self, tmp_path):
        def play(out):
            return evaluate(
                "streams/sums", Same("x", function=reply), agent="diary", streams=3, arms=self.ARMS, out=tmp_path / out
            )

        def table(stored):
            stored.export(tmp_path / "t.jsonl", "jsonl")
            return (tmp_path / "t.jsonl").read_bytes()

        whole = table(play("whole"))
        play("cut")
        with sqlite3.connect(tmp_path / "cut" / "samples.sqlite") as db:
            gone = "(SELECT id FROM samples WHERE checkpoint > 0 OR (stream = 's001' AND position = 4))"
            db.execute(f"DELETE FROM turns WHERE sample_id IN {gone}")
            db.execute("DELETE FROM updates WHERE stream = 's001' AND position = 4")
            db.execute(f"DELETE FROM samples WHERE id IN {gone}")
        assert table(play("cut")) == whole

    def test_a_life_that_goes_on_holds_only_the_states_that_are_still_played_with(self):
        task = Sums()
        (stream,) = task.streams(task.tiers["smoke"], 0, 1)
        plan = Plan(task, task.tiers["smoke"], (), (), (stream,))
        for keeps, held in ((False, 3), (True, 5)):
            life = Life(plan, task.arms[0], stream, seed=0, agent="diary")
            life.keeps_states = keeps
            lives = [Moment(life, stream.episodes[n], 0, n, 0, None, ()) for n in range(4)]
            states = [State.of([n]) for n in range(4)]
            updates = [(life.update(moment, state, ""), state) for moment, state in zip(lives, states, strict=True)]
            life.take_up(lambda key, item: Lived(Feedback(1.0), 1, 1) if key.position < 4 else None, updates)
            assert life.state_at(0) is None
            assert [life.state_at(position) for position in (2, 4)] == [states[1], states[3]]
            assert len(life._states) == held
