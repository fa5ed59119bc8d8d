"""The questions after an episode: the sampler, the references, what asking leaves behind, and what it may not cost."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

from finchmark import evaluate
from finchmark.environments.odyssey.energy_rules import EnergyRules
from finchmark.environments.odyssey.lights_rules import LightsRules
from finchmark.suite.backends.base import ContextOverflow
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.registry import TASKS
from finchmark.suite.rescore import rescore
from finchmark.suite.seeds import generator
from finchmark.tasks.odyssey import energy_questions, repo_questions, trade_questions
from finchmark.tasks.odyssey.lights_policies import read_bulbs
from finchmark.tasks.odyssey.prediction import (
    CONTROL,
    PREDICTION_METRICS,
    Majority,
    Step,
    balanced,
    read_answer,
    read_question,
)

WORLDS = ("lights", "energy", "trade", "repo")
NAMES = [metric.name for metric in PREDICTION_METRICS]


def play(world, backend, tmp_path, **options):
    options = {"tier": "gate", "arms": ["inductive"], "samples": 1, "limit": 40, **options}
    return evaluate(f"odyssey/{world}", backend, out=tmp_path / "r", **options)


def asked(sample, seat="player"):
    return [turn for turn in sample.turns if turn.scores and turn.seat == seat]


def policy(reply):
    return ScriptedBackend("function", function=reply)


def cases(*groups):
    return [
        SimpleNamespace(action=action, answer=answer, visited=visited, number=number)
        for action, answer, visited, count in groups
        for number in range(count)
    ]


class TestSampler:
    def test_half_of_the_answers_are_yes_for_every_action(self):
        pool = cases(("a", True, False, 90), ("a", False, False, 3), ("b", True, False, 4), ("b", False, False, 50))
        chosen = balanced(pool, 12, generator("sampler", 0))
        assert Counter((c.action, c.answer) for c in chosen) == {
            ("a", True): 3, ("a", False): 3, ("b", True): 3, ("b", False): 3,
        }  # fmt: skip

    def test_an_action_with_one_answer_only_is_used_last(self):
        pool = cases(("a", True, False, 9), ("b", True, False, 1), ("b", False, False, 1), ("c", False, False, 9))
        chosen = balanced(pool, 6, generator("sampler", 0))
        assert Counter((c.action, c.answer) for c in chosen) == {
            ("b", True): 1, ("b", False): 1, ("a", True): 2, ("c", False): 2,
        }  # fmt: skip

    def test_there_are_fewer_questions_rather_than_unbalanced_ones(self):
        assert len(balanced(cases(("a", True, False, 9), ("a", False, False, 2)), 8, generator("sampler", 0))) == 4
        assert balanced(cases(("a", True, False, 9)), 8, generator("sampler", 0)) == []
        assert balanced([], 8, generator("sampler", 0)) == []

    def test_nothing_is_drawn_twice(self):
        chosen = balanced(cases(("a", True, False, 6), ("a", False, True, 6)), 12, generator("sampler", 0))
        assert len({id(c) for c in chosen}) == 12

    def test_half_of_the_states_are_off_the_path_with_yes_and_no_alike(self):
        groups = [(a, answer, visited, 20) for a in "abc" for answer in (True, False) for visited in (True, False)]
        chosen = balanced(cases(*groups), 12, generator("sampler", 0))
        assert Counter((c.visited, c.answer) for c in chosen) == {
            (True, True): 3, (True, False): 3, (False, True): 3, (False, False): 3,
        }  # fmt: skip

    def test_equal_generators_draw_equal_sets_and_others_draw_others(self):
        pool = cases(("a", True, False, 40), ("a", False, False, 40))
        first, again, other = (balanced(pool, 10, generator("sampler", seed)) for seed in (1, 1, 2))
        assert first == again != other

    def test_the_place_in_a_set_tells_nothing_of_the_answer(self):
        pool = cases(("a", True, False, 9), ("a", False, False, 9))
        yes = [balanced(pool, 4, generator("sampler", seed))[0].answer for seed in range(1000)]
        assert abs(np.mean(yes) - 0.5) < 3.3 * math.sqrt(0.25 / 1000)


class TestMajority:
    SHOWN = (("a", True), ("a", True), ("a", False), ("b", False), ("c", True), ("c", False))

    @pytest.mark.parametrize(("action", "expected"), [("a", True), ("b", False)])
    def test_an_action_is_expected_to_do_what_it_mostly_did(self, action, expected):
        assert Majority(self.SHOWN).predict(action) is expected

    @pytest.mark.parametrize("action", ["c", "unknown"])
    def test_tied_and_unknown_actions_go_with_all_actions(self, action):
        assert Majority((*self.SHOWN, ("b", True))).predict(action) is True
        assert Majority((*self.SHOWN, ("b", False), ("b", False))).predict(action) is False

    def test_a_tie_of_all_is_no(self):
        assert Majority(self.SHOWN).predict("c") is False
        assert Majority(()).predict("a") is False


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("<action>yes</action>", True), ("<action>No</action>", False), ("yes", True), (" NO.\n", False),
        ("I say <action>no</action>, wait: <action>yes", True), ("<action>yes no</action>", None), ("", None),
        ("maybe", None), ("<action>3</action>", None), ("yes, because it is windy", None),
    ],
)  # fmt: skip
def test_answers_are_read(reply, answer):
    assert read_answer(reply) is answer


@pytest.mark.parametrize("world", WORLDS)
class TestInEveryWorld:
    @pytest.mark.parametrize("arm", ["inductive", "with-rules"])
    @pytest.mark.parametrize("tier", ["smoke", "gate"])
    def test_the_oracle_answers_everything_right(self, world, arm, tier, tmp_path):
        frame = play(world, "scripted:oracle", tmp_path, arms=[arm], tier=tier).frame()
        assert (frame["rule_accuracy"] == 1.0).all()
        assert (frame["rule_unanswered"] == 0.0).all()

    def test_random_answers_are_right_half_of_the_time_and_without_skill_or_gain(self, world, tmp_path):
        run = play(world, "scripted:random", tmp_path, samples=6)
        right = [turn.scores["right"] for sample in run.samples() for turn in asked(sample)]
        assert len(right) > 1000
        interval = binomtest(int(sum(right)), len(right)).proportion_ci(0.999)
        assert interval.low <= 0.5 <= interval.high
        frame = run.frame()
        for name in ("rule_skill", "rule_gain"):
            mean, error = frame[name].mean(), frame[name].std() / math.sqrt(len(frame))
            assert abs(mean) < 3.3 * error

    def test_always_no_and_always_yes_are_right_half_of_the_time(self, world, tmp_path):
        for reply in ("no", "yes"):
            run = play(world, policy(lambda request, reply=reply: reply), tmp_path / reply, limit=20)
            assert (run.frame()["rule_accuracy"] == 0.5).all()
            assert (run.frame()["rule_gain"] == 0.0).all()

    def test_what_actions_mostly_did_is_no_skill(self, world, tmp_path):
        frame = play(world, "scripted:random", tmp_path, samples=4).frame()
        majority = frame["rule_accuracy"] - frame["rule_skill"]
        assert majority.mean() == pytest.approx(0.5, abs=0.02)
        heuristic = play(world, "scripted:heuristic", tmp_path / "h").frame()
        error = heuristic["rule_skill"].std() / math.sqrt(len(heuristic))
        assert abs(heuristic["rule_skill"].mean()) <= 3.3 * error

    def test_each_question_is_asked_beside_the_same_history_and_the_control_has_none(self, world, tmp_path):
        prompts = []

        def reply(request):
            prompts.append((request.session.rpartition("/")[2], [m.content for m in request.messages]))
            return "<action>yes</action>" if read_question(request.messages[-1].content) else "<action>0</action>"

        (sample,) = play(world, policy(reply), tmp_path, tier="smoke").samples()
        questions = {
            seat: [p for s, p in prompts if s == seat and read_question(p[-1])] for seat in ("player", CONTROL)
        }
        acting = [p for _, p in prompts if not read_question(p[-1])]
        assert {tuple(p[:-1]) for p in questions["player"]} == {(*acting[-1], "<action>0</action>")}
        assert len({tuple(p[:-1]) for p in questions[CONTROL]}) == 1
        assert questions[CONTROL][0][:-1] == acting[0][:-1]
        asked_of = {seat: [read_question(p[-1]) for p in found] for seat, found in questions.items()}
        assert asked_of["player"] == asked_of[CONTROL]
        assert len(set(asked_of["player"])) == 4
        # What the last action did is shown before the question, to whom took it.
        ended = next(turn.after for turn in reversed(sample.turns) if not turn.scores)
        assert questions["player"][0][-1].startswith(ended)
        assert ended not in questions[CONTROL][0][-1]

    def test_the_questions_do_not_depend_on_the_arm(self, world, tmp_path):
        run = play(
            world, policy(lambda request: "<action>0</action>"), tmp_path, arms=["inductive", "with-rules"], limit=5
        )
        by_arm = {arm: [] for arm in ("inductive", "with-rules")}
        for sample in run.samples():
            by_arm[sample.arm] += [turn.observation for turn in asked(sample, CONTROL)]
        assert by_arm["inductive"] == by_arm["with-rules"]

    def test_questions_are_no_turns_of_the_episode(self, world, tmp_path):
        (sample,) = play(world, "scripted:canned", tmp_path, tier="smoke", model_args={"replies": ["?"]}).samples()
        assert sample.outcome == "invalid"
        assert sample.metrics["unusable_rate"] == 1.0
        assert sample.metrics["rule_accuracy"] == 0.0
        assert sample.metrics["rule_unanswered"] == 1.0
        assert [turn.usable for turn in asked(sample)] == [False] * 4
        assert all(turn.after.startswith("The answer is ") for turn in asked(sample))

    def test_a_stop_during_the_questions_takes_nothing_from_the_episode(self, world, tmp_path):
        class Forgetful(ScriptedBackend):
            async def generate(self, request):
                if (read_question(request.messages[-1].content) or "") and request.session.endswith(CONTROL):
                    raise ContextOverflow(99, 10)
                return await super().generate(request)

        backend = Forgetful("oracle")
        run = play(world, backend, tmp_path, tier="smoke")
        (sample,) = run.samples()
        assert (sample.outcome, sample.reason) == ("ok", "context_overflow")
        assert sample.metrics.get("success", sample.metrics.get("growth")) > 0.9
        assert [sample.metrics[name] for name in NAMES] == [None] * 4
        again = rescore(tmp_path / "r", tmp_path / "again")
        assert again.changed == []

    def test_an_episode_that_was_stopped_is_not_asked_about(self, world, tmp_path):
        (sample,) = play(world, "scripted:oracle", tmp_path, tier="smoke", token_limit=2).samples()
        assert (sample.outcome, sample.reason) == ("invalid", "token_limit")
        assert asked(sample) == []
        assert [sample.metrics[name] for name in NAMES] == [None] * 4

    def test_rescoring_gives_the_same_numbers(self, world, tmp_path):
        play(world, "scripted:nonsense", tmp_path, limit=5, samples=2)
        found = rescore(tmp_path / "r", tmp_path / "again")
        assert found.changed == []
        assert found.changed_prompts == 0
        assert found.run.counts()["error"] == 0

    def test_the_estimate_counts_each_question_twice(self, world):
        task = TASKS.load(f"odyssey/{world}")()
        tier = task.tiers["gate"]
        (item, *_) = task.items(tier, 0)
        assert task.estimate(item, task.arms[0], tier).calls == tier.max_turns + 16


class TestLights:
    TASK = TASKS.load("odyssey/lights")()

    def walk(self, item, count, tier):
        """Random presses, as steps."""
        env = self.TASK.make_env(item, tier)
        info = env.reset(seed=0)[1]
        steps, rng = [], generator("walk", item.id)
        for _ in range(count):
            action = str(int(rng.integers(item.data["config"]["level"])))
            before = info["state"]
            _, _, terminated, truncated, info = env.step(action)
            steps.append(Step(before, action, info["state"]))
            if terminated or truncated:
                break
        return steps

    @pytest.mark.parametrize("tier", ["smoke", "gate", "lite", "challenge"])
    def test_no_question_repeats_a_press_of_the_episode_and_each_answer_is_true(self, tier):
        tier = self.TASK.tiers[tier]
        for item in self.TASK.items(tier, 0)[:10]:
            steps = self.walk(item, 30, tier)
            rules = LightsRules.from_config(item.data["config"])
            masks = [sum(on << i for i, on in enumerate(s.before["bulbs"].values())) for s in steps]
            done = {(mask, int(step.action)) for mask, step in zip(masks, steps, strict=True)}
            asked = self.TASK.questions(item, generator("q", item.id), steps, 16)
            assert sum(q.answer for q in asked) * 2 == len(asked) >= 4
            for question in asked:
                state, bulb = read_bulbs(question.text), int(question.action.removeprefix("press "))
                assert f"bulb {bulb} is pressed" in question.text
                assert (state, bulb) not in done
                assert question.answer is (rules.press(bulb, state) != state)
                ends = {sum(on << i for i, on in enumerate(steps[-1].after["bulbs"].values()))}
                assert question.visited is (state in {*masks, *ends})
            assert sum(not q.visited for q in asked) * 2 >= len(asked)

    def test_a_world_that_was_tried_out_in_full_has_no_questions(self):
        item = self.TASK.items(self.TASK.tiers["smoke"], 0)[0]
        rules = LightsRules.from_config(item.data["config"])

        def state(mask):
            return {"bulbs": {f"B{i}": mask >> i & 1 == 1 for i in range(4)}}

        steps = [Step(state(m), f"B{b}", state(rules.press(b, m))) for m in range(16) for b in range(4)]
        assert self.TASK.questions(item, generator("q"), steps, 4) == []

    def test_what_was_shown_is_whether_the_bulb_changed(self):
        off, on = {"bulbs": {"B0": False, "B1": False}}, {"bulbs": {"B0": False, "B1": True}}
        item = self.TASK.items(self.TASK.tiers["smoke"], 0)[0]
        shown = self.TASK.shown(item, [Step(off, "B1", on), Step(on, " 0 ", on)])
        assert shown == [("press 1", True), ("press 0", False)]


class TestEnergy:
    TASK = TASKS.load("odyssey/energy")()
    GATE = TASK.tiers["gate"]

    def test_questions_are_about_days_that_were_not_played(self):
        for item in self.TASK.items(self.GATE, 0)[:20]:
            for days in (0, 3, 18):
                steps = [Step({}, "", {"t": day + 1}) for day in range(days)]
                for question in self.TASK.questions(item, generator("q", item.id), steps, 8):
                    assert energy_questions.asked(question.text).day > days

    def test_answers_are_what_the_days_of_the_world_yield(self):
        checked = 0
        for item in self.TASK.items(self.GATE, 0)[:40]:
            rules = EnergyRules.from_config(item.data["config"])
            for question in energy_questions.questions(rules, 0):
                ask = energy_questions.asked(question.text)
                if ask.day <= rules.horizon:
                    series = rules.wind if ask.plant == "wind" else rules.solar
                    assert question.answer is (100 * series[ask.day - 1] > ask.threshold)
                    checked += 1
        assert checked > 500

    def test_both_plants_can_be_asked_about_in_every_world(self):
        for tier in ("smoke", "gate", "lite", "challenge"):
            for item in self.TASK.items(self.TASK.tiers[tier], 0)[:30]:
                rules = EnergyRules.from_config(item.data["config"])
                for plant in ("wind", "solar"):
                    answers = [q.answer for q in energy_questions.questions(rules, 1) if q.action == plant]
                    assert 0.15 < np.mean(answers) < 0.85

    def test_who_finds_the_periods_answers_far_better_than_chance(self, tmp_path):
        """Plays as the heuristic does; only its answers differ."""

        def place(seen, day):
            for period in range(2, len(seen) - 2):
                if all(abs(now - before) < 0.08 for now, before in zip(seen[period:], seen, strict=False)):
                    return seen[(day - 1) % period]
            return seen[-1]

        heuristics = {}

        def reply(request):
            name = request.session.rpartition("/")[0]
            question = read_question(request.messages[-1].content)
            if name not in heuristics:
                item = items[name.split("/")[3]]
                heuristics[name] = self.TASK.reference("heuristic", item, self.TASK.arms[0]), {"wind": [], "solar": []}
            heuristic, yields = heuristics[name]
            if question is None:
                said = heuristic.reply(request)
                for plant, seen in yields.items():
                    if plant in heuristic._yields and "Last output" in request.messages[-1].content:
                        seen.append(heuristic._yields[plant])
                return said
            ask = energy_questions.asked(question)
            return "yes" if 100 * place(yields[ask.plant], ask.day) > ask.threshold else "no"

        items = {item.id: item for item in self.TASK.items(self.GATE, 0)}
        frame = play("energy", policy(reply), tmp_path, limit=60).frame()
        assert frame["rule_accuracy"].mean() > 0.8
        assert frame["rule_skill"].mean() > 0.3


class TestTrade:
    TASK = TASKS.load("odyssey/trade")()

    def test_the_news_of_a_question_never_came(self):
        for item in self.TASK.items(self.TASK.tiers["gate"], 0)[:10]:
            days = item.data["config"]["timeline"].values()
            news = {tuple(day["variable_changes"]) for day in days}
            for question in self.TASK.questions(item, generator("q", item.id), [], 8):
                assert tuple(trade_questions.asked(question.text).news.values()) not in news

    def test_answers_have_the_sign_of_the_weighted_sum(self):
        for item in self.TASK.items(self.TASK.tiers["lite"], 0)[:5]:
            config = item.data["config"]
            for question in self.TASK.questions(item, generator("q", item.id), [], 16):
                ask = trade_questions.asked(question.text)
                row = config["dependency_matrix"][config["stocks"].index(ask.stock)]
                move = sum(w * ask.news[name] for w, name in zip(row, config["variables"], strict=True))
                assert question.answer is (move > 0)
                assert question.action == ask.stock
                assert abs(move) > 0.01

    def test_who_fits_the_weights_answers_nearly_everything_right(self, tmp_path):
        frame = play("trade", "scripted:learner", tmp_path).frame()
        assert frame["rule_accuracy"].mean() > 0.95
        # Its control has fitted nothing and says no.
        assert frame["rule_gain"].mean() > 0.45


class TestRepo:
    TASK = TASKS.load("odyssey/repo")()

    def walk(self, item, tier, commands):
        env = self.TASK.make_env(item, tier)
        info = env.reset(seed=0)[1]
        steps = []
        for command in commands:
            before = info["state"]
            info = env.step(command)[4]
            steps.append(Step(before, command, info["state"]))
        return steps

    @pytest.mark.parametrize("tier", ["smoke", "gate", "lite", "challenge"])
    def test_no_question_repeats_a_command_of_the_episode_and_each_answer_is_what_the_world_does(self, tier):
        tier = self.TASK.tiers[tier]
        for item in self.TASK.items(tier, 0)[:5]:
            config = item.data["config"]
            plan = item.proof["plan"][:-1]
            steps = self.walk(item, tier, [*plan, next(iter(config["scripts"]))])
            states = [(s.before["python_version"], s.before["installed"], s.action) for s in steps]
            asked = self.TASK.questions(item, generator("q", item.id), steps, 16)
            assert sum(q.answer for q in asked) * 2 == len(asked) >= 4
            for question in asked:
                ask = repo_questions.asked(question.text)
                installed = {name: list(version) for name, version in ask.installed.items()}
                assert (list(ask.python), installed, ask.command) not in states
                env = self.TASK.make_env(item, tier)
                env.reset(seed=0)
                env.machine.python, env.machine.installed = ask.python, dict(ask.installed)
                answer, _, _, _, info = env.step(ask.command)
                assert info["usable"]
                failed = "failed" in answer or "was not installed" in answer
                assert question.answer is not failed
                assert ask.command == question.action

    def test_a_command_counts_as_taken_however_it_was_written(self):
        tier = self.TASK.tiers["gate"]
        item = self.TASK.items(tier, 0)[0]
        (name, package), *_ = item.data["config"]["packages"].items()
        python = f"pip install python=={item.data['config']['python_versions'][-1]}"
        newest = package["versions"][-1]
        for words in (f"pip install {name}", f"pip  install  {name}>=0.0", f"pip install {name}=={newest}"):
            _, step = self.walk(item, tier, [python, words])
            taken = repo_questions._taken(repo_questions.RepoRules.from_config(item.data["config"]), step)
            assert taken.command == f"pip install {name}=={newest}"

    def test_what_was_shown_is_whether_commands_succeeded(self):
        tier = self.TASK.tiers["gate"]
        item = self.TASK.items(tier, 0)[0]
        python = f"pip install python=={item.data['config']['python_versions'][0]}"
        steps = self.walk(item, tier, ["python run.py", python, "pip list", "python run.py"])
        assert self.TASK.shown(item, steps) == [("python run.py", False)]

    def test_scripts_and_installations_are_both_asked_about(self):
        kinds = Counter()
        for item in self.TASK.items(self.TASK.tiers["gate"], 0)[:40]:
            kinds.update(q.action.split(" ")[0] for q in self.TASK.questions(item, generator("q", item.id), [], 8))
        assert min(kinds["pip"], kinds["python"]) > 60

    def test_who_rules_out_what_errors_speak_against_answers_better_than_chance(self, tmp_path):
        skill = play("repo", "scripted:learner", tmp_path, limit=150).frame()["rule_skill"]
        assert skill.mean() - 3.3 * skill.std() / math.sqrt(len(skill)) > 0


def test_a_world_without_the_metrics_asks_nothing(tmp_path, monkeypatch):
    lights = TASKS.load("odyssey/lights")
    monkeypatch.setattr(lights, "metrics", tuple(m for m in lights.metrics if m.name not in NAMES))
    (sample,) = play("lights", "scripted:oracle", tmp_path, tier="smoke").samples()
    assert asked(sample) == asked(sample, CONTROL) == []
    assert not sample.metrics.keys() & set(NAMES)


def test_a_transcript_shows_question_answer_and_truth(tmp_path):
    from finchmark.reports.terminal import transcript_text

    text = transcript_text(play("lights", "scripted:oracle", tmp_path, tier="smoke"), "smoke-000/0")
    assert "· control · right 1" in text
    assert "Does that bulb change?" in text
    assert "The answer is yes." in text
