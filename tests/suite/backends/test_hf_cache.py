"""The cache of sessions: its bound, what goes first, and what a new session may borrow."""

import numpy as np
import pytest
import torch

from finchmark.suite.backends.kv_cache import Kept, SessionCache, common_prefix


def _kept(*tokens):
    pair = torch.zeros(1, len(tokens), 2), torch.zeros(1, len(tokens), 2)
    return Kept(np.array(tokens, dtype=np.int64), [pair, None])


SIZE = 2 * 2 * 4  # bytes a token: keys and values, two numbers of four bytes


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [((), (), 0), ((1,), (), 0), ((1, 2), (1, 2), 2), ((1, 2, 3), (1, 2), 2), ((1, 2), (1, 3), 1), ((2,), (1,), 0)],
)
def test_a_common_prefix_is_counted(a, b, n):
    assert common_prefix(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64)) == n


def test_the_cache_never_exceeds_its_limit_and_drops_the_least_recently_used():
    cache = SessionCache(10 * SIZE)
    for name in "abc":
        cache.keep(name, _kept(1, 2, 3))
    assert cache.size == 9 * SIZE
    cache.find("a", np.array([1, 2, 3]))  # now b is the oldest
    cache.keep("d", _kept(1, 2, 3))
    assert cache.size == 9 * SIZE
    assert set(cache._kept) == {"a", "c", "d"}


def test_an_entry_larger_than_the_limit_is_not_kept():
    cache = SessionCache(2 * SIZE)
    cache.keep("a", _kept(1, 2))
    cache.keep("b", _kept(1, 2, 3))
    assert set(cache._kept) == {"a"}


def test_a_session_has_one_entry():
    cache = SessionCache(100 * SIZE)
    cache.keep("a", _kept(1, 2, 3))
    cache.keep("a", _kept(1, 2, 3, 4))
    assert (len(cache), cache.size) == (1, 4 * SIZE)
    cache.drop("a")
    assert (len(cache), cache.size) == (0, 0)


def test_a_new_session_borrows_a_long_common_beginning_and_no_short_one():
    cache = SessionCache(1000 * SIZE)
    cache.keep("a", _kept(*range(40)))
    kept, n = cache.find("new", np.arange(30))
    assert kept is not None
    assert n == 30
    assert cache.find("new", np.arange(10)) == (None, 0)


def test_a_session_whose_history_changed_borrows_where_that_spares_more():
    cache = SessionCache(1000 * SIZE)
    cache.keep("a", _kept(*range(40)))
    cache.keep("b", _kept(0, 1, 2, 77, 78))
    assert cache.find("b", np.arange(35))[1] == 35
