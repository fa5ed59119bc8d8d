import itertools
import pickle

import pytest

from finchmark.environments.worlds.catalogue import CORES, WORLDS
from finchmark.environments.worlds.cores.colony import CORE as COLONY
from finchmark.environments.worlds.cores.wind import CORE as WIND
from finchmark.environments.worlds.keys import Key
from finchmark.environments.worlds.lookup import find_core, find_world
from finchmark.environments.worlds.world import World, episode_key
from finchmark.suite.errors import UnknownName, UsageError


def combine(core, reward, observation, skin, preset=None):
    preset = preset or next(iter(core.generator.presets))
    return World.combine(core, reward=reward, observation=observation, skin=skin, horizon=20, preset=preset)


def play(world, level, count=20):
    moment = world.begin(world.load(level), episode_key(level))
    key = Key.of("test")
    found = [moment]
    while not moment.over and moment.time < count:
        moment = world.advance(moment, world.dynamics.actions.sample(key.at(moment.time)))
        found.append(moment)
    return found


class TestCombinations:
    @pytest.mark.parametrize("core", [WIND, COLONY], ids=lambda core: core.name)
    def test_every_combination_is_a_world(self, core):
        for reward, observation, skin in itertools.product(core.rewards, core.observations, core.skins):
            world = combine(core, reward, observation, skin)
            moments = play(world, world.levels("test", 1)[0])
            assert all(world.show(moment) for moment in moments)
            assert world.skin.vocabulary.fill(world.reward.goal) in world.instructions()

    @pytest.mark.parametrize("core", [WIND, COLONY], ids=lambda core: core.name)
    def test_variants_share_levels_chance_and_states(self, core):
        """What differs is what was varied: same levels, same chance, same states under the same actions."""
        names = itertools.product(core.observations, core.skins)
        runs = [
            [m.state for m in play(w, w.levels("test", 1)[0])]
            for w in (combine(core, "accumulative", observation, skin) for observation, skin in names)
        ]
        assert all(run == runs[0] for run in runs)

    def test_a_part_that_is_not_there_is_named(self):
        with pytest.raises(UsageError, match=r"no skin 'gothic'\. There are: plain"):
            combine(WIND, "binary", "full", "gothic")

    def test_a_horizon_below_one_is_refused(self):
        with pytest.raises(UsageError, match="horizon"):
            World.combine(WIND, reward="binary", observation="full", skin="plain", horizon=0, preset="breeze")


class TestSteps:
    world = combine(WIND, "binary", "full", "plain")
    level = world.levels("test", 1)[0]

    def begin(self):
        return self.world.begin(self.world.load(self.level), episode_key(self.level))

    @pytest.mark.parametrize("text", ["", "dance", "move up", "{"])
    def test_an_unusable_action_changes_nothing_pays_nothing_counts_and_is_told(self, text):
        before = self.begin()
        after = self.world.act(before, text)
        assert (after.state, after.reward, after.events, after.time) == (before.state, 0.0, (), 1)
        assert after.problem is not None
        assert after.problem in self.world.show(after)

    def test_an_action_that_is_not_of_the_schema_is_a_problem_and_no_error(self):
        from finchmark.environments.worlds.actions import Action

        after = self.world.advance(self.begin(), Action("move", (None,)))  # pyright: ignore[reportArgumentType]  # wrong on purpose
        assert after.problem is not None

    def test_the_horizon_truncates(self):
        moment = self.begin()
        for _ in range(20):
            moment = self.world.act(moment, "nothing")
        assert (moment.truncated, moment.terminated) == (True, False)
        with pytest.raises(UsageError, match="is over"):
            self.world.act(moment, "wait")

    def test_a_moment_is_a_value(self):
        before = self.begin()
        kept = before
        self.world.act(before, "move north")
        assert before == kept

    def test_a_level_of_another_core_is_refused(self):
        with pytest.raises(UsageError, match="is of colony"):
            self.world.load(COLONY.levels("valley", "test", 1)[0])

    def test_keys_name_level_and_sample_not_the_world(self):
        assert episode_key(self.level) == episode_key(self.level, 0)
        assert episode_key(self.level, 1) != episode_key(self.level, 0)

    def test_states_travel(self):
        state = self.begin().state
        assert pickle.loads(pickle.dumps(state)) == state


class TestCatalogue:
    @pytest.mark.parametrize("name", CORES)
    def test_cores_can_be_found(self, name):
        assert find_core(name).name == name

    @pytest.mark.parametrize("line", WORLDS, ids=lambda line: line.name)
    def test_lines_are_worlds(self, line):
        world = find_world(line.name)
        assert (world.name, world.horizon, world.core.name) == (line.name, line.horizon, line.core)

    def test_names_are_unique(self):
        assert len({line.name for line in WORLDS}) == len(WORLDS)

    def test_an_unknown_name_gets_a_suggestion(self):
        with pytest.raises(UnknownName, match="wind-reach"):
            find_world("wind-reech")
