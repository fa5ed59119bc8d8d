"""``learning/…``: which streams there are, what is in them, and how an episode inside one is scored."""

from dataclasses import replace

import pytest

from finchmark import evaluate
from finchmark.environments.worlds.level import Level, split_of
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.registry import TASKS
from finchmark.tasks.learning.course import COURSES
from finchmark.tasks.learning.task import expand, make_task

ODYSSEY, WORLDS = (f"learning/{name}" for name in COURSES)


def streams(name, tier="lite", count=3, seed=0):
    task = make_task(name)()
    return task, task.streams(task.tiers[tier], seed, count)


class TestStreams:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", [ODYSSEY, WORLDS, "learning/odyssey/lights"])
    def test_no_level_is_in_two_streams_or_probes_what_is_lived(self, name):
        _, made = streams(name)
        lived = [item.hash for stream in made for item in stream.episodes]
        probes = {item.hash for stream in made for item in stream.probe_items}
        assert len(set(lived)) == len(lived)
        assert not set(lived) & probes

    def test_they_are_the_same_each_time_and_the_first_of_more(self):
        _, three = streams(ODYSSEY)
        _, again = streams(ODYSSEY, count=5)
        assert list(three) == list(again)[:3]
        _, other = streams(ODYSSEY, seed=1)
        assert three[0].episodes != other[0].episodes

    def test_worlds_are_lived_in_the_train_split_and_probed_in_the_test_split(self):
        _, made = streams(WORLDS)
        for stream in made:
            assert {split_of(Level.from_data(i.data["item"]["level"])) for i in stream.episodes} == {"train"}
            assert {split_of(Level.from_data(i.data["item"]["level"])) for i in stream.probe_items} == {"test"}

    def test_worlds_come_one_after_the_other_and_probes_say_when_they_are_left(self):
        task, made = streams(WORLDS)
        names = [item.data["task"] for item in made[0].episodes]
        assert list(dict.fromkeys(names)) == list(COURSES["worlds"].lived)
        assert names == sorted(names, key=COURSES["worlds"].lived.index)
        left = {probes.name: probes.learnt for probes in made[0].probes}
        assert left["worlds-locks-steady"] == names.count("worlds/locks-steady")
        assert left["worlds-orchard-open"] is None
        kinds = [probes.kind for probes in made[0].probes]
        assert kinds == ["levels"] * 3 + ["worlds"] * 2 + ["inverse"] * 3
        assert task.streams(task.tiers["smoke"], 0, 1)[0].checkpoints == (0, 2, 4)

    def test_a_task_that_short_streams_never_come_to_is_an_unseen_world(self):
        task = make_task(ODYSSEY)()
        (stream,) = task.streams(replace(task.tiers["smoke"], items=1), 0, 1)
        assert [(probes.name, probes.kind) for probes in stream.probes] == [
            ("odyssey-lights", "levels"), ("odyssey-trade", "worlds"), ("odyssey-energy", "worlds"),
        ]  # fmt: skip

    def test_a_task_with_too_few_items_says_so(self):
        class Few(TASKS.load("odyssey/lights")):
            def items(self, tier, seed):
                return super().items(tier, 0)[:3]

        task = make_task("learning/odyssey/lights")()
        task.inner["odyssey/lights"].__dict__["task"] = Few()
        with pytest.raises(UsageError, match="Choose fewer episodes"):
            task.streams(task.tiers["lite"], 0, 1)


class TestNames:
    def test_the_family_stands_for_the_courses(self):
        assert TASKS.select(["learning"]) == [ODYSSEY, WORLDS]
        assert expand("learning/worlds/wind-reach") == ["learning/worlds/wind-reach"]
        assert len(expand("learning/worlds/inverse")) > 5

    def test_any_task_of_single_episodes_makes_a_course(self):
        task = make_task("learning/odyssey/repo")
        assert task.course.lived == ("odyssey/repo",)
        assert task.metrics[0].primary

    @pytest.mark.parametrize("name", ["learning/nothing", "learning/odyssey/nothing"])
    def test_what_is_not_there_is_refused(self, name):
        with pytest.raises(UnknownName):
            make_task(name)


class TestEpisodes:
    def test_an_episode_scores_as_the_task_inside_does(self, tmp_path):
        run = evaluate(ODYSSEY, "scripted:oracle", streams=2, arms=["frozen"], out=tmp_path / "r")
        frame = run.frame()
        lights = frame[frame["item"].str.startswith("odyssey-lights")]
        trade = frame[frame["item"].str.startswith("odyssey-trade")]
        assert (lights["score"] == 1).all()
        assert (lights["success"] == 1).all()
        assert trade["success"].isna().all()
        assert trade["score"].mean() == pytest.approx(1, abs=0.35)

    def test_no_questions_follow_an_episode(self, tmp_path):
        run = evaluate(ODYSSEY, "scripted:random", streams=1, arms=["frozen"], out=tmp_path / "r")
        assert run.frame()["turns"].max() <= make_task(ODYSSEY).tiers["smoke"].max_turns
        assert {turn.seat for sample in run.samples() for turn in sample.turns} == {"player"}

    @pytest.mark.parametrize(("given", "caps"), [(None, {32, 64}), (16, {16})])
    def test_replies_are_as_long_as_the_task_inside_allows(self, tmp_path, given, caps):
        seen = set()

        def reply(request):
            seen.add(request.max_tokens)
            return "<action>0</action>"

        backend = ScriptedBackend("x", function=reply)
        evaluate(ODYSSEY, backend, streams=1, arms=["frozen"], max_tokens=given, out=tmp_path / "r")
        assert seen == caps

    def test_a_model_that_is_stopped_fails_as_in_the_task_inside(self, tmp_path):
        run = evaluate(WORLDS, "scripted:nonsense", streams=1, arms=["frozen"], token_limit=3, out=tmp_path / "r")
        frame = run.frame()
        assert set(frame["reason"]) == {"token_limit"}
        task = make_task(WORLDS)()
        for name, rows in frame.groupby(frame["item"].str.rpartition(".")[0]):
            inner = task.inner["worlds/" + name.removeprefix("worlds-")]
            assert rows["score"].to_numpy() == pytest.approx(inner.primary.failure)

    def test_what_an_agent_is_told_names_the_world(self):
        task, made = streams(ODYSSEY, count=1)
        assert {task.played(item) for item in made[0].episodes} == set(COURSES["odyssey"].lived)

    @pytest.mark.slow
    def test_it_passes_the_conformance_suite(self):
        try:
            check_task(make_task("learning/odyssey/lights"), samples=1)
        finally:
            TASKS.forget("learning/odyssey/lights")
