"""Percepts say what the texts say, and nothing else."""

from __future__ import annotations

import copy
import functools
import json
import re

import pytest

from finchmark.environments.worlds.level import Level
from finchmark.environments.worlds.lookup import find_world, world_names
from finchmark.environments.worlds.world import episode_key
from finchmark.suite.agents.percept import MOST_OPTIONS
from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.registry import TASKS
from finchmark.suite.seeds import generator
from finchmark.tasks.actions import find_action
from finchmark.tasks.odyssey.prediction import Question, read_answer
from finchmark.tasks.odyssey.repo_policies import read_commands
from finchmark.tasks.odyssey.trade_questions import asked
from finchmark.tasks.worlds.play import options, percept

FAMILIES = ("lights", "trade", "energy", "repo")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def numbers_in(text: str) -> set[float]:
    """All numbers of a text, with and without a sign."""
    found = {float(number) for number in NUMBER.findall(text)}
    return found | {abs(number) for number in found}


@functools.cache
def items(family: str, tier: str):
    task = TASKS.load(f"odyssey/{family}")()
    return task.items(task.tiers[tier], 0)[:20]


def played(family: str, tier_name: str = "gate", turns: int = 8, policy: str = "random"):
    """Some turns of a game: the world, what its texts say, and how they are read."""
    task = TASKS.load(f"odyssey/{family}")()
    tier = task.tiers[tier_name]
    for item in items(family, tier_name)[:2]:
        arm = task.arm("inductive")
        told = task.instructions(item, arm, tier)
        read = task.reader(told)
        player = task.reference(policy, item, arm)
        env = task.make_env(item, tier)
        text, _ = env.reset(seed=0)
        for turn in range(turns):
            yield env, told, text, read(text)
            shown = f"Turn {turn + 1} of {turns}.\n{text}"
            request = GenerateRequest((Message("user", shown),), session="s", seed=turn, max_tokens=99)
            text, _, terminated, truncated, _ = env.step(find_action(player.reply(request))[0])
            if terminated or truncated:
                break


@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_of_a_percept_stands_in_the_text(family):
    for _, _, text, seen in played(family):
        assert set(seen.numbers.values()) <= numbers_in(text)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_of_a_view_stands_in_the_text(family):
    for _, _, text, seen in played(family):
        words = set(text.split())
        assert all(word.rstrip(":") in words or word in words for word in seen.view.split())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_percept_is_a_function_of_what_the_agent_was_told(family):
    task = TASKS.load(f"odyssey/{family}")()
    for _, told, text, seen in played(family):
        assert TASKS.load(f"odyssey/{family}")().reader(told)(text) == seen
        assert seen.reward is None
        if family in ("lights", "trade"):  # the others' actions stand in the instructions
            assert task.reader("")(text) == seen


@pytest.mark.parametrize("family", FAMILIES)
def test_every_option_can_be_used_and_has_a_name_of_its_own(family):
    for env, _, _, seen in played(family, turns=5):
        assert 2 <= len(seen.options) <= MOST_OPTIONS
        assert len({option.name for option in seen.options}) == len(seen.options)
        for option in seen.options:
            assert copy.deepcopy(env).step(find_action(option.text)[0])[4]["usable"], option


@pytest.mark.parametrize("family", FAMILIES)
def test_options_have_the_same_names_at_every_turn(family):
    names = {}
    for env, _, _, seen in played(family):
        assert names.setdefault(id(env), [o.name for o in seen.options]) == [o.name for o in seen.options]


def test_a_row_of_lights_looks_the_same_whenever_it_comes_back():
    task = TASKS.load("odyssey/lights")()
    read = task.reader("")
    assert read("B1 is now on.\n○ 💡").view == read("The switch of B0 did nothing.\n○ 💡").view == "○ 💡"
    assert read("○ 💡").view != read("💡 ○").view


