import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.seeds import generator
from finchmark.suite.stats.letters import compact_letters


def matrix(n, *pairs):
    d = np.zeros((n, n), dtype=bool)
    for i, j in pairs:
        d[i, j] = d[j, i] = True
    return d


def sets(letters):
    """Letters of each thing, those of two signs kept whole."""
    found = []
    for text in letters:
        pieces, rest = set(), text
        while rest:
            size = rest.index(".") + 1 if "." in rest[1:3] else 1
            pieces.add(rest[:size])
            rest = rest[size:]
        found.append(pieces)
    return found


@st.composite
def differences(draw):
    n = draw(st.integers(1, 9))
    return matrix(n, *draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30)))


@given(differences())
def test_a_pair_shares_a_letter_exactly_if_it_is_not_different(d):
    letters = sets(compact_letters(d))
    for i in range(len(letters)):
        assert letters[i]
        for j in range(i):
            assert bool(letters[i] & letters[j]) != d[i, j]


def test_nothing_different_is_one_letter():
    assert compact_letters(matrix(3)) == ("a", "a", "a")


def test_everything_different_is_a_letter_each():
    assert compact_letters(~np.eye(3, dtype=bool)) == ("a", "b", "c")


def test_a_chain_shares_in_the_middle():
    assert compact_letters(matrix(3, (0, 2))) == ("a", "ab", "b")


def test_piephos_example_needs_no_more_letters_than_published():
    # Piepho (2004), example 3: eight treatments of which five pairs differ: six letters, twenty entries.
    pairs = [(1, 7), (1, 8), (2, 4), (2, 5), (3, 5)]
    letters = compact_letters(matrix(8, *[(i - 1, j - 1) for i, j in pairs]))
    assert len(set("".join(letters))) == 6
    assert sum(map(len, letters)) <= 20


def test_the_best_gets_a():
    assert compact_letters(matrix(3, (0, 2)), order=[2, 1, 0]) == ("b", "ab", "a")


def test_the_letters_do_not_depend_on_the_order_of_input():
    d = generator("letters").random((7, 7)) < 0.4
    d = d | d.T
    permuted = generator("permutation").permutation(7)
    there = compact_letters(d[np.ix_(permuted, permuted)], order=np.argsort(permuted).tolist())
    assert tuple(there[k] for k in np.argsort(permuted)) == compact_letters(d)


def test_more_than_26_groups_keep_distinct_letters():
    letters = compact_letters(~np.eye(30, dtype=bool))
    assert letters[25:28] == ("z", "aa.", "ab.")
    assert len(set(letters)) == 30


def test_none_is_none():
    assert compact_letters(np.zeros((0, 0))) == ()


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), [[0, 1], [0, 0]]])
def test_a_matrix_that_is_none_is_named(bad):
    with pytest.raises(ValueError, match="symmetric"):
        compact_letters(bad)


def test_an_order_that_is_none_is_named():
    with pytest.raises(ValueError, match="order"):
        compact_letters(matrix(2), order=[0, 0])
