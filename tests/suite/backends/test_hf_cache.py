"""The cache of sessions: its bound, what goes first, and what a new session may borrow."""

import numpy as np
import torch

from finchmark.suite.backends.kv_cache import Kept, SessionCache


def _kept(*tokens):
    pair = torch.zeros(1, len(tokens), 2), torch.zeros(1, len(tokens), 2)
    return Kept(np.array(tokens, dtype=np.int64), [pair, None])


SIZE = 2 * 2 * 4  # bytes a token: keys and values, two numbers of four bytes


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


def test_what_was_computed_for_a_steered_model_is_not_borrowed_by_a_plain_one():
    cache = SessionCache(1000 * SIZE)
    steered = _kept(*range(40))
    cache.keep("a", Kept(steered.tokens, steered.pairs, kind=("vector",)))
    assert cache.find("a", np.arange(30)) == (None, 0)
    assert cache.find("b", np.arange(30)) == (None, 0)
    assert cache.find("b", np.arange(30), kind=("vector",))[1] == 30


def test_released_sessions_go_first_and_only_a_few_stay():
    cache = SessionCache(30 * SIZE)
    for k in range(10):
        cache.keep(f"s{k}", _kept(k, 1, 2))
    for k in (8, 7, 6, 5, 4, 3):
        cache.release(f"s{k}")
    assert set(cache._kept) == {"s0", "s1", "s2", "s9", "s6", "s5", "s4", "s3"}
    for k in range(10, 15):
        cache.keep(f"s{k}", _kept(k, 1, 2))
    assert {"s0", "s1", "s2", "s9"} <= set(cache._kept)
    assert cache.size <= cache.limit
    assert cache.evictions == 3
    cache.keep("s4", _kept(4, 1, 2, 3))  # it lives again
    for k in range(20, 22):
        cache.keep(f"s{k}", _kept(k, 1, 2))
    assert "s4" in cache._kept


def test_forgetting_leaves_nothing_behind():
    cache = SessionCache(1000 * SIZE)
    for k in range(5):
        cache.keep(f"s{k}", _kept(*range(40)))
    cache.release("s1")
    cache.clear()
    assert (len(cache), cache.size, len(cache._index)) == (0, 0, 0)
    assert cache.find("s1", np.arange(40)) == (None, 0)


def test_a_session_whose_history_changed_borrows_where_that_spares_more():
    cache = SessionCache(1000 * SIZE)
    cache.keep("a", _kept(*range(40)))
    cache.keep("b", _kept(0, 1, 2, 77, 78))
    assert cache.find("b", np.arange(35))[1] == 35
