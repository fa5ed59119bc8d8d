"""What all worlds after OdysseyArena do alike: arguments, reset, the guard around an episode, presets."""

from __future__ import annotations

import json
from dataclasses import replace

import gymnasium
import pytest

import finchmark.environments.odyssey  # noqa: F401 - registers the ids
from finchmark.environments.odyssey.energy import EnergyEnv
from finchmark.environments.odyssey.lights import LightsEnv
from finchmark.environments.odyssey.lights_worlds import LIGHTS_PRESETS, LightsDifficulty
from finchmark.environments.odyssey.presets import difficulty_key, preset
from finchmark.environments.odyssey.repo import RepoEnv
from finchmark.environments.odyssey.trade import TradeEnv
from finchmark.environments.odyssey.world_env import OdysseyEnv
from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UsageError
from finchmark.suite.registry import TASKS

CLASSES = {"lights": LightsEnv, "energy": EnergyEnv, "trade": TradeEnv, "repo": RepoEnv}
WORLDS = pytest.mark.parametrize("world", CLASSES)
ITEMS = {
    "lights": {
        "smoke": "f9d3b18a881c698b",
        "gate": "bf248a8ce94337b1",
        "lite": "9729616100ed2e55",
        "challenge": "9030dba200b4d851",
    },
    "energy": {
        "smoke": "005236f255efaa6e",
        "gate": "43157baea26fee7c",
        "lite": "4883a7d62356a033",
        "challenge": "0035ac6cb00fb636",
    },
    "trade": {
        "smoke": "4590ee9c8e4a8ea2",
        "gate": "3dc6737d7ac5d4c2",
        "lite": "dc01a7083ac8cd05",
        "challenge": "c814824580d14362",
    },
    "repo": {
        "smoke": "6ca928ce57477d81",
        "gate": "dd8e9825ac28df59",
        "lite": "2b13deff84647eae",
        "challenge": "aaca2d245da5f8de",
    },
}
"""A hash over the first public items of each tier, of version 1 of each task."""


def make(world, **arguments):
    return gymnasium.make(f"finchmark/{world.capitalize()}-v1", **{"difficulty": "smoke", **arguments}).unwrapped


@pytest.mark.parametrize(("world", "tier"), [(world, tier) for world, tiers in ITEMS.items() for tier in tiers])
def test_public_items_are_those_of_the_version(world, tier):
    """Another item under the same version would stand in one column with the old one."""
    task = TASKS.load(f"odyssey/{world}")()
    chosen = task.tiers[tier]
    items = task.items(replace(chosen, items=min(3, chosen.items)), 0)
    assert task.version == 1, "a new version has new hashes: put them here"
    assert content_hash([[item.id, item.hash] for item in items], digits=16) == ITEMS[world][tier]


@WORLDS
def test_all_are_made_alike(world):
    assert issubclass(CLASSES[world], OdysseyEnv)
    assert (CLASSES[world].family, make(world).reference_rules) == (world, False)


@WORLDS
def test_config_and_difficulty_exclude_each_other(world):
    env = make(world)
    env.reset(seed=0)
    with pytest.raises(UsageError, match=f"{world.capitalize()}Env takes a config or a difficulty, not both"):
        make(world, config=env.world.config)


@WORLDS
@pytest.mark.parametrize("steps", [0, -1, True, 2.0, "3"])
def test_a_number_of_steps_that_is_none_is_refused(world, steps):
    with pytest.raises(UsageError, match="max_steps is a whole number of steps"):
        make(world, max_steps=steps)


@WORLDS
def test_nothing_is_stepped_before_the_first_reset(world):
    with pytest.raises(UsageError, match=f"This {world} episode is over or has not begun"):
        make(world).step("x")


@WORLDS
def test_an_episode_is_cut_off_after_its_steps_and_then_refuses_more(world):
    env = make(world, max_steps=2)
    env.reset(seed=1)
    assert env.step("rubbish")[2:4] == (False, False)
    assert env.step("rubbish")[2:4] == (False, True)
    with pytest.raises(UsageError, match="call reset"):
        env.step("rubbish")
    env.reset()
    assert env.turns == 0
    assert env.step("rubbish")[2:4] == (False, False)


@WORLDS
def test_an_action_that_is_no_text_is_refused_and_costs_nothing(world):
    env = make(world)
    env.reset(seed=1)
    with pytest.raises(UsageError, match=r"action is .*text.*, not int"):
        env.step(3)
    assert env.turns == 0


@WORLDS
def test_options_are_refused(world):
    with pytest.raises(UsageError, match=f"{world.capitalize()} has no reset options"):
        make(world).reset(options={"a": 1})


@WORLDS
def test_one_seed_is_one_world_and_resets_without_one_are_others(world):
    env = make(world)
    env.reset(seed=4)
    first = env.world.config
    env.reset()
    other = env.world.config
    env.reset(seed=4)
    assert env.world.config == first
    assert other != first


@WORLDS
def test_a_config_is_always_the_same_world(world):
    env = make(world)
    env.reset(seed=2)
    again = make(world, config=json.loads(json.dumps(env.world.config)), difficulty=None)
    assert again.world is None
    assert again.reset(seed=1)[0] == again.reset(seed=9)[0] == env.reset(seed=2)[0]


def test_a_preset_is_found_by_its_name_and_a_difficulty_is_handed_through():
    own = LightsDifficulty(4, 4, max_dependencies=2, min_extra=0, max_extra=2, horizon=9)
    assert preset(own, LIGHTS_PRESETS, "lights") is own
    assert preset("gate", LIGHTS_PRESETS, "lights") is LIGHTS_PRESETS["gate"]


@pytest.mark.parametrize("name", ["small", "", 3, None, ["gate"]])
def test_what_is_no_preset_is_refused_with_those_that_are(name):
    with pytest.raises(UsageError, match=r"The presets are smoke, gate, lite, challenge; for others make a Lights"):
        preset(name, LIGHTS_PRESETS, "lights")


def test_attempts_are_no_part_of_a_worlds_key():
    one = LIGHTS_PRESETS["gate"]
    assert difficulty_key(one, (1,)) == difficulty_key(replace(one, attempts=9), (1,))
    assert difficulty_key(one, (1,)) != difficulty_key(replace(one, horizon=21), (1,))


def test_a_world_needs_a_seed_path():
    with pytest.raises(UsageError, match="needs a seed path"):
        difficulty_key(LIGHTS_PRESETS["gate"], ())
