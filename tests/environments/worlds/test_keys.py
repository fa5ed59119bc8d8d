import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from finchmark.environments.worlds.keys import Key, child_keys, integers, key_array, uniforms

KEYS = st.integers(0, 2**64 - 1).map(Key)


class TestKey:
    @given(KEYS, st.integers(0, 10**6), st.integers(0, 50))
    def test_arrays_draw_what_single_keys_draw(self, key, index, slot):
        child = child_keys(key_array([key]), index)
        assert int(child[0]) == key.at(index).value
        assert uniforms(child, slot)[0] == key.at(index).uniform(slot)
        assert integers(child, 7, slot)[0] == key.at(index).integer(7, slot)

    def test_the_same_path_gives_the_same_key_and_others_give_others(self):
        assert Key.of("a", 1) == Key.of("a", 1)
        assert len({Key.of("a", 1), Key.of("a", "1"), Key.of("a", 2), Key.of("b", 1)}) == 4

    def test_the_value_is_the_same_on_every_machine(self):
        assert Key(1).at(0).value == 10451216379200822465  # SplitMix64's first output of seed 1

    def test_slots_children_and_neighbouring_keys_are_uniform_and_unrelated(self):
        root = key_array([Key.of("test", n) for n in range(20_000)])
        columns = [
            uniforms(root, 0),
            uniforms(root, 1),
            uniforms(child_keys(root, 0), 0),
            uniforms(child_keys(root, 1), 0),
        ]
        for column in columns:
            assert stats.kstest(column, "uniform").pvalue > 1e-4
        off = np.corrcoef(columns)[~np.eye(4, dtype=bool)]
        assert np.abs(off).max() < 4.5 / np.sqrt(20_000)

    def test_steps_of_one_key_are_uniform(self):
        steps = [Key.of("run").at(n).uniform() for n in range(20_000)]
        assert stats.kstest(steps, "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(steps[:-1], steps[1:])[0, 1]) < 4.5 / np.sqrt(20_000)

    def test_pick_follows_the_probabilities(self):
        drawn = [Key.of("pick", n).pick([(0.2, "a"), (0.5, "b"), (0.3, "c")]) for n in range(5_000)]
        counts = [drawn.count(x) for x in "abc"]
        assert stats.chisquare(counts, [1000, 2500, 1500]).pvalue > 1e-4

    def test_pick_survives_probabilities_that_sum_to_a_little_less(self):
        assert Key(3).pick([(1e-300, "a"), (1e-300, "b")]) == "b"
