"""Repo as a task: items, prompts, references, metrics."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from scipy.stats import binomtest

from finchmark import evaluate
from finchmark.environments.odyssey.repo_commands import Command, read
from finchmark.environments.odyssey.repo_machine import Machine
from finchmark.environments.odyssey.repo_rules import RepoRules
from finchmark.environments.odyssey.repo_solver import commands
from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.conformance import check_task
from finchmark.suite.registry import TASKS
from finchmark.suite.seeds import generator
from finchmark.tasks.actions import find_action
from finchmark.tasks.odyssey.repo import Repo
from finchmark.tasks.odyssey.repo_learner import Learner
from finchmark.tasks.odyssey.repo_policies import Repairer, Uniform, read_answer

REPO = Repo()
GATE = REPO.tiers["gate"]


def say(policy: Any, *answers: str) -> list[str]:
    """What a policy does, given what the world answers turn by turn."""
    said = []
    for turn, answer in enumerate(answers):
        prompt = (Message("user", f"Rules.\n\nTurn {turn + 1} of 99.\n{answer}"),)
        said.append(find_action(policy.reply(GenerateRequest(prompt, "s", turn, 64)))[0])
    return said


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every reference, once on the gate's items."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: evaluate(
            "odyssey/repo", f"scripted:{name}", tier="gate", arms=["inductive"], samples=1, out=folder / name
        )
        for name in REPO.references
    }


def test_the_task_conforms():
    check_task(Repo, samples=1)


def test_the_catalogue_names_the_class():
    assert TASKS.load("odyssey/repo") is Repo


@pytest.mark.parametrize("tier", REPO.tiers)
def test_every_item_is_solvable_within_its_cap_by_its_proof(tier):
    for item in REPO.items(REPO.tiers[tier], 0)[:50]:
        env = REPO.make_env(item, REPO.tiers[tier])
        env.reset(seed=0)
        assert len(item.proof["plan"]) <= REPO.tiers[tier].max_turns
        reward, terminated = 0.0, False
        for command in item.proof["plan"]:
            _, reward, terminated, _, _ = env.step(command)
        assert terminated
        assert reward == 1.0


@pytest.mark.parametrize("tier", REPO.tiers)
def test_items_are_distinct_and_regenerated_ones_are_others(tier):
    public = {i.hash for i in REPO.items(REPO.tiers[tier], 0)}
    other = {i.hash for i in REPO.items(REPO.tiers[tier], 1)}
    assert len(public) == REPO.tiers[tier].items
    assert not public & other


def test_the_smoke_tier_is_tiny():
    assert (REPO.tiers["smoke"].items, REPO.tiers["smoke"].max_turns, REPO.tiers["smoke"].max_tokens) == (1, 8, 64)


def test_the_challenge_allows_over_200_turns():
    assert REPO.tiers["challenge"].max_turns > 200


@pytest.mark.parametrize("arm", [a.name for a in REPO.arms])
def test_the_oracle_reaches_its_ceiling_on_every_item(arm, tmp_path):
    run = evaluate("odyssey/repo", "scripted:oracle", tier="gate", arms=[arm], samples=1, limit=60, out=tmp_path / "r")
    assert (run.frame()["success"] == 1.0).all()
    assert (run.frame()["scripts_working"] == 1.0).all()
    assert run.manifest.tasks["odyssey/repo"].levels[arm]["success"].ceiling == 1.0


@pytest.mark.parametrize("tier", ["lite", "challenge"])
def test_the_oracle_succeeds_on_long_items_too(tier, tmp_path):
    run = evaluate(
        "odyssey/repo", "scripted:oracle", tier=tier, arms=["inductive"], samples=1, limit=5, out=tmp_path / "r"
    )
    assert (run.frame()["success"] == 1.0).all()


def test_uniform_commands_succeed_as_often_as_stated():
    # Simulated without the harness: the level is so low that it takes many episodes.
    wins = total = 0
    for item in REPO.items(GATE, 0)[::3]:
        rules = RepoRules.from_config(item.data["config"])
        listed = [read(text, rules.packages, rules.runnable) for text in commands(rules)]
        for row in generator("test", "chance", item.hash).integers(len(listed), size=(200, GATE.max_turns)).tolist():
            machine = Machine(rules)
            for i in row:
                command = listed[i]
                assert isinstance(command, Command)
                machine.execute(command)
            wins += machine.solved
            total += 1
    stated = REPO.items(GATE, 0)[0].levels["success"].chance
    assert stated is not None
    interval = binomtest(wins, total).proportion_ci(0.999)
    assert interval.low <= stated <= interval.high


def test_the_random_policy_draws_from_the_documented_list():
    item = REPO.items(GATE, 0)[0]
    policy = Uniform(item.data["config"])
    said = {say(policy, *[""] * 400)[i] for i in range(400)}
    assert said <= set(commands(item.data["config"]))
    assert len(said) > 0.9 * len(commands(item.data["config"]))


def test_the_random_policy_of_the_harness_is_at_its_stated_chance(runs):
    hits = runs["random"].frame()["success"]
    level = runs["random"].manifest.tasks["odyssey/repo"].levels["inductive"]["success"]
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.999)
    assert interval.low <= level.chance <= interval.high
    assert not level.exact


def test_references_come_in_order(runs):
    means = {name: run.frame()["success"].mean() for name, run in runs.items()}
    assert means["random"] < 0.02
    assert means["random"] + 3 * math.sqrt(0.0005 / 300) < means["heuristic"] < 0.25
    assert means["heuristic"] + 0.1 < means["learner"] < 0.9
    assert means["oracle"] == 1.0


def test_no_reference_gives_an_unusable_action(runs):
    for run in runs.values():
        assert (run.frame()["unusable_rate"] == 0.0).all()


def test_working_scripts_are_counted_where_the_project_fails(runs):
    frame = runs["heuristic"].frame()
    assert (frame.loc[frame["success"] == 1.0, "scripts_working"] == 1.0).all()
    failed = frame.loc[frame["success"] == 0.0, "scripts_working"]
    assert failed.max() > 0.0
    # All may work although the project was not run: the last turn can be the installation that does it.
    assert (failed == 1.0).mean() < 0.05


def test_the_rules_stand_only_in_the_arm_that_gives_them():
    item = REPO.items(GATE, 0)[0]
    hidden, given = (REPO.instructions(item, REPO.arm(a), GATE) for a in ("inductive", "with-rules"))
    assert "priority" in given
    assert "pkg0.core" in given
    for word in ("priority", ".core", ".io", "clash", "deprecated"):
        assert word not in hidden


def test_no_arm_tells_the_solution():
    for item in REPO.items(GATE, 0)[:20]:
        for arm in REPO.arms:
            text = REPO.instructions(item, arm, GATE)
            assert not any(command in text for command in item.proof["plan"][:-1])


def test_both_arms_list_packages_versions_and_scripts():
    item = REPO.items(GATE, 0)[0]
    for arm in REPO.arms:
        text = REPO.instructions(item, arm, GATE)
        for name, package in item.data["config"]["packages"].items():
            assert f"{name}: {', '.join(package['versions'])}" in text
        assert all(path in text for path in item.data["config"]["scripts"])


def test_the_estimate_knows_that_rules_are_long():
    tier = REPO.tiers["challenge"]
    item = REPO.items(tier, 0)[0]
    hidden, given = (REPO.estimate(item, REPO.arm(a), tier) for a in ("inductive", "with-rules"))
    assert given.prompt_tokens - hidden.prompt_tokens > tier.max_turns * 10_000
    assert given.completion_tokens == hidden.completion_tokens == (tier.max_turns + 2 * 16) * tier.max_tokens


def test_the_practice_shows_usable_commands():
    for item in REPO.items(GATE, 0)[:10]:
        config = item.data["config"]
        for _, answer in REPO.practice(item):
            assert isinstance(read(find_action(answer)[0], config["packages"], ("run.py",)), Command)


def test_the_practice_is_drawn_blindly():
    items = REPO.items(GATE, 0)
    hits = sum(any(find_action(a)[0] in item.proof["plan"] for _, a in REPO.practice(item)) for item in items)
    assert 30 < hits < 150  # about one version in four is the right one


def test_an_unusable_action_costs_its_turn_and_is_counted(tmp_path):
    run = evaluate(
        "odyssey/repo", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["<action>sudo rm</action>", "<action>pip list</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    assert [t.usable for t in sample.turns if not t.scores] == [False, True] * 4
    assert sample.metrics["unusable_rate"] == 0.5
    assert "is no command" in sample.turns[1].observation
    assert sample.metrics["scripts_working"] == 0.0


def test_a_loop_is_the_same_command_with_the_same_packages_installed(tmp_path):
    run = evaluate(
        "odyssey/repo", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["<action>pip install python==3.8</action>", "<action>pip list</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    # New: the installation without and with Python, and the list with Python.
    assert sample.metrics["loop_ratio"] == pytest.approx(5 / 8)


def test_the_answer_is_what_follows_the_last_turns_number():
    assert read_answer("Rules.\n\nTurn 1 of 8.\nold\n\nTurn 2 of 8.\nInstalled a 1.0.") == "Installed a 1.0."


PACKAGES = {"a": ["1.0", "1.1", "2.0"], "b": ["1.0", "2.0"]}
PYTHONS = ["3.8", "3.9"]
LATEST = ["pip install python==3.9", "pip install a", "pip install b", "python run.py"]
DONE = ["", "Python 3.9 is set.", "Installed a 2.0.", "Installed b 2.0."]


class TestRepairer:
    @pytest.mark.parametrize(
        ("answer", "fix"),
        [
            ("run.py failed (in x.py): ImportError: cannot import name 'f' from 'a.core'.", "pip install a==1.1"),
            ("run.py failed: TypeError: b.io.f() got an unexpected keyword argument 'k'.", "pip install b==1.0"),
            ("run.py failed: ModuleNotFoundError: No module named 'b'.", "pip install b==2.0"),
            ("a 2.0 was not installed: it needs b (missing).", "pip install b==2.0"),
            ("a 2.0 was not installed: it needs Python <=3.8, and Python 3.9 is set.", "pip install python==3.8"),
            ("run.py failed: the project does not run on Python 3.9.", "pip install python==3.8"),
            ("run.py failed: Error: nothing named.", "python run.py"),
            ("Installed a 1.1.", "python run.py"),
        ],
    )
    def test_takes_errors_at_their_word(self, answer, fix):
        assert say(Repairer(PYTHONS, PACKAGES), *DONE, answer) == [*LATEST, fix]

    def test_draws_among_what_an_error_names(self):
        answer = "run.py failed: a 2.0 clashes with b 2.0."
        fixes = set()
        for seed in range(20):
            policy = Repairer(PYTHONS, PACKAGES)
            say(policy, *DONE)
            request: Any = SimpleNamespace(messages=(Message("user", f"Turn 5 of 9.\n{answer}"),), seed=seed)
            fixes.add(find_action(policy.reply(request))[0])
        assert fixes == {"pip install a==1.1", "pip install b==1.0"}


class TestLearner:
    FIRST = ("pip install python==3.9", "pip install a==2.0", "pip install b==2.0", "python run.py")

    @pytest.mark.parametrize(
        ("answer", "fix"),
        [
            ("run.py failed: ImportError: cannot import name 'f' from 'a.core'.", "pip install a==1.1"),
            ("run.py failed: a 2.0 needs an older b than 2.0.", "pip install b==1.0"),
            ("run.py failed: the project does not run on Python 3.9.", "pip install python==3.8"),
            ("run.py failed: RuntimeError: a and b wait for each other.", "pip install a==1.1"),
            ("run.py failed: Error: hm.", "pip list"),
        ],
    )
    def test_goes_where_nothing_it_knows_speaks_against(self, answer, fix):
        said = say(Learner(PYTHONS, PACKAGES), *DONE, answer)
        assert tuple(said[:4]) == self.FIRST
        assert said[4] == fix

    def test_concludes_from_a_missing_keyword_that_older_versions_lack_it(self):
        answers = [*DONE, "run.py failed: ImportError: cannot import name 'f' from 'a.core'.", "Installed a 1.1."]
        answers.append("run.py failed: TypeError: a.core.g() got an unexpected keyword argument 'k'.")
        # 2.0 lacks the symbol, 1.1 the keyword, and so must 1.0: nothing is left, and it stays where it is.
        assert "pip install a==1.0" not in say(Learner(PYTHONS, PACKAGES), *answers)

    def test_looks_up_what_is_installed_when_an_error_teaches_nothing(self):
        same = "run.py failed: Error: hm."
        listed = "Python 3.9. Packages:\na==1.0\nb==2.0"
        assert say(Learner(PYTHONS, PACKAGES), *DONE, same, listed)[4:] == ["pip list", "pip install a==2.0"]