def test_a_trader_s_options_hold_one_stock_or_none():
    text = "Day 3\nS0: 10.0000, 5 held\nS1: 4.0000, 0 held\nCash: 2.0000\nTotal value: 52.00\nNews for day 4: F0 -0.05"
    seen = TASKS.load("odyssey/trade")().reader("")(text)
    assert [(o.name, o.follows) for o in seen.options] == [("hold S0", "S0"), ("hold S1", "S1"), ("hold cash", "")]
    assert seen.options[1].text == '<action>{"sell": {"S0": 5}, "buy": {"S1": 13}}</action>'
    assert seen.options[2].text == '<action>{"sell": {"S0": 5}}</action>'
    assert dict(seen.numbers) == {"S0": 10, "S1": 4, "S0 held": 5, "S1 held": 0, "Cash": 2, "F0": -0.05}
    assert "3" not in seen.view.split("\n")[0]
    assert "day 4" not in seen.view


def test_an_unusable_reply_leaves_the_percept_as_it_was():
    for family in ("lights", "trade", "energy"):
        env, told, _, seen = next(iter(played(family)))
        after = env.step("no idea")[0]
        again = TASKS.load(f"odyssey/{family}")().reader(told)(after)
        assert again.options == seen.options
        assert again.numbers == seen.numbers


def test_energy_s_options_are_a_step_from_the_last_commands():
    for _, _, _, seen in played("energy", turns=5):
        assert {"demand", "budget", "wind command"} <= seen.numbers.keys()
        assert len(seen.options) == 7
        for option in seen.options:
            command = json.loads(find_action(option.text)[0])
            assert command.pop("battery") == 0
            moved = {name for name, value in command.items() if abs(value - seen.numbers[f"{name} command"]) > 0.01}
            assert moved <= set(option.name.split())
        assert len({option.text for option in seen.options}) > 3


def test_repo_lists_the_commands_of_its_instructions_where_they_are_few():
    for _, told, _, seen in played("repo", turns=1):
        for option in seen.options:
            words = option.name.replace("==", " ").split()
            assert words[0] in ("pip", "python")
            assert words[-1] in told
    _, told, _, seen = next(iter(played("repo", "lite")))
    assert len(read_commands(told)) > MOST_OPTIONS
    assert seen.options == ()


def test_repo_s_solution_is_among_its_options():
    task = TASKS.load("odyssey/repo")()
    tier = task.tiers["gate"]
    for item in items("repo", "gate"):
        commands = read_commands(task.instructions(item, task.arm("with-rules"), tier))
        assert set(item.proof["plan"]) <= set(commands)
        assert commands == read_commands(task.instructions(item, task.arm("inductive"), tier))


def test_a_question_is_answered_by_one_of_two_options():
    seen = Question("Does it rise?", True, "x", visited=False).percept
    assert [read_answer(option.text) for option in seen.options] == [True, False]
    assert seen.view == "Does it rise?"


def test_a_trade_question_shows_its_news_as_numbers():
    task = TASKS.load("odyssey/trade")()
    item = items("trade", "gate")[0]
    for question in task.questions(item, generator("questions"), [], 8):
        assert dict(question.percept.numbers) == asked(question.text).news
        assert question.percept.options[0].follows == asked(question.text).stock


@pytest.mark.parametrize("name", world_names())
def test_a_world_s_percept_says_what_its_text_says(name):
    world = find_world(name)
    level: Level = world.levels("test", 1)[0]
    moment = world.begin(world.load(level), episode_key(level))
    choices = options(world)
    assert len(choices) <= MOST_OPTIONS
    assert percept(world, moment, choices).reward is None
    for choice in [*choices[:6], None]:
        action = "gibberish" if choice is None else world.reader.read(choice.name)
        assert choice is None or not isinstance(action, str)
        moment = world.advance(moment, action)
        seen = percept(world, moment, choices)
        assert seen.view in world.show(moment)
        assert f"Reward: {seen.reward:.6g}." in world.show(moment)
        assert f"Step {moment.time}" not in seen.view
        if moment.over:
            break
