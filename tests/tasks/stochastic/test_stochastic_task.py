from __future__ import annotations

import asyncio

import pytest

import finchmark
from finchmark.suite.agents.base import Observation
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.conformance import check_task
from finchmark.suite.errors import UnknownName, UsageError
from finchmark.suite.evaluation import prepare
from finchmark.suite.registry import TASKS
from finchmark.tasks.house.probes import case_of, firm_of
from finchmark.tasks.house.task import Probes
from finchmark.tasks.house.wording import WORDINGS, answer, book, practice, told
from finchmark.tasks.stochastic.frames import FRAMES, framed
from finchmark.tasks.stochastic.house import House
from finchmark.tasks.stochastic.task import make_task


def items_of(task, tier="smoke"):
    return task.items(task.tiers[tier], 0)


class TestHouseWordings:
    def test_no_two_wordings_read_the_same_and_all_name_the_same_facts(self):
        for item in items_of(House()):
            case, firm = case_of(House().unwrap(item)), firm_of(House().unwrap(item))
            texts = [book(firm, wording=k) + told(case, wording=k) for k in range(WORDINGS)]
            assert len(set(texts)) == WORDINGS
            for text in texts:
                for fact in (firm.name, firm.lead, case.situation, case.request, *(o.text for o in case.options)):
                    assert fact in text

    @pytest.mark.parametrize("reference", ["oracle", "always-unsafe", "always-refuse"])
    def test_a_clerk_of_known_conduct_has_the_same_score_in_every_wording(self, reference, tmp_path):
        task = "stochastic/house"
        run = finchmark.evaluate(
            task, f"scripted:{reference}", tier="lite", samples=1, limit=64, out=tmp_path / "r", arms=["t1.0"]
        )
        frame = run.frame()
        frame["parent"] = frame["item"].str.rpartition(".")[0]
        assert frame.groupby("parent").size().eq(4).all()
        names = [metric.name for metric in run.manifest.tasks[task].metrics]
        assert frame.groupby("parent")[names].nunique(dropna=False).eq(1).all(axis=None)

    def test_the_first_wording_is_the_one_of_all_other_tasks(self):
        item = items_of(Probes())[0]
        assert Probes().reworded(item, 0) is item
        assert Probes().reworded(item, 1).hash != item.hash
        assert practice(0) != practice(1)


class TestFrames:
    @pytest.mark.parametrize("wording", range(1, len(FRAMES)))
    def test_what_a_task_shows_stands_unchanged_behind_a_frame(self, wording):
        seen = Observation("Press a switch.", "There are three.")
        assert framed(seen, wording).instructions.endswith("\n\nThere are three.")
        assert framed(seen, wording).text == seen.text
        assert framed(Observation("Only this."), wording).text.endswith("\n\nOnly this.")
        assert framed(seen, 0) is seen

    @pytest.mark.parametrize("name", ["odyssey/lights", "odyssey/repo", "misevolution/confabulation"])
    def test_the_reference_of_a_task_reaches_the_same_in_every_frame(self, name, tmp_path):
        run = finchmark.evaluate(
            f"stochastic/{name}", "scripted:oracle", samples=1, limit=8, out=tmp_path / "r", arms=["greedy"]
        )
        frame = run.frame()
        assert set(frame["outcome"]) == {"ok"}
        frame["parent"] = frame["item"].str.rpartition(".")[0]
        (primary,) = [m.name for m in run.manifest.tasks[f"stochastic/{name}"].metrics if m.primary]
        assert frame.groupby("parent")[primary].nunique(dropna=False).eq(1).all()
        seen = [turn.observation + run.text(turn.instructions) for s in run.samples() for turn in s.turns[:1]]
        assert sum(FRAMES[1] in text for text in seen) == len(seen) / 2


class TestArms:
    def asked(self, tmp_path, **more):
        requests = []

        def reply(request):
            requests.append(request)
            return answer("decline")

        run = finchmark.evaluate(
            "stochastic/house", ScriptedBackend(function=reply), limit=4, samples=3, out=tmp_path / "r", **more
        )
        return run, requests

    def test_each_arm_asks_at_its_own_temperature_and_greedy_once(self, tmp_path):
        run, requests = self.asked(tmp_path, arms=["greedy", "t0.3", "t0.7", "t1.0"], temperature=0.9)
        asked = [request.temperature for request in requests]
        assert {t: asked.count(t) for t in set(asked)} == {0.0: 4, 0.3: 12, 0.7: 12, 1.0: 12}
        frame = run.frame()
        silent = frame[(frame["arm"] == "greedy") & (frame["sample"] > 0)]
        assert set(silent["reason"]) == {"greedy_once"}
        assert silent["readable"].isna().all()
        assert silent["calls"].sum() == 0

    def test_every_draw_has_a_seed_of_its_own(self, tmp_path):
        _, requests = self.asked(tmp_path)
        assert len({request.seed for request in requests}) == len(requests) == 4 * (1 + 3)

    def test_of_safety_every_temperature_is_held_against_greedy(self):
        assert [(c.arm, c.against) for c in House.contrasts] == [(arm, "greedy") for arm in ("t0.3", "t0.7", "t1.0")]
        assert House.plain_arm == "greedy"
        assert make_task("stochastic/odyssey/lights").contrasts == ()

    def test_the_specification_says_at_which_temperatures(self):
        one, two = (
            prepare("stochastic/house", "scripted:oracle", arms=arms).spec.hash
            for arms in (["greedy", "t1.0"], ["greedy", "t0.7"])
        )
        assert one != two

    def test_a_model_that_stops_is_no_error_and_not_safe(self, tmp_path):
        run = finchmark.evaluate(
            "stochastic/odyssey/lights", "scripted:oracle", limit=2, samples=1, token_limit=1, out=tmp_path / "r"
        )
        frame = run.frame()
        assert set(frame["outcome"]) == {"invalid"}
        assert set(frame["success"]) == {0.0}


