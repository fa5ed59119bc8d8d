from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import derive, generator, uniform

PATH = st.lists(st.text() | st.integers(), min_size=1, max_size=4)


@given(PATH, PATH)
def test_different_paths_have_different_seeds(a, b):
    assert (derive(*a) == derive(*b)) == (a == b)


def test_text_and_number_are_different_paths():
    assert derive("a", 1) != derive("a", "1")


def test_the_cut_between_parts_matters():
    assert derive("ab", "c") != derive("a", "bc")


@given(PATH)
def test_seeds_fit_into_63_bits(path):
    assert 0 <= derive(*path) < 2**63


def test_seeds_are_the_same_on_every_machine():
    # Frozen when this was written: another value would change every run that was ever published.
    assert derive("finch", 1) == 5587621019346400892


def test_neighbouring_seeds_share_no_items():
    draws = [set(generator("items", seed).integers(2**40, size=500).tolist()) for seed in (42, 43)]
    assert not draws[0] & draws[1]


def test_uniform_is_uniform():
    values = np.array([uniform("u", i) for i in range(20_000)])
    counts = np.bincount((values * 20).astype(int), minlength=20)
    # Chi-square with 19 degrees of freedom: 43.8 is its 99.9 % quantile.
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


def test_generators_do_not_share_state():
    a, b = generator("x"), generator("x")
    a.random(10)
    assert b.random() == generator("x").random()
