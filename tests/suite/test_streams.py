"""Streams: what an agent carries along, what it must not, and going on where a run was cut off."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import MappingProxyType

import pytest

from finchmark import EpisodeResult, Item, Metric, Tier, evaluate
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import prepare
from finchmark.suite.registry import AGENTS, TASKS, Entry
from finchmark.suite.states import State
from finchmark.suite.store import StoredRun
from finchmark.suite.streams import ProbeSet, Stream, StreamTask, lived_order, partners


class Sums(StreamTask):
    """Adds two numbers; who notes what was said last is told so again."""

    name = "streams/sums"
    summary = "Adds two numbers."
    tiers = MappingProxyType({"smoke": Tier("smoke", items=5, max_turns=2, max_tokens=64)})
    metrics = (
        Metric(name="success", summary="share right", kind="binary", failure=0.0, primary=True),
        Metric(name="draw", summary="the episode's first random number"),
    )

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
        said = ""
        for turn in range(2):
            said = await ctx.ask(f"{ctx.item.id} turn {turn}")
        return EpisodeResult({"success": float(said.endswith("7")), "draw": draw})


class Diary(HistoryAgent):
    """Writes down the episodes that it lived, and says how many."""

    name = "diary"

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault, self.notes = fault, []

    async def act(self, observation, model):
        if self.fault == "acts":
            self.notes.append("seen")
        seen = type(observation)(f"{observation.text} notes {len(self.notes)} {' '.join(self.notes)[-40:]}")
        return await super().act(seen, model)

    async def learn(self, experience, model):
        if self.fault == "raises" and experience.position == 2 and experience.id.startswith("s001"):
            raise RuntimeError("the pen broke")
        reply = await model.generate(self.messages_for(experience), max_tokens=8)
        self.notes.append(f"{experience.id} {experience.feedback.score} {reply.text}")
        return f"noted {experience.id}"

    @staticmethod
    def messages_for(experience):
        from finchmark.suite.backends.base import Message

        return [Message("user", f"What of {experience.id}? {experience.transcript(most=80)}")]

    def snapshot(self):
        return list(self.notes)

    def restore(self, state):
        self.notes = list(state)


class Idle(Diary):
    """Notes nothing."""

    name = "idle"

    async def learn(self, experience, model):
        return ""


@pytest.fixture(autouse=True)
def registered():
    TASKS.add(Entry(Sums.name, f"{__name__}:Sums", Sums.summary, ("smoke",)), Sums)
    for agent in (Diary, Idle):
        AGENTS.add(Entry(agent.name, f"{__name__}:{agent.__name__}", "test"), agent)
    yield
    TASKS.forget(Sums.name)
    for agent in (Diary, Idle):
        AGENTS.forget(agent.name)


def reply(request):
    """Depends on prompt and seed, as a model's would."""
    from finchmark.suite.seeds import derive

    return f"said {derive('reply', request.seed, request.messages[-1].content) % 10}"


def run(out, *, agent="diary", streams=3, function=reply, **options):
    return evaluate(
        "streams/sums", ScriptedBackend("x", function=function), agent=agent, streams=streams, out=out, **options
    )


def rows(frame, **where):
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame


