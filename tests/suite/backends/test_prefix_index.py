"""The index of beginnings agrees with comparing everyone, and forgets whom it must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.backends.prefix_index import PrefixIndex, common_prefix

TOKENS = st.lists(st.integers(0, 2), max_size=30).map(lambda x: np.array(x, dtype=np.int64))


@given(st.lists(TOKENS, max_size=8), TOKENS, st.integers(1, 5), st.data())
def test_it_finds_what_comparing_everyone_finds_up_to_a_block(held, wanted, block, data):
    index = PrefixIndex(block)
    for k, tokens in enumerate(held):
        index.add(k, tokens)
    gone = data.draw(st.sets(st.integers(0, 7)))
    for k in gone:
        index.remove(k)
    lengths = {k: common_prefix(t, wanted) for k, t in enumerate(held) if k not in gone}
    best = max(lengths.values(), default=0)
    holder, n = index.find(wanted)
    if best < block:
        assert (holder, n) == (None, 0)
    else:
        assert n == lengths[holder]
        assert n // block == best // block


def test_the_latest_of_several_is_found():
    index = PrefixIndex(2)
    for name in "abc":
        index.add(name, np.arange(6))
    assert index.find(np.arange(4)) == ("c", 4)
    index.remove("c")
    assert index.find(np.arange(4)) == ("b", 4)


def test_kinds_do_not_meet():
    index = PrefixIndex(2)
    index.add("plain", np.arange(6))
    index.add("steered", np.arange(4), kind=("vector",))
    assert index.find(np.arange(6)) == ("plain", 6)
    assert index.find(np.arange(6), kind=("vector",)) == ("steered", 4)
    assert index.find(np.arange(6), kind=("another",)) == (None, 0)


def test_adding_again_replaces():
    index = PrefixIndex(2)
    index.add("a", np.arange(6))
    index.add("a", np.arange(10, 16))
    assert index.find(np.arange(6)) == (None, 0)
    assert len(index) == 1
    index.clear()
    assert len(index) == 0
    assert not index._holders


def test_blocks_whose_hashes_meet_are_told_apart(monkeypatch):
    monkeypatch.setattr("builtins.hash", lambda x: 0)
    index = PrefixIndex(2)
    index.add("a", np.array([1, 2, 3, 4]))
    assert index.find(np.array([5, 6, 7, 8])) == (None, 0)


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [((), (), 0), ((1,), (), 0), ((1, 2), (1, 2), 2), ((1, 2, 3), (1, 2), 2), ((1, 2), (1, 3), 1), ((2,), (1,), 0)],
)
def test_a_common_prefix_is_counted(a, b, n):
    assert common_prefix(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)) == n
