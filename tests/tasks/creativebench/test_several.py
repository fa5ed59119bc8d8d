"""Several samples of an item: one way or many, with what rewrites reach taken off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.records import Turn
from finchmark.tasks.creativebench.novelty import bag_distance, grams, pair_distances
from finchmark.tasks.creativebench.several import slice_of, told_slice, ways

ONE = "def f(x):\n    return sorted(x)[0]"
SAME = "def f(items):\n    return sorted(items)[0]"
TWO = "def f(x):\n    best = x[0]\n    for y in x:\n        if y < best:\n            best = y\n    return best"
THREE = "def f(x):\n    return x[0] if len(x) == 1 else g(x[0], f(x[1:]))"


def turn(after):
    return Turn(index=0, observation="", after=after)


def test_a_slice_is_told_and_read_again():
    assert slice_of(turn("\n".join(told_slice(TWO)))) == TWO


def test_a_program_without_a_slice_is_told_from_one_without_quality():
    assert slice_of(turn("\n".join(told_slice("")))) == ""
    assert slice_of(turn("tests: failed (AssertionError tests: passed)")) is None
    assert slice_of(turn("tests: passed\nbreaks no construct for: line 2")) == ""
    assert slice_of(turn("")) is None


def test_fewer_than_two_programs_tell_nothing():
    assert ways([], 0.0) is None
    assert ways([ONE], 0.0) is None


def test_one_way_is_not_novel_to_itself_whatever_its_names():
    found = ways([ONE, SAME, ONE], 0.0)
    assert (found.programs, found.novelty, found.alike) == (3, 0.0, 1.0)


def test_two_ways_have_their_distance():
    found = ways([ONE, TWO], 0.0)
    assert found.novelty == pytest.approx(bag_distance(grams(ONE), grams(TWO)))
    assert found.alike == 0.0


def test_the_mean_is_over_all_pairs():
    found = ways([ONE, ONE, TWO], 0.0)
    assert found.novelty == pytest.approx(2 / 3 * bag_distance(grams(ONE), grams(TWO)))
    assert found.alike == pytest.approx(1 / 3)


def test_what_rewrites_reach_is_taken_off():
    distance = bag_distance(grams(ONE), grams(TWO))
    assert ways([ONE, TWO], 0.1).novelty == pytest.approx(distance - 0.1)
    assert ways([ONE, TWO], 1.0).novelty == 0.0
    assert ways([ONE, TWO], 1.0).alike == 1.0


def test_a_program_whose_slice_was_not_found_is_novel_to_no_other():
    found = ways([ONE, TWO, ""], 0.0)
    assert found.novelty == pytest.approx(bag_distance(grams(ONE), grams(TWO)) / 3)


@given(st.lists(st.sampled_from([ONE, TWO, THREE]), min_size=2, max_size=6))
def test_pairs_do_not_depend_on_the_order(parts):
    assert sorted(pair_distances(parts)) == pytest.approx(sorted(pair_distances(parts[::-1])))
    assert len(pair_distances(parts)) == len(parts) * (len(parts) - 1) // 2
    found = ways(parts, 0.0)
    assert 0.0 <= found.novelty <= 1.0
    assert found.alike == pytest.approx(1 - sum(d > 0 for d in pair_distances(parts)) / len(pair_distances(parts)))


@given(st.lists(st.sampled_from([ONE, TWO, THREE]), min_size=3, max_size=6))
def test_the_mean_over_subsets_is_the_whole(parts):
    """A mean over pairs is unbiased: leaving out each program in turn gives the same on average."""
    part = [ways(parts[:k] + parts[k + 1 :], 0.0).novelty for k in range(len(parts))]
    assert sum(part) / len(part) == pytest.approx(ways(parts, 0.0).novelty)