class TestLayout:
    def test_every_arm_lives_every_episode_and_is_probed_at_every_checkpoint(self, tmp_path):
        stored = run(tmp_path / "r")
        frame = stored.frame()
        assert len(frame) == stored.manifest.expected == 3 * 3 * (5 + 3 * 2)
        for arm in ("evolving", "frozen", "shuffled"):
            lived = rows(frame, arm=arm, stream="s001", checkpoint=0)
            assert sorted(lived["position"]) == list(range(5))
            probes = rows(frame, arm=arm, stream="s001")
            probes = probes[probes["checkpoint"] > 0]
            assert sorted(zip(probes["checkpoint"], probes["position"], strict=True)) == [
                (1, 0), (1, 0), (2, 2), (2, 2), (3, 5), (3, 5),
            ]  # fmt: skip
        sheet = stored.manifest.tasks["streams/sums"].streams
        assert (sheet.streams, sheet.episodes, sheet.checkpoints) == (3, 5, (0, 2, 5))
        assert sheet.probes[0].items == ("probe-0", "probe-1")

    def test_shuffled_lives_the_same_episodes_in_another_order(self, tmp_path):
        frame = run(tmp_path / "r", streams=4).frame()
        for stream in frame["stream"].unique():
            orders = [
                rows(frame, arm=arm, stream=stream, checkpoint=0).sort_values("position")["item"].tolist()
                for arm in ("evolving", "frozen", "shuffled")
            ]
            assert orders[0] == orders[1] != orders[2]
            assert sorted(orders[0]) == sorted(orders[2])

    def test_samples_repeat_probes_only_and_streams_are_12_beyond_smoke(self, tmp_path):
        frame = run(tmp_path / "r", streams=2, samples=3, arms=["evolving"]).frame()
        assert len(rows(frame, checkpoint=0)) == 2 * 5
        assert len(frame[frame["checkpoint"] > 0]) == 2 * 3 * 2 * 3

    @pytest.mark.parametrize(("tasks", "samples"), [(["odyssey/lights"], 4), (["odyssey/lights", "streams/sums"], 1)])
    def test_beside_streams_everything_is_sampled_once_unless_told(self, tasks, samples):
        assert prepare(tasks, "scripted:nonsense").spec.samples == samples
        assert prepare(tasks, "scripted:nonsense", samples=2).spec.samples == 2

    def test_a_limit_shortens_streams(self, tmp_path):
        frame = run(tmp_path / "r", streams=2, limit=2).frame()
        assert rows(frame, checkpoint=0)["position"].max() == 1

    def test_what_was_lived_cannot_probe(self):
        item = Item("a", {"x": 1})
        with pytest.raises(UsageError, match="lived through"):
            Stream("s", (item,), (0,), (ProbeSet("p", "levels", (Item("b", {"x": 1}),)),))

    @pytest.mark.parametrize("checkpoints", [(3,), (1, 0), (0, 0), (-1,)])
    def test_checkpoints_must_lie_on_the_way(self, checkpoints):
        with pytest.raises(UsageError, match="checkpoints"):
            Stream("s", (Item("a", {}), Item("b", {"n": 1})), checkpoints)

    def test_streams_are_refused_where_there_are_none(self, tmp_path):
        with pytest.raises(UsageError, match="none of the tasks has streams"):
            evaluate("odyssey/lights", "scripted:random", streams=3, out=tmp_path / "r")


