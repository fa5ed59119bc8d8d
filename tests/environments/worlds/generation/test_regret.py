"""The search for regret: what regret is, what an edit may do, and that a search finds more of it than chance."""

from __future__ import annotations

import numpy as np
import pytest

from finchmark.environments.worlds.agents import act_randomly
from finchmark.environments.worlds.generation.regret import (
    edit,
    looking_ahead,
    measure,
    optimal,
    random_levels,
    search,
    slipping,
)
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.level import split_of
from finchmark.environments.worlds.lookup import find_world
from finchmark.environments.worlds.spec.compile import compile_text, worlds_of
from finchmark.environments.worlds.spec.model import parse_spec
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

# A number is raised by its level's step and must be given at the mark; nobody gets above a wall: some levels are lost.
TINY = """
format: finchmark-world/1
name: tiny
summary: A number that is raised.
levels:
  parameters:
    mark: {whole: [1, 9]}
    wall: {whole: [4, 12]}
    step: {one_of: [1, 2, 3]}
    other: {whole: [0, 3]}
  presets:
    only: {summary: all}
variables:
  at: {kind: whole, low: 0, high: 9, start: other}
actions:
  up:
    effects:
      - {set: at, to: at + step, when: at + step < wall}
  down:
    effects:
      - {set: at, to: at - 1}
  give:
    effects:
      - {emit: given, when: at == mark}
events: {given: it is right}
limits: {given: 1}
rewards:
  right: {kind: binary, goal: Give it., pays: {given: 1}, last: [given], potential: 0.05 * (10 - abs(at - mark))}
observations:
  full: {kind: full, shows: [at, mark, wall, step]}
skins:
  plain: {kind: aligned, setting: A number.}
worlds:
  tiny: {reward: right, observation: full, skin: plain, preset: only, horizon: 20}
"""
SPEC = parse_spec(TINY)
CORE = compile_text(TINY)
(WORLD,) = worlds_of(CORE, SPEC)


def test_a_player_has_no_regret_against_itself():
    level = random_levels(WORLD, 1, 0)[0]
    assert measure(WORLD, level, looking_ahead(1), antagonist=lambda w, x: looking_ahead(1)).regret == 0


def test_the_optimum_has_no_less_than_anybody():
    for level in random_levels(WORLD, 20, 1):
        assert measure(WORLD, level, act_randomly, episodes=4).regret >= 0


def test_a_level_that_nobody_can_win_has_no_regret():
    level = next(x for x in random_levels(WORLD, 60, 2) if x.params["wall"] <= x.params["mark"] > x.params["other"])
    found = measure(WORLD, level, act_randomly)
    assert found.antagonist == found.regret == 0


def test_an_edit_changes_one_parameter_to_a_value_that_it_may_have():
    rng = generator("test", "edit")
    level = random_levels(WORLD, 1, 3)[0]
    for _ in range(40):
        params = edit(WORLD, level, rng)
        assert params is not None
        changed = [name for name in params if params[name] != level.params[name]]
        assert len(changed) == 1
        values = CORE.generator.values_of({"preset": "only"})
        assert params[changed[0]] in values[changed[0]]


def test_an_edit_keeps_to_what_the_generator_would_draw():
    world = find_world("kiln-order")
    rng = generator("test", "kiln")
    level = random_levels(world, 1, 0)[0]
    edits = [p for p in (edit(world, level, rng) for _ in range(30)) if p is not None]
    assert edits
    assert all(p["red"] * p["blue"] < 0 and abs(p["red"]) != abs(p["blue"]) for p in edits)


def test_cores_in_python_are_not_edited():
    world = find_world("wind-reach")
    assert edit(world, random_levels(world, 1, 0)[0], generator("test")) is None


def test_a_search_is_the_same_for_the_same_seed():
    runs = [search(WORLD, slipping(looking_ahead(1), 0.3), seed=4, keep=3, budget=12) for _ in range(2)]
    assert [f.level.hash for f in runs[0]] == [f.level.hash for f in runs[1]]


def test_no_scored_level_is_sought():
    assert all(split_of(f.level) == "train" for f in search(WORLD, act_randomly, seed=0, keep=5, budget=15))


def test_sought_levels_have_more_regret_than_random_ones_when_measured_again():
    """On episodes, and with a protagonist, that the search never saw; over five seeds."""
    sought_with, unseen = slipping(looking_ahead(1), 0.5), slipping(looking_ahead(2), 0.6)
    gains = []
    for seed in range(5):
        found = [f.level for f in search(WORLD, sought_with, seed=seed, keep=5, budget=40, episodes=6)]
        pairs = [
            [measure(WORLD, level, unseen, episodes=12).regret for level in group]
            for group in (found, random_levels(WORLD, 20, seed))
        ]
        gains.append(np.mean(pairs[0]) - np.mean(pairs[1]))
    assert np.mean(gains) > 2 * np.std(gains, ddof=1) / np.sqrt(len(gains))


def test_a_search_knows_too_much_of_its_own_finds():
    """The winner's curse: all levels are as hard, and the search's own figure is far above the truth (validity, 5)."""
    text = TINY.replace("to: at + step, when: at + step < wall", 'to: "mark"').replace("horizon: 20", "horizon: 5")
    (world,) = worlds_of(compile_text(text), parse_spec(text))
    found = search(world, act_randomly, seed=0, keep=5, budget=60, episodes=1, explore=1.0)
    own = np.mean([f.regret for f in found])
    again = np.mean([measure(world, f.level, act_randomly, episodes=60).regret for f in found])
    assert own > again + 0.2


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_probability(share):
    with pytest.raises(UsageError, match="probability"):
        slipping(act_randomly, share)


def test_a_hand_that_never_slips_changes_nothing():
    level = random_levels(WORLD, 1, 6)[0]
    moment = WORLD.begin(WORLD.load(level), Key(1))
    assert slipping(looking_ahead(2), 0.0)(WORLD, moment, Key(9)) == looking_ahead(2)(WORLD, moment, Key(9))


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"keep": 9, "budget": 8}, {"explore": 2.0}, {"episodes": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError):
        search(WORLD, act_randomly, **{"seed": 0, "keep": 2, "budget": 4, **wrong})


def test_the_optimum_of_a_level_plays_what_the_graph_says():
    level = next(x for x in random_levels(WORLD, 30, 7) if x.params["wall"] > 9)
    assert measure(WORLD, level, optimal(WORLD, level)).regret == 0
