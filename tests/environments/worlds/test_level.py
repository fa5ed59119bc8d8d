import numpy as np
import pytest
from scipy import stats

from finchmark.environments.worlds.cores.colony import CORE as COLONY
from finchmark.environments.worlds.cores.wind import CORE as WIND
from finchmark.environments.worlds.level import SPLITS, Generator, Level, Preset, split_of
from finchmark.suite.errors import UsageError


class Coins(Generator):
    """Levels that are one number of a few."""

    presets = {"few": Preset("few", "", {"sides": 40})}  # noqa: RUF012  # as the base declares it
    attempts = 400

    def draw(self, settings, rng):
        return {"side": int(rng.integers(settings["sides"]))}


class TestLevel:
    def test_the_hash_is_of_the_content_alone(self):
        a = Level("wind", 1, "breeze", {"x": 0.1}, ("a", 1))
        assert a.hash == Level("wind", 1, "other", {"x": 0.1 + 1e-9}, ("b",)).hash
        assert a.hash != Level("wind", 2, "breeze", {"x": 0.1}).hash
        assert a.hash != Level("wind", 1, "breeze", {"x": 0.2}).hash

    def test_goes_through_data_and_back(self):
        level = WIND.levels("breeze", "test", 1)[0]
        assert Level.from_data(level.data()).hash == level.hash

    def test_changed_data_is_noticed(self):
        data = WIND.levels("breeze", "test", 1)[0].data()
        data["params"] = {**data["params"], "period": 9}
        with pytest.raises(UsageError, match="was changed"):
            Level.from_data(data)
        with pytest.raises(UsageError, match="no level"):
            Level.from_data({})


class TestSplits:
    @pytest.mark.parametrize(("core", "preset"), [(WIND, "breeze"), (COLONY, "valley"), (COLONY, "heath")])
    def test_are_disjoint_whatever_the_seed(self, core, preset):
        seen: dict[str, str] = {}
        for seed in range(3):
            for split in SPLITS:
                for level in core.levels(preset, split, 8, seed):
                    assert seen.setdefault(level.hash, split) == split
                    assert split_of(level) == split

    def test_repeat_no_level(self):
        hashes = [level.hash for level in COLONY.levels("valley", "train", 200)]
        assert len(set(hashes)) == 200

    def test_the_first_of_more_are_the_same(self):
        few, more = WIND.levels("breeze", "test", 3), WIND.levels("breeze", "test", 6)
        assert [a.hash for a in few] == [b.hash for b in more[:3]]

    @pytest.mark.slow
    def test_are_equally_hard(self):
        """The distance from start to goal has one distribution in all splits: hashes know nothing of it."""

        def distance(level):
            start, goal, size = (level.params[name] for name in ("start", "goal", "size"))
            return abs(start % size - goal % size) + abs(start // size - goal // size)

        samples = [[distance(level) for level in WIND.levels("breeze", split, 120)] for split in SPLITS]
        table = np.array([[s.count(d) for d in sorted({d for s in samples for d in s})] for s in samples])
        table = table[:, table.sum(axis=0) >= 15]
        assert stats.chi2_contingency(table).pvalue > 1e-3

    def test_too_few_levels_are_an_error_that_says_so(self):
        with pytest.raises(UsageError, match="No new test level of coins/few"):
            Coins().levels("coins", "few", "test", 40)

    def test_unknown_names_are_errors(self):
        with pytest.raises(UsageError, match="no split 'dev'"):
            Coins().levels("coins", "few", "dev")  # pyright: ignore[reportArgumentType]  # wrong on purpose
        with pytest.raises(UsageError, match="There are: few"):
            Coins().levels("coins", "many", "test")