class TestLearning:
    def test_only_arms_that_learn_change_their_state(self, tmp_path):
        stored = run(tmp_path / "r")
        assert {update.arm for update in stored.updates()} == {"evolving", "shuffled"}
        chain = list(stored.updates(arm="evolving", stream="s002"))
        assert [update.position for update in chain] == list(range(5))
        assert [update.parent for update in chain] == ["", *(update.id for update in chain[:-1])]
        assert chain[1].change == "noted s002/1"
        notes = stored.state(chain[-1].state)
        assert [note.split()[0] for note in notes] == [f"s002/{n}" for n in range(5)]
        assert chain[-1].size == len(json.dumps(notes, separators=(",", ":")))

    def test_an_agent_acts_with_what_it_learnt_before(self, tmp_path):
        stored = run(tmp_path / "r", streams=1, arms=["evolving", "frozen"])
        for sample in stored.samples():
            turn = next(turn for turn in sample.turns if turn.seat == "player")
            assert turn.calls
        seen = {}
        run(
            tmp_path / "again",
            streams=1,
            arms=["evolving"],
            function=lambda r: seen.setdefault(r.messages[-1].content, "7"),
        )
        assert any("e0-3 turn 0 notes 3" in prompt for prompt in seen)
        assert any("probe-1 turn 0 notes 5" in prompt for prompt in seen)
        assert not any("probe" in prompt and "What of" in prompt for prompt in seen)

    def test_arms_with_equal_states_draw_the_same(self, tmp_path):
        frame = run(tmp_path / "r").frame()
        first = frame[frame["checkpoint"] == 1]
        by_arm = [rows(first, arm=arm)["transcript"].tolist() for arm in ("evolving", "frozen", "shuffled")]
        assert by_arm[0] == by_arm[1] == by_arm[2]
        last = frame[frame["checkpoint"] == 3]
        assert rows(last, arm="evolving")["transcript"].tolist() != rows(last, arm="frozen")["transcript"].tolist()

    def test_streams_and_checkpoints_draw_differently(self, tmp_path):
        frame = run(tmp_path / "r", arms=["frozen"]).frame()
        assert frame["draw"].nunique() == len(frame)

    def test_an_unchanged_state_is_no_update_and_costs_no_space(self, tmp_path):
        stored = run(tmp_path / "r", agent="idle")
        assert list(stored.updates()) == []
        import sqlite3

        assert sqlite3.connect(tmp_path / "r" / "samples.sqlite").execute("SELECT COUNT(*) FROM states").fetchone() == (
            0,
        )

    def test_calls_of_learning_are_recorded_apart(self, tmp_path):
        stored = run(tmp_path / "r", arms=["evolving"], streams=1)
        lived = [s for s in stored.samples() if s.checkpoint == 0]
        assert all([turn.seat for turn in s.turns] == ["player", "player", "learning"] for s in lived)
        assert lived[0].turns[-1].after == "noted s000/0"
        assert lived[0].usage.calls == 3
        assert len({call.seed for s in lived for turn in s.turns for call in turn.calls}) == 15

    def test_a_probe_that_changes_the_state_is_an_error_of_the_agent(self, tmp_path):
        stored = run(tmp_path / "r", agent_args={"fault": "acts"}, streams=1, arms=["evolving"])
        probes = [s for s in stored.samples(turns=False) if s.checkpoint]
        assert probes
        assert all(s.outcome == "error" and "changed by a probe" in s.error for s in probes)

    def test_a_failure_to_learn_is_an_error_and_ends_the_stream_there(self, tmp_path):
        stored = run(tmp_path / "r", agent_args={"fault": "raises"}, arms=["evolving"])
        broken = [s for s in stored.samples(turns=False) if s.stream == "s001" and s.checkpoint == 0]
        assert [(s.position, str(s.outcome)) for s in broken] == [(0, "ok"), (1, "ok"), (2, "error")]
        assert [u.position for u in stored.updates(stream="s001")] == [0, 1]
        assert len([s for s in stored.samples(turns=False) if s.stream == "s002"]) == 11
        assert not stored.manifest.complete

    def test_a_model_that_cannot_go_on_leaves_the_state_as_it_was(self, tmp_path):
        class Full(ScriptedBackend):
            async def generate(self, request):
                if "What of s000/1" in request.messages[-1].content:
                    from finchmark.suite.backends.base import ContextOverflow

                    raise ContextOverflow(needed=2, available=1)
                return await super().generate(request)

        stored = evaluate(
            "streams/sums", Full("x", function=reply), agent="diary", streams=1, arms=["evolving"], out=tmp_path / "r"
        )
        assert stored.counts()["error"] == 0
        assert [u.position for u in stored.updates()] == [0, 2, 3, 4]