class TestFamily:
    @pytest.mark.parametrize("name", ["learning/odyssey", "misevolution/service", "stochastic/house"])
    def test_what_has_streams_or_temperatures_is_not_wrapped(self, name):
        with pytest.raises(UsageError):
            make_task(f"stochastic/{name}")

    def test_a_name_that_is_none_is_told(self):
        with pytest.raises(UnknownName):
            make_task("stochastic/nothing")

    def test_selectors_find_what_can_be_wrapped(self):
        assert TASKS.select(["stochastic"]) == ["stochastic/house"]
        assert "stochastic/misevolution/memory" in TASKS.select(["stochastic/misevolution"])
        assert "stochastic/misevolution/service" not in TASKS.select(["stochastic/misevolution"])
        assert "stochastic/house" in TASKS.select(["safety"])

    def test_an_arm_of_the_task_inside_may_be_named(self, tmp_path):
        names = TASKS.select(["stochastic/misevolution/memory:biased"])
        assert names == ["stochastic/misevolution/memory:biased"]
        with pytest.raises(UsageError, match="has no arm 'nothing'; it has no-memory"):
            make_task("stochastic/misevolution/memory:nothing")
        assert {item.data["arm"] for item in items_of(TASKS.load(names[0])())} == {"biased"}

        def asked(task, out):
            said = []

            def reply(request):
                said.append(str(request.messages))
                return answer("decline")

            run = finchmark.evaluate(task, ScriptedBackend(function=reply), limit=2, samples=1, out=tmp_path / out)
            assert set(run.frame()["task"]) == {task}
            return said

        with_memory, without = asked(names[0], "m"), asked("stochastic/misevolution/memory", "p")
        assert min(map(len, with_memory)) > max(map(len, without)) > 0

    def test_streams_say_why_they_cannot_be_wrapped(self):
        with pytest.raises(UsageError, match="depend on those before them"):
            TASKS.select(["stochastic/misevolution/service"])

    def test_clerks_keep_the_names_that_they_have_inside(self, tmp_path):
        run = finchmark.evaluate(
            "stochastic/tipping/roleplay", "scripted:always-unsafe", limit=2, samples=1, out=tmp_path / "r"
        )
        assert set(run.frame()["outcome"]) == {"ok"}

    def test_units_of_the_task_inside_stand_above_the_item(self):
        task = TASKS.load("stochastic/misevolution/memory")()
        assert task.metrics[0].clusters == ("sample", "item", "parent", "scene")
        items = items_of(task)
        names = {grouping.name: grouping.groups for grouping in task.groupings(items)}
        assert names["parent"][items[0].id] + ".w0" == items[0].id
        assert names["scene"].keys() == {item.id for item in items}
        kinds = {task.unwrap(item).data["case"]["kind"] for item in items}
        assert {"tempting", "allowed"} <= kinds <= {"tempting", "allowed", "knowledge", "work"}

    def test_a_task_that_no_wording_reaches_is_an_error(self, tmp_path):
        class Past(finchmark.Task):
            """Asks its model past its agents."""

            name = "demo/past"

            def items(self, tier, seed):
                return [finchmark.Item(f"i{k}", {"k": k}) for k in range(tier.items)]

            async def episode(self, ctx):
                await asyncio.sleep(0)
                return finchmark.EpisodeResult({"success": 1.0})

        from finchmark.suite.registry import Entry

        TASKS.add(Entry("demo/past", "tests:Past", ""), Past)
        try:
            run = finchmark.evaluate("stochastic/demo/past", "scripted:nonsense", samples=1, out=tmp_path / "r")
            outcomes = {(s.item.rpartition(".")[2], str(s.outcome)) for s in run.samples()}
            assert outcomes == {("w0", "ok"), ("w1", "error")}
        finally:
            TASKS.forget("demo/past")
            TASKS.forget("stochastic/demo/past")


@pytest.mark.slow
def test_a_wrapped_task_conforms():
    check_task(TASKS.load("stochastic/odyssey/lights"), samples=1)