class TestControls:
    ARMS = ("evolving", "yoked", "placebo", "compute-matched")

    def test_they_need_evolving(self, tmp_path):
        for arm in self.ARMS[1:]:
            with pytest.raises(UsageError, match="play both"):
                run(tmp_path / arm, arms=[arm])
        with pytest.raises(UsageError, match="at least 2 streams"):
            run(tmp_path / "one", arms=["evolving", "yoked"], streams=1)

    def test_yoked_is_told_how_its_partner_was_judged(self, tmp_path):
        stored = run(tmp_path / "r", arms=self.ARMS, streams=4)
        frame = rows(stored.frame(), checkpoint=0)
        cycle = partners(Sums().streams(Sums.tiers["smoke"], 0, 4), 0)
        differs = 0
        for stream, other in cycle.items():
            assert stream != other
            told = [
                float(note.split()[1])
                for note in stored.state(list(stored.updates(arm="yoked", stream=stream))[-1].state)
            ]
            own = rows(frame, arm="yoked", stream=stream).sort_values("position")["success"].tolist()
            theirs = rows(frame, arm="evolving", stream=other).sort_values("position")["success"].tolist()
            assert told == theirs
            differs += own != theirs
        assert set(cycle.values()) == set(cycle)

    def test_placebo_acts_with_as_much_that_says_nothing(self, tmp_path):
        prompts = []

        def keep(request):
            prompts.append((request.session, request.messages[-1].content))
            return reply(request)

        run(tmp_path / "r", arms=["evolving", "placebo"], streams=1, function=keep)
        said = {
            arm: [p for s, p in prompts if f"/{arm}/e0-4/" in s and p.startswith("e0-4 turn 0")]
            for arm in ("evolving", "placebo")
        }
        assert len(said["evolving"]) == len(said["placebo"]) == 1
        assert "notes 4" in said["placebo"][0]
        assert "s000/" in said["evolving"][0]
        assert "s000/" not in said["placebo"][0]
        assert len(said["evolving"][0]) == len(said["placebo"][0])

    def test_compute_matched_spends_about_what_evolving_spends(self, tmp_path):
        def long_learning(request):
            return "so much to say " * 10 if "What of" in request.messages[-1].content else reply(request)

        stored = run(
            tmp_path / "r", arms=["evolving", "compute-matched"], streams=2, function=long_learning, max_tokens=64
        )
        frame = stored.frame()
        frame = frame[(frame["checkpoint"] == 0) & (frame["position"] > 0)]
        spent = frame.groupby("arm")["completion_tokens"].sum()
        assert spent["compute-matched"] == pytest.approx(spent["evolving"], rel=0.25)
        calls = frame.groupby("arm")["calls"].sum()
        assert calls["compute-matched"] > 1.5 * calls["evolving"]
        assert {u.arm for u in stored.updates()} == {"evolving"}


class TestResume:
    ARMS = ("evolving", "frozen", "shuffled", "yoked", "placebo", "compute-matched")

    def export(self, stored, path):
        stored.export(path, "jsonl")
        updates = [update.model_dump() for update in stored.updates()]
        return path.read_bytes(), updates

    @pytest.mark.parametrize("stop", [1, 7, 20, 33])
    def test_a_run_that_stops_and_goes_on_is_the_run_that_never_stopped(self, tmp_path, stop):
        whole = self.export(run(tmp_path / "whole", arms=self.ARMS), tmp_path / "whole.jsonl")
        count = 0

        def failing(request):
            nonlocal count
            count += 1
            if count > 6 * stop:
                raise KeyboardInterrupt
            return reply(request)

        class Stops(ScriptedBackend):
            def identity(self):
                return {"name": "x"}

        options = {"agent": "diary", "streams": 3, "arms": self.ARMS, "concurrency": 3}
        with pytest.raises(KeyboardInterrupt):
            evaluate("streams/sums", Stops("x", function=failing), out=tmp_path / "cut", **options)
        evaluate("streams/sums", Stops("x", function=reply), out=tmp_path / "cut", **options)
        assert self.export(StoredRun(tmp_path / "cut"), tmp_path / "cut.jsonl") == whole

    @pytest.mark.parametrize("concurrency", [1, 2, 64])
    def test_how_many_are_open_at_once_changes_nothing(self, tmp_path, concurrency):
        usual = self.export(run(tmp_path / "a", arms=self.ARMS), tmp_path / "a.jsonl")
        other = self.export(run(tmp_path / "b", arms=self.ARMS, concurrency=concurrency), tmp_path / "b.jsonl")
        assert usual == other

    def test_an_error_is_played_again_and_the_stream_goes_on(self, tmp_path):
        class Same(ScriptedBackend):
            broken = True

            def identity(self):
                return {"name": "x"}

            async def generate(self, request):
                if self.broken and "e1-2 turn 1" in request.messages[-1].content:
                    raise RuntimeError("the lights went out")
                return await super().generate(request)

        backend = Same("x", function=reply)
        options = {"agent": "diary", "streams": 2, "out": tmp_path / "r", "arms": ["evolving", "yoked"]}
        first = evaluate("streams/sums", backend, **options)
        assert first.counts()["error"] == 2
        # A yoked stream waits for its partner: that of the stream that broke off has not begun.
        assert set(rows(first.frame(), arm="yoked")["stream"]) == {"s001"}
        backend.broken = False
        second = evaluate("streams/sums", backend, **options)
        assert second.manifest.complete
        assert second.counts()["error"] == 0
        assert len(second.frame()) == 2 * 2 * 11

    @pytest.mark.slow
    def test_kills_inside_streams_end_in_the_same_table(self, tmp_path):
        script = tmp_path / "play.py"
        script.write_text(
            textwrap.dedent(f"""
            import importlib.util, sys, time
            spec = importlib.util.spec_from_file_location("test_streams", {str(Path(__file__))!r})
            module = importlib.util.module_from_spec(spec); sys.modules["test_streams"] = module
            spec.loader.exec_module(module)
            next(module.registered.__wrapped__() if hasattr(module.registered, "__wrapped__") else iter([None]))
            from finchmark.suite.registry import AGENTS, TASKS, Entry
            TASKS.add(Entry(module.Sums.name, "test_streams:Sums", "", ("smoke",)), module.Sums)
            AGENTS.add(Entry("diary", "test_streams:Diary", ""), module.Diary)
            def slow(request):
                time.sleep(0.002)
                return module.reply(request)
            class Same(module.ScriptedBackend):
                def identity(self):
                    return {{"name": "x"}}
            module.evaluate("streams/sums", Same("x", function=slow), agent="diary", streams=3, out=sys.argv[1],
                            arms={self.ARMS!r})
            """),
            encoding="utf-8",
        )
        whole = self.export(run(tmp_path / "whole", arms=self.ARMS), tmp_path / "whole.jsonl")
        kills = 0
        for attempt in range(40):
            child = subprocess.Popen([sys.executable, str(script), str(tmp_path / "cut")], stderr=subprocess.PIPE)
            store = tmp_path / "cut" / "samples.sqlite"
            deadline = time.monotonic() + 60
            before = count(store)
            while child.poll() is None and time.monotonic() < deadline:
                if attempt < 6 and count(store) >= before + 17:
                    os.kill(child.pid, signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.005)
            _, errors = child.communicate(timeout=60)
            if child.returncode == 0:
                break
            assert child.returncode == -signal.SIGKILL, errors.decode()[-2000:]
        assert kills >= 3
        assert self.export(StoredRun(tmp_path / "cut"), tmp_path / "cut.jsonl") == whole


def count(store):
    import sqlite3

    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
            return db.execute("SELECT COUNT(*) FROM samples").fetchone()[0]
    except sqlite3.Error:
        return 0


class TestState:
    def test_equal_data_is_one_state_and_its_hash_is_the_contents(self):
        from finchmark.suite.canonical import content_hash

        a, b = State.of({"b": 1, "a": [1.0000001]}), State.of({"a": [1.0], "b": 1})
        assert a == b
        assert a.hash == content_hash({"a": [1.0], "b": 1})

    def test_its_data_is_a_copy(self):
        state = State.of({"a": [1]})
        state.data()["a"].append(2)
        assert state.data() == {"a": [1]}


def test_a_shuffle_is_never_the_order_itself():
    items = tuple(Item(str(n), {"n": n}) for n in range(2))
    shuffled = next(arm for arm in StreamTask.arms if arm.name == "shuffled")
    assert {tuple(lived_order(Stream(f"s{k}", items, ()), shuffled, 0)) for k in range(20)} == {(1, 0)}


class TestBranches:
    @pytest.fixture
    def whole(self, tmp_path):
        class Same(ScriptedBackend):
            def identity(self):
                return {"name": "x"}

        backend = Same("x", function=reply)
        run = evaluate(
            "streams/sums", backend, agent="diary", streams=2, arms=["evolving", "frozen"], out=tmp_path / "whole"
        )
        return run, backend

    def test_living_on_with_the_same_numbers_repeats_what_was_lived(self, tmp_path, whole):
        from finchmark.suite.branching import branch

        run, backend = whole
        update = list(run.updates(stream="s001"))[2]
        other = branch(run.path, update.id[:10], tmp_path / "on", backend=backend, arms=["evolving"])
        assert other.manifest.complete
        assert other.manifest.expected == 2 + 2
        later = [u.state for u in run.updates(stream="s001")][3:]
        assert [u.state for u in other.updates()] == later
        old = rows(run.frame(), arm="evolving", stream="s001")
        old = old[old["position"] >= 3].drop(columns=["model"])
        assert other.frame().drop(columns=["model"]).equals(old.reset_index(drop=True))
        assert other.state(update.state) == run.state(update.state)
        assert other.manifest.spec.branch.update == update.id

    def test_other_random_numbers_live_another_life(self, tmp_path, whole):
        from finchmark.suite.branching import branch

        run, backend = whole
        update = next(run.updates(stream="s000"))
        other = branch(run.path, update.id, tmp_path / "on", backend=backend, seed=7)
        assert [u.state for u in other.updates()] != [u.state for u in run.updates(stream="s000")][1:]
        assert set(other.frame()["arm"]) == {"evolving", "frozen"}
        assert not set(other.frame()["draw"]) & set(run.frame()["draw"])

    def test_an_undone_update_is_not_in_the_state(self, tmp_path, whole):
        from finchmark.suite.branching import branch

        run, backend = whole
        update = list(run.updates(stream="s000"))[1]
        other = branch(run.path, update.id, tmp_path / "on", backend=backend, arms=["evolving"], undo=True)
        notes = [note.split()[0] for note in other.state(list(other.updates())[-1].state)]
        assert notes == ["s000/0", "s000/2", "s000/3", "s000/4"]
        first = branch(run.path, next(run.updates(stream="s000")).id, tmp_path / "f", backend=backend, undo=True)
        notes = [note.split()[0] for note in first.state(list(first.updates())[-1].state)]
        assert notes == ["s000/1", "s000/2", "s000/3", "s000/4"]

    def test_a_branch_goes_on_where_it_stopped(self, tmp_path, whole):
        from finchmark.suite.branching import branch

        run, backend = whole
        update = next(run.updates(stream="s000"))
        once = branch(run.path, update.id, tmp_path / "on", backend=backend)
        again = branch(run.path, update.id, tmp_path / "on", backend=backend)
        assert once.frame().equals(again.frame())

    @pytest.mark.parametrize(
        ("update", "options", "message"),
        [("ffff", {}, "there is none"), ("", {}, "there is none"), (None, {"arms": ["shuffled"]}, "not 'shuffled'")],
    )
    def test_what_cannot_be_lived_on_from_is_refused(self, tmp_path, whole, update, options, message):
        from finchmark.suite.branching import branch

        run, backend = whole
        name = next(run.updates()).id if update is None else update
        with pytest.raises(UsageError, match=message):
            branch(run.path, name, tmp_path / "on", backend=backend, **options)

    def test_the_command_line_lists_states(self, whole):
        from typer.testing import CliRunner

        from finchmark.suite.cli import app

        run, _ = whole
        listed = CliRunner().invoke(app, ["states", str(run.path), "--stream", "s001"])
        assert listed.exit_code == 0
        assert listed.output.count("s001") >= 5
        assert "5 updates" in listed.output
        first = next(run.updates(stream="s001"))
        shown = CliRunner().invoke(app, ["states", str(run.path), first.id])
        assert json.loads(shown.output) == run.state(first.state)
